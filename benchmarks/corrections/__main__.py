"""What a click is worth: objects that a model never saw, corrected by robots.

    python -m benchmarks.corrections --work FOLDER [--every N]
    python -m benchmarks.corrections --work FOLDER --arm object_starter --datasets sarcoma_mr_5

FOLDER is the work folder of ``benchmarks.learning``: its starters are tested on kinds of objects
that they never saw, or, with ``--arm``, its trained folds on the cases that each never saw. Every
object is segmented from its six points and corrected: in a session, as a user does; by the screened
random walker; and by the brush. ``results/corrections.json`` and ``.md`` are written; measurements
that are not repeated stay in them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.corrections.walker import WalkerSession
from benchmarks.learning.arms import ARMS, DATASETS
from benchmarks.learning.datasets import FOLDS, LabelledCase
from benchmarks.learning.job import Unavailable
from benchmarks.learning.starters import find_starter, starter_model
from benchmarks.report import RESULTS, machine, put_between, write_result
from interactivenet.evaluation.click_robots import ROBOTS
from interactivenet.evaluation.clicking import MODEL, Clicking, CorrectableSession, correct_case
from interactivenet.evaluation.correction_measures import summarise_corrections
from interactivenet.inference.predictor import Predictor
from interactivenet.models.model import Model
from interactivenet.planning.extent import ELLIPSOID
from interactivenet.planning.plan import ExtentPrior, Plan
from interactivenet.system.files import read_json, read_object, read_text, write_text

#: the page of the docs, and where in it the table stands
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "corrections.md"
BEGIN, END = "<!-- figures: written by benchmarks/corrections -->", "<!-- /figures -->"
TESTED = ("hippocampus", "sarcoma_mr")
#: what makes two measurements the same
_KEY = ("dataset", "arm", "robot", "way")
#: a model, and cases that it never saw
Group = tuple[Model, list[LabelledCase]]
WAYS = ("session", "walker", "deep walker")


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=TESTED)
    parser.add_argument("--arm", choices=ARMS, help="whose trained folds are tested")
    parser.add_argument("--minutes", type=float, default=5.0, help="of those folds' training")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--every", type=int, default=1, help="of the cases, each so many-th")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    kept = read_object(RESULTS / "corrections.json").get("measured", [])
    measured = {tuple(found[name] for name in _KEY): found for found in kept}
    about = {"threads": options.threads, "every": options.every,
             "machine": machine("torch", "numpy", "scipy")}  # fmt: skip
    for name, groups in tested_groups(options):
        for robot in ROBOTS:
            for way in options.ways:
                found = {"dataset": name, "arm": options.arm or "zero_shot", "way": way, **about,
                         **measure(name, way, Clicking(robot=robot), groups)}  # fmt: skip
                measured[tuple(found[key] for key in _KEY)] = found
                print(line_of(found), flush=True)
    ordered = [measured[key] for key in sorted(measured)]
    write_result("corrections", {"measured": ordered})
    text = table(ordered)
    write_text(RESULTS / "corrections.md", text)
    write_text(PAGE, put_between(read_text(PAGE), BEGIN, END, text))


def tested_groups(options: argparse.Namespace) -> Iterator[tuple[str, list[Group]]]:
    """Yield each data set that is asked for with its models; says which cannot be measured."""
    for name in options.datasets:
        try:
            yield name, _folds(name, options) if options.arm else [_untrained(name, options)]
        except Unavailable as error:
            print(f"{name}: {error}: not measured")


def _untrained(name: str, options: argparse.Namespace) -> Group:
    """Return a starter that never saw a kind of objects, and the cases. Raises Unavailable."""
    weights = find_starter(DATASETS[name], options.work, options.shared)
    return starter_model(weights), DATASETS[name].cases(options.shared)[:: options.every]


def _folds(name: str, options: argparse.Namespace) -> list[Group]:
    """Return the trained folds of an arm, each with cases that it never saw. Raises Unavailable."""
    cases = DATASETS[name].cases(options.shared)
    plans = {
        plan.digest: plan
        for plan in map(Plan.load, (options.work / "processed").glob("*/*/plans.json"))
    }
    groups = []
    records = map(read_json, (options.work / "records" / "all").rglob("*.json"))
    for record in records:
        if (record["arm"], record["dataset"]) != (options.arm, name):
            continue
        if record["settings"]["minutes"] != options.minutes:
            continue
        weights = options.work / record["cost"]["weights"]
        plan = plans[record["cost"]["plan"]]
        if plan.grid is not None and plan.extent_prior is None:
            # as a plan has it now: weights do not depend on it
            plan = replace(plan, extent_prior=ExtentPrior(ellipsoid=ELLIPSOID))
        model = Model(plan, (weights,), (0,), "last", name=name)
        tested = {row["case"] for row in record["objects"]}
        unseen = [case for case in cases if case.name in tested][:: options.every]
        groups.append((model, unseen))
    if len(groups) != FOLDS:
        raise Unavailable(f"{len(groups)} of {FOLDS} folds are trained in {options.work}")
    return groups


def measure(name: str, way: str, clicking: Clicking, groups: Sequence[Group]) -> dict[str, Any]:
    """Correct every object of some cases in one way; returns what its clicks are worth."""
    dataset = DATASETS[name]
    rows: list[dict[str, Any]] = []
    asked = [(Predictor(model, device="cpu", mirrored=False), cases) for model, cases in groups]
    for predictor, case in ((model, case) for model, cases in asked for case in cases):
        scan, things = dataset.read(case)
        for thing in things:
            session: CorrectableSession = (
                predictor.open(scan)
                if way == "session"
                else WalkerSession(predictor, scan, deep=way == "deep walker")
            )
            corrected = correct_case(
                session, f"{case.name}/{thing.name}", [thing.prompt], [thing.mask],
                scan.image.grid, clicking,
            )  # fmt: skip
            rows += corrected.rows
    return summarise_corrections(rows, clicking)


def line_of(found: Mapping[str, Any]) -> str:
    """Return a measurement as one line."""
    dices = {
        method: " ".join(f"{item['dice']['mean']:.4f}" for item in found["curve"]
                         if item["method"] == method)
        for method in found["methods"]
    }  # fmt: skip
    return (
        f"{found['dataset']}, {found['arm']}, {found['robot']}, {found['way']}: {dices[MODEL]};"
        f" brush {dices['brush']}; heeded {found['methods'][MODEL]['heeded']:.3f},"
        f" {found['methods'][MODEL]['seconds']:.3f} s"
    )


def table(measured: list[dict[str, Any]]) -> str:
    """Return the measurements as a table in Markdown: Dice after 0 to 5 clicks."""
    count = max((len(found["curve"]) // 2 for found in measured), default=1)
    head = "".join(f" {step} |" for step in range(count))
    lines = [
        f"| objects | model | robot | clicks heeded by |{head} heeded | ended worse | s a click |",
        "|---|---|---|---|" + "---|" * (count + 3),
    ]
    for found in measured:
        for method, measures in found["methods"].items():
            if method != MODEL and found["way"] != WAYS[0]:
                continue  # the brush is the same, whatever it is compared with
            dices = [item["dice"]["mean"] for item in found["curve"] if item["method"] == method]
            seconds = measures.get("seconds")
            cells = [
                f"{found['dataset']} (n = {found['objects']})", ARMS[found["arm"]].title,
                found["robot"],
                found["way"] if method == MODEL else method,
                *(f"{value:.3f}" for value in dices),
                f"{measures['heeded']:.0%}", f"{measures['ended_worse']:.0%}",
                "" if seconds is None else f"{seconds:.2f}",
            ]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
