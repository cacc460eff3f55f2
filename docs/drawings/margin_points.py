"""Draws docs/images/margin-points.svg: what six interior margin points are.

``python docs/drawings/margin_points.py``. A made-up tumour of overlapping ellipsoids, seen along
each of the three axes; the points lie as deep below its extremes as simulated ones do.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle

OUTPUT = Path(__file__).resolve().parents[1] / "images" / "margin-points.svg"
AXES = (("right", "left"), ("anterior", "posterior"), ("superior", "inferior"))
#: one colour for the two points of each axis
COLOURS = ("#d1495b", "#2a9d8f", "#3066be")
#: voxels: how deep a margin point lies; what the plan adds to the points' box on every side
DEPTH, MARGIN = 5, 11
SHAPE = (100, 90, 80)
#: centre and radii of each ellipsoid
LOBES = (((48, 46, 40), (24, 20, 18)), ((64, 36, 46), (15, 14, 15)), ((38, 56, 30), (13, 16, 12)))
#: as a radiologist sees them: title, axis that runs to the left, axis that runs upwards
VIEWS = (("from the front", 0, 2), ("from the left", 1, 2), ("from below", 0, 1))


def tumour():
    """Return the object's mask (X, Y, Z)."""
    grid = np.indices(SHAPE).astype(float)
    mask = np.zeros(SHAPE, bool)
    for centre, radii in LOBES:
        away = [((grid[k] - centre[k]) / radii[k]) ** 2 for k in range(3)]
        mask |= sum(away) <= 1
    return mask


def margin_points(mask):
    """Return the points (6, 3): each extreme's middle, moved inwards along its axis."""
    voxels = np.argwhere(mask)
    points = []
    for axis in range(3):
        for extreme, inwards in ((voxels[:, axis].min(), 1), (voxels[:, axis].max(), -1)):
            tip = voxels[voxels[:, axis] == extreme].mean(axis=0)
            tip[axis] = extreme + inwards * DEPTH
            points.append(tip)
    return np.array(points)


def draw_view(ax, mask, points, view):
    """Draw the silhouette, the points, their box and the cut as seen along one axis."""
    title, across, up = view
    along = 3 - across - up
    silhouette = mask.any(axis=along)
    ax.contourf(silhouette.T, levels=[0.5, 1.5], colors=["#e9d8c3"])
    ax.contour(silhouette.T, levels=[0.5], colors=["#8a6d4b"], linewidths=1.4)
    first, last = points.min(axis=0), points.max(axis=0)
    for grown, style, colour in ((0, "-", "#444444"), (MARGIN, "--", "#444444")):
        corner = (first[across] - grown, first[up] - grown)
        size = last - first + 2 * grown
        ax.add_patch(
            Rectangle(corner, size[across], size[up], fill=False, ls=style, ec=colour, lw=1.2)
        )
    for number, point in enumerate(points):
        axis = number // 2
        seen = axis in (across, up)
        ax.plot(point[across], point[up], "o", ms=9 if seen else 6, color=COLOURS[axis],
                alpha=1 if seen else 0.45, mec="white", mew=1.2, zorder=3)  # fmt: skip
    left, right = AXES[across]
    top, bottom = AXES[up]
    ax.set(title=title, xlabel=f"{left} ↔ {right}", ylabel=f"{bottom} ↔ {top}", aspect="equal",
           xlim=(SHAPE[across] - 8, 8), ylim=(8, SHAPE[up] - 8), xticks=[], yticks=[])  # fmt: skip
    ax.spines[:].set_color("#bbbbbb")


def main():
    """Write the drawing."""
    mpl.rcParams.update({"svg.hashsalt": "margin points", "svg.fonttype": "none", "font.size": 11,
                         "font.family": "sans-serif"})  # fmt: skip
    mask = tumour()
    points = margin_points(mask)
    figure, axes = plt.subplots(1, 3, figsize=(10.5, 4.3), constrained_layout=True)
    for ax, view in zip(axes, VIEWS, strict=True):
        draw_view(ax, mask, points, view)
    handles = [
        plt.Line2D([], [], marker="o", ls="", color=colour, mec="white", ms=9,
                   label=f"two points along {axis}")
        for axis, colour in zip(("right-left", "anterior-posterior", "superior-inferior"),
                                COLOURS, strict=True)
    ]  # fmt: skip
    handles += [
        plt.Line2D([], [], color="#444444", label="box of the points"),
        plt.Line2D([], [], color="#444444", ls="--", label="what is cut: the box and the margins"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(OUTPUT, metadata={"Date": None}, facecolor="white")


if __name__ == "__main__":
    main()
