"""Samples as the original program (0.2.x) cut them, for weights that it has trained.

Weights answer to what they were trained on, so its rules are followed to the voxel, where they
are not those of this program: axes as the file stores them, the whole image resampled to a size
that is cut off and not rounded, points moved about the grid's central voxel, a box that leaves
out its last voxel, padding before normalising. Nothing here is for new plans.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil

import numpy as np
from nibabel.nifti1 import Nifti1Header
from numpy.typing import NDArray

from interactivenet.datasets.case import Scan
from interactivenet.encoding import encode_prompts
from interactivenet.imaging.geometry import Geometry, box, coarse_axes
from interactivenet.imaging.resampling import resample, resample_labels, resampled_geometry
from interactivenet.imaging.volume import Volume
from interactivenet.planning.plan import Legacy, Normalisation, Plan
from interactivenet.preprocessing.region import check_size
from interactivenet.preprocessing.sample import Sample
from interactivenet.prompts.margin_points import DEPTH_COARSE, DEPTH_FINE
from interactivenet.prompts.prompt import Prompt

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]
Indices = NDArray[np.intp]

#: least voxels of relaxation along the last axis, where the scan or the target is anisotropic
LEAST_COARSE = 3
#: spacings, mm, that differ by less than this share are the same
_SAME_SPACING = 1e-6


def make_legacy_sample(scan: Scan, prompt: Prompt, plan: Plan) -> Sample:
    """Make the sample of a prompt by the original's rules, along the stored axes of the scan.

    plan: one with ``legacy`` and a single modality. The sample's region is the whole image.
    Raises DataError where a point lies outside the image.
    """
    assert plan.legacy is not None
    source = scan.image.source
    spacing, target = stored_spacing(source, plan), np.array(plan.spacing)
    shape, ratio = np.array(source.shape), spacing / target
    size = np.maximum((ratio * shape).astype(np.intp), 1)
    check_size(size.tolist(), plan.spacing)
    coarse = bool(coarse_axes(spacing).any() or coarse_axes(target).any())

    old = source.nearest_voxel(prompt.points)
    voxels = np.rint((old - (shape - 1) // 2) * ratio + (size - 1) // 2).astype(np.intp)
    voxels = voxels.clip(0, size - 1)
    depth = np.where(coarse_axes(spacing) | coarse_axes(target), DEPTH_COARSE, DEPTH_FINE)
    least = np.full(3, plan.legacy.least)
    if coarse:
        least[2] = LEAST_COARSE
    low, high, padding = legacy_box(
        voxels, size, np.array(plan.network.divisor), least, plan.legacy, depth
    )

    whole = _whole(scan.image, tuple(size.tolist()), coarse)
    part = np.pad(whole[box(low, high)], padding)
    seeds = np.zeros(part.shape, dtype=bool)
    seeds[tuple((voxels - low + padding[:, 0]).T)] = True
    normalised, guide = legacy_normalise(part, plan.normalisation[0])
    encoded = encode_prompts(guide, seeds, plan.spacing, plan.encoding)

    label = None
    if scan.label is not None:
        mask = source.from_ras(scan.objects.mask(prompt, scan.prompts, scan.image.grid))
        nearest = (False, False, coarse)
        resampled = resample_labels(mask.view(np.uint8), size.tolist(), nearest)
        label = np.pad(resampled[box(low, high)], padding)
    grid = resampled_geometry(source, (0, 0, 0), shape, size.tolist())
    first, last = low - padding[:, 0], high + padding[:, 1]
    return Sample(
        case=scan.name, prompt=prompt, array=np.stack([normalised, encoded]), label=label,
        grid=resampled_geometry(grid, first, last, part.shape), source=source,
        region_start=np.zeros(3, np.intp), region_stop=shape, region_shape=grid.shape,
        start=low, stop=high, padding=padding, as_stored=True,
    )  # fmt: skip


def stored_spacing(source: Geometry, plan: Plan) -> Floats:
    """Return the spacing (3,), mm, of a stored grid as its header says, or the plan's own.

    The new size is cut off, so the last bit counts: NIfTI's pixdim, single precision, is what
    the original read, and the norm of the affine's columns may be next to it.
    """
    spacing = np.array(source.spacing, dtype=np.float32)
    if isinstance(source.native, Nifti1Header):
        pixdim = np.asarray(source.native["pixdim"][1:4], dtype=np.float32)
        if np.allclose(pixdim, spacing, rtol=1e-5, atol=0):
            spacing = pixdim
    exact, target = spacing.astype(np.float64), np.array(plan.spacing)
    return np.where(np.abs(exact - target) < _SAME_SPACING * target, target, exact)


def legacy_box(
    voxels: Indices, size: Indices, divisor: Indices, least: Indices, rules: Legacy, depth: Indices
) -> tuple[Indices, Indices, Indices]:
    """Return first and one past the last voxel (3,) of a sample, and its padding (3, 2).

    voxels: (N, 3) of the points in an image of ``size`` voxels.  divisor, least: (3,) what the
    shape is divisible by, and the least relaxation.  depth: (3,) of margin points, for ``grow``.
    The box ends before the last point's voxel, as the original's does. It grows by one voxel on
    both sides until it is divisible, beyond the image by padding; a single voxel goes before it.
    """
    low, high = voxels.min(axis=0), voxels.max(axis=0)
    if rules.grow:
        low, high = low - depth, high + depth
    relaxed = [max(ceil(n * rules.relaxation), m) for n, m in zip(high - low, least, strict=True)]
    low, high = np.maximum(low - relaxed, 0), np.minimum(high + relaxed, size)
    if ((high - low) <= divisor).all():
        divisor = 2 * divisor  # one voxel at the bottleneck: instance norm has no variance of it
    padding = np.zeros((3, 2), np.intp)
    for axis in range(3):
        while missing := int((low[axis] - high[axis]) % divisor[axis]):
            before = low[axis] > 0
            after = high[axis] < size[axis] and not (before and missing == 1)
            if not before and not after:
                padding[axis] = missing // 2, missing - missing // 2
                break
            low[axis] -= before
            high[axis] += after
    return low, high, padding


def legacy_normalise(part: Float32, normalisation: Normalisation) -> tuple[Float32, Float32]:
    """Normalise a cut part (X, Y, Z); return what the network sees and what guides the map.

    ct: the map is of the values that are not clipped. zscore: of the voxels that are not zero,
    and those stay zero.
    """
    if normalisation.kind == "ct":
        low, high, mean, std = np.array(
            [normalisation.low, normalisation.high, normalisation.mean, normalisation.std],
            dtype=np.float32,
        )
        return (part.clip(low, high) - mean) / std, (part - mean) / std
    nonzero = part != 0
    normalised = part.copy()
    if nonzero.any():
        values = part[nonzero].astype(np.float64)
        normalised[nonzero] = (values - values.mean()) / (values.std() or 1.0)
    return normalised, normalised


@lru_cache(maxsize=1)
def _whole(image: Volume, size: tuple[int, ...], coarse: bool) -> Float32:
    """Resample a whole image: once for all of its prompts."""
    return resample_whole(image.stored[0].astype(np.float32), np.array(size), anisotropic=coarse)


def resample_whole(image: Float32, size: Indices, *, anisotropic: bool) -> Float32:
    """Resample an image (X, Y, Z) as the original: cubic, clipped to the range it had.

    anisotropic: cubic in each slice of the last axis, and the nearest slice along it. Equals
    scikit-image's ``resize(order=3, mode="edge", clip=True, anti_aliasing=False)``.
    """
    x, y, z = size.tolist()
    if not anisotropic:
        return resample(image, (x, y, z)).clip(image.min(), image.max())
    slices = resample(image, (x, y, image.shape[2]))
    slices = slices.clip(image.min(axis=(0, 1)), image.max(axis=(0, 1)))
    return resample(slices, (x, y, z), 0)
