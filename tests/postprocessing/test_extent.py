"""Answers give way to what the points tell of the extent: against the formula, voxel by voxel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from interactivenet.planning.plan import ExtentPrior
from interactivenet.postprocessing.extent import Extent, apply_extent_prior

#: an array, where an object should be in it, how far it may reach beyond, and clicks
volumes = st.tuples(
    st.integers(0, 2**32 - 1), st.tuples(*[st.integers(3, 16)] * 3), st.floats(0.0, 3.0),
    st.integers(0, 3),
)  # fmt: skip


def extent_of(first, last, slack=0.0, clicks=(), spacing=(1.0, 1.0, 1.0)):
    first, last = np.array(first, float), np.array(last, float)
    return Extent(
        first, last, np.full(3, slack), (first + last) / 2, (last - first) / 2,
        np.array(clicks, float).reshape(-1, 3), np.array(spacing),
    )  # fmt: skip


def drawn(seed, shape, slack, clicks):
    """A random answer with voxels that are certain, and an extent that may leave the array."""
    rng = np.random.default_rng(seed)
    answer = rng.uniform(-0.3, 1.3, shape).clip(0, 1).astype(np.float32)
    ends = np.sort(rng.uniform(-3, np.array(shape) + 2, (2, 3)), axis=0)
    ends[1] = np.maximum(ends[1], ends[0] + 1)
    places = rng.uniform(0, shape, (clicks, 3))
    return answer, extent_of(*ends, slack, places, rng.uniform(0.5, 3, 3))


def applied(answer, extent, *prior):
    """The answer with the prior applied, on a copy."""
    changed = np.array(answer)
    apply_extent_prior(changed, extent, ExtentPrior(*prior))
    return changed


def voxels(shape):
    return np.stack(np.indices(shape), axis=-1).astype(float)


@settings(deadline=None, max_examples=200)
@given(volumes)
def test_between_the_extremes_nothing_changes_and_beyond_them_log_odds_fall(drawing):
    answer, extent = drawn(*drawing)
    half = extent.half + extent.slack
    lost = np.maximum(np.abs(voxels(answer.shape) - extent.middle) / half - 1, 0).sum(axis=-1)
    changed = np.array(answer)
    share = apply_extent_prior(changed, extent, ExtentPrior(80.0))
    assert np.isfinite(changed).all() and changed.dtype == np.float32
    np.testing.assert_array_equal(changed[lost == 0], answer[lost == 0])
    with np.errstate(divide="ignore"):
        sure = logit(answer.astype(np.float64).clip(0, 0.999))
    np.testing.assert_allclose(changed, np.where(lost == 0, answer, expit(sure - 80 * lost)),
                               atol=1e-6)  # fmt: skip
    assert (changed <= answer).all()
    # what is far beyond is gone however sure the network was
    assert (changed[lost > 7 / 80] < 0.5).all()
    before, after = (int((values >= 0.5).sum()) for values in (answer, changed))
    assert share == (1 - after / before if before else 0)


@settings(deadline=None, max_examples=200)
@given(volumes)
def test_the_ellipsoid_decides_what_is_open_and_leaves_everything_else(drawing):
    answer, extent = drawn(*drawing)
    radii = (((voxels(answer.shape) - extent.middle) / extent.half) ** 2).sum(axis=-1)
    # an outline that is much like the ellipsoid
    answer = np.where(radii <= 1, np.maximum(answer, 0.5), np.minimum(answer, 0.49))
    answer = answer.astype(np.float32)
    changed = applied(answer, extent, 0.0, 3.0)
    assert np.isfinite(changed).all()
    sure = np.abs(answer.astype(float) - 0.5)
    np.testing.assert_array_equal(changed[sure >= 0.4], answer[sure >= 0.4])
    share = np.clip((0.4 - sure) / 0.2, 0, 1) * ((radii <= 1).any())
    reach = 0.15 * (4 / 3 * np.pi * np.prod(extent.half * extent.spacing)) ** (1 / 3)
    for click in extent.clicks:
        far = (((voxels(answer.shape) - click) * extent.spacing) ** 2).sum(axis=-1)
        share = share * (1 - np.exp(-far / reach**2))
    told = 3 * np.maximum(1 - radii, -3) * share
    open_ = sure < 0.4
    expected = expit(logit(answer[open_].astype(float)) + told[open_])
    np.testing.assert_allclose(changed[open_], expected, atol=1e-6)


@settings(deadline=None, max_examples=100)
@given(volumes)
def test_it_is_the_same_mirrored_and_permuted(drawing):
    answer, extent = drawn(*drawing)
    changed = applied(answer, extent, 40.0, 3.0)
    last = np.array(answer.shape) - 1
    mirrored = Extent(
        last - extent.last, last - extent.first, extent.slack, last - extent.middle, extent.half,
        last - extent.clicks, extent.spacing,
    )  # fmt: skip
    turned = applied(answer[::-1, ::-1, ::-1], mirrored, 40.0, 3.0)
    np.testing.assert_allclose(turned[::-1, ::-1, ::-1], changed, atol=1e-5)
    order = [2, 0, 1]
    permuted = Extent(
        extent.first[order], extent.last[order], extent.slack[order], extent.middle[order],
        extent.half[order], extent.clicks[:, order], extent.spacing[order],
    )  # fmt: skip
    turned = applied(answer.transpose(order), permuted, 40.0, 3.0)
    np.testing.assert_allclose(turned, changed.transpose(order), atol=1e-5)


def made(radii, share=1.0, inside=0.6, outside=0.4, shape=(41, 41, 41)):
    """An answer, unsure everywhere, of an ellipsoid of a share of its extent's radii."""
    middle = (np.array(shape) - 1) / 2
    far = (((voxels(shape) - middle) / (np.array(radii) * share)) ** 2).sum(axis=-1)
    answer = np.where(far <= 1, inside, outside).astype(np.float32)
    return answer, extent_of(middle - radii, middle + np.array(radii))


