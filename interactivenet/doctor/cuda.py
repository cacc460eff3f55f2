"""Does a graphics card compute, with the same results as the processor?"""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv3d, leaky_relu

from interactivenet.doctor.checks import Check
from interactivenet.encoding.card import reason_against
from interactivenet.encoding.geodesic import geodesic_distance
from interactivenet.encoding.step_cost import StepCost
from interactivenet.encoding.sweeps import geodesic_sweeps
from interactivenet.errors import one_line

#: largest difference, relative to the largest value
_TOLERANCE = 1e-3
_REMEDY = "use another card, driver or CUDA build (docs/how-to/containers.md), or --device cpu"


def check_card(number: int) -> list[Check]:
    """Run a step of a small network and geodesic distances on a card; compare the numbers."""
    device = torch.device("cuda", number)
    checks = [check_device(f"gpu {number} test", device)]
    if checks[0].status == "ok":
        checks.append(check_maps(f"gpu {number} maps", device))
    return checks


def check_maps(subject: str, device: torch.device) -> Check:
    """Have a card compute geodesic maps by its own kernel, against the processor's numbers."""
    start = time.monotonic()
    reason = reason_against(device)
    return judge_maps(subject, reason, time.monotonic() - start)


def judge_maps(subject: str, reason: str, seconds: float) -> Check:
    """Judge whether geodesic maps are computed on a card; reason: why not, '' where they are."""
    if reason:
        finding = (
            f"geodesic maps are computed by the processor, which is right but slower: {reason}"
        )
        return Check(subject, "note", finding, "use a CUDA build of torch with its own libraries")
    finding = "geodesic maps are computed on it, with the processor's numbers to the bit"
    return Check(subject, "ok", f"{finding} ({seconds:.1f} s)")


def check_device(subject: str, device: torch.device) -> Check:
    """Compare what a device computes with what the processor does."""
    start = time.monotonic()
    try:
        step = difference(network_step(torch.device("cpu")), network_step(device))
        distance = geodesic_difference(device)
    except RuntimeError as error:  # out of memory, no kernel image, a library that is missing
        return Check(subject, "problem", f"computing on it fails: {one_line(error)}", _REMEDY)
    return judge_differences(subject, step, distance, time.monotonic() - start)


def judge_differences(subject: str, step: float, distance: float, seconds: float) -> Check:
    """Judge the largest relative differences between a device and the processor."""
    for result, error in (("a network's step", step), ("a geodesic distance", distance)):
        if not error <= _TOLERANCE:  # NaN, too
            finding = f"{result} differs from the processor's by {error:.2g} (relative error)"
            return Check(subject, "problem", finding, _REMEDY)
    return Check(
        subject, "ok", f"a network's step and a geodesic distance agree with the processor's"
        f" (within {max(step, distance):.1g}; {seconds:.1f} s)",
    )  # fmt: skip


def network_step(device: torch.device) -> list[Tensor]:
    """Two 3D convolutions forward and backward in float32: the output and all gradients."""
    random = torch.Generator().manual_seed(0)
    shapes = ((1, 2, 16, 16, 16), (4, 2, 3, 3, 3), (2, 4, 3, 3, 3))
    image, first, second = (
        torch.randn(shape, generator=random).to(device).requires_grad_() for shape in shapes
    )
    # TensorFloat-32 would differ by more than what is wrong
    with torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled, allow_tf32=False):
        inner = leaky_relu(conv3d(image, first, padding=1))
        output = conv3d(inner, second, stride=2, padding=1)
        output.square().mean().backward()  # type: ignore[no-untyped-call]
    gradients = [tensor.grad for tensor in (image, first, second)]
    return [tensor.detach().cpu() for tensor in (output, *gradients) if tensor is not None]


def geodesic_difference(device: torch.device) -> float:
    """Compare a device's sweeps with the compiled kernel; largest relative difference."""
    shape, spacing = (20, 16, 12), (1.0, 0.8, 2.5)
    image = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    seeds = np.zeros(shape, bool)
    seeds[3, 4, 5] = seeds[15, 12, 9] = True
    exact = torch.from_numpy(geodesic_distance(image, seeds, spacing))
    swept = geodesic_sweeps(
        torch.from_numpy(image).to(device), torch.from_numpy(seeds).to(device), spacing, StepCost()
    )
    return difference([exact], [swept.cpu()])


def difference(expected: list[Tensor], computed: list[Tensor]) -> float:
    """Largest difference of tensors, relative to the largest value of each; NaN if any has one."""
    return max(
        (float((right - value).abs().max() / right.abs().max().clamp(min=1e-12))
         for right, value in zip(expected, computed, strict=True)),
        key=lambda value: float("inf") if value != value else value,
    )  # fmt: skip
