"""The object's own grid: every voxel is where its affine says, and the way back is the same way."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactivenet.imaging.volume import Volume
from interactivenet.inference.rules import make_sample
from interactivenet.planning.plan import CropMargins, ObjectGrid
from interactivenet.preprocessing.object_grid import object_box, standardise
from interactivenet.preprocessing.object_region import sample_box
from interactivenet.preprocessing.region import make_region
from interactivenet.preprocessing.sample import crop_sample, restore, restored_part
from tests.preprocessing.object_plans import CUT, object_plan
from tests.sample_cases import dice, make_scan, stored_grid, world_image

grids = st.builds(
    stored_grid,
    shape=st.tuples(*[st.integers(1, 26)] * 3),
    spacing=st.tuples(*[st.sampled_from([0.5, 0.9765625, 1.0, 1.3, 3.27, 5.0])] * 3),
    order=st.sampled_from(list(permutations((0, 1, 2)))),
    flips=st.tuples(*[st.sampled_from([-1, 1])] * 3),
    angles=st.tuples(*[st.floats(-0.5, 0.5)] * 3),
)
sizes = st.sampled_from([16, 24, 48])


@given(grids, sizes)
@settings(max_examples=120)
def test_every_voxel_of_a_sample_is_where_its_affine_says(source, voxels):
    """The image grows along a direction of the patient; so must the sample, through its grid."""
    direction = np.array([1.0, 0.3, -0.5])
    scan = make_scan(source, image=world_image(source, direction))
    (prompt,) = scan.prompts
    plan = object_plan(voxels)
    sample = crop_sample(make_region(scan, prompt, plan), prompt.points, plan)
    assert sample.array.shape == (3, voxels, voxels, voxels) and sample.array.dtype == np.float32
    world = sample.grid.voxel_to_world(np.indices(sample.grid.shape).reshape(3, -1).T)
    expected = (world @ direction).reshape(sample.grid.shape)
    at = scan.image.grid.world_to_voxel(world)
    depth = np.minimum(at, np.array(source.ras.shape) - 1 - at).min(axis=1)
    # filtered with voxels beyond the edge, which repeat, where the grid is coarser than the scan
    coarse = np.max(np.array(sample.grid.spacing) / source.ras.spacing)
    inside = (depth >= (0 if coarse <= 1 else 2 * coarse)).reshape(sample.grid.shape)
    if inside.sum() < 2:
        return
    # standardised by factors that two voxels give away
    values, truth = sample.array[0][inside].astype(float), expected[inside]
    if np.ptp(truth) < 1e-3:
        return
    slope, offset = np.polyfit(truth, values, 1)
    assert slope > 0
    assert np.abs((values - offset) / slope - truth).max() < 2e-3 * max(1, np.ptp(truth))


@given(grids, sizes)
@settings(max_examples=100)
def test_restoring_a_ramp_is_exact_inside_the_box(source, voxels):
    direction = np.array([0.2, -1.0, 0.4])
    scan = make_scan(source)
    (prompt,) = scan.prompts
    plan = object_plan(voxels)
    sample = crop_sample(make_region(scan, prompt, plan), prompt.points, plan)
    world = sample.grid.voxel_to_world(np.indices(sample.grid.shape).reshape(3, -1).T)
    ramp = (world @ direction).reshape(sample.grid.shape).astype(np.float32)
    values, start = restored_part(ramp, sample)
    back = scan.image.grid.voxel_to_world(np.indices(values.shape).reshape(3, -1).T + start)
    inner = sample.grid.world_to_voxel(back)
    inside = ((inner >= 0) & (inner <= voxels - 1)).all(axis=1).reshape(values.shape)
    expected = (back @ direction).reshape(values.shape)
    assert np.abs(values - expected)[inside].max(initial=0) < 2e-3
    # all voxels of the scan in the box, and no others
    every = np.indices(source.ras.shape).reshape(3, -1).T
    at = sample.grid.world_to_voxel(scan.image.grid.voxel_to_world(every))
    few, many = (((at >= -0.5 - more) & (at <= voxels - 0.5 + more)).all(axis=1).sum()
                 for more in (-1e-4, 1e-4))  # fmt: skip
    assert few <= values.size <= many
    assert restore(ramp, sample).shape == source.ras.shape


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.7, 3.3)])
def test_an_object_comes_back_where_it_was(order, spacing):
    source = stored_grid((60, 50, 40), spacing, order, (-1, 1, -1), (0.2, -0.1, 0.3))
    scan = make_scan(source, radii=(18, 14, 9))
    (prompt,) = scan.prompts
    plan = object_plan(64, grid=ObjectGrid(depth_mm=tuple(spacing)))  # points one voxel deep
    sample = make_sample(scan, prompt, plan)
    restored = restore(sample.label.astype(np.float32), sample) > 0.5
    assert dice(restored, scan.label.array[0]) > 0.97


def test_an_image_is_one_whichever_way_it_is_stored():
    samples = []
    for order, flips in (((0, 1, 2), (1, 1, 1)), ((2, 0, 1), (-1, 1, -1))):
        source = stored_grid((30, 24, 20), (1.0, 0.8, 2.5), order, flips)
        scan = make_scan(source, seed=3)
        grid = replace(source, affine=source.affine)
        samples.append(make_sample(scan, scan.prompts[0], object_plan(24)))
        assert Volume.from_stored(source.from_ras(scan.image.array), grid)
    assert np.array_equal(samples[0].array[0], samples[1].array[0])
    assert np.array_equal(samples[0].label, samples[1].label)


def test_the_box_is_the_points_with_their_depth_and_a_share_of_that():
    points = np.array([[10.0, 0, 5], [30, 40, 15]])
    box = object_box(points, (2.0, 3.0, 4.0), (1.0, 1.0, 2.0), CUT)
    np.testing.assert_allclose(box.first, [7.5, -3.5, 0])
    np.testing.assert_allclose(box.last, [32.5, 43.5, 20])
    np.testing.assert_allclose(box.low, box.first - 1 - 0.3 * (box.last - box.first))
    np.testing.assert_allclose(box.high, box.last + 1 + 0.3 * (box.last - box.first))


def test_points_are_no_deeper_than_their_extent_so_that_a_plane_stays_one():
    points = np.array([[10.0, 0, 5], [30, 40, 5]])
    box = object_box(points, (50.0, 50.0, 50.0), (1.0, 1.0, 3.0), CUT)
    np.testing.assert_allclose(box.last - box.first, [61, 121, 3])


def test_a_prompt_says_how_deep_its_points_lie_before_the_plan_does_before_the_rule():
    source = stored_grid((60, 60, 60), (1.0, 1.0, 1.0))
    scan = make_scan(source, radii=(20, 20, 20))
    (prompt,) = scan.prompts

    def extents(prompt, grid):
        box = sample_box(prompt, object_plan(grid=grid), scan.image.grid)
        return (box.last - box.first).tolist()

    own = replace(prompt, depth_mm=(1.0, 2.0, 3.0))
    assert extents(own, ObjectGrid((7.0, 7.0, 7.0))) == pytest.approx([41, 43, 45])
    assert extents(prompt, ObjectGrid((7.0, 7.0, 7.0))) == pytest.approx([53, 53, 53])
    assert extents(prompt, ObjectGrid()) == pytest.approx([49, 49, 49])  # 5 voxels


def test_the_size_of_an_object_does_not_show_in_its_sample():
    """The same object in voxels twice as large, and points twice as deep: the same sample."""
    samples = []
    for scale in (1.0, 2.0):
        source = stored_grid((40, 40, 40), (scale, scale, scale))
        scan = make_scan(source, seed=5)
        cut = CropMargins(((scale, scale),) * 3, CUT.fraction)
        plan = object_plan(32, grid=ObjectGrid((3 * scale,) * 3))
        samples.append(make_sample(scan, scan.prompts[0], replace(plan, cut=cut)))
    np.testing.assert_allclose(samples[0].array, samples[1].array, atol=1e-4)


def test_the_ellipsoid_is_a_half_at_the_ends_of_the_object():
    source = stored_grid((60, 60, 60), (1.0, 1.0, 1.0))
    scan = make_scan(source, radii=(20, 15, 10))
    sample = make_sample(scan, scan.prompts[0], object_plan(64, grid=ObjectGrid((1.0, 1.0, 1.0))))
    ellipsoid = sample.array[2]
    assert ellipsoid.max() == pytest.approx(1, abs=0.01)
    inside = ellipsoid >= 0.5
    assert dice(inside, sample.label) > 0.93


def test_the_geodesic_map_is_one_at_the_points():
    source = stored_grid((40, 30, 30), (1.0, 1.0, 2.0))
    scan = make_scan(source)
    sample = make_sample(scan, scan.prompts[0], object_plan(48))
    voxels = np.rint(sample.grid.world_to_voxel(scan.prompts[0].points)).astype(int)
    assert (sample.array[1][tuple(voxels.T)] == 1).all()
    assert sample.array[1].min() >= 0 and sample.array[1].max() <= 1


def test_each_channel_has_mean_0_and_deviation_1():
    rng = np.random.default_rng(0)
    image = rng.normal(300, 40, (3, 9, 8, 7)).astype(np.float32)
    image[1] = 5.0
    result = standardise(image)
    assert np.allclose(result[[0, 2]].mean((1, 2, 3)), 0, atol=1e-4)
    assert np.allclose(result[[0, 2]].std((1, 2, 3)), 1, atol=1e-4)
    assert (result[1] == 0).all()


def test_six_points_in_a_scan_of_one_slice_do():
    source = stored_grid((40, 40, 1), (1.0, 1.0, 3.0))
    scan = make_scan(source)
    sample = make_sample(scan, scan.prompts[0], object_plan(16))
    assert restore(sample.label.astype(np.float32), sample).shape == source.ras.shape
