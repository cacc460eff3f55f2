"""The option of small pictures, which the commands share that segment cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


def pictures_option(function: Function) -> Function:
    """Add ``--pictures``."""
    return click.option("--pictures/--no-pictures", default=True, show_default=True,
                        help="Write a small picture of each case (pictures/CASE.png), and sheets of"
                        " them.")(function)  # fmt: skip
