"""Samples: everything stays where it is in the patient, there and back again."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactivenet.datasets.case import Scan
from interactivenet.errors import DataError
from interactivenet.imaging.volume import Volume
from interactivenet.inference.rules import make_sample
from interactivenet.planning.plan import Encoding
from interactivenet.planning.rules import plan_cut
from interactivenet.preprocessing.region import make_region
from interactivenet.preprocessing.sample import crop_sample, restore, restored_part
from interactivenet.prompts.prompt import Prompt
from tests.sample_cases import (
    NETWORK,
    dice,
    ellipsoid,
    make_plan,
    make_scan,
    stored_grid,
    world_image,
)

grids = st.builds(
    stored_grid,
    shape=st.tuples(*[st.integers(1, 26)] * 3),
    spacing=st.tuples(*[st.sampled_from([0.5, 0.9765625, 1.0, 1.3, 3.27, 5.0])] * 3),
    order=st.sampled_from(list(permutations((0, 1, 2)))),
    flips=st.tuples(*[st.sampled_from([-1, 1])] * 3),
    angles=st.tuples(*[st.floats(-0.5, 0.5)] * 3),
)
targets = st.tuples(*[st.sampled_from([0.6, 1.0, 1.7, 4.0])] * 3)


@given(grids, st.integers(0, 5))
@settings(max_examples=150)
def test_where_spacing_is_kept_restoring_is_the_identity(source, seed):
    scan = make_scan(source, seed=seed)
    plan = make_plan(source.ras.spacing)
    (prompt,) = scan.prompts
    sample = make_sample(scan, prompt, plan)
    assert sample.array.dtype == np.float32 and sample.label.dtype == np.uint8
    assert (np.array(sample.grid.shape) % plan.network.divisor == 0).all()
    # the label comes back whole, the image wherever it was cut, both bit for bit
    restored = restore(sample.label.astype(np.float32), sample)
    assert np.array_equal(restored, scan.label.array[0])
    image, start = restored_part(sample.array[0], sample)
    box = tuple(slice(a, a + n) for a, n in zip(start, image.shape, strict=True))
    assert np.array_equal(image, scan.image.array[0][box])
    assert image.size == np.prod(sample.stop - sample.start)


@given(grids, targets)
@settings(max_examples=150)
def test_every_voxel_of_a_sample_is_where_its_affine_says(source, target):
    """The image grows along a direction of the patient; so must the sample, through its grid."""
    direction = np.array([1.0, 0.3, -0.5])
    scan = make_scan(source, image=world_image(source, direction))
    (prompt,) = scan.prompts
    sample = make_sample(scan, prompt, make_plan(target))
    voxels = np.indices(sample.grid.shape).reshape(3, -1).T
    world = sample.grid.voxel_to_world(voxels)
    expected = (world @ direction).reshape(sample.grid.shape)
    # edges are repeated beyond the scan's outermost voxel centres, and a coarse axis takes the
    # nearest slice: there values may be half a source voxel off
    inside = scan.image.grid.world_to_voxel(world)
    depth = np.minimum(inside, np.array(source.ras.shape) - 1 - inside).min(axis=1)
    fine = (np.array(target) < 2.9 * min(target)).all() and (
        np.array(source.ras.spacing) < 2.9 * min(source.ras.spacing)
    ).all()
    deep = (depth >= 6).reshape(sample.grid.shape)
    content = np.zeros(sample.grid.shape, bool)
    content[sample.content] = True
    spacing = np.array(source.ras.spacing)
    steps = np.abs(direction @ source.ras.affine[:3, :3])
    off = np.abs(sample.array[0] - expected)[content]
    if fine and (deep & content).any():
        assert np.abs(sample.array[0] - expected)[deep & content].max() < 2e-3
    assert off.max() <= 1.5 * steps.sum() + 1e-3, spacing


@given(grids, targets)
@settings(max_examples=100)
def test_restoring_a_ramp_is_exact_inside_the_cut(source, target):
    direction = np.array([0.2, -1.0, 0.4])
    scan = make_scan(source, image=world_image(source))
    (prompt,) = scan.prompts
    sample = make_sample(scan, prompt, make_plan(target))
    voxels = np.indices(sample.grid.shape).reshape(3, -1).T
    ramp = (sample.grid.voxel_to_world(voxels) @ direction).reshape(sample.grid.shape)
    values, start = restored_part(ramp.astype(np.float32), sample)
    back = np.indices(values.shape).reshape(3, -1).T + start
    world = scan.image.grid.voxel_to_world(back)
    expected = (world @ direction).reshape(values.shape)
    # linear interpolation is exact but beyond the outermost voxel centres of the cut
    inner = sample.grid.world_to_voxel(world)
    low, high = sample.padding[:, 0], np.array(sample.grid.shape) - 1 - sample.padding[:, 1]
    inside = ((inner >= low) & (inner <= high)).all(axis=1).reshape(values.shape)
    assert np.abs(values - expected)[inside].max(initial=0) < 2e-3


@given(grids, targets)
@settings(max_examples=60)
def test_padding_never_leaks(source, target):
    scan = make_scan(source)
    (prompt,) = scan.prompts
    sample = make_sample(scan, prompt, make_plan(target, padding=7.5))
    padded = np.ones(sample.grid.shape, bool)
    padded[sample.content] = False
    assert (sample.array[:-1, padded] == 7.5).all() and not sample.array[-1][padded].any()
    assert not sample.label[padded].any()
    clean = np.random.default_rng(0).random((2, *sample.grid.shape)).astype(np.float32)
    dirty = clean.copy()
    dirty[:, padded] = np.nan
    restored = restore(dirty, sample)
    assert restored.shape == (2, *source.ras.shape) and restored.dtype == np.float32
    assert np.array_equal(restored, restore(clean, sample))
    assert restored.min() >= 0 and restored.max() <= 1


def test_the_map_is_one_at_the_points():
    source = stored_grid((30, 24, 20), (1.0, 1.2, 2.0), (2, 0, 1), (-1, 1, -1), (0.2, 0.1, 0.0))
    scan = make_scan(source)
    (prompt,) = scan.prompts
    for kind in ("euclidean", "gaussian", "geodesic"):
        plan = make_plan((0.8, 1.0, 1.5), encoding=Encoding(kind=kind))
        sample = make_sample(scan, prompt, plan)
        voxels = np.rint(sample.grid.world_to_voxel(prompt.points)).astype(int)
        assert (sample.array[-1][tuple(voxels.T)] == 1).all()
        assert (sample.array[-1] == 1).sum() == len(np.unique(voxels, axis=0))
        assert sample.array[-1].min() >= 0 and sample.array[-1].max() <= 1


def extremes(mask):
    """The voxels (6, 3) at both ends of a mask along each axis: the largest box of points."""
    voxels = np.argwhere(mask)
    return np.array([
        voxels[pick(voxels[:, axis])] for axis in range(3) for pick in (np.argmin, np.argmax)
    ])  # fmt: skip


@given(st.integers(0, 10_000), st.sampled_from([(4, 4, 2), (8, 8, 8), (32, 32, 8), (1, 16, 4)]))
@settings(max_examples=150)
def test_other_points_in_the_object_make_the_same_sample_from_the_stored_region(seed, divisor):
    """A region holds what any draw in its object asks for: nothing is cut off, nothing moves."""
    rng = np.random.default_rng(seed)
    source = stored_grid(tuple(rng.integers(10, 90, 3)), (1.0, 1.0, 2.0))
    shape = np.array(source.ras.shape)
    radii = np.minimum(rng.integers(3, 14, 3), (shape - 1) // 2)
    centre = rng.integers(radii, shape - radii)
    scan = make_scan(source, centre=centre, radii=radii)
    object_, grid = scan.label.array[0], scan.image.grid
    # points about as deep as they get, and margins that were planned for them
    inside = np.argwhere(object_)
    deep = np.argwhere(ellipsoid(shape, centre, np.maximum(radii * 0.4, 0.5)))
    prompt = Prompt(1, grid.voxel_to_world(extremes(object_ * 0 + ellipsoid(
        shape, centre, np.maximum(radii * 0.4, 0.5)))), "a")  # fmt: skip
    scan = Scan("case", scan.image, scan.label, (prompt,))
    box_mm = np.ptp(deep, axis=0) + 1
    overhang = np.stack([deep.min(0) - inside.min(0), inside.max(0) - deep.max(0)], axis=1)
    spacing = np.array(grid.spacing)
    cut = plan_cut((box_mm * spacing)[None], (overhang * spacing[:, None])[None], (1, 1, 2), 0.1)
    strides = ((1, 1, 1), divisor, (1, 1, 1))
    plan = make_plan((1.0, 1.0, 2.0), cut=cut, network=replace(NETWORK, strides=strides),
                     sample_shape=divisor)  # fmt: skip
    region = make_region(scan, prompt, plan)
    draws = [extremes(object_), inside[rng.permutation(len(inside))[:6]], inside[:1], deep[:3]]
    for draw in draws:
        points = grid.voxel_to_world(draw)
        there = crop_sample(region, points, plan)
        here = make_sample(scan, Prompt(1, points, "a"), plan)
        assert np.array_equal(there.array, here.array)
        assert np.array_equal(there.label, here.label)
        assert np.allclose(there.grid.affine, here.grid.affine)
        # padding only where the scan itself is too small
        assert ((there.padding.sum(axis=1) == 0) | (np.array(there.grid.shape) > shape)).all()


def test_a_point_outside_the_region_is_refused():
    source = stored_grid((90, 60, 60), (1.0, 1.0, 1.0))
    scan = make_scan(source, centre=(20, 30, 30), radii=(4, 4, 4))
    region = make_region(scan, scan.prompts[0], make_plan((1.0, 1.0, 1.0)))
    far = source.ras.voxel_to_world([[20.0, 30.0, 30.0], [80.0, 30.0, 30.0]])
    with pytest.raises(DataError, match="case: 1 of 2 points lie outside the region"):
        crop_sample(region, far, make_plan((1.0, 1.0, 1.0)))


def test_a_new_draw_has_the_truth_of_its_object():
    """Two components, one prompt that touches both: points in one of them still mean both."""
    source = stored_grid((40, 30, 30), (1.0, 1.0, 1.0))
    label = np.zeros(source.ras.shape, np.uint8)
    label[8:18, 10:20, 10:20] = 1
    label[22:26, 12:18, 12:18] = 1
    image = np.zeros((1, *label.shape), np.float32)
    voxels = [[9, 15, 15], [24, 15, 15], [12, 11, 15], [12, 18, 15], [12, 15, 11], [12, 15, 18]]
    prompt = Prompt(1, source.ras.voxel_to_world(voxels), "a")
    scan = Scan("case", Volume.from_ras(image, source), Volume.from_ras(label, source), (prompt,))
    plan = make_plan((1.0, 1.0, 1.0))
    region = make_region(scan, prompt, plan)
    draw = source.ras.voxel_to_world([*voxels[2:], [9, 14, 14], [17, 15, 15]])
    there, here = crop_sample(region, draw, plan), make_sample(scan, Prompt(1, draw), plan)
    assert there.label.sum() == here.label.sum() > 1000


def test_objects_at_the_border_and_as_large_as_the_image():
    source = stored_grid((9, 40, 5), (1.0, 1.0, 4.0))
    scan = make_scan(source, centre=(1, 38, 2), radii=(9, 5, 4))
    targets = {(1.0, 1.0, 4.0): 0.999, (0.5, 0.7, 3.0): 0.95, (2.0, 2.0, 2.0): 0.85}
    for target, least in targets.items():
        sample = make_sample(scan, scan.prompts[0], make_plan(target))
        assert (np.array(sample.grid.shape) % NETWORK.divisor == 0).all()
        back = restore(sample.label.astype(np.float32), sample) >= 0.5
        assert dice(back, scan.label.array[0]) > least


def test_points_outside_and_wrong_shapes():
    source = stored_grid((20, 20, 20), (1.0, 1.0, 1.0))
    scan = make_scan(source)
    plan = make_plan((1.0, 1.0, 1.0))
    outside = Prompt(1, source.ras.voxel_to_world([[5.0, 5.0, 25.0]]), "a")
    with pytest.raises(DataError, match="points outside the image"):
        make_sample(scan, outside, plan)
    sample = make_sample(scan, scan.prompts[0], plan)
    with pytest.raises(ValueError, match=r"probability must have shape \(\.\.\., "):
        restore(np.zeros((3, 3, 3), np.float32), sample)


def test_without_a_label_map():
    source = stored_grid((20, 20, 20), (1.0, 1.0, 1.0))
    scan = make_scan(source)
    bare = Scan("case", scan.image, None, scan.prompts)
    sample = make_sample(bare, scan.prompts[0], make_plan((1.0, 1.0, 1.0)))
    assert sample.label is None
    assert np.array_equal(
        sample.array, make_sample(scan, scan.prompts[0], make_plan((1.0, 1.0, 1.0))).array
    )


def test_the_extent_is_a_second_map():
    scan = make_scan(stored_grid((26, 24, 22), (1.0, 1.0, 1.0)))
    plain = make_plan((1.0, 1.0, 1.0))
    both = replace(plain, encoding=Encoding(kind="euclidean", extent=True))
    assert plain.channels == 2 and both.channels == 3
    one, two = (make_sample(scan, scan.prompts[0], plan) for plan in (plain, both))
    assert one.array.shape[0] == 2 and two.array.shape[0] == 3
    assert np.array_equal(one.array, two.array[:2])
    # the ellipsoid lies over the object, an ellipsoid itself
    assert dice(two.array[2] > 0.4, two.label) > 0.85
