"""How much the result depends on where exactly the points are.

Every case is segmented again with disturbed points: moved by some millimetres in any direction,
out of the object if it so happens; one of them missing; simulated anew. What is measured is the
Dice of every object, on the grid of its scan.
"""

from __future__ import annotations

import csv
import io
import statistics
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from interactivenet.datasets.case import Scan
from interactivenet.datasets.task import Case
from interactivenet.errors import DataError
from interactivenet.evaluation import evaluate_masks
from interactivenet.imaging.geometry import Geometry
from interactivenet.inference.batch import input_hashes, why
from interactivenet.inference.predictor import Predictor
from interactivenet.plotting.robustness import save_robustness
from interactivenet.prompts.prompt import Prompt
from interactivenet.prompts.simulation import SimulationOptions, draw_points, find_objects
from interactivenet.system.files import read_object, write_json, write_text
from interactivenet.system.signals import Signals

ROWS, TABLE, FIGURE = "robustness.json", "robustness.csv", "robustness.png"


@dataclass(frozen=True)
class Perturbation:
    """What happens to the points of a prompt.

    kind: 'none'; 'moved', each by ``mm`` in a random direction; 'missing', one of them;
    'anew', simulated from the label with another seed.
    """

    name: str
    kind: Literal["none", "moved", "missing", "anew"]
    mm: float = 0.0


PERTURBATIONS = (
    Perturbation("as placed", "none"),
    Perturbation("other seeds", "anew"),
    Perturbation("moved 1 mm", "moved", 1.0),
    Perturbation("moved 3 mm", "moved", 3.0),
    Perturbation("moved 5 mm", "moved", 5.0),
    Perturbation("one missing", "missing"),
)


def perturb(
    prompt: Prompt,
    how: Perturbation,
    mask: NDArray[np.bool_],
    grid: Geometry,
    rng: np.random.Generator,
) -> Prompt:
    """Return the prompt with disturbed points.

    mask: (X, Y, Z), the prompt's object.  grid: the RAS grid of the scan. Points that would leave
    the image stay in its outermost voxels.
    """
    points = np.array(prompt.points)
    if how.kind == "moved":
        directions = rng.normal(size=points.shape)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        voxels = grid.world_to_voxel(points + how.mm * directions)
        points = grid.voxel_to_world(voxels.clip(0, np.array(grid.shape) - 1))
    elif how.kind == "missing" and len(points) > 1:
        points = np.delete(points, rng.integers(len(points)), axis=0)
    elif how.kind == "anew":
        things = find_objects(mask, per_component=False, largest_only=True)
        if things:
            points = grid.voxel_to_world(
                draw_points(things[0], grid.spacing, SimulationOptions(), rng)
            )
    return Prompt(prompt.label, points, prompt.name)


def measure_scan(predictor: Predictor, scan: Scan, repeats: int, seed: int) -> list[dict[str, Any]]:
    """Segment a labelled scan with all disturbances; a row for each, its objects and repeats.

    What is random follows from the seed and the names of case and disturbance.
    """
    grid = scan.image.grid
    masks = [scan.objects.mask(prompt, scan.prompts, grid) for prompt in scan.prompts]
    rows = []
    for how in PERTURBATIONS:
        for repeat in range(1 if how.kind == "none" else repeats):
            rng = np.random.default_rng(
                [seed, repeat, zlib.crc32(f"{scan.name} {how.name}".encode())]
            )
            prompts = [
                perturb(prompt, how, mask, grid, rng)
                for prompt, mask in zip(scan.prompts, masks, strict=True)
            ]
            instance_map = predictor.segment(scan, prompts).instance_map
            for number, (prompt, mask) in enumerate(zip(scan.prompts, masks, strict=True)):
                dice = evaluate_masks(instance_map == number + 1, mask, grid.spacing)["dice"]
                rows.append(
                    {"case": scan.name, "label": prompt.label, "name": prompt.name,
                     "prompt": number, "disturbance": how.name, "repeat": repeat, "dice": dice}
                )  # fmt: skip
    return rows


def measure_cases(
    groups: Sequence[tuple[Predictor, Sequence[Case]]],
    folder: Path,
    *,
    repeats: int = 3,
    seed: int = 0,
    overwrite: bool = False,
    signals: Signals | None = None,
) -> Iterator[tuple[str, str]]:
    """Measure cases, each with the predictor that never saw it; yields case and error, '' for none.

    Writes ``robustness.json`` after every case, so that a stopped measurement goes on, and at
    the end ``robustness.csv`` and ``robustness.png``.
    """
    path = folder / ROWS
    content = {} if overwrite else read_object(path)
    known = content.get("cases", {})
    now: dict[str, Any] = {}
    for predictor, cases in groups:
        for case in cases:
            error = ""
            try:
                made_from = _made_from(predictor, case, repeats, seed)
                old = known.get(case.name, {})
                if old.get("made_from") == made_from:
                    now[case.name] = old
                else:
                    scan = predictor.read(case)
                    if scan.label is None:
                        raise DataError(f"{case.name}: has no label map to compare with")
                    rows = measure_scan(predictor, scan, repeats, seed)
                    now[case.name] = {"made_from": made_from, "rows": rows}
            except Exception as problem:  # one odd case must not end the others
                error = why(problem)
            write_json(path, {"summary": summary(all_rows(now)), "cases": {**known, **now}})
            yield case.name, error
            if signals:
                signals.check()
    rows = all_rows(now)
    write_json(path, {"summary": summary(rows), "cases": now})
    if rows:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(folder / TABLE, text.getvalue())
        dice = {how.name: _by_object(rows, how.name) for how in PERTURBATIONS}
        save_robustness(folder / FIGURE, dice)


def all_rows(cases: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of all cases."""
    return [row for one in cases.values() for row in one["rows"]]


def summary(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row per disturbance: the Dice over objects (each the mean of its repeats).

    'mean', 'lowest' (object), 'cost' (mean of what it is lower than as placed), 'spread': mean
    over objects of the standard deviation between repeats, 'worst_cost': of one object.
    """
    table = []
    placed = _by_object(rows, PERTURBATIONS[0].name)
    for how in PERTURBATIONS:
        found = _by_object(rows, how.name)
        if not found:
            continue
        means = {key: statistics.fmean(values) for key, values in found.items()}
        mean = statistics.fmean(means.values())
        costs = [statistics.fmean(placed[key]) - one for key, one in means.items()]
        table.append(
            {"disturbance": how.name, "objects": len(found), "mean": mean,
             "lowest": min(means.values()), "cost": statistics.fmean(costs),
             "worst_cost": max(costs),
             "spread": statistics.fmean(statistics.pstdev(one) for one in found.values())}
        )  # fmt: skip
    return table


def _by_object(
    rows: Sequence[Mapping[str, Any]], disturbance: str
) -> dict[tuple[str, int], list[float]]:
    found: dict[tuple[str, int], list[float]] = {}
    for row in rows:
        if row["disturbance"] == disturbance:
            found.setdefault((row["case"], row["prompt"]), []).append(row["dice"])
    return found


def _made_from(predictor: Predictor, case: Case, repeats: int, seed: int) -> dict[str, Any]:
    model = predictor.model
    files = input_hashes(case)
    if case.label:
        files |= input_hashes(Case(case.name, (case.label,)))
    return {
        "inputs": files, "weights": list(model.digests), "plan": model.plan.digest,
        "postprocessing": model.postprocessing.name, "mirrored": predictor.mirrored,
        "restore": predictor.restore, "precision": predictor.precision, "repeats": repeats,
        "seed": seed,
    }  # fmt: skip
