"""Clicks are heeded, whatever the volume: what they may change, and what they may not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from interactivenet.imaging.geometry import Geometry
from interactivenet.postprocessing.components import Postprocessing
from interactivenet.postprocessing.corrections import (
    VoxelClick,
    apply_corrections,
    grown_to_hold,
    voxel_clicks,
)
from interactivenet.postprocessing.merging import PromptProbability, merge
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.prompt import Prompt


@st.composite
def volumes(draw):
    """A smooth probability, its spacing, and clicks in it."""
    shape = draw(st.tuples(*[st.integers(1, 14)] * 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = gaussian_filter(rng.uniform(size=shape), draw(st.sampled_from([0, 1, 2])))
    spread = np.ptp(values) or 1.0
    values = (values - values.min()) / spread * draw(st.sampled_from([0.4, 1.0]))
    spacing = draw(st.tuples(*[st.sampled_from([0.3, 1.0, 5.0])] * 3))
    voxels = draw(st.lists(st.tuples(*[st.integers(0, n - 1) for n in shape]), max_size=5,
                           unique=True))  # fmt: skip
    signs = draw(st.lists(st.booleans(), min_size=len(voxels), max_size=len(voxels)))
    clicks = [VoxelClick(voxel, sign) for voxel, sign in zip(voxels, signs, strict=True)]
    return values.astype(draw(st.sampled_from([np.float16, np.float32]))), spacing, clicks


@settings(max_examples=300, deadline=None)
@given(volumes())
def test_every_click_is_heeded_and_none_does_the_contrary(case):
    probability, spacing, clicks = case
    kept = probability.copy()
    before = probability
    assert apply_corrections(probability, [], spacing) is probability
    for number, click in enumerate(clicks, 1):
        after = apply_corrections(probability, clicks[:number], spacing)
        assert after.dtype == probability.dtype and after.shape == probability.shape
        assert after.min() >= 0 and after.max() <= 1
        assert (after >= before).all() if click.positive else (after <= before).all()
        for earlier in clicks[:number]:
            assert after[earlier.voxel] == earlier.positive
        before = after
    np.testing.assert_array_equal(probability, kept)  # the volume that was given is nobody's


@settings(max_examples=100, deadline=None)
@given(volumes(), st.permutations(range(3)), st.tuples(*[st.booleans()] * 3))
def test_axes_are_alike(case, order, flips):
    probability, spacing, clicks = case
    axes = [axis for axis in range(3) if flips[axis]]

    def turned(array):
        return np.flip(array, axes).transpose(order)

    def turned_voxel(voxel):
        voxel = [n - 1 - v if f else v for v, n, f in zip(voxel, probability.shape, flips,
                                                          strict=True)]  # fmt: skip
        return tuple(voxel[axis] for axis in order)

    moved = [VoxelClick(turned_voxel(click.voxel), click.positive) for click in clicks]
    other = apply_corrections(turned(probability), moved, [spacing[axis] for axis in order])
    expected = turned(apply_corrections(probability, clicks, spacing))
    np.testing.assert_allclose(other, expected, atol=2e-3 if other.dtype == np.float16 else 1e-5)


def ball(shape, centre, radius, spacing=(1, 1, 1)):
    grid = np.indices(shape)
    squares = [((g - c) * mm) ** 2 for g, c, mm in zip(grid, centre, spacing, strict=True)]
    return sum(squares) <= radius**2


def test_a_click_in_the_middle_of_what_is_missing_finds_most_of_it():
    truth = ball((40, 40, 40), (20, 20, 20), 14) | ball((40, 40, 40), (20, 20, 31), 6)
    first = ball((40, 40, 40), (20, 20, 20), 14)
    probability = np.where(first, 0.95, np.where(truth, 0.2, 0.02)).astype(np.float32)
    after = apply_corrections(probability, [VoxelClick((20, 20, 35), True)], (1, 1, 1)) >= 0.5
    missing = truth & ~first
    assert (after & missing).sum() > 0.6 * missing.sum()
    assert (after & ~truth).sum() < 0.1 * missing.sum()
    assert after[first].all()


def test_a_click_on_what_is_too_much_removes_it_but_not_the_object():
    truth = ball((40, 40, 40), (20, 20, 20), 12)
    leak = ball((40, 40, 40), (20, 20, 34), 4)
    probability = np.where(truth, 0.98, np.where(leak, 0.7, 0.01)).astype(np.float32)
    after = apply_corrections(probability, [VoxelClick((20, 20, 35), False)], (1, 1, 1)) >= 0.5
    assert not after[20, 20, 33:38].any() and after[leak & ~truth].mean() < 0.3
    assert after[truth].mean() > 0.98


def test_a_later_click_leaves_the_surroundings_of_the_contrary_one():
    probability = np.full((31, 31, 31), 0.3, np.float32)
    probability[5:26, 5:26, 5:26] = 0.8
    first = VoxelClick((15, 15, 3), True)
    alone = apply_corrections(probability, [first], (1, 1, 1)) >= 0.5
    both = apply_corrections(probability, [first, VoxelClick((15, 15, 8), False)], (1, 1, 1)) >= 0.5
    around = ball(probability.shape, (15, 15, 3), 1.5)
    assert alone[around].all() and both[around].all() and not both[15, 15, 8]


def test_clicks_outside_of_the_volume_change_nothing():
    probability = np.full((4, 4, 4), 0.6, np.float32)
    outside = [VoxelClick((-1, 0, 0), False), VoxelClick((0, 4, 0), True)]
    np.testing.assert_array_equal(apply_corrections(probability, outside, (1, 1, 1)), probability)


def test_an_empty_object_gets_the_clicked_voxel_alone():
    after = apply_corrections(np.zeros((5, 5, 5), np.float16), [VoxelClick((2, 3, 1), True)],
                              (1, 1, 1))  # fmt: skip
    assert after.sum() == after[2, 3, 1] == 1


def test_a_volume_grows_to_hold_positive_clicks_only():
    part = np.ones((2, 3, 4), np.float16)
    clicks = [VoxelClick((-2, 1, 5), True), VoxelClick((40, 40, 40), False)]
    grown, start = grown_to_hold(part, clicks)
    assert grown.shape == (4, 3, 6) and start.tolist() == [-2, 0, 0]
    np.testing.assert_array_equal(grown[2:, :, :4], part)
    assert grown.sum() == part.size
    same, start = grown_to_hold(part, clicks[1:])
    assert same is part and start.tolist() == [0, 0, 0] and start.dtype.kind == "i"


GRID = Geometry((20, 20, 20), np.diag([-1.0, 1.5, 2.0, 1.0]))  # flipped, anisotropic


def claim(values, start=(0, 0, 0), label=1, clicks=()):
    """A prompt's probability; clicks: voxels of the RAS grid and whether they are positive."""
    world = GRID.ras.voxel_to_world
    corrections = [
        Correction(tuple(world(np.array([voxel]))[0].tolist()), sign) for voxel, sign in clicks
    ]
    point = world(np.array([np.add(start, 1)]))
    prompt = Prompt(label, point, f"l{label}", corrections=tuple(corrections))
    return PromptProbability(prompt, values.astype(np.float16), start, 0.9)


