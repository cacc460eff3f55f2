"""The U-Net itself: MONAI's ``DynUNet`` with the few settings that plans use, in PyTorch alone.

``import monai`` loads all of MONAI, which takes longer than everything else that inference needs.
Blocks, names of weights, initial values and the random numbers they take, and results are those of
``monai.networks.nets.DynUNet`` (1.6), bit for bit: ``tests/models/test_unet.py`` compares them.
The architecture is nnU-Net's (Isensee et al., Nature Methods 2021, doi 10.1038/s41592-020-01008-z).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from interactivenet.planning.plan import Ints

#: of the leaky ReLU below 0
SLOPE = 0.01
#: DynUNet's own weights and checkpoints hold all stages a second time below this name
SKIP_LAYERS = "skip_layers."


class UNet(nn.Module):
    """A U-Net with deep supervision: input (B, channels, X, Y, Z), output (B, classes, X, Y, Z).

    While training, the output is (B, 1 + deep_supervision, classes, X, Y, Z): the full resolution
    first, then lower ones, brought to its size by nearest neighbours.
    X, Y, Z: divisible by the product of the strides.

    kernels, strides, features: one per stage, from the full resolution to the bottleneck, three or
    more.  residual: whether the blocks on the way down are residual ones.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        kernels: Sequence[Ints],
        strides: Sequence[Ints],
        features: Sequence[int],
        deep_supervision: int,
        *,
        residual: bool = False,
    ) -> None:
        super().__init__()
        if not len(kernels) == len(strides) == len(features) >= 3:
            raise ValueError("kernels, strides and features need one entry for each of >= 3 stages")
        if not 1 <= deep_supervision <= len(strides) - 2:
            raise ValueError(f"deep_supervision {deep_supervision}: expected a lower stage")
        block = _ResidualBlock if residual else _Block
        # the order of everything below decides which random numbers become which weights
        self.input_block = block(channels, features[0], kernels[0], strides[0])
        self.downsamples = nn.ModuleList(
            block(features[n - 1], features[n], kernels[n], strides[n])
            for n in range(1, len(features) - 1)
        )
        self.bottleneck = block(features[-2], features[-1], kernels[-1], strides[-1])
        self.upsamples = nn.ModuleList(
            _UpBlock(features[n], features[n - 1], kernels[n], strides[n])
            for n in range(len(features) - 1, 0, -1)
        )
        self.output_block = _Output(features[0], classes)
        torch.rand(1)  # DynUNet draws a number here
        self.deep_supervision_heads = nn.ModuleList(
            _Output(features[n + 1], classes) for n in range(deep_supervision)
        )
        self.apply(_initialise)

    def forward(self, image: Tensor) -> Tensor:
        """Segment an image, as the class says."""
        skips = [self.input_block(image)]
        for block in self.downsamples:
            skips.append(block(skips[-1]))
        maps = self.bottleneck(skips[-1])
        decoded = []
        for block, skip in zip(self.upsamples, reversed(skips), strict=True):
            maps = block(maps, skip)
            decoded.append(maps)
        output: Tensor = self.output_block(maps)
        if not self.training:
            return output
        lower = decoded[-2::-1]
        outputs = [output]
        for head, maps in zip(self.deep_supervision_heads, lower, strict=False):
            outputs.append(interpolate(head(maps), output.shape[2:]))
        return torch.stack(outputs, dim=1)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name in [name for name in state_dict if name.startswith(prefix + SKIP_LAYERS)]:
            del state_dict[name]
        super()._load_from_state_dict(state_dict, prefix, *args)


class _Convolution(nn.Sequential):
    """A convolution below the name that DynUNet gives it; same size but for the stride."""

    def __init__(
        self, channels: int, features: int, kernel: Ints, stride: Ints, *, bias: bool = False
    ) -> None:
        super().__init__()
        x, y, z = (size - step + 1 for size, step in zip(kernel, stride, strict=True))
        if min(x, y, z) < 0:
            raise ValueError(f"kernel {kernel} with stride {stride}: voxels would be left out")
        padding = x // 2, y // 2, z // 2
        self.conv = nn.Conv3d(channels, features, kernel, stride, padding, bias=bias)


class _TransposedConvolution(nn.Sequential):
    """A transposed convolution that enlarges by its stride."""

    def __init__(self, channels: int, features: int, stride: Ints) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose3d(channels, features, stride, stride, bias=False)


class _Block(nn.Module):
    """Two convolutions, each followed by instance norm and leaky ReLU."""

    def __init__(self, channels: int, features: int, kernel: Ints, stride: Ints) -> None:
        super().__init__()
        self.conv1 = _Convolution(channels, features, kernel, stride)
        self.conv2 = _Convolution(features, features, kernel, (1, 1, 1))
        self.lrelu = nn.LeakyReLU(SLOPE, inplace=True)
        self.norm1 = nn.InstanceNorm3d(features, affine=True)
        self.norm2 = nn.InstanceNorm3d(features, affine=True)

    def forward(self, maps: Tensor) -> Tensor:
        maps = self.lrelu(self.norm1(self.conv1(maps)))
        maps = self.lrelu(self.norm2(self.conv2(maps)))
        return maps


class _ResidualBlock(_Block):
    """A block whose input, projected where its shape changes, is added before the last ReLU."""

    def __init__(self, channels: int, features: int, kernel: Ints, stride: Ints) -> None:
        super().__init__(channels, features, kernel, stride)
        self.projects = channels != features or stride != (1, 1, 1)
        if self.projects:
            self.conv3 = _Convolution(channels, features, (1, 1, 1), stride)
            self.norm3 = nn.InstanceNorm3d(features, affine=True)

    def forward(self, maps: Tensor) -> Tensor:
        residual = maps
        maps = self.lrelu(self.norm1(self.conv1(maps)))
        maps = self.norm2(self.conv2(maps))
        if self.projects:  # only now: the order decides in which order gradients are added
            residual = self.norm3(self.conv3(residual))
        maps += residual
        return self.lrelu(maps)  # type: ignore[no-any-return]


class _UpBlock(nn.Module):
    """Enlarges, puts the maps of the way down beside, and convolves."""

    def __init__(self, channels: int, features: int, kernel: Ints, stride: Ints) -> None:
        super().__init__()
        self.transp_conv = _TransposedConvolution(channels, features, stride)
        self.conv_block = _Block(2 * features, features, kernel, (1, 1, 1))

    def forward(self, maps: Tensor, skip: Tensor) -> Tensor:
        maps = torch.cat((self.transp_conv(maps), skip), dim=1)
        return self.conv_block(maps)  # type: ignore[no-any-return]


class _Output(nn.Module):
    """The score of each class, of every voxel by itself."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.conv = _Convolution(features, classes, (1, 1, 1), (1, 1, 1), bias=True)

    def forward(self, maps: Tensor) -> Tensor:
        return self.conv(maps)  # type: ignore[no-any-return]


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv3d | nn.ConvTranspose3d) and not module.weight.is_meta:
        # on no device there is nothing to draw, and torch would import its compiler to do so
        nn.init.kaiming_normal_(module.weight, a=SLOPE)
        if module.bias is not None:
            nn.init.constant_(module.bias, 0)
