"""Answers give way to what the points tell of the extent: against the formula, voxel by voxel."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

from interactivenet.planning.plan import EXTENT_SLACK, ExtentPrior
from interactivenet.postprocessing.extent import Extent, apply_extent_prior

#: an array, where an object should be in it, and how deep its points lie
volumes = st.tuples(
    st.integers(0, 2**32 - 1), st.tuples(*[st.integers(3, 16)] * 3), st.floats(0.0, 3.0)
)


def drawn(seed, shape, depth, networks=2):
    """Random answers with voxels that are certain, and an extent that may leave the array."""
    rng = np.random.default_rng(seed)
    answers = rng.uniform(-0.3, 1.3, (networks, *shape)).clip(0, 1).astype(np.float32)
    ends = np.sort(rng.uniform(-3, np.array(shape) + 2, (2, 3)), axis=0)
    ends[1] = np.maximum(ends[1], ends[0] + 1)
    return answers, Extent(*ends, np.full(3, depth))


def applied(answers, extent, prior):
    """The answers with the prior applied, on a copy."""
    changed = np.array(answers)
    apply_extent_prior(changed, extent, prior)
    return changed


def distances(extent, shape):
    """How far each voxel (X, Y, Z, 3) lies from the middle, in half extents, and those (3,)."""
    voxels = np.stack(np.indices(shape), axis=-1)
    return np.abs(voxels - (extent.first + extent.last) / 2), (extent.last - extent.first) / 2


@settings(deadline=None, max_examples=200)
@given(volumes)
def test_between_the_extremes_nothing_changes_and_beyond_them_log_odds_fall(drawing):
    answers, extent = drawn(*drawing)
    far, half = distances(extent, answers.shape[1:])
    reach = half + EXTENT_SLACK * extent.depth
    lost = 80.0 * np.maximum(far / reach - 1, 0).sum(axis=-1)
    changed = answers.copy()
    shares = apply_extent_prior(changed, extent, ExtentPrior(80.0))
    assert np.isfinite(changed).all() and changed.dtype == np.float32
    np.testing.assert_array_equal(changed[:, lost == 0], answers[:, lost == 0])
    sure = logit(answers.astype(np.float64).clip(0.001, 0.999))
    expected = 1 / (1 + np.exp(np.minimum(lost - sure, 700)))
    np.testing.assert_allclose(changed[:, lost > 0], expected[:, lost > 0], atol=1e-6)
    assert (changed <= answers.clip(0.001)).all()
    # of the mask nothing is added, and what is far beyond is gone however sure the network was
    assert not ((changed >= 0.5) & (answers < 0.5)).any()
    assert (changed[:, lost > 7] < 0.5).all()
    for share, before, after in zip(shares, answers >= 0.5, changed >= 0.5, strict=True):
        assert share == (1 - after.sum() / before.sum() if before.any() else 0)


@settings(deadline=None, max_examples=100)
@given(volumes)
def test_it_is_the_same_mirrored_permuted_and_for_each_network_alone(drawing):
    answers, extent = drawn(*drawing)
    prior = ExtentPrior(40.0, ellipsoid=3.0)
    changed = applied(answers, extent, prior)
    for number, answer in enumerate(answers):
        alone = applied(answer[None], extent, prior)
        np.testing.assert_array_equal(alone[0], changed[number])
    last = np.array(answers.shape[1:]) - 1
    mirrored = Extent(last - extent.last, last - extent.first, extent.depth)
    turned = applied(answers[:, ::-1, ::-1, ::-1], mirrored, prior)
    np.testing.assert_allclose(turned[:, ::-1, ::-1, ::-1], changed, atol=1e-5)
    order = [2, 0, 1]
    permuted = Extent(*(ends[order] for ends in (extent.first, extent.last, extent.depth)))
    turned = applied(answers.transpose(0, 3, 1, 2), permuted, prior)
    np.testing.assert_allclose(turned.transpose(0, 2, 3, 1), changed, atol=1e-5)


def made(radii, share=1.0, shape=(41, 41, 41)):
    """An answer, unsure everywhere, of an ellipsoid of a share of its extent's radii."""
    far, _ = distances(Extent(np.zeros(3), np.array(shape) - 1.0, np.zeros(3)), shape)
    outline = ((far / (np.array(radii) * share)) ** 2).sum(axis=-1) <= 1
    middle = (np.array(shape) - 1) / 2
    return np.where(outline, 0.6, 0.4).astype(np.float32)[None], Extent(
        middle - radii, middle + np.array(radii), np.zeros(3)
    )


def test_an_outline_like_the_ellipsoid_hears_of_it():
    answer, extent = made((12.0, 10.0, 8.0), share=0.95)
    told = applied(answer, extent, ExtentPrior(0.0, ellipsoid=3.0))[0]
    moved = logit(told.astype(float)) - logit(answer[0].astype(float))
    assert moved[20, 20, 20] == 3 or abs(moved[20, 20, 20] - 3) < 1e-4  # the middle
    assert abs(moved[32, 20, 20]) < 1e-4 and moved[33, 20, 20] < 0 < moved[31, 20, 20]
    far, half = distances(extent, told.shape)
    radii = ((far / half) ** 2).sum(axis=-1)
    np.testing.assert_allclose(moved, 3 * np.maximum(1 - radii, -3), atol=1e-4)
    # what it is sure of stays
    answer[0, 20, 36, 20] = 0.99999
    again = applied(answer, extent, ExtentPrior(0.0, ellipsoid=1.0))[0]
    assert again[20, 36, 20] > 0.5


def test_an_outline_unlike_the_ellipsoid_does_not():
    for share in (0.0, 0.6):  # nothing found; a third of it
        answer, extent = made((12.0, 10.0, 8.0), share=max(share, 1e-3))
        answer[0, 20, 20, 20] = 0.6 if share else 0.4
        kept = applied(answer, extent, ExtentPrior(0.0, ellipsoid=3.0))
        np.testing.assert_array_equal(kept, answer)
    half, extent = made((12.0, 10.0, 8.0), share=0.78)
    told = applied(half, extent, ExtentPrior(0.0, ellipsoid=3.0))[0]
    weight = logit(float(told[20, 20, 20])) - logit(0.6)
    assert 0 < weight < 3
