"""A figure of what correcting clicks are worth: Dice, and NSD beside it, against their number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interactivenet.metric_names import METRIC, TOLERANCE_MM
from interactivenet.plotting.canvas import COLOURS, FAINT, new_figure, save_picture

#: model and brush
_MARKERS = "os"


def save_corrections(path: Path, summary: Mapping[str, Any]) -> None:
    """Draw the median and the quartiles of objects against clicks, a colour for each method.

    summary: with 'objects', 'cases', 'robot' and 'curve', whose items have 'method', 'clicks', and
    of 'dice' and 'nsd' each 'median', 'q1' and 'q3'.
    """
    figure = new_figure(10, 4.4)
    panels = figure.subplots(1, 2)
    methods = list(dict.fromkeys(item["method"] for item in summary["curve"]))
    for axes, name in zip(panels, ("dice", "nsd"), strict=True):
        for method, colour, marker in zip(methods, COLOURS, _MARKERS, strict=False):
            items = [item for item in summary["curve"] if item["method"] == method]
            clicks = [item["clicks"] for item in items]
            low, middle, high = (
                [item[name][key] for item in items] for key in ("q1", "median", "q3")
            )
            axes.fill_between(clicks, low, high, color=colour, alpha=0.15, linewidth=0)
            axes.plot(clicks, middle, color=colour, linewidth=2, marker=marker, label=method)
        unit = f" at {TOLERANCE_MM:g} mm" if name == "nsd" else ""
        axes.set(xlabel="correcting clicks", ylabel=f"{METRIC[name].title}{unit}", xticks=clicks)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color=FAINT)
    panels[0].legend(frameon=False)
    objects, cases = summary["objects"], summary["cases"]
    panels[0].set_title(
        f"{objects} object{'' if objects == 1 else 's'} of {cases} case{'' if cases == 1 else 's'},"
        f" robot {summary['robot']}: median and quartiles", loc="left", fontsize=10,
    )  # fmt: skip
    figure.tight_layout()
    save_picture(figure, path, 130)
