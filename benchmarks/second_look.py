"""What a second look gains: the points told to the network again, as clicks on what it has found.

    python -m benchmarks.second_look --work FOLDER [--every N]
    python -m benchmarks.second_look --work FOLDER --arm object_starter_corrections --minutes 5

FOLDER is the work folder of ``benchmarks.learning``: its starters are asked about kinds of objects
that they never saw, or, with ``--arm``, its trained folds about the cases that each never saw.
Every object is segmented with one look and with two, of one copy and of all mirrored copies, from
the same points. ``results/second_look.json`` is written; measurements that are not repeated stay in
it.
"""

from __future__ import annotations

import resource
from dataclasses import replace
from typing import Any

import torch

from benchmarks.asked_in_ways import gain_as_json, gain_as_text, name_of_models, parse_options
from benchmarks.corrections.__main__ import Group, tested_groups
from benchmarks.learning.arms import DATASETS
from benchmarks.learning.scores import estimate, paired, score
from benchmarks.report import RESULTS, machine, print_table, write_result
from interactivenet.inference.predictor import Predictor
from interactivenet.models.model import Model
from interactivenet.system.files import read_object

TESTED = ("hippocampus", "sarcoma_mr", "sarcoma_ct", "brain_flair", "brain_t1c")
#: way -> (second look, mirrored)
WAYS = {"one look": (False, False), "two looks": (True, False),
        "one look, mirrored": (False, True), "two looks, mirrored": (True, True)}  # fmt: skip


def main() -> None:
    """Measure, print and write the results."""
    options = parse_options(__doc__, TESTED)
    if options.work is None:
        print("needs the work folder of benchmarks.learning (--work): nothing is measured")
        return
    torch.set_num_threads(options.threads)
    measured = dict(read_object(RESULTS / "second_look.json").get("measured", {}))
    for name, groups in tested_groups(options):
        arm = name_of_models(options)
        found = {"every": options.every, "machine": machine("torch"), **compare(name, groups)}
        measured[f"{name}, {arm}"] = found
        rows = [
            [way, f"{row['dice']:.4f}", f"{row['nsd']:.4f}", gain_as_text(row["gain"]),
             f"{row['better']:.0%}", f"{row['cpu_seconds']:.2f}"]
            for way, row in found["ways"].items()
        ]  # fmt: skip
        head = ["way", "Dice", "NSD", "gain of the second look", "better", "CPU s"]
        print_table(f"{name}, {arm}: {found['objects']} objects", head, rows)
        write_result("second_look", {"measured": {key: measured[key] for key in sorted(measured)}})


def compare(name: str, groups: list[Group]) -> dict[str, Any]:
    """Segment every object in all ways; returns means, and gains of the same objects."""
    dataset = DATASETS[name]
    rows: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    seconds = dict.fromkeys(WAYS, 0.0)
    for model, cases in groups:
        predictors = {
            way: Predictor(_asked(model, looks), device="cpu", mirrored=mirrored)
            for way, (looks, mirrored) in WAYS.items()
        }
        for case in cases:
            scan, things = dataset.read(case)
            for thing in things:
                for way, predictor in predictors.items():
                    begun = _cpu()
                    result = predictor.segment(scan, [thing.prompt])
                    seconds[way] += _cpu() - begun
                    of_object = score(result.label > 0, thing.mask, scan.image.grid)
                    rows[way].append({"case": case.name, "object": thing.name, **of_object})
    count = len(rows["one look"])
    ways = {}
    for way, (looks, _) in WAYS.items():
        reference = rows[way.replace("two looks", "one look")]
        gain = paired(rows[way], reference, "dice") if looks else None
        better = sum(a["dice"] > b["dice"] for a, b in zip(rows[way], reference, strict=True))
        ways[way] = {
            **{metric: round(estimate(rows[way], metric).mean, 4) for metric in ("dice", "nsd")},
            "gain": gain_as_json(gain), "better": round(better / count, 3),
            "cpu_seconds": round(seconds[way] / count, 3),
        }  # fmt: skip
    return {"objects": count, "ways": ways}


def _asked(model: Model, looks: bool) -> Model:
    return replace(model, plan=replace(model.plan, second_look=looks))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
