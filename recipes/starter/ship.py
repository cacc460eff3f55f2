"""Put a trained starter into the package: its bundle, and its card with what was measured.

    python -m recipes.starter.ship WORK

WORK is the folder of ``recipes.starter.train``. The figures are those of
``benchmarks/results/learning.json``: measure first, with the starter in its ``starters/full``.
A row of the card that nothing was measured for is left out.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.learning.results import Run, objects_of, read_runs
from benchmarks.learning.scores import Estimate, estimate
from benchmarks.report import RESULTS
from interactivenet import __version__
from interactivenet.models.bundle import CARD, write_bundle
from interactivenet.models.model import Model
from interactivenet.models.network import count_parameters, load_network
from interactivenet.models.starter import FOLDER
from interactivenet.system.files import read_object, read_text, write_text
from recipes.starter.train import plan_of

TEMPLATE = Path(__file__).with_name("MODEL_CARD.md")
#: row of the card -> data set of the benchmark
MEASURED = {"HIPPOCAMPUS": "hippocampus", "FLAIR": "brain_flair", "T1C": "brain_t1c",
            "SARCOMA": "sarcoma_both"}  # fmt: skip


def main() -> None:
    """Write the bundle into the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    facts = read_object(options.work / "facts.json")
    plan = plan_of(facts)
    if plan is None or facts["without"]:
        raise SystemExit(f"{options.work}: is not of this recipe, or without {facts['without']}")
    before = facts.get("before", {})
    weights = options.work / "weights.safetensors"
    model = Model(plan, (weights,), (0,), "last", name="starter")
    about = {"description": "any object on any modality, to begin with"}
    write_bundle(model, options.folder, about, half=True)
    network, _ = load_network(weights, plan)
    figures = {
        "PARAMETERS": f"{count_parameters(network) / 1e6:.1f} million",
        "MEGABYTES": f"{weights.stat().st_size / 1e6:.1f}",
        "GRID": "x".join(map(str, plan.sample_shape)),
        "VERSION": __version__,
        "STEPS": f"{facts['steps'] + before.get('steps', 0):,}",
        "TIME": _time(facts),
        "SHARE": facts["made_up"],
        **{name.upper(): str(count) for name, count in facts["objects"].items()},
    }
    runs = read_runs(RESULTS / "learning.json")
    for name, dataset in MEASURED.items():
        figures |= _row(runs, name, dataset)
    write_text(options.folder / CARD, filled(read_text(TEMPLATE), figures))
    print(f"written: {options.folder}")


def filled(card: str, figures: dict[str, str]) -> str:
    """Fill the figures into a card; rows of a table of which one is missing are left out."""
    card = re.sub(r"FIGURE_(\w+)", lambda found: figures.get(found[1], found[0]), card)
    lines = [line for line in card.split("\n") if not ("FIGURE_" in line and line.startswith("|"))]
    if left := re.findall(r"FIGURE_\w+", "\n".join(lines)):
        raise SystemExit(f"{TEMPLATE.name}: nothing is known of {', '.join(left)}")
    return "\n".join(lines)


def _time(facts: Mapping[str, Any]) -> str:
    """Say how long a training took, on what, and the one that it went on from."""
    before = facts.get("before", {}).get("minutes", 0.0)
    text = f"{facts['minutes']:.3g} minutes of {facts['machine']}"
    return f"{before / 60:.1f} hours of two CPU cores, then {text}" if before else text


def _row(runs: list[Run], name: str, dataset: str) -> dict[str, str]:
    rows = objects_of(runs, dataset, "untrained", "zero_shot")
    same = {"brain_t1c": "brain_flair", "sarcoma_both": "sarcoma_mr"}.get(dataset, dataset)
    least = objects_of(runs, same, "untrained", "ellipsoid")
    if not rows or not least:
        return {}
    dice, nsd = estimate(rows, "dice"), estimate(rows, "nsd")
    return {
        f"{name}_N": str(dice.n), f"{name}_DICE": _text(dice), f"{name}_NSD": _text(nsd),
        f"{name}_ELLIPSOID": _text(estimate(least, "dice")),
    }  # fmt: skip


def _text(of: Estimate) -> str:
    if of.interval is None:
        return f"{of.mean:.3f}"
    low, high = of.interval
    return f"{of.mean:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
