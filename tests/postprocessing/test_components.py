"""Postprocessing of masks."""

import numpy as np
import pytest

from interactivenet.postprocessing.components import CANDIDATES, Postprocessing


@pytest.fixture
def mask():
    """A hollow box of 5, a box of 4 and a voxel; none touch."""
    mask = np.zeros((20, 12, 12), bool)
    mask[1:6, 1:6, 1:6] = True
    mask[3, 3, 3] = False
    mask[8:12, 1:5, 1:5] = True
    mask[15, 8, 8] = True
    return mask


def points(*voxels):
    return np.array(voxels, dtype=np.intp)


def test_candidates_are_all_combinations_the_simplest_first():
    assert len(set(CANDIDATES)) == len(CANDIDATES) == 8
    assert CANDIDATES[0].name == "none" and len({item.name for item in CANDIDATES}) == 8
    assert Postprocessing(True, "touched").name == "fill holes, touched components"


def test_none_leaves_the_mask_itself(mask):
    assert Postprocessing().apply(mask, points((0, 0, 0))) is mask


def test_holes_are_filled(mask):
    processed = Postprocessing(fill_holes=True).apply(mask, points((0, 0, 0)))
    assert processed[3, 3, 3] and processed.sum() == mask.sum() + 1
    open_ = mask.copy()
    open_[3, 3, 3:] = False  # a channel to the outside is no hole
    assert Postprocessing(fill_holes=True).apply(open_, points((0, 0, 0))).sum() == open_.sum()


@pytest.mark.parametrize(
    ("component", "touching", "kept"),
    [
        ("largest", [(15, 8, 8)], [0]),
        ("touched", [(15, 8, 8)], [2]),
        ("touched", [(15, 8, 8), (9, 2, 2)], [1, 2]),
        ("touched", [(19, 11, 11)], [0]),  # none is touched: the largest
        ("touched", [(-5, 2, 2), (40, 0, 0)], [0]),
        ("largest touched", [(15, 8, 8), (9, 2, 2)], [1]),
        ("largest touched", [(19, 11, 11)], [0]),
    ],
)
def test_components(mask, component, touching, kept):
    parts = [np.zeros_like(mask) for _ in range(3)]
    for part, extent in zip(parts, (slice(0, 7), slice(7, 13), slice(13, 20)), strict=True):
        part[extent] = mask[extent]
    expected = np.any([parts[i] for i in kept], axis=0)
    processed = Postprocessing(component=component).apply(mask, points(*touching))
    np.testing.assert_array_equal(processed, expected)


def test_components_touch_at_corners():
    mask = np.zeros((4, 4, 4), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True
    assert Postprocessing(component="largest").apply(mask, points((0, 0, 0))).sum() == 2


def test_an_empty_mask_stays_empty():
    empty = np.zeros((3, 3, 3), bool)
    for candidate in CANDIDATES:
        assert not candidate.apply(empty, points((1, 1, 1))).any()
