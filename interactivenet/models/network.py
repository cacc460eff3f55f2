"""The U-Net that a plan describes, and its weights as files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor
from torch.nn import Module

from interactivenet.errors import DataError, one_line
from interactivenet.models.unet import UNet
from interactivenet.planning.architecture import CLASSES
from interactivenet.planning.plan import Network, Plan
from interactivenet.system.files import check_regular, sha256, write_bytes, write_json

#: how the numbers of a file are stored: they are float32 in memory
_DTYPES = {"float32": torch.float32, "float16": torch.float16}
#: in the facts of a file, which of these
DTYPE = "dtype"


def build_network(network: Network, channels: int) -> UNet:
    """Build the network: input (B, channels, X, Y, Z), output (B, 2, X, Y, Z).

    channels: of a sample, the map included.  X, Y, Z: divisible by ``network.divisor`` and at
    least ``network.smallest``. While training, the output is (B, 1 + deep_supervision, 2, X, Y,
    Z), the full resolution first.
    """
    return UNet(
        channels, CLASSES, network.kernels, network.strides, network.features,
        network.deep_supervision, residual=network.residual,
    )  # fmt: skip


def count_parameters(network: Module) -> int:
    """Count the weights of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def save_weights(
    path: Path, network: Module, facts: Mapping[str, Any], *, half: bool = False
) -> None:
    """Write a network's weights as safetensors, and what is known of them in a JSON beside it.

    facts: JSON data; they stand in the weights' own header as well, so that the two always
    belong together. The JSON has the file's SHA-256, too.  half: in float16, which the facts say;
    raises DataError, then, for weights that it cannot hold.
    """
    _write(path, network.state_dict(), facts, half)


def halve_weights(source: Path, target: Path) -> None:
    """Write the weights of a file in float16, as :func:`save_weights` does; the same every time.

    Raises DataError where the file cannot be read as weights, or one is too large for float16.
    """
    weights, facts = _read(source)
    _write(target, weights, facts, True)


def _write(path: Path, weights: Mapping[str, Tensor], facts: Mapping[str, Any], half: bool) -> None:
    if half:
        facts = {**facts, DTYPE: "float16"}
        weights = {name: value.to(torch.float16) for name, value in weights.items()}
        for name, value in weights.items():
            if not bool(value.isfinite().all()):
                raise DataError(f"{path}: {name} has values that float16 cannot hold")
    stored = {name: value.contiguous() for name, value in weights.items()}
    write_bytes(path, save(stored, {"interactivenet": json.dumps(facts)}), durable=True)
    write_json(path.with_suffix(".json"), {**facts, "sha256": sha256(path)})


def load_network(path: Path, plan: Plan) -> tuple[UNet, dict[str, Any]]:
    """Build a plan's network with the weights of a file; return it and what stands in the file.

    Raises DataError where the file is missing, damaged, or of another network or plan.
    """
    try:
        with torch.device("meta"):  # without memory: the file's tensors are the weights
            network = build_network(plan.network, plan.channels)
    except (ValueError, RuntimeError) as error:
        raise DataError(f"{path}: the plan's network cannot be built: {one_line(error)}") from error
    facts = load_weights(path, network, assign=True)
    if facts.get("plan", plan.digest) not in (plan.digest, plan.weights_digest):
        raise DataError(f"{path}: these weights were trained with a different plan")
    return network, facts


def load_weights(path: Path, network: Module, *, assign: bool = False) -> dict[str, Any]:
    """Read weights into a network and return the facts that were written with them.

    They are float32 in the network, whatever the file has stored.
    assign: the file's tensors take the place of the network's, which may be on no device.
    Raises DataError where the file is missing, damaged, or of another network.
    """
    weights, facts = _read(path)
    try:
        loaded = network.load_state_dict(weights, strict=False, assign=assign)
    except RuntimeError as error:  # other shapes
        raise DataError(
            f"{path}: these are weights of another network: {one_line(error)[:200]}"
        ) from error
    if loaded.missing_keys or loaded.unexpected_keys:
        name = (loaded.missing_keys or loaded.unexpected_keys)[0]
        raise DataError(
            f"{path}: these are weights of another network: only one of the two has {name}"
        )
    return facts


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the weights of a file, as float32, and what stands in it."""
    try:
        check_regular(path)
        with safe_open(str(path), framework="pt") as file:
            facts = json.loads((file.metadata() or {})["interactivenet"])
        weights = load_file(str(path))
        half = all(value.dtype == torch.float16 for value in weights.values())
        stored = facts.get(DTYPE, "float16" if half else "float32")
        dtype = _DTYPES[stored]
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read as weights: {one_line(error)}") from error
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise DataError(f"{path}: these are not InteractiveNet weights") from error
    for name, value in weights.items():
        if value.dtype != dtype or not bool(value.isfinite().all()):
            raise DataError(f"{path}: {name} has values that are not finite {stored} numbers")
    # copies, for files align tensors as they like, and kernels do not
    return {name: value.to(torch.float32, copy=True) for name, value in weights.items()}, facts
