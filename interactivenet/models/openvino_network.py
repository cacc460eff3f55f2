"""A plan's network in OpenVINO, which computes it several times faster than PyTorch on a CPU.

The graph is built of the module's own layers, which takes a tenth of a second; OpenVINO's converter
takes half a minute for the same, as it traces the module first. Nothing is written to disk, and
nothing is told to anybody: OpenVINO's Python package reports its use to its makers where
``openvino-telemetry`` is installed, and is imported here without that.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from interactivenet.models.unet import SLOPE, UNet
from interactivenet.planning.plan import Ints
from interactivenet.system.parallel import available_cores

_TELEMETRY = "openvino_telemetry"


class OpenVINONetwork(nn.Module):
    """A network that OpenVINO computes: input (B, C, X, Y, Z), output (B, 2, X, Y, Z), float32.

    network: of which it is made; its weights are copied.  shape: X, Y, Z that it will be given,
    None for any, which is slower.  precision: 'fp32' or 'bf16'.  threads: None for a thread of each
    core that this process has. OpenVINO must be installed.
    """

    def __init__(
        self, network: UNet, shape: Ints | None, precision: str, threads: int | None = None
    ) -> None:
        super().__init__()
        with _untold():
            import openvino
            from openvino.properties import hint, inference_num_threads
        types = {"fp32": openvino.Type.f32, "bf16": openvino.Type.bf16}
        settings = {
            hint.inference_precision: types[precision],
            hint.performance_mode: hint.PerformanceMode.LATENCY,
            inference_num_threads: threads or available_cores(),
        }
        model = _Graph(network).model(shape)
        self._request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()

    def forward(self, images: Tensor) -> Tensor:
        """Segment images."""
        array = np.ascontiguousarray(images.detach().numpy(), dtype=np.float32)
        (output,) = self._request.infer({0: array}, share_inputs=True).values()
        return torch.from_numpy(np.array(output))


class _Graph:
    """Rebuilds a :class:`UNet` of OpenVINO's operations, layer by layer."""

    def __init__(self, network: UNet) -> None:
        with _untold():
            from openvino import opset13
        self._ops: Any = opset13
        self._network: Any = network

    def model(self, shape: Ints | None) -> Any:
        """Return the whole network for images of a shape (3,)."""
        import openvino

        net = self._network
        channels = net.input_block.conv1.conv.in_channels
        image = self._ops.parameter([-1, channels, *(shape or (-1, -1, -1))], np.float32)
        skips = [self._block(net.input_block, image)]
        for block in net.downsamples:
            skips.append(self._block(block, skips[-1]))
        maps = self._block(net.bottleneck, skips[-1])
        for block, skip in zip(net.upsamples, reversed(skips), strict=True):
            larger = self._transposed(block.transp_conv.conv, maps)
            maps = self._block(block.conv_block, self._ops.concat([larger, skip], 1))
        scores = self._convolved(net.output_block.conv.conv, maps)
        return openvino.Model([scores], [image], "network")

    def _block(self, block: Any, maps: Any) -> Any:
        residual = maps
        maps = self._rectified(self._normed(block.norm1, self._convolved(block.conv1.conv, maps)))
        maps = self._normed(block.norm2, self._convolved(block.conv2.conv, maps))
        if hasattr(block, "projects"):  # a residual one
            if block.projects:
                residual = self._normed(block.norm3, self._convolved(block.conv3.conv, residual))
            maps = self._ops.add(maps, residual)
        return self._rectified(maps)

    def _convolved(self, layer: nn.Conv3d, maps: Any) -> Any:
        ends = list(layer.padding)
        convolved = self._ops.convolution(
            maps, _array(layer.weight), list(layer.stride), ends, ends, list(layer.dilation)
        )
        return convolved if layer.bias is None else self._ops.add(convolved, _spread(layer.bias))

    def _transposed(self, layer: nn.ConvTranspose3d, maps: Any) -> Any:
        return self._ops.convolution_backprop_data(
            maps, self._ops.constant(_array(layer.weight)), list(layer.stride)
        )

    def _normed(self, layer: nn.InstanceNorm3d, maps: Any) -> Any:
        centred = self._ops.mvn(maps, np.array([2, 3, 4]), True, layer.eps, "inside_sqrt")
        scaled = self._ops.multiply(centred, _spread(layer.weight))
        return self._ops.add(scaled, _spread(layer.bias))

    def _rectified(self, maps: Any) -> Any:
        return self._ops.prelu(maps, np.array([SLOPE], np.float32))


def _array(weights: Tensor) -> Any:
    return np.array(weights.detach().numpy(), np.float32)


def _spread(values: Tensor) -> Any:
    """Return values (C,) as (1, C, 1, 1, 1)."""
    return _array(values).reshape(1, -1, 1, 1, 1)


@contextmanager
def _untold() -> Iterator[None]:
    """Import OpenVINO inside as if its telemetry was not installed: it falls back on a stub."""
    modules: Any = sys.modules
    before: Mapping[str, Any] = {
        name: modules[name] for name in list(modules) if name.split(".")[0] == _TELEMETRY
    }
    if not before:
        modules[_TELEMETRY] = None
    try:
        yield
    finally:
        if not before:
            modules.pop(_TELEMETRY, None)
