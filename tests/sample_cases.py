"""Scans and plans for the tests of samples."""

from dataclasses import replace

import numpy as np

from interactivenet.datasets.case import Scan
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.volume import Volume
from interactivenet.planning.plan import CropMargins, Encoding, Network, Normalisation, Plan
from interactivenet.prompts.prompt import Prompt

#: leaves values as they are
UNCHANGED = Normalisation("ct", -1e9, 1e9, 0.0, 1.0)
NETWORK = Network(
    kernels=((3, 3, 3),) * 3,
    strides=((1, 1, 1), (2, 2, 2), (2, 2, 1)),
    features=(8, 16, 32),
    deep_supervision=1,
)


def make_plan(spacing, **changes):
    plan = Plan(
        task="Task001_A", version="0", modalities=("CT",), labels={1: "a"}, preset="tiny", seed=0,
        spacing=spacing, cut=CropMargins(mm=((3.0, 3.0),) * 3, fraction=((0.1, 0.1),) * 3),
        normalisation=(UNCHANGED,), encoding=Encoding(kind="euclidean"), network=NETWORK,
        sample_shape=(16, 16, 16), batch_size=1, memory_gb=8.0, estimated_gb=1.0,
    )  # fmt: skip
    return replace(plan, **changes)


def stored_grid(shape, spacing, order=(0, 1, 2), flips=(1, 1, 1), angles=(0.0, 0.0, 0.0)):
    """A grid whose axes are permuted, flipped and turned (radians); RAS shape and spacing given."""
    turned = np.eye(3)
    for axis, angle in enumerate(angles):
        c, s = np.cos(angle), np.sin(angle)
        step = np.eye(3)
        i, j = [k for k in range(3) if k != axis]
        step[i, i] = step[j, j] = c
        step[i, j], step[j, i] = -s, s
        turned = turned @ step
    affine = np.eye(4)
    affine[:3, :3] = turned @ np.diag(np.array(spacing) * flips)[:, list(order)]
    affine[:3, 3] = (11.0, -23.0, 5.0)
    return Geometry(tuple(np.array(shape)[list(order)]), affine)


def ellipsoid(shape, centre, radii):
    grids = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    return sum(((g - c) / r) ** 2 for g, c, r in zip(grids, centre, radii, strict=True)) <= 1


def make_scan(source, *, seed=0, image=None, centre=None, radii=None):
    """A scan with an ellipsoid, labelled 1, and points at its six extremes, one voxel inside."""
    rng = np.random.default_rng(seed)
    shape = np.array(source.ras.shape)
    centre = shape // 2 if centre is None else np.array(centre)
    radii = np.maximum(shape // 4, 1) if radii is None else np.array(radii)
    label = ellipsoid(shape, centre, radii + 0.01).astype(np.uint8)
    if image is None:
        image = rng.normal(0, 1, (1, *shape)).astype(np.float32)
    voxels = np.repeat(centre[None], 6, axis=0)
    for axis in range(3):
        voxels[2 * axis, axis] -= max(radii[axis] - 1, 0)
        voxels[2 * axis + 1, axis] += max(radii[axis] - 1, 0)
    points = source.ras.voxel_to_world(voxels.clip(0, shape - 1))
    volumes = (Volume.from_stored(source.from_ras(array), source) for array in (image, label))
    return Scan("case", *volumes, (Prompt(1, points, "a"),))


def world_image(source, direction=(1.0, 0.3, -0.5)):
    """An image (1, X, Y, Z) whose values grow linearly along a direction of the patient."""
    grid = source.ras
    voxels = np.indices(grid.shape).reshape(3, -1).T
    values = grid.voxel_to_world(voxels) @ np.array(direction)
    return values.reshape(1, *grid.shape).astype(np.float32)


def dice(a, b):
    a, b = np.asarray(a, bool), np.asarray(b, bool)
    return 2 * (a & b).sum() / max((a.sum() + b.sum()), 1)
