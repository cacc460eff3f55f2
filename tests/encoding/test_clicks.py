"""Clicks as channels: distances to the nearest one, on any grid."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from interactivenet.encoding.clicks import click_map, click_units, put_clicks
from interactivenet.planning.plan import Normalisation, ObjectGrid
from tests.sample_cases import make_plan


@settings(max_examples=50, deadline=None)
@given(
    st.tuples(*[st.integers(1, 9)] * 3),
    st.tuples(*[st.sampled_from([0.25, 1.0, 3.0])] * 3),
    st.integers(0, 2**32),
)
def test_a_map_is_the_decaying_distance_to_the_nearest_click(shape, units, seed):
    rng = np.random.default_rng(seed)
    voxels = np.stack([rng.integers(0, n, 3) for n in shape], axis=1)
    free = np.ones(shape, bool)
    free[tuple(voxels.T)] = False
    expected = np.exp(-distance_transform_edt(free, sampling=units))
    made = click_map(torch.tensor(voxels), shape, units)
    assert made.dtype == torch.float32
    np.testing.assert_allclose(made.numpy(), expected, atol=1e-6)


def test_clicks_between_voxels_and_outside_and_none():
    made = click_map(torch.tensor([[1.5, 0.0, 0.0], [-2.0, 0.0, 0.0]]), (4, 1, 1), (1.0, 1.0, 1.0))
    np.testing.assert_allclose(made.ravel().numpy(), np.exp([-1.5, -0.5, -0.5, -1.5]), rtol=1e-6)
    assert not click_map(torch.empty(0, 3), (4, 3, 2), (1.0, 1.0, 1.0)).any()


def object_plan():
    return make_plan((3.0, 1.0, 1.0), grid=ObjectGrid(), normalisation=(Normalisation("zscore"),),
                     corrections=True)  # fmt: skip


def test_objects_look_the_same_on_fewer_voxels_and_mm_count_on_a_spacing():
    plan = object_plan()
    fine, coarse = (click_units(plan, (n, n, n)) for n in (64, 32))
    np.testing.assert_allclose(coarse, np.array(fine) * 2)
    spaced = make_plan((3.0, 1.0, 1.0), corrections=True)
    assert click_units(spaced, (64, 64, 64)) == pytest.approx((1.5, 0.5, 0.5))


def test_a_sample_holds_positive_negative_and_what_was_found():
    plan = object_plan()
    image = torch.full((plan.channels, 16, 16, 16), 7.0)
    before = torch.rand(16, 16, 16)
    one = torch.tensor([[2.0, 3.0, 4.0]])
    put_clicks(image, plan, one, one[:0], before)
    assert plan.channels == 5 and (image[:2] == 7).all()
    assert image[2, 2, 3, 4] == 1 and image[2].argmax() == (2 * 16 + 3) * 16 + 4
    assert not image[3].any() and torch.equal(image[4], before)
    put_clicks(image, plan, one[:0], one, None)
    assert not image[2].any() and image[3, 2, 3, 4] == 1 and not image[4].any()
