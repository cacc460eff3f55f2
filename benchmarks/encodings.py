"""What the map of the points is worth: one network, trained with each encoding.

    python -m benchmarks.encodings PROCESSED_TASK [--steps 300] [--seeds 2] [--jobs 2]

Every variant sees the same draws (regions, points, augmentation) in the same order, so that
differences are the encoding's and the training's noise. Each trained network is measured on the
fold's validation regions, on the target grid and without mirroring, with fresh points and with
points moved by normal noise of 3 mm. Finished trainings are kept in --work, so that the run can
be interrupted. Results: benchmarks/results/encodings_TASK.md.
"""

from __future__ import annotations

import argparse
import json
import zlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.inference.predictor import Predictor
from interactivenet.models.model import Model
from interactivenet.planning.plan import Encoding
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.postprocessing.merging import THRESHOLD
from interactivenet.preprocessing.folds import Fold, read_fold
from interactivenet.preprocessing.sample import crop_sample
from interactivenet.prompts.simulation import SimulationOptions as Simulation
from interactivenet.prompts.simulation import draw_points, find_objects, jitter
from interactivenet.system.files import read_json, write_json
from interactivenet.system.parallel import Workers
from interactivenet.training.checkpointing import LAST
from interactivenet.training.dataset import labelled_region
from interactivenet.training.options import TrainingOptions
from interactivenet.training.trainer import train_fold

KINDS = {
    "exact": Encoding(),
    "scan": Encoding(kernel="scan"),
    "gradient 0.5, 1": Encoding(metric="gradient", weight=0.5),
    "gradient 0.95, 1": Encoding(metric="gradient", weight=0.95),
    "gradient 0.95, 10": Encoding(metric="gradient", weight=0.95, contrast=10.0),
    "euclidean": Encoding(kind="euclidean"),
    "gaussian": Encoding(kind="gaussian"),
    "none": Encoding(kind="none"),
}
VARIANTS = {
    name + (" + extent" if extent else ""): replace(one, extent=extent)
    for name, one in KINDS.items()
    for extent in (False, True)
}
#: mm; points that are drawn for each validation region
JITTER, DRAWS = 3.0, 2


def main() -> None:
    """Train and measure every variant, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("processed", type=Path)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=list(VARIANTS))
    options = parser.parse_args()
    work = [(name, seed) for seed in range(options.seeds) for name in options.only]
    with Workers(options.jobs) as workers:
        found = list(workers.map(partial(measure, options), work))
    report(options, found)


def measure(options: argparse.Namespace, work: tuple[str, int]) -> dict[str, Any]:
    """Train one variant with one seed; returns the Dice of every object, fresh and jittered."""
    import torch

    torch.set_num_threads(1)
    name, seed = work
    fold = read_fold(PlannedTask.load(options.processed), options.fold)
    plan = replace(fold.plan, encoding=VARIANTS[name], seed=seed, batch_size=options.batch)
    fold = replace(fold, plan=plan)
    folder = options.work / plan.task / f"{name} {seed}".replace(" ", "_")
    result = folder / "dice.json"
    if not result.exists():
        batches = max(-(-len(fold.training) // options.batch), 10)
        epochs = round(options.steps / batches)
        trained = train_fold(fold, folder, TrainingOptions(epochs=epochs))
        dice = {"fresh": score(fold, folder, 0.0), "jittered": score(fold, folder, JITTER)}
        seconds = sum(row["seconds"] for row in trained.history)
        write_json(result, {"variant": name, "seed": seed, "seconds": seconds, **dice})
    content = read_json(result)
    print(json.dumps({**content, "fresh": np.mean(content["fresh"]).round(4),
                      "jittered": np.mean(content["jittered"]).round(4)}), flush=True)  # fmt: skip
    assert isinstance(content, dict)
    return content


def score(fold: Fold, folder: Path, jitter_mm: float) -> list[float]:
    """Dice of the validation objects, each the mean over its draws of points."""
    predictor = Predictor(Model(fold.plan, (folder / LAST,)), mirrored=False)
    scores = []
    for name in fold.validation:
        region = labelled_region(fold.processed, name, fold.plan)
        assert region.label is not None
        (thing,) = find_objects(region.label > 0, per_component=False, largest_only=True)
        spacing = region.grid.spacing
        found = []
        for draw in range(DRAWS):
            rng = np.random.default_rng([draw, zlib.crc32(name.encode())])
            scan = region.source.ras.spacing
            voxels = draw_points(thing, spacing, region.simulation or Simulation(), rng, scan)
            if jitter_mm:
                voxels = jitter(voxels, thing, spacing, jitter_mm, rng)
            sample = crop_sample(region, region.grid.voxel_to_world(voxels), fold.plan)
            predicted = predictor.probability(sample) >= THRESHOLD
            assert sample.label is not None
            both = (predicted & (sample.label > 0)).sum()
            # the object whole, whatever of it the sample holds
            found.append(2 * both / max(predicted.sum() + (region.label > 0).sum(), 1))
        scores.append(float(np.mean(found)))
    return scores


def report(options: argparse.Namespace, found: list[dict[str, Any]]) -> None:
    """Write the table: means over objects and seeds, and differences from no prompt at all."""
    fold = read_fold(PlannedTask.load(options.processed), options.fold)
    rng = np.random.default_rng(0)
    lines = [
        f"# Encodings: {fold.plan.task}",
        "",
        f"{len(fold.training)} objects to train on, {len(fold.validation)} to validate (fold"
        f" {options.fold}); spacing {fold.plan.spacing} mm, samples {fold.plan.sample_shape},"
        f" {fold.plan.network.features[0]} to {fold.plan.network.features[-1]} features, batch"
        f" {options.batch}, {options.steps} steps, {options.seeds} seeds. Dice on the target grid,"
        " without mirroring; in brackets the means of each seed. Difference from no prompt: paired"
        " over objects, 95 % interval by bootstrap over objects.",
        "",
        "| encoding | Dice, fresh points | points moved by 3 mm | fresh, against none |",
        "|---|---|---|---|",
    ]  # fmt: skip
    by_name: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        by_name.setdefault(one["variant"], []).append(one)
    order = sorted(by_name, key=lambda name: -_means(by_name[name], "fresh").mean())
    none = _objects(by_name["none"]) if "none" in by_name else None
    for name in order:
        cells = []
        for points in ("fresh", "jittered"):
            seeds = _means(by_name[name], points)
            cells.append(f"{seeds.mean():.3f} ({', '.join(f'{one:.3f}' for one in seeds)})")
        against = ""
        if none is not None and name != "none":
            differences = _objects(by_name[name]) - none
            picks = rng.integers(len(differences), size=(2000, len(differences)))
            low, high = np.percentile(differences[picks].mean(axis=1), (2.5, 97.5))
            against = f"{differences.mean():+.3f} ({low:+.3f} to {high:+.3f})"
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {against} |")
    path = Path(__file__).parent / "results" / f"encodings_{fold.plan.task}.md"
    path.write_text("\n".join(lines) + "\n")
    print(path.read_text())


def _means(runs: list[dict[str, Any]], points: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.mean(run[points]) for run in runs])


def _objects(runs: list[dict[str, Any]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Dice of each object with fresh points, the mean over seeds."""
    return np.asarray(np.mean([run["fresh"] for run in runs], axis=0))


if __name__ == "__main__":
    main()
