"""Planes: the right voxels, on the right side, in millimetres."""

import numpy as np
import pytest

from interactivenet.plotting.canvas import new_figure
from interactivenet.plotting.planes import PLANES, draw_plane

SPACING = (1.0, 2.0, 4.0)


def drawn(plane, index=3, masks=None, voxels=()):
    image = np.arange(8 * 7 * 6, dtype=float).reshape(8, 7, 6)
    axes = new_figure(3, 3).subplots()
    draw_plane(
        axes, plane, image, SPACING, index, window=(0, 1), masks=masks or {},
        voxels=np.array(voxels, dtype=float).reshape(-1, 3),
    )  # fmt: skip
    return image, axes


@pytest.mark.parametrize("plane", PLANES)
def test_a_plane_in_mm_with_the_patients_right_or_front_to_the_left(plane):
    across, left, up = PLANES[plane]
    image, axes = drawn(plane)
    [shown] = axes.images
    np.testing.assert_array_equal(shown.get_array(), image.take(3, axis=across).T)
    sizes = [image.shape[axis] * SPACING[axis] for axis in (left, up)]
    first, last = axes.get_xlim()
    assert first - last == pytest.approx(sizes[0])  # high indices, right and front, to the left
    bottom, top = axes.get_ylim()
    assert top - bottom == pytest.approx(sizes[1])
    letters = {text.get_position(): text.get_text() for text in axes.texts}
    assert letters[0.02, 0.5] == ("A" if plane == "sagittal" else "R")
    assert letters[0.5, 0.98] == ("A" if plane == "axial" else "S")


def test_far_points_are_faint():
    _, axes = drawn("axial", voxels=[[1, 2, 3], [4, 5, 4.5]])
    near, far = axes.lines
    assert (near.get_alpha(), far.get_alpha()) == (1.0, 0.5)
    assert (near.get_xdata()[0], near.get_ydata()[0]) == (1.0, 4.0)


def test_outlines_are_drawn_where_the_plane_meets_the_mask():
    mask = np.zeros((8, 7, 6), bool)
    mask[2:4, 2:4, 3] = True
    assert len(drawn("axial", 3, {"label": mask})[1].collections) == 1
    assert len(drawn("axial", 2, {"label": mask})[1].collections) == 0
