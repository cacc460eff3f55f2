"""Robots and brush: against plain programs that look at every voxel, on random volumes."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactivenet.errors import DataError, RequestError
from interactivenet.evaluation.click_robots import (
    ROBOTS,
    SLIP_MM,
    Click,
    click_rng,
    cvpr_click,
    is_heeded,
    largest_error,
    next_click,
    paint,
    sloppy_click,
)

SPACING = (0.7, 1.0, 3.0)


@st.composite
def pairs_of_masks(draw):
    """Two masks of one shape, from nearly equal to unlike."""
    shape = draw(st.tuples(*(st.integers(1, 7),) * 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    truth = rng.random(shape) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    flipped = rng.random(shape) < draw(st.sampled_from([0.0, 0.03, 0.2, 0.6, 1.0]))
    return truth ^ flipped, truth


def plain_components(error):
    """The 26-connected components as lists of voxels, each and all in the order of the array."""
    left = [tuple(map(int, voxel)) for voxel in np.argwhere(error)]
    components = []
    while left:
        waiting, found = [left[0]], set()
        while waiting:
            voxel = waiting.pop()
            if voxel in found:
                continue
            found.add(voxel)
            apart = {other: np.abs(np.subtract(voxel, other)).max() for other in left}
            waiting += [other for other, steps in apart.items() if steps == 1]
        components.append(sorted(found))
        left = [voxel for voxel in left if voxel not in found]
    return components


def plain_depth(voxel, component, shape):
    """Squared distance, in voxels, of the nearest voxel that is not of the component."""
    around = product(*(range(-1, side + 1) for side in shape))
    inside = set(component)
    return min(
        sum((a - b) ** 2 for a, b in zip(voxel, other, strict=True))
        for other in around
        if other not in inside
    )


@given(pairs_of_masks())
def test_the_largest_error_is_that_of_a_plain_search(masks):
    prediction, truth = masks
    components = plain_components(prediction != truth)
    expected = max(components, key=len) if components else []  # the first of equal ones
    assert [tuple(voxel) for voxel in largest_error(prediction, truth)] == expected


@given(pairs_of_masks())
def test_the_challenges_click_is_deepest_in_the_largest_error(masks):
    prediction, truth = masks
    click = cvpr_click(prediction, truth)
    components = plain_components(prediction != truth)
    if not components:
        assert click is None
        return
    component = max(components, key=len)
    depths = {voxel: plain_depth(voxel, component, truth.shape) for voxel in component}
    deepest = [voxel for voxel in component if depths[voxel] == max(depths.values())]
    assert click.voxel == deepest[np.random.RandomState(42).choice(len(deepest))]
    assert click.positive == truth[click.voxel] and prediction[click.voxel] != truth[click.voxel]
    assert click == cvpr_click(prediction.copy(order="F"), truth)


def test_the_challenges_click_by_hand():
    """Misses and excess are one error map; the distance is in voxels and ends at the image."""
    truth = np.zeros((20, 9, 9), bool)
    truth[2:7, 2:7, 2:7] = True
    assert cvpr_click(truth, truth) is None
    assert cvpr_click(np.zeros_like(truth), truth) == Click((4, 4, 4), True)
    assert cvpr_click(np.ones_like(truth), np.zeros_like(truth)).voxel[1:] == (4, 4)
    # an excess that touches a miss is of one component with it, and the deeper part wins
    prediction = np.zeros_like(truth)
    prediction[7:16, 0:9, 0:9] = True
    click = cvpr_click(prediction, truth)
    assert not click.positive and click.voxel[1:] == (4, 4) and 9 < click.voxel[0] < 13
    assert len(largest_error(prediction, truth)) == 125 + 9 * 81
    # at the border beyond which nothing is known, as anywhere else
    flat = np.zeros((5, 5, 3), bool)
    flat[:, :, 0] = True
    assert cvpr_click(flat, np.zeros_like(flat)).voxel[2] == 0


@given(pairs_of_masks(), st.integers(0, 1000))
def test_the_sloppy_click_is_near_an_error_and_says_what_is_true_of_it(masks, seed):
    prediction, truth = masks
    voxels = largest_error(prediction, truth)
    click = sloppy_click(prediction, truth, SPACING, np.random.default_rng(seed))
    assert click == sloppy_click(prediction, truth, SPACING, np.random.default_rng(seed))
    if not len(voxels):
        assert click is None
        return
    meant = [voxel for voxel in voxels if truth[tuple(voxel)] == click.positive]
    assert all(0 <= index < side for index, side in zip(click.voxel, truth.shape, strict=True))
    # a slip of 2 mm, and the way to the middle of the voxel in which it ends
    reach = SLIP_MM + np.linalg.norm(np.array(SPACING) / 2)
    distances = [np.linalg.norm((voxel - click.voxel) * np.array(SPACING)) for voxel in meant]
    assert min(distances) <= reach + 1e-9


def test_the_sloppy_robot_slips_and_does_not_leave_the_image():
    truth = np.zeros((30, 30, 30), bool)
    truth[0, 0, 0] = True
    clicks = [
        sloppy_click(np.zeros_like(truth), truth, (1, 1, 1), np.random.default_rng(seed))
        for seed in range(60)
    ]
    places = {click.voxel for click in clicks}
    assert all(click.positive for click in clicks) and (0, 0, 0) in places and len(places) > 5
    assert max(max(place) for place in places) <= 2
    # slices 5 mm thick: no slip of 2 mm reaches the next one
    coarse = [
        sloppy_click(np.zeros_like(truth), truth, (1, 1, 5), np.random.default_rng(seed)).voxel[2]
        for seed in range(60)
    ]
    assert set(coarse) == {0}


def test_every_voxel_of_the_error_may_be_meant():
    truth = np.zeros((6, 6, 3), bool)
    truth[1:4, 2, 1] = True
    wide = (100.0, 100.0, 100.0)  # no slip leaves its voxel
    meant = {
        sloppy_click(np.zeros_like(truth), truth, wide, np.random.default_rng(seed)).voxel
        for seed in range(60)
    }
    assert meant == {(1, 2, 1), (2, 2, 1), (3, 2, 1)}


def test_the_sloppy_robot_does_not_contradict_itself():
    truth = np.zeros((3, 3, 3), bool)
    prediction = np.zeros_like(truth)
    prediction[1, 1, 1] = True
    wide = (100.0, 100.0, 100.0)
    rng = np.random.default_rng(0)
    assert sloppy_click(prediction, truth, wide, rng) == Click((1, 1, 1), False)
    same, other = Click((1, 1, 1), False), Click((1, 1, 1), True)
    assert sloppy_click(prediction, truth, wide, rng, [same]) == same
    assert sloppy_click(prediction, truth, wide, rng, [other]) is None
    for seed in range(30):
        click = sloppy_click(prediction, truth, (1, 1, 1), np.random.default_rng(seed), [other])
        assert click.voxel != (1, 1, 1)


def test_what_is_drawn_follows_from_case_object_step_and_seed():
    drawn = {
        (seed, case, number, step): click_rng(seed, case, number, step).random()
        for seed in (0, 1) for case in ("a", "b") for number in (0, 1) for step in (1, 2)
    }  # fmt: skip
    assert len(set(drawn.values())) == 16
    assert drawn[0, "a", 1, 2] == click_rng(0, "a", 1, 2).random()


@pytest.mark.parametrize("robot", ROBOTS)
def test_robots_by_their_names(robot):
    truth = np.zeros((5, 5, 5), bool)
    truth[2, 2, 2] = True
    wide = (100.0, 100.0, 100.0)
    empty = np.zeros_like(truth)
    click = next_click(robot, empty, truth, wide, np.random.default_rng(0))
    assert click == Click((2, 2, 2), True)
    assert next_click(robot, truth, truth, wide, np.random.default_rng(0)) is None
    with pytest.raises(DataError, match=r"one shape \(X, Y, Z\), got \(5, 5, 5\) and \(5, 5, 4\)"):
        next_click(robot, truth, truth[..., 1:], wide, np.random.default_rng(0))


def test_there_are_no_other_robots():
    mask = np.zeros((2, 2, 2), bool)
    with pytest.raises(RequestError, match=r"`robot=.*`: expected one of cvpr, sloppy"):
        next_click("random", mask, mask, (1, 1, 1), np.random.default_rng(0))


@given(pairs_of_masks(), st.data(), st.booleans(), st.integers(0, 3))
def test_the_brush_paints_a_ball_and_nothing_else(masks, data, positive, radius):
    mask, _ = masks
    voxel = tuple(data.draw(st.integers(0, side - 1)) for side in mask.shape)
    before = mask.copy()
    painted = paint(mask, Click(voxel, positive), radius)
    for place in np.ndindex(mask.shape):
        inside = sum((a - b) ** 2 for a, b in zip(place, voxel, strict=True)) <= radius**2
        assert painted[place] == (positive if inside else before[place])
    np.testing.assert_array_equal(mask, before)
    assert is_heeded(painted, [Click(voxel, positive)])
    assert not is_heeded(painted, [Click(voxel, positive), Click(voxel, not positive)])
