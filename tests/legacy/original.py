"""The original program's way from a scan to a segmentation, written down straight from its rules.

A reference for the tests: no function of ``interactivenet.legacy`` is used.
"""

from math import ceil

import numpy as np
import torch
from scipy import ndimage

from interactivenet.encoding import geodesic_distance


def resized(image, size, order):
    """scikit-image's resize(mode="edge", clip=True, anti_aliasing=False), of SciPy alone."""
    zoom = np.array(size) / image.shape
    found = ndimage.zoom(image, zoom, order=order, mode="nearest", grid_mode=True)
    assert found.shape == tuple(size)
    return found.clip(image.min(), image.max())


def anisotropic(spacing):
    return max(spacing) / min(spacing) >= 3


def resample(image, size, flat):
    if not flat:
        return resized(image, size, 3)
    slices = [resized(image[:, :, k], size[:2], 3) for k in range(image.shape[2])]
    return resized(np.stack(slices, axis=-1), size, 0)


def points_box(voxels, size, *, padding, divisor, flat, depth=(0, 0, 0)):
    """Slices (low, high) per axis, and zeros before and after."""
    found = []
    for axis in range(3):
        low, high = int(voxels[:, axis].min()), int(voxels[:, axis].max())
        low, high = low - depth[axis], high + depth[axis]
        relaxation = max(ceil(padding * (high - low)), 3 if flat and axis == 2 else 8)
        low, high = max(low - relaxation, 0), min(high + relaxation, size[axis])
        zeros = (0, 0)
        while (high - low) % divisor[axis]:
            missing = divisor[axis] - (high - low) % divisor[axis]
            if low == 0 and high == size[axis]:
                zeros = (missing // 2, missing - missing // 2)
                break
            if missing == 1:
                low, high = (low - 1, high) if low > 0 else (low, high + 1)
            else:
                low, high = max(low - 1, 0), min(high + 1, size[axis])
        found.append((low, high, *zeros))
    return found


def sample(image, voxels, spacing, plans, depth=(0, 0, 0)):
    """Image (X, Y, Z) and points (N, 3), voxels, as stored: the network's input, and its place."""
    seen, decided = plans["Fingerprint"], plans["Plans"]
    target = seen["Target spacing"]
    size = [int(n * old / new) for n, old, new in zip(image.shape, spacing, target, strict=True)]
    flat = anisotropic(spacing) or anisotropic(target)
    moved = []
    for voxel in voxels:
        centre = [(n - 1) // 2 for n in image.shape], [(n - 1) // 2 for n in size]
        moved.append([
            min(max(round((v - a) * old / new + b), 0), n - 1)
            for v, a, b, old, new, n in zip(voxel, *centre, spacing, target, size, strict=True)
        ])  # fmt: skip
    moved = np.array(moved)
    place = points_box(
        moved, size, padding=decided["padding"], divisor=decided["divisible by"], flat=flat,
        depth=depth,
    )  # fmt: skip
    cut = tuple(slice(low, high) for low, high, _, _ in place)
    zeros = [(before, after) for _, _, before, after in place]
    whole = resample(image.astype(np.float32), size, flat)
    part = np.pad(whole[cut], zeros).astype(np.float32)
    if seen["Clipping"]:
        guide = (part - seen["Intensity_mean"]) / seen["Intensity_std"]
        part = (np.clip(part, *seen["Clipping"]) - seen["Intensity_mean"]) / seen["Intensity_std"]
    else:
        known = part != 0
        part[known] = (part[known] - part[known].mean()) / part[known].std()
        guide = part
    seeds = np.zeros(part.shape, bool)
    for voxel in moved:
        seeds[
            tuple(v - low + before for v, (low, _, before, _) in zip(voxel, place, strict=True))
        ] = True
    distance = geodesic_distance(
        guide.astype(np.float32), seeds, tuple(target), kernel="scan", lamb=1.0, iterations=4
    )
    return np.stack([part, np.exp(-distance)]).astype(np.float32), place, size


def logits(networks, array, *, mirrored=True):
    """The mean (2, X, Y, Z) over networks and mirrored axes."""
    found = []
    with torch.inference_mode():
        for network in networks:
            for code in range(8 if mirrored else 1):
                axes = [axis + 1 for axis in range(3) if code >> axis & 1]
                flipped = torch.from_numpy(np.flip(array, axes).copy())[None]
                found.append(np.flip(network(flipped)[0].numpy(), axes))
    return np.mean(found, axis=0)


def segment(networks, image, voxels, spacing, plans, **more):
    """Whether each voxel is the object's, and how clearly, where nothing is resampled."""
    array, place, size = sample(image, voxels, spacing, plans)
    assert tuple(size) == image.shape
    scores = logits(networks, array, **more)
    found, margin = np.zeros(image.shape, bool), np.full(image.shape, np.inf)
    inside = tuple(slice(low, high) for low, high, _, _ in place)
    content = tuple(slice(before, before + high - low) for low, high, before, _ in place)
    found[inside] = scores.argmax(axis=0)[content]
    margin[inside] = np.abs(scores[1] - scores[0])[content]
    return found, margin
