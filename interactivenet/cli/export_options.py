"""Options of what other programs take: archives, planning systems, 3D Slicer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from interactivenet.cli.folders import DataPath

Function = TypeVar("Function", bound=Callable[..., Any])


def codes_option(function: Function) -> Function:
    """Add ``--codes``."""
    return click.option(
        "--codes", type=DataPath("reads"), metavar="FILE",
        help="JSON file that says what the labels are, in codes of DICOM.",
    )(function)  # fmt: skip
