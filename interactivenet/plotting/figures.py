"""Figures of an evaluation: how good, how large, and whether that was expected."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interactivenet.metric_names import METRIC
from interactivenet.plotting.canvas import COLOURS, FAINT, GREY, INK, new_figure, save_picture

Row = Mapping[str, Any]

#: more groups than colours change the marker
_MARKERS = "osD^v"
#: metrics whose distribution is shown, one in each panel
_PANELS = tuple(METRIC[name] for name in ("dice", "nsd", "hd95", "assd"))
#: an axis of volumes is logarithmic where the largest is so many times the smallest
_LOG_FROM = 20
#: expected Dice is binned in steps of this; the mean of fewer objects says nothing
_STEP, _BIN_LEAST = 0.1, 2
#: fewer values are points without a box; letters of a line of a title
_BOX_LEAST, _WIDTH = 3, 44


def save_figures(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """Draw every figure that the rows have values for; return their paths, in order.

    rows: one for each object; distances in mm, volumes in ml, None where undefined.
    """
    draws = (_distributions, _distributions_subtype, _volumes, _dice_volume, _reliability)
    paths = {folder / f"{draw.__name__[1:]}.png": draw for draw in draws}
    return [path for path, draw in paths.items() if draw(path, rows)]


def save_reliability(
    path: Path,
    expected: Sequence[float | None],
    measured: Sequence[float | None],
    title: str = "",
) -> None:
    """Draw measured against expected Dice; nothing where no object has both."""
    pairs = np.array(
        [pair for pair in zip(expected, measured, strict=True) if all(map(_is_number, pair))],
        dtype=float,
    ).reshape(-1, 2)
    if not len(pairs):
        return
    x, y = pairs.T
    low = max(0.0, math.floor((pairs.min() - 0.02) * 10) / 10)
    figure = _figure(5.6, 5.6)
    axes = figure.subplots()
    axes.plot([low, 1], [low, 1], color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.scatter(x, y, s=26, color=COLOURS[0], alpha=0.5, linewidth=0, zorder=2, label="object")
    # 1e-9: 0.8 is in the bin that starts there
    bins = np.minimum(np.floor(x / _STEP + 1e-9), 1 / _STEP - 1).astype(int)
    means = [
        (x[bins == place].mean(), y[bins == place].mean(), int((bins == place).sum()))
        for place in np.unique(bins)
        if (bins == place).sum() >= _BIN_LEAST
    ]
    if means:
        axes.plot(
            *list(zip(*means, strict=True))[:2], "D-", color=COLOURS[1], markersize=8,
            linewidth=1.6, markeredgecolor="white", zorder=3, label=f"mean, bins of {_STEP:g}",
        )  # fmt: skip
        for across, _, count in means:
            axes.text(
                across, 0.015, f"n={count}", color=COLOURS[1], fontsize=8, ha="center", va="bottom",
                transform=axes.get_xaxis_transform(), zorder=4,
            )  # fmt: skip
    margin = 0.015 * (1 - low)
    axes.set(
        xlim=(low - margin, 1 + margin), ylim=(low - 5 * margin, 1 + margin),
        xlabel="expected Dice", ylabel="measured Dice",
    )  # fmt: skip
    axes.set_aspect("equal")
    error = METRIC["dice"].text(float(np.abs(x - y).mean()))
    name = textwrap.fill(title or "Expected and measured Dice", _WIDTH)
    _title(axes, name, f"mean absolute error {error}", len(x))
    axes.legend(loc="upper left", frameon=False, fontsize=9, handletextpad=0.4)
    _save(figure, path)


def _reliability(path: Path, rows: Sequence[Row]) -> bool:
    chosen = _with(rows, "expected_dice", "dice")
    if chosen:
        expected, measured = ([row[name] for row in chosen] for name in ("expected_dice", "dice"))
        save_reliability(path, expected, measured)
    return bool(chosen)


def _distributions_subtype(path: Path, rows: Sequence[Row]) -> bool:
    """Draw the subtypes, too, where the first figure shows the labels."""
    both = len({row["label"] for row in rows}) > 1 and any(row["subtype"] for row in rows)
    return both and _distributions(path, rows, subtypes=True)


def _distributions(path: Path, rows: Sequence[Row], subtypes: bool = False) -> bool:
    names, key = _groups(rows, subtypes)
    panels = [metric for metric in _PANELS if _with(rows, metric.name)]
    if not panels:
        return False
    deep = math.ceil(len(panels) / 2)
    figure = _figure(9.6, deep * (1.1 + 0.52 * len(names)) + 0.1)
    grid = figure.subplots(deep, 2, squeeze=False).ravel()
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    shake = np.random.default_rng(0)
    for axes, metric in zip(grid, panels, strict=False):
        defined = _with(rows, metric.name)
        ticks = []
        for place, name in enumerate(names):
            values = [float(row[metric.name]) for row in defined if key(row) == name]
            ticks.append(f"{name}  n={len(values)}" if name else f"n={len(values)}")
            if not values:
                continue
            colour = COLOURS[place % len(COLOURS)]
            few = len(values) < _BOX_LEAST
            if not few:
                _box(axes, np.array(values), place, colour)
            size = 40 if few else 11
            heights = place + shake.uniform(-0.17, 0.17, len(values)) * (len(values) > 1)
            axes.scatter(values, heights, s=size, color=colour, alpha=0.6, linewidth=0, zorder=3)
        axes.set_yticks(range(len(names)), ticks)
        axes.set_ylim(len(names) - 0.45, -0.55)
        if metric.unit:
            axes.set_xlim(left=0)
        else:
            axes.set_xlim(_shares(row[metric.name] for row in defined))
        axes.grid(axis="y", visible=False)
        axes.set_title(metric.heading, loc="left", fontsize=11, fontweight="bold", color=INK)
    _save(figure, path)
    return True


def _box(axes: Any, values: NDArray[np.float64], place: float, colour: str) -> None:
    """Draw a lying box: quartiles, median, whiskers to the last within 1.5 times its length."""
    q1, median, q3 = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    near = values[np.abs(values - (q1 + q3) / 2) <= 2 * (q3 - q1)]
    low, high = min([q1, *near]), max([q3, *near])
    axes.hlines([place, place], [low, q3], [q1, high], colors=colour, linewidth=1)
    axes.barh(place, q3 - q1, 0.56, left=q1, facecolor=colour + "2e", edgecolor=colour)
    axes.vlines(median, place - 0.28, place + 0.28, colors=INK, linewidth=2, zorder=2.5)


def _volumes(path: Path, rows: Sequence[Row]) -> bool:
    chosen = [
        row
        for row in _with(rows, "volume_prediction_ml", "volume_label_ml")
        if row["volume_prediction_ml"] > 0 or row["volume_label_ml"] > 0
    ]
    if not chosen:
        return False
    sizes = np.array([[row["volume_prediction_ml"], row["volume_label_ml"]] for row in chosen])
    difference = (sizes[:, 0] - sizes[:, 1]).astype(float)
    figure = _figure(7.6, 4.6)
    axes = figure.subplots()
    mean = float(difference.mean())
    lines = [("mean", mean, "-")]
    if len(chosen) > 1:
        spread = 1.96 * float(difference.std(ddof=1))
        lines += [("+1.96 SD", mean + spread, "--"), ("−1.96 SD", mean - spread, "--")]
    axes.axhline(0, color=FAINT, linewidth=1)
    for _, height, style in lines:
        axes.axhline(height, color=INK, linewidth=1.3, linestyle=style, zorder=1)
    _points(axes, rows, chosen, sizes.mean(axis=1), difference)
    ends = [*difference, *(height for _, height, _ in lines), 0.0]
    room = 0.12 * (max(ends) - min(ends)) or 1.0
    low, high = min(ends) - room, max(ends) + room
    axes.set_ylim(low, high)
    # beside the axes, where no point is; no two closer than a line of text is high
    heights: list[float] = []
    for name, height, _ in sorted(lines, key=lambda line: line[1]):
        heights.append(max([height, *(lower + 0.1 * (high - low) for lower in heights)]))
        axes.annotate(
            f"{name}\n{height:+.2f} ml".replace("-", "−"), (1.01, heights[-1]), va="center",
            fontsize=9, color=INK, xycoords=axes.get_yaxis_transform(), annotation_clip=False,
        )  # fmt: skip
    axes.set(xlabel="mean of predicted and label volume (ml)", ylabel="predicted − label (ml)")
    _title(axes, "Agreement of volumes", "Bland-Altman", len(chosen))
    _save(figure, path)
    return True


def _dice_volume(path: Path, rows: Sequence[Row]) -> bool:
    chosen = [row for row in _with(rows, "dice", "volume_label_ml") if row["volume_label_ml"] > 0]
    if not chosen:
        return False
    figure = _figure(7.6, 4.6)
    axes = figure.subplots()
    volumes = np.array([row["volume_label_ml"] for row in chosen], dtype=float)
    dice = np.array([row["dice"] for row in chosen], dtype=float)
    _points(axes, rows, chosen, volumes, dice, log=True)
    axes.set_ylim(_shares(dice))
    axes.set(xlabel="label volume (ml)", ylabel="Dice")
    _title(axes, "Dice and size", "", len(chosen))
    _save(figure, path)
    return True


def _points(
    axes: Any,
    rows: Sequence[Row],
    chosen: Sequence[Row],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    log: bool = False,
) -> None:
    """Scatter the chosen over volumes x, ml, a colour for each group of all rows."""
    names, key = _groups(rows, subtypes=True)
    for place, name in enumerate(names):
        group = np.array([key(row) == name for row in chosen])
        marker = _MARKERS[place // len(COLOURS) % len(_MARKERS)]
        if group.any():
            axes.scatter(
                x[group], y[group], s=30, alpha=0.7, linewidth=0, zorder=2,
                color=COLOURS[place % len(COLOURS)], marker=marker, label=name,
            )  # fmt: skip
    if log or x.max() > _LOG_FROM * x.min():
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        # an axis within one decade has no other numbers
        if x.max() < 10 * x.min():
            axes.set_xlim(x.min() / 1.5, x.max() * 1.5)
            axes.xaxis.set_minor_formatter(lambda value, _: f"{value:g}")
            axes.tick_params(axis="x", which="minor", labelsize=8)
    if len(names) > 1:
        axes.figure.legend(
            *axes.get_legend_handles_labels(), loc="outside lower center", frameon=False,
            fontsize=9, ncols=min(4, len(names)), handletextpad=0.2,
        )  # fmt: skip


def _groups(rows: Sequence[Row], subtypes: bool = False) -> tuple[list[str], Callable[[Row], str]]:
    """Return the names of the groups and what gives a row's: labels if several, else subtypes.

    subtypes: these first.  Where rows have neither, there is one group, "".
    """

    def subtype(row: Row) -> str:
        return str(row["subtype"] or "none")

    def label(row: Row) -> str:
        return str(row["name"] or row["label"])

    labels = {label(row): row["label"] for row in rows}
    has_subtypes = any(row["subtype"] for row in rows)
    if len(labels) > 1 and not (subtypes and has_subtypes):
        return sorted(labels, key=lambda name: (labels[name], name)), label
    if has_subtypes:
        return sorted({subtype(row) for row in rows}), subtype
    return [""], lambda row: ""


def _shares(values: Iterable[float]) -> tuple[float, float]:
    """Return the ends of an axis of shares: a tenth below the least, and just above 1."""
    low = max(0.0, math.floor((min(values) - 0.02) * 10) / 10)
    return low - 0.015 * (1 - low), 1 + 0.015 * (1 - low)


def _with(rows: Iterable[Row], *columns: str) -> list[Row]:
    return [row for row in rows if all(_is_number(row.get(column)) for column in columns)]


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _figure(width: float, height: float) -> Any:
    return new_figure(width, height, layout="constrained", facecolor="white")


def _title(axes: Any, title: str, detail: str, count: int) -> None:
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=INK, pad=22)
    text = " · ".join([*([detail] if detail else []), f"n = {count}"])
    axes.annotate(
        text, (0, 1), xytext=(0, 7), xycoords="axes fraction", textcoords="offset points",
        fontsize=10, color=GREY,
    )  # fmt: skip


def _save(figure: Any, path: Path) -> None:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(GREY)
        axes.tick_params(colors=INK, labelcolor=INK, which="both", color=GREY)
        axes.grid(visible=True, color=FAINT, linewidth=0.6, alpha=0.7)
        axes.set_axisbelow(True)
    save_picture(figure, path, 130)
