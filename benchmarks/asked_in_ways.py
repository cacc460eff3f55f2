"""Models asked about the same objects in several ways: what such benchmarks are told, and tell."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.learning.arms import ARMS, DATASETS
from benchmarks.learning.scores import Estimate


def parse_options(description: str | None, tested: Sequence[str]) -> argparse.Namespace:
    """Read the command line; tested: the data sets by default.

    Of 'work', 'datasets', 'arm', 'minutes', 'every' and 'shared' the models and their cases follow:
    :func:`benchmarks.corrections.__main__.tested_groups`.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path)
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=tested)
    parser.add_argument("--arm", choices=ARMS, help="whose trained folds are tested")
    parser.add_argument("--minutes", type=float, default=5.0, help="of those folds' training")
    parser.add_argument("--every", type=int, default=1, help="of the cases, each so many-th")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def name_of_models(options: argparse.Namespace) -> str:
    """Say which models are asked: 'starter', or the arm of the folds and their minutes."""
    return f"{options.arm}, {options.minutes:g} minutes" if options.arm else "starter"


def gain_as_json(gain: Estimate | None) -> dict[str, Any] | None:
    """Return a mean of paired differences and its interval as JSON data."""
    if gain is None:
        return None
    interval = gain.interval and [round(end, 4) for end in gain.interval]
    return {"mean": round(gain.mean, 4), "interval": interval, "n": gain.n}


def gain_as_text(gain: Mapping[str, Any] | None) -> str:
    """Write what :func:`gain_as_json` returned; '' for None."""
    if gain is None:
        return ""
    low, high = gain["interval"] or (gain["mean"],) * 2
    return f"{gain['mean']:+.4f} ({low:+.4f} to {high:+.4f})"
