"""Mirrored copies: all eight, no more than are needed, or none; what it saves, and its Dice.

Run with ``python -m benchmarks.fewer_copies FOLDER [MODEL ...]``, the folder of real scans
(shared/data), and further bundles to measure on the hippocampus; without a folder nothing is
measured. The starter segments hippocampi (every second one) and sarcomas from simulated points,
each object in the three ways in turn. Seconds are of the processor, of all threads, in the
networks.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner

from benchmarks.report import machine, print_table, write_result
from interactivenet.cli import main as command
from interactivenet.datasets.task import Case, Task
from interactivenet.inference.mirroring import ENOUGH
from interactivenet.inference.predictor import Predictor
from interactivenet.models.model import Mirrored
from interactivenet.pipeline.validated_cases import measure

WAYS: dict[str, Mirrored] = {"all": True, "adaptive": "adaptive", "none": False}


def main() -> None:
    """Measure, print and write ``results/fewer_copies.json``."""
    if len(sys.argv) < 2:
        print("needs the folder of real scans (shared/data): nothing is measured")
        return
    data = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as place:
        hippocampi = import_task(
            Path(place), "Task001_HIPPOCAMPUS", data / "hippocampus_mr", ["MR"], "hippocampus"
        )
        sarcomas = import_task(
            Path(place), "Task002_SARCOMA", data / "sarcoma_mr_ct", ["MR", "CT"], "tumour"
        )
        results = {
            "starter, hippocampus": compare("starter", hippocampi.training[::2]),
            "starter, sarcoma": compare("starter", sarcomas.training),
        }
        for model in sys.argv[2:]:
            results[f"{Path(model).name}, hippocampus"] = compare(model, hippocampi.training[::4])
    for name, found in results.items():
        rows = [
            [way, f"{row['copies']:.2f}", f"{row['cpu_seconds']:.2f}", f"{row['dice']:.4f}",
             f"{row['change']:+.5f}", f"{row['worst']:+.4f}"]
            for way, row in found["ways"].items()
        ]  # fmt: skip
        head = ["copies", "asked", "CPU s", "Dice", "change", "worst object"]
        print_table(f"{name}: {found['objects']} objects", head, rows)
    path = write_result(
        "fewer_copies",
        {"machine": machine("torch"), "enough": {str(n): dice for n, dice in ENOUGH.items()},
         "results": results},
    )  # fmt: skip
    print(f"\n{path}")


def import_task(root: Path, name: str, source: Path, modalities: list[str], label: str) -> Task:
    """Import real scans as a task, its labels as one, with simulated points."""
    where = ["-t", name, "--raw", str(root / "raw")]
    named = [word for modality in modalities for word in ("-m", modality)]
    convert = ["dataset", "convert", str(source), *where, *named]
    # labels 1 and 2 of a hippocampus are its two parts
    convert += ["--merge-labels", label] if label == "hippocampus" else ["-l", label]
    for words in (convert, ["simulate", *where], ["dataset", *where, *named, "-l", label]):
        done = CliRunner().invoke(command, words)
        if done.exit_code:
            raise SystemExit(done.output)
    return Task.load(root / "raw" / name)


def compare(model: str, cases: tuple[Case, ...]) -> dict[str, Any]:
    """Segment cases in all ways; return copies, seconds and Dice, and their distributions."""
    predictors = {way: Predictor(model, mirrored=asked) for way, asked in WAYS.items()}
    copies: dict[str, list[int]] = {way: [] for way in WAYS}
    dices: dict[str, list[float]] = {way: [] for way in WAYS}
    seconds = dict.fromkeys(WAYS, 0.0)
    for case in cases:
        prepared = predictors["all"].prepare(case)
        for way, predictor in predictors.items():
            start = processor_seconds()
            answers = predictor.answer(prepared)
            seconds[way] += processor_seconds() - start
            claims = [members[0] for members in predictor.claims(prepared, answers)]
            found = predictor.merged(prepared, claims)
            dices[way] += [row["dice"] for row in measure(prepared.scan, found.instance_map, 1.0)]
            copies[way] += [answer.copies[0] for answer in answers]
    every = np.array(dices["all"])
    return {
        "objects": len(every),
        "ways": {
            way: {
                "copies": float(np.mean(copies[way])),
                "objects_by_copies": dict(sorted(Counter(map(str, copies[way])).items())),
                "cpu_seconds": seconds[way] / len(every),
                "dice": float(np.mean(dices[way])),
                "change": float(np.mean(dices[way] - every)),
                "worst": float(np.min(dices[way] - every)),
                "change_quantiles": np.quantile(
                    dices[way] - every, [0.05, 0.25, 0.5, 0.75, 0.95]
                ).tolist(),
            }
            for way in WAYS
        },
    }  # fmt: skip


def processor_seconds() -> float:
    """Return the seconds of processor time that this process has used, of all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
