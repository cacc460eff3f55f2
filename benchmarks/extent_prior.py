"""What it gains that a network's answer gives way to what the points tell of the object's extent.

    python -m benchmarks.extent_prior --work FOLDER [--every N]
    python -m benchmarks.extent_prior --work FOLDER --arm object_starter_corrections --minutes 5

FOLDER is the work folder of ``benchmarks.learning``: its starters are asked about kinds of objects
that they never saw, or, with ``--arm``, its trained folds about the cases that each never saw.
Every object is segmented without the prior, confined to the extremes, and with the ellipsoid told
as well, from the same points; and without and with both, where these lie 1.5 times as deep as is
assumed. ``results/extent_prior.json`` is written; measurements that are not repeated stay in it.
"""

from __future__ import annotations

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
from interactivenet.planning.plan import ExtentPrior
from interactivenet.prompts.prompt import Prompt
from interactivenet.system.files import read_object

TESTED = ("sarcoma_mr", "sarcoma_ct", "hippocampus", "brain_flair", "brain_t1c")
REFERENCE, CONFINED, DEEPER, TIMES = "none", "confined", "times as deep", 1.5
#: way -> (the prior, how many times as deep as is assumed the points lie)
WAYS: dict[str, tuple[ExtentPrior | None, float]] = {
    REFERENCE: (None, 1.0),
    CONFINED: (ExtentPrior(), 1.0),
    "confined, ellipsoid told": (ExtentPrior(ellipsoid=3.0), 1.0),
}
WAYS |= {
    f"{way}, points {TIMES} {DEEPER}": (prior, TIMES)
    for way, prior in ((REFERENCE, None), ("confined, ellipsoid told", ExtentPrior(ellipsoid=3.0)))
}


def main() -> None:
    """Measure, print and write the results."""
    options = parse_options(__doc__, TESTED)
    if options.work is None:
        print("needs the work folder of benchmarks.learning (--work): nothing is measured")
        return
    torch.set_num_threads(options.threads)
    for name, groups in tested_groups(options):
        arm = name_of_models(options)
        found = {"every": options.every, "machine": machine("torch"), **compare(name, groups)}
        rows = [
            [way, *(f"{row[metric]:.4f}" for metric in ("dice", "nsd", "hd95")),
             gain_as_text(row["gain"]), gain_as_text(row["nsd_gain"]), f"{row['worst']:+.4f}"]
            for way, row in found["ways"].items()
        ]  # fmt: skip
        head = ["way", "Dice", "NSD", "HD95", "gain in Dice", "in NSD", "worst object"]
        print_table(f"{name}, {arm}: {found['objects']} objects", head, rows)
        before = read_object(RESULTS / "extent_prior.json").get("measured", {})
        measured = dict(sorted({**before, f"{name}, {arm}": found}.items()))
        write_result("extent_prior", {"measured": measured})


def compare(name: str, groups: list[Group]) -> dict[str, Any]:
    """Segment every object in all ways; returns means, and gains of the same objects."""
    dataset = DATASETS[name]
    rows: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for model, cases in groups:
        predictors = {
            prior: Predictor(_asked(model, prior), device="cpu")
            for prior in {prior for prior, _ in WAYS.values()}
        }
        for case in cases:
            scan, things = dataset.read(case)
            for thing in things:
                for way, (prior, deeper) in WAYS.items():
                    prompt = _assuming(thing.prompt, deeper)
                    result = predictors[prior].segment(scan, [prompt])
                    of_object = score(result.label > 0, thing.mask, scan.image.grid)
                    rows[way].append({"case": case.name, "object": thing.name, **of_object})
    ways = {}
    for way in WAYS:
        reference = rows[way.replace(CONFINED, REFERENCE).replace(", ellipsoid told", "")]
        pairs = zip(rows[way], reference, strict=True)
        ways[way] = {
            **{metric: round(estimate(rows[way], metric).mean, 4)
               for metric in ("dice", "nsd", "hd95")},
            "gain": gain_as_json(paired(rows[way], reference, "dice")),
            "nsd_gain": gain_as_json(paired(rows[way], reference, "nsd")),
            "worst": round(min(one["dice"] - other["dice"] for one, other in pairs), 4),
        }  # fmt: skip
    return {"objects": len(rows[REFERENCE]), "ways": ways}


def _asked(model: Model, prior: ExtentPrior | None) -> Model:
    return replace(model, plan=replace(model.plan, extent_prior=prior))


def _assuming(prompt: Prompt, deeper: float) -> Prompt:
    """Return a prompt whose points lie so many times as deep as it says."""
    assert prompt.depth_mm is not None
    x, y, z = (mm / deeper for mm in prompt.depth_mm)
    return replace(prompt, depth_mm=(x, y, z))


if __name__ == "__main__":
    main()
