"""Options of what DICOM archives hold: trees of series, and the outlines on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


def rois_option(function: Function) -> Function:
    """Add ``--roi``."""
    return click.option(
        "--roi",
        "rois",
        multiple=True,
        metavar="PATTERN=LABEL",
        help="ROIs of an RTSTRUCT, or segments of a DICOM SEG, that are a label, such as"
        " 'GTV_Mass*=tumour'. Repeat the option for several; where they overlap, the last lies"
        " above.  [default: those of the labels' names]",
    )(function)


def one_grid_options(function: Function) -> Function:
    """Add ``--resample-to`` and ``--across-frames``."""
    for option in (
        click.option(
            "--across-frames", is_flag=True,
            help="Take series of several frames of reference for one, as they are registered.",
        ),
        click.option(
            "--resample-to", metavar="NAME",
            help="Modality of a DICOM tree whose grid counts: resample the others onto it.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function
