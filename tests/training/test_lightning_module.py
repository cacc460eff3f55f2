"""The Lightning module: loss, weights of the resolutions, validation Dice."""

import pytest
import torch

from interactivenet.errors import DataError
from interactivenet.models.network import build_network, count_parameters, load_weights
from interactivenet.training.lightning_module import Segmenter, resolution_weights
from tests.training.trained_task import first_fold


def test_the_full_resolution_weighs_most(planned_task):
    assert resolution_weights(0) == [1.0]
    assert resolution_weights(2) == pytest.approx([4 / 7, 2 / 7, 1 / 7])
    plan = first_fold(planned_task).plan
    module = Segmenter(plan, 10)
    module.train()
    outputs = module.network(torch.randn(1, plan.channels, *plan.sample_shape))
    assert outputs.shape == (1, 1 + plan.network.deep_supervision, 2, *plan.sample_shape)
    label = torch.zeros(1, 1, *plan.sample_shape)
    label[..., :8] = 1
    right = torch.stack([20 * (1 - label), 20 * label], 1)[:, :, 0] - 10
    # the first output right and the others wrong costs less than the other way round
    levels = [right] + [-right] * plan.network.deep_supervision
    good = module.loss(torch.stack(levels, 1), label)
    bad = module.loss(torch.stack(levels[::-1], 1), label)
    assert good < bad and module.loss(torch.stack([right] * len(levels), 1), label) < 0.01


def test_the_loss_is_dice_and_cross_entropy(planned_task):
    module = Segmenter(first_fold(planned_task).plan, 10)
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(2, 2, 6, 5, 4, generator=generator)
    label = (torch.rand(2, 1, 6, 5, 4, generator=generator) > 0.6).float()
    p = torch.softmax(output, 1)[:, 1]
    y = label[:, 0]
    axes = (1, 2, 3)
    dice = 1 - (2 * (p * y).sum(axes)) / (p.sum(axes) + y.sum(axes))
    entropy = -(y * p.log() + (1 - y) * (1 - p).log()).mean()
    levels = module.loss(torch.stack([output] * len(module._weights), 1), label)
    assert float(levels) == pytest.approx(float(dice.mean() + entropy), rel=1e-4)


def test_validation_dice_is_per_sample(planned_task, monkeypatch):
    module = Segmenter(first_fold(planned_task).plan, 10)
    label = torch.zeros(3, 1, 4, 4, 4)
    label[0, ..., :2] = 1
    label[1, ..., :2] = 1
    output = torch.zeros(3, 2, 4, 4, 4)
    output[:, 1] = -1
    output[0, 1, ..., :2] = 1  # right
    output[1, 1, ..., 1:3] = 1  # half right
    module.network = torch.nn.Identity()
    module.validation_step((output, label), 0)  # the third: nothing, and nothing found
    assert torch.cat(module.dices).tolist() == pytest.approx([1.0, 0.5, 1.0])


def test_weights_of_other_networks_are_refused(planned_task, uninterrupted, tmp_path):
    plan = first_fold(planned_task).plan
    network = build_network(plan.network, plan.channels)
    assert count_parameters(network) == sum(p.numel() for p in network.parameters()) > 1000
    path = uninterrupted / "model_best.safetensors"
    other = build_network(plan.network, plan.channels + 1)
    with pytest.raises(DataError, match="these are weights of another network"):
        load_weights(path, other)
    with pytest.raises(DataError, match="cannot be read as weights"):
        load_weights(tmp_path / "no.safetensors", network)
    half = tmp_path / "half.safetensors"
    half.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="cannot be read as weights"):
        load_weights(half, network)
