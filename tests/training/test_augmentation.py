"""Augmentation: image, maps and label move together, in mm, and only as far as they should."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import get_track_meta, set_track_meta
from scipy import ndimage

from interactivenet.training.augmentation import (
    NONE,
    Augmentation,
    Placement,
    draw_placement,
    place,
    rotation,
    value_changes,
)

STILL = (False, False, False)
ALWAYS = Augmentation(rotated=1.0, zoomed=1.0, values=0.0)
shapes = st.tuples(*[st.integers(1, 12)] * 3)


def sample(shape, channels=2, seed=0):
    rng = np.random.default_rng(seed)
    array = rng.normal(size=(channels, *shape)).astype(np.float32)
    return array, (rng.random(shape) > 0.5).astype(np.uint8)


def middle(shape):
    return (np.array(shape) - 1) / 2


@given(shapes, st.tuples(*[st.booleans()] * 3))
def test_unmoved_is_the_identity_and_flips_mirror(shape, flips):
    array, label = sample(shape)
    patch, mask = place(array, label, shape, Placement(middle(shape), None, flips), np.zeros(2))
    axes = [axis for axis in range(3) if flips[axis]]
    assert np.array_equal(patch, np.flip(array, [axis + 1 for axis in axes]))
    assert np.array_equal(mask, np.flip(label, axes))


@given(shapes, shapes)
def test_a_larger_patch_holds_the_sample_and_padding(shape, size):
    array, label = sample(shape)
    padding = np.array([3.0, 0.0], np.float32)
    patch, mask = place(array, label, size, Placement(middle(shape), None, STILL), padding)
    assert patch.shape == (2, *size) and mask.shape == size
    held = np.minimum(shape, size).prod()
    for channel in range(2):
        values = patch[channel][patch[channel] != padding[channel]]
        assert np.isin(values, array[channel]).all() and len(values) == held
    # and it is in the middle: as much padding on either side, up to one voxel
    where = np.argwhere(patch[1] != 0)
    before, after = where.min(axis=0), np.array(size) - 1 - where.max(axis=0)
    assert (abs(before - after) <= 1).all()


@given(shapes)
def test_an_identity_matrix_interpolates_to_the_same(shape):
    array, label = sample(shape)
    placement = Placement(middle(shape), np.eye(3), STILL)
    patch, mask = place(array, label, shape, placement, np.zeros(2, np.float32))
    np.testing.assert_allclose(patch, array, atol=2e-5)
    assert np.array_equal(mask, label)


@given(st.integers(0, 200))
def test_affine_equals_scipys(seed):
    rng = np.random.default_rng(seed)
    shape, size = tuple(rng.integers(4, 14, 3)), tuple(int(n) for n in rng.integers(3, 14, 3))
    array, label = sample(shape, seed=seed)
    centre = middle(shape) + rng.uniform(-2, 2, 3)
    placement = draw_placement(centre, (1.0, 1.5, 2.0), replace(ALWAYS, flipped=0.0), rng)
    patch, mask = place(array, label, size, placement, np.array([0.5, 0.0], np.float32))
    offset = centre - placement.matrix @ ((np.array(size) - 1) / 2)
    for channel, padding in enumerate((0.5, 0.0)):
        # scipy's padding joins in as grid_sample's does: beyond the outermost voxel
        expected = ndimage.affine_transform(
            np.pad(array[channel], 2, constant_values=padding), placement.matrix, offset + 2,
            size, order=1, mode="constant", cval=padding,
        )  # fmt: skip
        np.testing.assert_allclose(patch[channel], expected, atol=2e-4)
    positions = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), -1)
    source = positions @ placement.matrix.T + offset
    clear = (abs(source - np.rint(source)) < 0.49).all(axis=-1)  # the nearest is beyond doubt
    nearest = np.rint(source).astype(int) + 1
    inside = ((nearest >= 0) & (nearest < np.array(shape) + 2)).all(axis=-1)
    expected = np.zeros(size, np.uint8)
    expected[inside] = np.pad(label, 1)[tuple(nearest[inside].T)]
    assert np.array_equal(mask[clear], expected[clear])


@pytest.mark.parametrize("axis", range(3))
def test_rotation_turns_bodies_not_voxels(axis):
    """A ball on an anisotropic grid stays one; the angle is in radians."""
    spacing = np.array([1.0, 1.5, 2.0])
    shape = tuple((36 / spacing).astype(int))
    grids = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    away = np.linalg.norm((grids - middle(shape)) * spacing, axis=-1)
    ball = np.exp(-((away / 9) ** 2)).astype(np.float32)[None]
    matrix = rotation(axis, 0.5) * spacing[None] / spacing[:, None]
    placement = Placement(middle(shape), matrix, STILL)
    label = np.zeros(shape, np.uint8)
    turned, _ = place(ball, label, shape, placement, np.zeros(1, np.float32))
    assert abs(turned - ball)[0][away < 14].max() < 0.03
    # a quarter turn swaps the other axes
    quarter = rotation(axis, math.pi / 2)
    assert np.allclose(abs(quarter), abs(np.rint(quarter))) and np.isclose(
        np.linalg.det(quarter), 1
    )


def test_anisotropic_samples_turn_in_the_fine_plane_alone():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        turned = Augmentation(rotated=1.0, zoomed=0.0)
        matrix = draw_placement(np.zeros(3), (1.0, 1.0, 5.0), turned, rng).matrix
        np.testing.assert_allclose(matrix[2], [0, 0, 1])
        np.testing.assert_allclose(matrix[:, 2], [0, 0, 1])
        angle = math.atan2(matrix[1, 0], matrix[0, 0])
        assert 0 < abs(angle) <= turned.rotation
    matrices = [draw_placement(np.zeros(3), (1.0, 1.0, 2.0), turned, rng).matrix for _ in range(5)]
    assert all(abs(matrix[2, :2]).max() > 0 for matrix in matrices)


def test_how_often_and_how_much():
    rng = np.random.default_rng(0)
    drawn = [draw_placement(np.zeros(3), (1, 1, 1), Augmentation(), rng) for _ in range(4000)]
    changed = np.mean([one.matrix is not None for one in drawn])
    assert changed == pytest.approx(1 - 0.8 * 0.8, abs=0.03)
    flips = np.mean([one.flips for one in drawn], axis=0)
    assert flips == pytest.approx([0.5] * 3, abs=0.03)
    zooms = [np.linalg.det(one.matrix) ** (1 / 3) for one in drawn if one.matrix is not None]
    assert 1 / 1.4 <= min(zooms) < 0.75 and 1.3 < max(zooms) <= 1 / 0.7
    still = [draw_placement(np.zeros(3), (1, 1, 1), NONE, rng) for _ in range(50)]
    assert all(one.matrix is None and one.flips == STILL for one in still)


def test_values_change_repeatably_and_stay_finite():
    changes = value_changes(Augmentation(values=1.0))
    image = torch.from_numpy(sample((10, 9, 8))[0])
    changed = 0
    for seed in range(25):
        first = changes.set_random_state(seed)(image.clone())
        again = changes.set_random_state(seed)(image.clone())
        assert torch.equal(torch.as_tensor(first), torch.as_tensor(again))
        assert first.shape == image.shape and torch.isfinite(torch.as_tensor(first)).all()
        changed += not torch.equal(torch.as_tensor(first), image)
    assert 10 < changed < 25
    constant = torch.zeros(1, 6, 5, 4)
    for seed in range(25):
        assert torch.isfinite(torch.as_tensor(changes.set_random_state(seed)(constant))).all()


@pytest.mark.parametrize("tracked", [True, False])
def test_values_do_not_depend_on_monais_tracking(tracked):
    image = torch.from_numpy(sample((10, 9, 8))[0])
    before = get_track_meta()
    set_track_meta(tracked)
    try:
        for seed in range(10):
            changes = value_changes(Augmentation(values=1.0)).set_random_state(seed)
            found = changes(image.clone())
            assert type(found) is torch.Tensor and get_track_meta() is tracked
            # the transform itself, as MONAI would run it
            expected = changes._changes.set_random_state(seed)(image.clone())
            assert torch.equal(found, torch.as_tensor(expected).as_subclass(torch.Tensor))
    finally:
        set_track_meta(before)


def test_all_flips_occur():
    rng = np.random.default_rng(1)
    seen = {draw_placement(np.zeros(3), (1, 1, 1), Augmentation(), rng).flips for _ in range(200)}
    assert seen == set(product((False, True), repeat=3))
