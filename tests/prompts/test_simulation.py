"""Points lie inside the object where they should; they follow from the seed and the object."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.volume import Volume
from interactivenet.prompts import simulation
from interactivenet.prompts.prompt import LabelNames
from interactivenet.prompts.simulation import (
    LabelledObject,
    SimulationOptions,
    simulate_prompts,
    simulate_prompts_with_notes,
)

ONE = (1.0, 1.0, 1.0)


def object_of(mask):
    (labelled,) = simulation.find_objects(mask, per_component=False, largest_only=False)
    return labelled


def ball(radius=15, spacing=ONE):
    shape = [int(np.ceil(2 * radius / s)) + 5 for s in spacing]
    index = np.indices(shape).T - (np.array(shape) - 1) / 2
    return radius**2 >= ((index * spacing) ** 2).sum(-1).T


@st.composite
def any_object(draw):
    """Blobs, sheets, lines, single voxels, scattered voxels, touching the border or not."""
    shape = draw(st.tuples(*[st.integers(1, 14)] * 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    noise = rng.random(shape)
    smooth = draw(st.sampled_from([0.0, 0.8, 1.5]))
    field = ndimage.gaussian_filter(noise, smooth) if smooth else noise
    mask = field >= np.quantile(field, draw(st.floats(0.0, 0.99)))
    mask.flat[rng.integers(mask.size)] = True
    return mask


spacings = st.tuples(*[st.sampled_from([0.5, 1.0, 3.3, 6.0])] * 3)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(any_object(), spacings, st.integers(0, 99), st.sampled_from([None, 0.0, 4.0]))
def test_margin_points_are_six_different_voxels_of_the_object(mask, spacing, seed, depth):
    labelled = object_of(mask)
    points = simulation.margin_points(labelled, spacing, np.random.default_rng(seed), depth)
    assert mask[tuple(points.T)].all()
    assert len(np.unique(points, axis=0)) == len(points) == min(6, mask.sum())
    extent = np.ptp(np.argwhere(mask), axis=0)
    spread = np.ptp(points, axis=0)
    assert ((spread > 0) | (extent == 0)).all()  # the points' box has every axis's extent


@settings(derandomize=True, deadline=None, max_examples=200)
@given(any_object(), spacings, st.integers(0, 99), st.integers(1, 9), st.floats(0.1, 20))
def test_other_points_lie_inside_too(mask, spacing, seed, count, deviation):
    labelled = object_of(mask)
    rng = np.random.default_rng(seed)
    drawn = simulation.random_points(labelled, count, rng)
    assert mask[tuple(drawn.T)].all() and len(np.unique(drawn, axis=0)) == min(count, mask.sum())
    centre = simulation.centre_point(labelled, spacing)
    assert centre.shape == (1, 3) and mask[tuple(centre.T)].all()
    moved = simulation.jitter(drawn, labelled, spacing, deviation, rng)
    assert mask[tuple(moved.T)].all() and len(np.unique(moved, axis=0)) == len(drawn)


@pytest.mark.parametrize("coarse", [None, 0, 1, 2])
def test_the_default_depth_is_five_voxels_and_one_along_a_coarse_axis(coarse):
    spacing = [1.0, 1.0, 1.0]
    if coarse is not None:
        spacing[coarse] = 3.0
    mask = ball(20, spacing)
    voxels = np.argwhere(mask)
    low, high = voxels.min(axis=0), voxels.max(axis=0)
    points = simulation.margin_points(object_of(mask), tuple(spacing), np.random.default_rng(0))
    for axis in range(3):
        depth = 1 if axis == coarse else 5
        assert points[2 * axis, axis] == low[axis] + depth
        assert points[2 * axis + 1, axis] == high[axis] - depth


def test_margin_points_of_a_ball_are_near_its_extremes():
    mask = ball(20)
    centre = (np.array(mask.shape) - 1) / 2
    points = simulation.margin_points(object_of(mask), ONE, np.random.default_rng(3))
    for number, point in enumerate(points):
        axis, sign = number // 2, (-1, 1)[number % 2]
        expected = centre.copy()
        expected[axis] += sign * 15
        assert np.linalg.norm(point - expected) < 4


def test_points_of_a_hollow_object_lie_in_its_wall():
    wall = ball(15) & ~ndimage.binary_erosion(ball(15), iterations=2)
    points = simulation.margin_points(object_of(wall), ONE, np.random.default_rng(0))
    assert wall[tuple(points.T)].all()


def test_a_stray_component_captures_no_extreme():
    mask = np.zeros((40, 40, 40), bool)
    mask[10:20, 10:20, 10:20] = True
    mask[39, 39, 39] = True
    (labelled,) = simulation.find_objects(mask, per_component=False, largest_only=True)
    assert (labelled.ignored, labelled.components) == (1, 2)
    points = simulation.margin_points(labelled, ONE, np.random.default_rng(0))
    assert points.max() < 20
    (whole,) = simulation.find_objects(mask, per_component=False, largest_only=False)
    assert whole.voxels.max() == 39


def test_components_are_objects_of_their_own_largest_first():
    mask = np.zeros((20, 20, 20), bool)
    mask[0:3, 0:3, 0:3] = mask[10:15, 10:15, 10:15] = True
    mask[3, 3, 3] = True  # touches the first by a corner
    objects = simulation.find_objects(mask, per_component=True, largest_only=True)
    assert [len(labelled.voxels) for labelled in objects] == [125, 28]
    rebuilt = np.zeros_like(mask)
    for labelled in objects:
        rebuilt[tuple(labelled.voxels.T)] = True
    np.testing.assert_array_equal(rebuilt, mask)


def test_no_voxels_no_object():
    assert (
        simulation.find_objects(np.zeros((3, 3, 3), bool), per_component=True, largest_only=True)
        == []
    )


def test_the_centre_is_the_deepest_voxel():
    mask = np.zeros((30, 30, 30), bool)
    mask[2:11, 2:11, 2:11] = True
    mask[11:29, 6, 6] = True  # a tail that moves the centroid, not the depth
    labelled = object_of(mask)
    assert isinstance(labelled, LabelledObject)
    assert simulation.centre_point(labelled, ONE).tolist() == [[6, 6, 6]]


def test_seeds_repeat_and_differ():
    labelled = object_of(ball(20))
    draw = lambda seed: simulation.margin_points(labelled, ONE, np.random.default_rng(seed))  # noqa: E731
    np.testing.assert_array_equal(draw(0), draw(0))
    assert (draw(0) != draw(1)).any()


GRID = Geometry((20, 18, 16), np.diag([1.0, -1.5, 2.0, 1.0]))


def label_map():
    """Two components of label 1, a single voxel of label 4; on a grid that is not RAS."""
    label = np.zeros(GRID.shape, np.uint8)
    label[2:7, 2:12, 2:12] = label[10:19, 2:12, 2:12] = 1
    label[8, 15, 14] = 4
    return Volume.from_stored(GRID.from_ras(label), GRID)


def test_a_prompt_for_every_object():
    volume = label_map()
    prompts = simulate_prompts(volume, labels=LabelNames({1: "tumour", 4: "node"}))
    assert [(prompt.label, prompt.name) for prompt in prompts] == [(1, "tumour"), (4, "node")]
    assert [len(prompt.points) for prompt in prompts] == [6, 1]
    for prompt in prompts:
        voxels = volume.grid.nearest_voxel(prompt.points)
        assert (volume.array[0][tuple(voxels.T)] == prompt.label).all()
    every = simulate_prompts(volume, SimulationOptions(per_component=True, random=3))
    assert [(prompt.label, len(prompt.points)) for prompt in every] == [(1, 3), (1, 3), (4, 1)]
    assert every[0].points[:, 0].min() >= 10 > every[1].points[:, 0].max()  # the largest first


def test_points_follow_from_seed_key_and_object_alone():
    volume = label_map()
    points = [prompt.points for prompt in simulate_prompts(volume, key="Tr/a")]
    alone = np.array(volume.array)
    alone[alone != 1] = 0
    [prompt] = simulate_prompts(Volume.from_stored(GRID.from_ras(alone), GRID), key="Tr/a")
    np.testing.assert_array_equal(prompt.points, points[0])
    assert (simulate_prompts(volume, key="Tr/b")[0].points != points[0]).any()
    other_seed = simulate_prompts(volume, SimulationOptions(seed=1), key="Tr/a")
    assert (other_seed[0].points != points[0]).any()


def test_what_is_odd_is_noted():
    _, notes = simulate_prompts_with_notes(label_map())
    assert notes == [
        "label 1: 500 voxels outside the largest of 2 components are ignored",
        "label 4: too small, 1 points instead of 6",
    ]
    _, notes = simulate_prompts_with_notes(
        label_map(), SimulationOptions(per_component=True, random=501)
    )
    assert notes[0] == "label 1, object 2: too small, 500 points instead of 501"
    with pytest.raises(DataError, match="the label map is empty"):
        simulate_prompts(Volume.from_stored(np.zeros(GRID.shape, np.uint8), GRID))


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", -1), ("random", -1), ("depth_mm", -0.1), ("jitter_mm", float("inf"))],
)
def test_bad_options_are_named(field, value):
    with pytest.raises(RequestError) as caught:
        replace(SimulationOptions(), **{field: value})
    assert str(caught.value) == f"`{field}={value}`: expected 0 or more"
