"""A model with random weights: it segments nonsense, but always the same."""

import torch

from interactivenet.models.bundle import write_bundle
from interactivenet.models.model import Model
from interactivenet.models.network import build_network, save_weights


def make_model(folder, plan, folds=(0, 2), **more):
    paths = []
    for number in folds:
        torch.manual_seed(number)
        paths.append(folder / f"fold_{number}" / "w.safetensors")
        save_weights(paths[-1], build_network(plan.network, plan.channels), {"epoch": number})
    return Model(plan, tuple(paths), tuple(folds), "last", **more)


def make_bundle(folder, plan, **more):
    """Write the bundle of such a model and return its folder."""
    write_bundle(make_model(folder / "weights", plan, **more), folder / "bundle")
    return folder / "bundle"