def test_an_outline_like_the_ellipsoid_hears_of_it():
    answer, extent = made((12.0, 10.0, 8.0), share=0.95)
    told = applied(answer, extent, 0.0, 3.0)
    moved = logit(told.astype(float)) - logit(answer.astype(float))
    assert moved[20, 20, 20] == pytest.approx(3, abs=1e-4)
    assert moved[32, 20, 20] == pytest.approx(0, abs=1e-4)
    assert moved[33, 20, 20] < 0 < moved[31, 20, 20]


def test_what_a_network_is_sure_of_stays_hollow():
    """A shell whose core the network takes for background, as of a necrosis left out."""
    answer, extent = made((12.0, 10.0, 8.0), inside=0.9)
    middle = (np.array(answer.shape) - 1) / 2
    core = ((voxels(answer.shape) - middle) ** 2).sum(axis=-1) <= 16
    answer[core] = 0.09
    told = applied(answer, extent, 80.0, 3.0)
    np.testing.assert_array_equal(told[core], answer[core])


def test_an_outline_unlike_the_ellipsoid_does_not():
    for share, middle in ((1e-3, 0.4), (0.6, 0.6)):  # nothing found; a third of it
        answer, extent = made((12.0, 10.0, 8.0), share=share)
        answer[20, 20, 20] = middle
        np.testing.assert_array_equal(applied(answer, extent, 0.0, 3.0), answer)
    answer, extent = made((12.0, 10.0, 8.0), share=0.78)
    told = applied(answer, extent, 0.0, 3.0)
    assert 0 < logit(float(told[20, 20, 20])) - logit(0.6) < 3


def test_the_ellipsoid_is_silent_at_a_click_and_heard_far_from_it():
    answer, extent = made((12.0, 10.0, 8.0), share=0.95)
    clicked = extent_of(extent.first, extent.last, clicks=[(20, 20, 20)])
    told, free = applied(answer, clicked, 0.0, 3.0), applied(answer, extent, 0.0, 3.0)
    assert told[20, 20, 20] == answer[20, 20, 20] < free[20, 20, 20]
    np.testing.assert_allclose(told[:6], free[:6], atol=0.01)


@pytest.mark.parametrize("axis", range(3))
def test_an_axis_of_which_nothing_is_known_is_not_confined(axis):
    answer = np.ones((9, 8, 7), np.float32)
    extent = extent_of((3, 3, 3), (5, 5, 5))
    extent.first[axis], extent.last[axis], extent.half[axis] = -np.inf, np.inf, 0.0
    changed = applied(answer, extent, 80.0, 3.0) >= 0.5
    along = changed.any(axis=tuple(other for other in range(3) if other != axis))
    assert along.all() and changed.sum() == 9 * answer.shape[axis]
