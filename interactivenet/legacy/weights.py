"""The weights of a ``model.pth`` of the original program, without executing it.

The file is a pickle of a whole LightningModule with its Trainer, MLflow clients and functions.
Its opcodes are read as plain data (pickle_reader.py); of that,
the network is walked for its parameters.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError
from interactivenet.legacy.pickle_reader import CallRecord, GlobalName, describe, printable
from interactivenet.legacy.torch_storage import Storages, open_saved

#: most modules and parameters that are visited, and how deep: shared children multiply
MAX_MEMBERS, MAX_DEPTH = 20_000, 20
_LONGEST_NAME = 100
_NET = GlobalName("interactivenet.training.run", "Net")
_DYNUNET = GlobalName("monai.networks.nets.dynunet", "DynUNet")
#: a second way to all stages: DynUNet holds them here, too
_SKIP_LAYERS = "skip_layers"
#: what the network is made of; anything else would be another function of its parameters
_PARTS = {
    "monai.networks.blocks.dynunet_block": {"UnetBasicBlock", "UnetUpBlock", "UnetOutBlock"},
    "monai.networks.blocks.convolutions": {"Convolution"},
    "torch.nn.modules.container": {"ModuleList", "Sequential"},
    "torch.nn.modules.conv": {"Conv3d", "ConvTranspose3d"},
    "torch.nn.modules.instancenorm": {"InstanceNorm3d"},
    "torch.nn.modules.activation": {"LeakyReLU"},
}
_SLOPE = 0.01


def read_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read the parameters of the network in a ``model.pth``, by their names in its state dict.

    Those under ``skip_layers.`` repeat the others and are left out. Raises DataError, naming the
    file and what was found, for anything that is not such a model, is damaged or too large.
    """
    with open_saved(path) as storages:
        net = storages.top()
        state = _state(net, _NET, "the model")
        modules = state.get("_modules")
        network = modules.get("_model") if isinstance(modules, dict) else None
        network = state.get("_model") if network is None else network
        if network is None:
            raise DataError(f"{_NET} has no attribute _model")
        return _walk(network, storages)


def _walk(network: Any, storages: Storages) -> dict[str, NDArray[np.float32]]:
    weights: dict[str, NDArray[np.float32]] = {}
    waiting: list[tuple[str, Any, int]] = [("", network, 0)]
    visited = 0
    while waiting:
        prefix, module, depth = waiting.pop()
        module_name = prefix.rstrip(".") or "_model"
        state = _state(module, None if depth else _DYNUNET, module_name)
        buffers, parameters, children = (
            _members(state, kind, module_name) for kind in ("_buffers", "_parameters", "_modules")
        )
        visited += 1 + len(parameters) + len(children)
        if visited > MAX_MEMBERS or depth > MAX_DEPTH:
            raise DataError(
                f"has more than {MAX_MEMBERS} modules and parameters, or {MAX_DEPTH} levels"
            )
        if buffers:
            raise DataError(f"{module_name} has a buffer {buffers[0][0]}, expected none")
        for name, parameter in parameters:
            try:
                weights[prefix + name] = storages.tensor(parameter)
            except DataError as error:
                raise DataError(f"parameter {prefix}{name}: {error}") from error
        for name, child in children:
            if depth or name != _SKIP_LAYERS:
                waiting.append((f"{prefix}{name}.", child, depth + 1))
    return weights


def _members(state: dict[str, Any], kind: str, module_name: str) -> list[tuple[str, Any]]:
    """Return the members of a kind that are there; None stands for those that are not."""
    members = state.get(kind, {})
    if not isinstance(members, dict) or len(members) > MAX_MEMBERS:
        raise DataError(
            f"{module_name} has no table {kind}, or one with more than {MAX_MEMBERS} members"
        )
    for name in members:
        if len(name) > _LONGEST_NAME or not name.isascii() or not name.replace("_", "0").isalnum():
            raise DataError(f"{module_name} has a member {printable(name)}, which is not a name")
    return [(name, value) for name, value in members.items() if value is not None]


def _state(module: Any, expected: GlobalName | None, module_name: str) -> dict[str, Any]:
    """Return a module's attributes; expected: its class, None for one of ``_PARTS``."""
    cls = module.cls if isinstance(module, CallRecord) else None
    if expected is not None:
        accepted = cls == expected
    else:
        accepted = isinstance(cls, GlobalName) and cls.name in _PARTS.get(cls.module, ())
    if not accepted:
        raise DataError(
            f"{module_name} is {describe(module)}, expected {expected or 'a part of DynUNet'}"
        )
    state = module.state
    if not isinstance(state, dict):
        raise DataError(f"{module_name} ({cls}) has no attributes")
    slope = state.get("negative_slope", _SLOPE)
    if type(slope) is not float or slope != _SLOPE:
        value = slope if type(slope) is float else type(slope).__name__
        raise DataError(f"{module_name} has the slope {value}, expected {_SLOPE}")
    return state