def test_merging_heeds_clicks_outside_of_the_cut():
    item = claim(np.full((4, 4, 4), 0.9), (8, 8, 8), clicks=[((2, 3, 4), True), ((9, 9, 9), False),
                                                            ((19, 0, 0), False)])  # fmt: skip
    label = merge([item], GRID).label
    assert label[2, 3, 4] == 1 and label[9, 9, 9] == 0 and label[11, 11, 11] == 1


def test_a_clicked_voxel_belongs_to_the_prompt_that_was_clicked_for():
    sure = np.ones((6, 6, 6))
    rivals = [claim(sure), claim(sure, label=2, clicks=[((3, 3, 3), True)])]
    result = merge(rivals, GRID)
    assert result.instance_map[3, 3, 3] == 2 and result.label[3, 3, 3] == 2
    assert result.instance_map[0, 0, 0] == 1


def test_postprocessing_keeps_what_was_clicked_on():
    values = np.zeros((20, 20, 20))
    values[:8, :8, :8] = 0.9  # the point's component, with a hole
    values[3:5, 3:5, 3:5] = 0.1
    values[12:15, 12:15, 12:15] = 0.9
    values[17:, 17:, 17:] = 0.9
    tidy = Postprocessing(fill_holes=True, component="touched")
    clicks = [((13, 13, 13), True), ((3, 3, 3), False)]
    plain = merge([claim(values)], GRID, tidy).label
    heeded = merge([claim(values, clicks=clicks)], GRID, tidy).label
    assert plain[3:5, 3:5, 3:5].all() and not plain[12:].any()
    assert heeded[13, 13, 13] and not heeded[3, 3, 3] and not heeded[18, 18, 18]
    assert merge([claim(values, clicks=clicks)], GRID, tidy).objects[0].untouched_components == 0


def test_two_holes_one_of_them_meant():
    mask = np.ones((9, 9, 9), bool)
    mask[2, 2, 2] = mask[6, 6, 6] = False
    tidy = Postprocessing(fill_holes=True)
    none = np.empty((0, 3), np.intp)
    kept = tidy.apply(mask, none, negative=np.array([[2, 2, 2], [50, 0, 0]]))
    assert not kept[2, 2, 2] and kept[6, 6, 6]
    assert tidy.apply(kept, none, negative=np.array([[2, 2, 2]])) is kept


@pytest.mark.parametrize("start", [(0, 0, 0), (3, 2, 1)])
def test_clicks_are_found_on_a_turned_grid(start):
    grid = Geometry(
        (9, 8, 7), np.array([[0, -2.0, 0, 5], [1, 0, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1]])
    )
    voxel = (5, 4, 3)
    position = grid.ras.voxel_to_world(np.array([voxel]))[0] + 0.4
    prompt = Prompt(1, position[None], corrections=(Correction(tuple(position), False),))
    (click,) = voxel_clicks(prompt, grid.ras, start)
    assert click == VoxelClick(tuple(np.subtract(voxel, start).tolist()), False)
