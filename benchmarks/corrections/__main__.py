"""What a click is worth, without training: a starter on objects of a kind that it never saw.

    python -m benchmarks.corrections --work FOLDER [--every N]

FOLDER/starters holds the starters of ``benchmarks.learning``. Every object is segmented from its
six points and corrected by a robot: in a session, as a user does; by the screened random walker;
and by the brush. ``results/corrections.json`` and ``.md`` are written.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks.corrections.walker import WalkerSession
from benchmarks.learning.arms import DATASETS
from benchmarks.learning.job import Unavailable
from benchmarks.learning.starters import find_starter, starter_model
from benchmarks.report import RESULTS, machine, put_between, write_result
from interactivenet.evaluation.click_robots import ROBOTS
from interactivenet.evaluation.clicking import MODEL, Clicking, CorrectableSession, correct_case
from interactivenet.evaluation.correction_measures import summarise_corrections
from interactivenet.inference.predictor import Predictor
from interactivenet.system.files import read_text, write_text

#: the page of the docs, and where in it the table stands
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "corrections.md"
BEGIN, END = "<!-- figures: written by benchmarks/corrections -->", "<!-- /figures -->"
TESTED = ("hippocampus", "sarcoma_mr")
WAYS = ("session", "walker", "deep walker")


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--datasets", nargs="+", choices=TESTED, default=TESTED)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--every", type=int, default=1, help="of the cases, each so many-th")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    measured: list[dict[str, Any]] = []
    for name in options.datasets:
        try:
            weights = find_starter(DATASETS[name], options.work, options.shared)
        except Unavailable as error:
            print(f"{name}: {error}: not measured")
            continue
        predictor = Predictor(starter_model(weights), device="cpu", mirrored=False)
        for robot in ROBOTS:
            for way in options.ways:
                found = measure(name, way, Clicking(robot=robot), predictor, options)
                measured.append(found)
                print(line_of(found), flush=True)
    content = {"machine": machine("torch", "numpy", "scipy"), "threads": options.threads,
               "every": options.every, "measured": measured}  # fmt: skip
    write_result("corrections", content)
    text = table(measured)
    write_text(RESULTS / "corrections.md", text)
    write_text(PAGE, put_between(read_text(PAGE), BEGIN, END, text))


def measure(
    name: str, way: str, clicking: Clicking, predictor: Predictor, options: argparse.Namespace
) -> dict[str, Any]:
    """Correct every object of a data set in one way; returns what its clicks are worth."""
    dataset = DATASETS[name]
    rows: list[dict[str, Any]] = []
    for case in dataset.cases(options.shared)[:: options.every]:
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
    summary = summarise_corrections(rows, clicking)
    return {"dataset": name, "way": way, "starter": predictor.model.name, **summary}


def line_of(found: Mapping[str, Any]) -> str:
    """Return a measurement as one line."""
    dices = {
        method: " ".join(f"{item['dice']['mean']:.4f}" for item in found["curve"]
                         if item["method"] == method)
        for method in found["methods"]
    }  # fmt: skip
    return (
        f"{found['dataset']}, {found['robot']}, {found['way']}: {dices[MODEL]};"
        f" brush {dices['brush']}; heeded {found['methods'][MODEL]['heeded']:.3f},"
        f" {found['methods'][MODEL]['seconds']:.3f} s"
    )


def table(measured: list[dict[str, Any]]) -> str:
    """Return the measurements as a table in Markdown: Dice after 0 to 5 clicks."""
    count = max((len(found["curve"]) // 2 for found in measured), default=1)
    head = "".join(f" {step} |" for step in range(count))
    lines = [
        f"| objects | robot | clicks heeded by |{head} heeded | ended worse | s a click |",
        "|---|---|---|" + "---|" * (count + 3),
    ]
    for found in measured:
        for method, measures in found["methods"].items():
            if method != MODEL and found["way"] != WAYS[0]:
                continue  # the brush is the same, whatever it is compared with
            dices = [item["dice"]["mean"] for item in found["curve"] if item["method"] == method]
            seconds = measures.get("seconds")
            cells = [
                f"{found['dataset']} (n = {found['objects']})", found["robot"],
                found["way"] if method == MODEL else method,
                *(f"{value:.3f}" for value in dices),
                f"{measures['heeded']:.0%}", f"{measures['ended_worse']:.0%}",
                "" if seconds is None else f"{seconds:.2f}",
            ]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
