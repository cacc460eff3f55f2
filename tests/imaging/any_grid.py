"""Grids as any scanner can make them, drawn at random, and other ways to store them."""

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from interactivenet.imaging.geometry import Geometry

EYE = np.eye(4)


def rotation(quaternion):
    """(w, x, y, z) -> (3, 3)."""
    w, x, y, z = np.array(quaternion) / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def affine_of(directions, spacing, origin):
    affine = np.eye(4)
    affine[:3, :3] = directions * np.asarray(spacing)
    affine[:3, 3] = origin
    return affine


def is_tied(directions):
    """Whether an axis runs as much along one side of the patient as along another."""
    ranked = np.sort(np.abs([*directions, *directions.T]), axis=1)
    return bool((ranked[:, 2] - ranked[:, 1] < 1e-6).any())


def three(values):
    return st.tuples(values, values, values)


@st.composite
def geometries(draw):
    """Any grid a scanner can make, stored in any orientation."""
    order = draw(st.permutations(range(3)))
    flips = draw(three(st.sampled_from((1.0, -1.0))))
    quaternion = draw(
        st.one_of(
            st.just((1.0, 0.0, 0.0, 0.0)),
            st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1),
        )
    )
    turned = rotation(quaternion)
    assume(not is_tied(turned))  # see the tests of grids turned by 45 degrees
    return Geometry(
        draw(three(st.integers(1, 9))),
        affine_of(
            turned[:, order] * flips,
            draw(three(st.floats(0.2, 10))),
            draw(three(st.floats(-1000, 1000))),
        ),
    )


def centres(geometry):
    """World coordinate of each voxel, by the stored affine: (3, *shape)."""
    voxels = np.indices(geometry.shape).reshape(3, -1)
    world = geometry.affine[:3, :3] @ voxels + geometry.affine[:3, 3:]
    return world.reshape(3, *geometry.shape)


def stored_as(geometry, order, flips):
    """The same lattice with its axes in another order and direction."""
    affine = np.array(geometry.affine)
    shape = tuple(geometry.shape[axis] for axis in order)
    affine[:3, :3] = geometry.affine[:3, order]
    affine[:3, 3] += affine[:3, :3] @ np.where(flips, np.array(shape) - 1, 0)
    affine[:3, :3] *= np.where(flips, -1, 1)
    return Geometry(shape, affine)


def changed(row, column, value):
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    affine[row, column] = value
    return affine
