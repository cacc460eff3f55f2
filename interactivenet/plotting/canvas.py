"""What every picture shares: how it is made without a display, its colours, how it is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from interactivenet.system.files import replacing
from interactivenet.system.native_output import quiet_matplotlib

#: told apart by the colour-blind, too (Okabe and Ito)
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
INK, GREY, FAINT = "#1f2933", "#6b7785", "#d5dae0"


def new_figure(width: float, height: float, **options: Any) -> Any:
    """Make a matplotlib figure, inches, that is drawn without a display."""
    quiet_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), **options)
    FigureCanvasAgg(figure)
    return figure


def save_picture(figure: Any, path: Path, dpi: int, **metadata: str) -> None:
    """Write a figure atomically as PNG; metadata: texts that the file keeps.

    The version of matplotlib is left out, so that the same figure is the same file.
    """
    with replacing(path) as temporary:
        figure.savefig(
            temporary, dpi=dpi, facecolor=figure.get_facecolor(),
            metadata={"Software": None, **metadata},
        )  # fmt: skip
