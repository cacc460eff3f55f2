"""The U-Net's topology from sizes and spacing, and the memory that its training takes.

The rules are nnU-Net's (Isensee et al., Nature Methods 2021, doi 10.1038/s41592-020-01008-z),
except where a small or flat object needs another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interactivenet.errors import RequestError
from interactivenet.planning.plan import Ints, Network

#: an axis is halved while at least this many voxels of it are left
SMALLEST_MAP = 4
#: axes whose spacing is within this factor of the finest are halved and convolved together
SAME_SCALE = 2.0
#: background and object
CLASSES = 2
#: a batch is at most this share of the training set, as nnU-Net's, so that steps are many
LARGEST_BATCH = 0.05
#: fewest stages that MONAI's DynUNet takes
_FEWEST_STAGES = 3
#: bytes per value that a convolution puts out, of plain and of residual blocks, bytes per weight,
#: bytes of everything else
ACTIVATION, RESIDUAL_ACTIVATION, WEIGHT, FIXED = 10.4, 9.3, 20.0, 0.8e9


@dataclass(frozen=True)
class Preset:
    """Size of the network.

    stages: at most, the full resolution included.  batch: largest batch.
    """

    features: int
    most_features: int
    stages: int
    batch: int
    residual: bool = False


PRESETS = {
    "tiny": Preset(features=8, most_features=64, stages=4, batch=4),
    "small": Preset(features=16, most_features=256, stages=6, batch=6),
    "default": Preset(features=32, most_features=320, stages=6, batch=6),
    "large": Preset(features=32, most_features=320, stages=6, batch=6, residual=True),
}


def plan_network(shape: ArrayLike, spacing: ArrayLike, preset: Preset) -> Network:
    """Choose kernels and strides for samples of about ``shape`` voxels with ``spacing`` (mm).

    Stage by stage, the axes whose spacing is within ``SAME_SCALE`` of the finest axis that can
    still be halved are halved; an axis is convolved (3 wide) from the stage on at which its
    spacing is within ``SAME_SCALE`` of the finest. Works for any positive shape.
    """
    size = np.asarray(shape, dtype=np.float64)
    scale = np.asarray(spacing, dtype=np.float64)
    convolved = np.zeros(3, dtype=bool)
    kernels: list[Ints] = []
    strides: list[Ints] = []
    stride = np.ones(3, dtype=int)
    while True:
        convolved |= scale < SAME_SCALE * scale.min()
        kernels.append(_triple(np.where(convolved, 3, 1)))
        strides.append(_triple(stride))
        large = size >= 2 * SMALLEST_MAP
        if len(strides) == preset.stages or not large.any():
            break
        halved = large & (scale < SAME_SCALE * scale[large].min())
        stride = np.where(halved, 2, 1)
        size, scale = size / stride, scale * stride
    while len(strides) < _FEWEST_STAGES:  # too small to be halved that often: deeper, not coarser
        kernels.append(kernels[-1])
        strides.append((1, 1, 1))
    features = [min(preset.features * 2**i, preset.most_features) for i in range(len(strides))]
    return Network(
        kernels=tuple(kernels),
        strides=tuple(strides),
        features=tuple(features),
        # the two lowest resolutions say nothing about an outline
        deep_supervision=max(1, len(strides) - _FEWEST_STAGES),
        residual=preset.residual,
    )


def divisible(shape: ArrayLike, network: Network) -> Ints:
    """Grow a shape (3,) to the next that the network takes."""
    shape, divisor = np.asarray(shape), np.array(network.divisor)
    grown = -(-shape // divisor) * divisor
    return _triple(np.maximum(grown, network.smallest))


def training_gb(network: Network, shape: ArrayLike, channels: int, batch: int) -> float:
    """Estimate the memory (GB) of one training step in float32; bfloat16 takes about 0.55 of it.

    bytes = ACTIVATION * batch * sum over convolutions (output voxels * output features)
          + WEIGHT * weights + FIXED

    ACTIVATION: for the backward pass every convolution keeps its input and every instance norm
    its input, 4 bytes each (the activation works in place); 2 more for gradients in flight. A
    residual block has a norm whose output nothing keeps, RESIDUAL_ACTIVATION.
    WEIGHT: weights, gradients, the optimiser's two moments and the average, 4 bytes each.
    What PyTorch counts of a step (benchmarks/memory.py) is never more than these, and at least 0.8
    of them.  FIXED is a reserve for what it does not count: CUDA's context, about half of it, and
    the workspace of convolutions.
    """
    voxels, weights = _count_values_and_weights(network, np.asarray(shape), channels)
    activation = RESIDUAL_ACTIVATION if network.residual else ACTIVATION
    total = activation * batch * voxels + WEIGHT * weights + FIXED
    return float(total / 1e9)


def segmenting_bytes(network: Network, shape: ArrayLike, channels: int, networks: int = 1) -> int:
    """Estimate the least memory of segmenting one sample in float32, one network after the other.

    The weights of all of them; what every stage on the way down hands to the way up; and the input
    and the output of the largest convolution.
    """
    size = np.asarray(shape, dtype=np.float64)
    _, weights = _count_values_and_weights(network, np.asarray(shape), channels)
    values = []
    for stride, features in zip(network.strides, network.features, strict=True):
        size = size / stride
        values.append(float(features * size.prod()))
    return int(4 * (networks * weights + sum(values) + 2 * max(values)))


def fit(
    shape: ArrayLike, spacing: ArrayLike, channels: int, preset: Preset, memory_gb: float
) -> tuple[Network, Ints, int, float]:
    """Find the network, the sample shape and the batch that fit into the memory.

    shape: voxels that samples would like to have.  channels: of a sample, the maps included.
    The shape's longest axis (in mm) is shortened until a batch of two fits, or, for the last
    bit, of one; what is left of the memory makes the batch larger, up to the preset's.
    Returns (network, sample shape, batch size, estimated GB). Raises RequestError where nothing
    fits.
    """
    wanted = np.asarray(shape, dtype=int)
    spacing = np.asarray(spacing, dtype=np.float64)
    for least_batch in (2, 1):
        size = wanted.copy()
        while True:
            network = plan_network(size, spacing, preset)
            sample = divisible(size, network)
            batch, needed = fill(network, sample, channels, (least_batch, preset.batch), memory_gb)
            if batch:
                return network, sample, batch, needed
            shorter = _shortened(np.array(sample), np.array(network.divisor), spacing)
            if shorter is None:
                break
            size = shorter
    least = training_gb(network, sample, channels, 1)
    voxels = "x".join(map(str, sample))
    raise RequestError(
        f"is too little: the smallest sample, {voxels} voxels, takes about {least:.1f} GB to train",
        field="memory_gb", value=memory_gb, remedy="choose a smaller `preset`",
    )  # fmt: skip


def fill(
    network: Network, shape: ArrayLike, channels: int, batches: tuple[int, int], memory_gb: float
) -> tuple[int, float]:
    """Find the largest batch that fits into the memory.

    batches: the smallest that is of use, and the largest that is wanted.
    Returns (batch, estimated GB); the batch is 0, and the GB are the smallest's, where that does
    not fit.
    """
    batch, most = batches
    needed = training_gb(network, shape, channels, batch)
    if needed > memory_gb:
        return 0, needed
    while batch < most:
        larger = training_gb(network, shape, channels, batch + 1)
        if larger > memory_gb:
            break
        batch, needed = batch + 1, larger
    return batch, needed


def isotropic_network(features: tuple[int, ...], *, residual: bool = False) -> Network:
    """Return the network for voxels that count alike along every axis.

    features: of each stage; every stage but the first halves all axes, every kernel is 3 wide.
    """
    return Network(
        kernels=((3, 3, 3),) * len(features),
        strides=((1, 1, 1), *((2, 2, 2),) * (len(features) - 1)),
        features=features,
        deep_supervision=max(1, len(features) - _FEWEST_STAGES),
        residual=residual,
    )


def _shortened(
    sample: NDArray[np.int_], divisor: NDArray[np.int_], spacing: NDArray[np.float64]
) -> NDArray[np.int_] | None:
    """Take one divisor off the axis that is longest in mm; None where no axis can give."""
    large = sample - divisor >= 2 * SMALLEST_MAP
    if not large.any():
        return None
    axis = int(np.where(large, sample * spacing, -1.0).argmax())
    shorter = np.array(sample)
    shorter[axis] -= divisor[axis]
    return shorter


def _count_values_and_weights(
    network: Network, shape: NDArray[np.int_], channels: int
) -> tuple[float, float]:
    """Count the values that all convolutions put out for one sample, and the weights."""
    values = weights = 0.0
    size = shape.astype(np.float64)
    sizes = []
    before = channels
    for kernel, stride, features in zip(
        network.kernels, network.strides, network.features, strict=True
    ):
        size = size / stride
        sizes.append(size)
        taps = float(np.prod(kernel))
        values += 2 * features * size.prod()
        weights += taps * features * (before + features)
        if network.residual:  # the third, one voxel wide, on the way around
            values += features * size.prod()
            weights += before * features
        before = features
    for stage in range(len(sizes) - 2, -1, -1):  # upwards: transposed, then two convolutions
        features, below = network.features[stage], network.features[stage + 1]
        taps, up = (
            float(np.prod(network.kernels[stage])),
            float(np.prod(network.strides[stage + 1])),
        )
        values += 3 * features * sizes[stage].prod()
        weights += up * below * features + taps * features * 3 * features
    heads = [CLASSES * size.prod() for size in sizes[: 1 + network.deep_supervision]]
    # MONAI enlarges the lower heads to full resolution
    values += sum(heads) + network.deep_supervision * heads[0]
    return float(values), weights


def _triple(values: NDArray[np.int_]) -> Ints:
    x, y, z = (int(value) for value in values)
    return x, y, z
