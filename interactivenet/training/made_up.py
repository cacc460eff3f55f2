"""Objects and surroundings that nobody has scanned, so that a network learns what an outline is.

After SynthSeg (Billot et al., Medical Image Analysis 2023, doi 10.1016/j.media.2023.102789), which
fills label maps with random intensities, and its successors that make up the shapes as well: a
lobulated, bent or long body among regions of random intensity and texture; or a real object whose
scan's tissues have been given other intensities.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d

from interactivenet.training.random_fields import RandomSource

#: voxels a side of a volume that is made up
SIDE = 64
#: of the noise that lobulates a body: knots a side, and how loud it is at most
LOBES = ((3, 0.9), (6, 0.7), (14, 0.55), (24, 0.3))
#: share of the objects that look in places like what surrounds them
FADED = 0.3


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """What points can be placed in: image (C, X, Y, Z) and mask (X, Y, Z) bool.

    pointed: (X, Y, Z) bool, the part of the mask in which points are placed.
    spacing: (3,) mm.  scan: (3,) mm, of the scan that it was cut from, which may be finer.
    depth: (3,) how deep margin points are taken to lie in it, mm.
    labels: (X, Y, Z) uint8, of all objects of its scan, where they are known; 0 beside them.
    """

    image: Tensor
    mask: Tensor
    pointed: Tensor
    spacing: Tensor
    scan: Tensor
    depth: Tensor
    labels: Tensor | None = None


def make_up(channels: int, random: RandomSource, side: int = SIDE) -> LabelledImage:
    """Make up an object and its surroundings; every channel has intensities of its own."""
    shape = (side,) * 3
    radius = _body(side, random)
    mask = radius < 1
    if not bool(mask.any()):  # noise has swallowed it
        radius = radius - radius.min() + 0.5
        mask = radius < 1
    kinds = int(random.host.integers(3, 10))
    region = _regions(shape, kinds, random)
    image = torch.stack([_filled(region, kinds, mask, radius, random) for _ in range(channels)])
    width = int(random.choose((1, 3, 3, 5)))
    if width > 1:
        image = avg_pool3d(image[None], width, 1, width // 2, count_include_pad=False)[0]
    spacing = random.host.uniform(0.6, 1.4, 3)
    if random.chance(0.4):
        spacing[int(random.host.integers(3))] *= random.uniform(1.5, 3)
    voxels = mask.nonzero()
    extents = (voxels.amax(0) - voxels.amin(0) + 1).float()
    steps = torch.as_tensor(spacing, dtype=torch.float32, device=random.device)
    depth = extents * steps * random.uniform(0.03, 0.25)
    return LabelledImage(image, mask, mask, steps, steps, depth)


def recoloured(thing: LabelledImage, random: RandomSource) -> LabelledImage:
    """Give the tissues of a scan other intensities, and the object one of its own.

    Tissues are the scan's labelled objects, and beside them what lies between random quantiles of
    the smoothed image: their outlines are real.
    """
    smooth = avg_pool3d(thing.image[None, :1], 3, 1, 1, count_include_pad=False)[0, 0]
    kinds = int(random.host.integers(4, 12))
    ranks = np.sort(random.host.uniform(0.02, 0.98, kinds - 1))
    flat = smooth.flatten()
    some = flat[:: max(1, len(flat) // 20_000)]
    levels = torch.quantile(some, torch.as_tensor(ranks, dtype=some.dtype, device=some.device))
    region = torch.bucketize(smooth, levels)
    if thing.labels is not None:
        labels = thing.labels.long()
        region = torch.where(labels > 0, kinds - 1 + labels, region)
        kinds += int(labels.max())
    edge = torch.where(thing.mask, 0.5, 2.0)
    image = torch.stack(
        [_filled(region, kinds, thing.mask, edge, random) for _ in range(len(thing.image))]
    )
    if random.chance(0.7):
        image = avg_pool3d(image[None], 3, 1, 1, count_include_pad=False)[0]
    return replace(thing, image=image)


def _body(side: int, random: RandomSource) -> Tensor:
    """Draw how far every voxel (side, side, side) is from the middle of a body: 1 on its surface.

    An ellipsoid, lobulated by smooth noise of several scales; often long, oblique and bent.
    """
    line = torch.linspace(-1, 1, side, device=random.device)
    at = torch.stack(torch.meshgrid(line, line, line, indexing="ij"))
    half = random.host.uniform(0.3, 0.55, 3)
    power = random.choose((2.0, 2.0, 2.0, 3.0))
    if random.chance(0.45):
        half = np.array([random.uniform(0.45, 0.75), *random.host.uniform(0.12, 0.35, 2)])
        power = 2.0
        turn = np.linalg.qr(random.host.normal(size=(3, 3)))[0]
        at = torch.einsum("ij,jxyz->ixyz", torch.as_tensor(turn, dtype=at.dtype,
                                                           device=at.device), at)  # fmt: skip
        one, two = random.host.uniform(-0.7, 0.7, 2) * random.chance(0.7)
        bent = at[0] ** 2 - 0.1
        at = torch.stack([at[0], at[1] + one * bent, at[2] + two * bent * at[0].sign()])
    axes = torch.as_tensor(half, dtype=at.dtype, device=at.device)[:, None, None, None]
    radius = ((at / axes).abs() ** power).sum(0)
    for knots, most in LOBES:
        radius = radius + random.smooth(1, (side,) * 3, knots)[0] * random.uniform(0, most)
    return radius


def _regions(shape: tuple[int, ...], kinds: int, random: RandomSource) -> Tensor:
    """Divide a volume among some kinds of tissue: at every voxel, the highest of smooth fields."""
    coarse, fine = int(random.host.integers(3, 9)), int(random.host.integers(8, 20))
    region = torch.zeros(shape, dtype=torch.long, device=random.device)
    highest = None
    for kind in range(kinds):
        field = random.smooth(1, shape, coarse)[0] + 0.5 * random.smooth(1, shape, fine)[0]
        if highest is None:
            highest = field
            continue
        region.masked_fill_(field > highest, kind)
        highest = torch.maximum(highest, field)
    return region


def _filled(
    region: Tensor, kinds: int, mask: Tensor, radius: Tensor, random: RandomSource
) -> Tensor:
    """Fill regions (X, Y, Z) and the object with random intensities, textures, parts, a rim."""
    shape = tuple(region.shape)
    image = random.normal(kinds)[region]
    texture = random.smooth(1, shape, int(random.host.integers(12, 40)))[0]
    image = image + texture * random.uniform(0, 0.5)
    inner = 1.2 * random.normal(1) + random.uniform(0, 0.7) * random.smooth(
        1, shape, int(random.host.integers(4, 30)))[0]  # fmt: skip
    if random.chance(0.35):  # as tumours with their oedema, or cysts
        parts = int(random.host.integers(2, 4))
        inner = inner + random.normal(parts)[_regions(shape, parts, random)]
    if random.chance(0.35):
        core = radius < random.uniform(0.3, 0.8) + 0.3 * random.smooth(1, shape, 6)[0]
        inner = torch.where(core, inner + random.host.normal(), inner)
    if random.chance(0.25):
        rim = radius > random.uniform(0.75, 0.95)
        inner = torch.where(rim, inner + random.host.normal(0, 0.8), inner)
    if random.chance(FADED):  # its outline is lost here and there, or all but the points tell it
        field = random.smooth(1, shape, int(random.host.integers(2, 5)))[0]
        lost = (2 * field + random.uniform(-1, 2)).sigmoid()
        inner = torch.lerp(inner, image, lost)
    return torch.where(mask, inner, image)
