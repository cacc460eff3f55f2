"""What distilling an ensemble into one network costs in Dice: on cases that none has seen.

Run with ``python -m benchmarks.distillation FOLDER [MINUTES]``, the folder of real scans
(shared/data); without it nothing is measured. Three folds are trained on hippocampi for MINUTES
each (2), and distilled for as long; every third case is held out of all of it. On these, one fold,
the mean of the folds, and the distilled network are compared, object by object, with intervals of
the mean difference (bootstrap over cases, 10,000 samples). Takes about five times MINUTES.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner

from benchmarks.fewer_copies import import_task, processor_seconds
from benchmarks.report import machine, print_table, write_result
from interactivenet.cli import main as command
from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Case
from interactivenet.inference.predictor import Predictor
from interactivenet.models.model import Model, own_model
from interactivenet.pipeline.distil import distil
from interactivenet.pipeline.reporting import SILENT
from interactivenet.pipeline.student import StudentOptions
from interactivenet.pipeline.validated_cases import measure
from interactivenet.postprocessing.merging import average

TASK, FOLDS, HELD_OUT = "Task002_HIPPOCAMPUS", 3, 30
_SAMPLES = 10_000


def main() -> None:
    """Train, distil, measure, print and write ``results/distillation.json``."""
    if len(sys.argv) < 2:
        print("needs the folder of real scans (shared/data): nothing is measured")
        return
    source = Path(sys.argv[1]) / "hippocampus_mr"
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        every = import_task(root, "Task001_EVERY", source, ["MR"], "hippocampus")
        held = [case.name for case in every.training[::3]]
        folds, roots = train(root, source, set(held), minutes)
        student = distil(roots, folds, StudentOptions(minutes=minutes), SILENT)
        models = {"one fold": folds.fold(folds.folds[0]), "mean of folds": folds,
                  "distilled": student}  # fmt: skip
        cases = [case for case in every.training if case.name in held][:HELD_OUT]
        found = {name: segment(model, cases) for name, model in models.items()}
    summary = summarise(found)
    rows = [
        [name, f"{row['dice']:.4f}", f"{row['cpu_seconds']:.2f}",
         " to ".join(f"{end:+.4f}" for end in row["difference_from_mean_of_folds"])]
        for name, row in summary.items()
    ]  # fmt: skip
    head = ["", "Dice", "CPU s a case", "95 % interval of the difference from the mean"]
    print_table(f"{len(cases)} held-out cases", head, rows)
    facts = {"machine": machine("torch"), "minutes": minutes, "folds": FOLDS,
             "cases": len(cases), "results": summary}  # fmt: skip
    print(f"\n{write_result('distillation', facts)}")


def train(root: Path, source: Path, held: set[str], minutes: float) -> tuple[Model, Roots]:
    """Train the folds on what is not held out; returns them, and where all of it is."""
    part = root / "part"
    for name in ("images", "labels"):
        (part / name).mkdir(parents=True)
        for path in (source / name).iterdir():
            if path.name.split(".")[0] not in held:
                shutil.copy(path, part / name)
    task = import_task(root, TASK, part, ["MR"], "hippocampus")
    assert not held & {case.name for case in task.training}
    roots = Roots(root / "raw", root / "processed", root / "results")
    where = ["-t", TASK, "--raw", str(roots.raw), "--processed", str(roots.processed)]
    plan = ["plan", *where, "--preset", "tiny", "-f", str(FOLDS)]
    training = ["train", *where, "--results", str(roots.results), "-f", "all", "--minutes",
                f"{minutes:g}", "--no-validate", "--no-mlflow"]  # fmt: skip
    for words in (plan, training):
        done = CliRunner().invoke(command, words)
        if done.exit_code:
            raise SystemExit(done.output)
    return own_model(roots, TASK, choice=False), roots


def segment(model: Model, cases: list[Case]) -> dict[str, Any]:
    """Return the Dice of each case, by its name, and the seconds of the networks."""
    predictor = Predictor(model)
    dices, seconds = {}, 0.0
    for case in cases:
        prepared = predictor.prepare(case)
        start = processor_seconds()
        answers = predictor.answer(prepared)
        seconds += processor_seconds() - start
        claims = [average(members) for members in predictor.claims(prepared, answers)]
        found = predictor.merged(prepared, claims)
        rows = measure(prepared.scan, found.instance_map, 1.0)
        dices[case.name] = float(np.mean([row["dice"] for row in rows]))
    return {"dices": dices, "cpu_seconds": seconds / len(cases)}


def summarise(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return mean Dice, seconds, and the interval of the paired difference from the mean."""
    random = np.random.default_rng(0)
    base = np.array([*found["mean of folds"]["dices"].values()])
    drawn = random.integers(0, len(base), (_SAMPLES, len(base)))
    summary = {}
    for name, row in found.items():
        dices = np.array([row["dices"][case] for case in found["mean of folds"]["dices"]])
        difference = dices - base
        summary[name] = {
            "dice": float(dices.mean()),
            "cpu_seconds": row["cpu_seconds"],
            "difference": float(difference.mean()),
            "difference_from_mean_of_folds": np.quantile(
                difference[drawn].mean(axis=1), [0.025, 0.975]
            ).tolist(),
            "worst": float(difference.min()),
        }
    return summary


if __name__ == "__main__":
    main()
