"""The U-Net that a plan describes, and its weights as files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch.nn import Module

from interactivenet.errors import DataError, one_line
from interactivenet.models.unet import UNet
from interactivenet.planning.architecture import CLASSES
from interactivenet.planning.plan import Network, Plan
from interactivenet.system.files import check_regular, sha256, write_bytes, write_json


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


def save_weights(path: Path, network: Module, facts: Mapping[str, Any]) -> None:
    """Write a network's weights as safetensors, and what is known of them in a JSON beside it.

    facts: JSON data; they stand in the weights' own header as well, so that the two always
    belong together. The JSON has the file's SHA-256, too.
    """
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    write_bytes(path, save(weights, {"interactivenet": json.dumps(facts)}), durable=True)
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
    if facts.get("plan", plan.digest) != plan.digest:
        raise DataError(f"{path}: these weights were trained with a different plan")
    return network, facts


def load_weights(path: Path, network: Module, *, assign: bool = False) -> dict[str, Any]:
    """Read weights into a network and return the facts that were written with them.

    assign: the file's tensors take the place of the network's, which may be on no device.
    Raises DataError where the file is missing, damaged, or of another network.
    """
    try:
        check_regular(path)
        with safe_open(str(path), framework="pt") as file:
            facts = json.loads((file.metadata() or {})["interactivenet"])
        # copies, for files align tensors as they like, and kernels do not
        weights = {name: value.clone() for name, value in load_file(str(path)).items()}
        for name, value in weights.items():
            if value.dtype != torch.float32 or not bool(value.isfinite().all()):
                raise DataError(f"{path}: {name} has values that are not finite float32 numbers")
        loaded = network.load_state_dict(weights, strict=False, assign=assign)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read as weights: {one_line(error)}") from error
    except (KeyError, ValueError) as error:
        raise DataError(f"{path}: these are not InteractiveNet weights") from error
    except RuntimeError as error:  # other shapes
        raise DataError(
            f"{path}: these are weights of another network: {one_line(error)[:200]}"
        ) from error
    if loaded.missing_keys or loaded.unexpected_keys:
        name = (loaded.missing_keys or loaded.unexpected_keys)[0]
        raise DataError(
            f"{path}: these are weights of another network: only one of the two has {name}"
        )
    if not isinstance(facts, dict):
        raise DataError(f"{path}: these are not InteractiveNet weights")
    return facts
