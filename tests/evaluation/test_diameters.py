"""Diameters equal those between all outer faces, one by one, and those of known shapes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from interactivenet.errors import DataError
from interactivenet.evaluation.diameters import largest_diameters

spacings = st.tuples(*[st.sampled_from([0.4, 1.0, 1.7, 5.0])] * 3)
shapes = st.tuples(*[st.integers(1, 6)] * 3)


def outer_faces(mask, axes):
    """Centres of the faces between inside and outside, across some axes, in voxels."""
    faces = []
    for voxel in np.argwhere(mask):
        for axis in axes:
            for step in (-1, 1):
                neighbour = voxel.copy()
                neighbour[axis] += step
                inside = (neighbour >= 0).all() and (neighbour < mask.shape).all()
                if not inside or not mask[tuple(neighbour)]:
                    faces.append((voxel + neighbour) / 2)
    return np.array(faces)


def plain(mask, spacing):
    within = outer_faces(mask, (0, 1))
    axial = max(pdist(within[within[:, 2] == z] * spacing).max() for z in np.unique(within[:, 2]))
    return axial, pdist(outer_faces(mask, (0, 1, 2)) * spacing).max()


@given(shapes, spacings, st.integers(0, 1000))
@settings(max_examples=150, deadline=None)
def test_equal_to_all_pairs_of_faces(shape, spacing, seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) > rng.uniform(0.1, 0.95)
    mask[tuple(rng.integers(shape))] = True
    np.testing.assert_allclose(largest_diameters(mask, spacing), plain(mask, spacing), rtol=1e-12)


@pytest.mark.parametrize(
    ("size", "spacing", "expected"),
    [
        ((1, 1, 1), (2.0, 3.0, 5.0), (3.0, 5.0)),  # a voxel's own sides
        ((7, 1, 1), (2.0, 1.0, 1.0), (14.0, 14.0)),
        ((1, 1, 7), (1.0, 1.0, 2.0), (1.0, 14.0)),  # one voxel in every plane
        ((3, 4, 1), (1.0, 1.0, 1.0), (np.hypot(2, 4), np.hypot(2, 4))),
    ],
)
def test_boxes(size, spacing, expected):
    mask = np.zeros(np.array(size) + 4, bool)
    mask[tuple(slice(2, 2 + n) for n in size)] = True
    np.testing.assert_allclose(largest_diameters(mask, spacing), expected)


def test_a_sphere():
    sides = np.array([0.5, 0.8, 1.25])
    place = (np.indices((90, 60, 40)).reshape(3, -1).T - (45, 30, 20)) * sides
    mask = (np.linalg.norm(place, axis=1) <= 18).reshape(90, 60, 40)
    axial, diameter = largest_diameters(mask, sides)
    assert 35 < axial <= diameter < 38


def test_planes_are_across_the_third_axis_and_not_joined():
    mask = np.zeros((20, 3, 3), bool)
    mask[0, 1, 0] = mask[19, 1, 1] = True  # far apart, but in two planes
    axial, diameter = largest_diameters(mask, (1.0, 1.0, 1.0))
    assert axial == 1.0
    assert diameter == pytest.approx(np.hypot(20, 1))


def test_nothing_and_odd_requests():
    assert largest_diameters(np.zeros((3, 3, 3), bool), (1, 1, 1)) == (0.0, 0.0)
    with pytest.raises(DataError, match="shape"):
        largest_diameters(np.ones((3, 3), bool), (1, 1, 1))
    with pytest.raises(DataError, match="spacing"):
        largest_diameters(np.ones((3, 3, 3), bool), (1, 0, 1))
