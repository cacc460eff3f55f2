"""The U-Net is MONAI's DynUNet, bit for bit: weights, answers, gradients, random numbers."""

from dataclasses import replace

import pytest
import torch
from monai.networks.nets import DynUNet

from interactivenet.models.network import build_network
from interactivenet.models.unet import UNet
from interactivenet.planning.plan import Network

torch.set_num_threads(1)  # the tests run side by side

NETWORKS = [
    Network(((3, 3, 3),) * 3, ((1, 1, 1), (2, 2, 2), (2, 2, 1)), (4, 8, 12), 1),
    Network(
        ((3, 3, 1), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
        ((1, 1, 1), (2, 2, 1), (2, 2, 2), (1, 2, 2)), (3, 6, 6, 6), 2,
    ),
    Network(((1, 3, 3), (3, 3, 3), (3, 3, 3)), ((1, 1, 1), (1, 2, 2), (2, 2, 2)), (2, 4, 4), 1),
]  # fmt: skip
both_blocks = pytest.mark.parametrize("residual", [False, True])
networks = pytest.mark.parametrize("network", NETWORKS, ids=["plain", "deep", "flat"])


def monais(network, channels):
    return DynUNet(
        spatial_dims=3, in_channels=channels, out_channels=2, kernel_size=network.kernels,
        strides=network.strides, upsample_kernel_size=network.strides[1:],
        filters=network.features, norm_name=("INSTANCE", {"affine": True}),
        act_name=("leakyrelu", {"inplace": True, "negative_slope": 0.01}), deep_supervision=True,
        deep_supr_num=network.deep_supervision, res_block=network.residual,
    )  # fmt: skip


def pair(network, residual):
    """Our network and MONAI's, of one seed, and what the generator gives afterwards."""
    network = replace(network, residual=residual)
    models, following = [], []
    for build in (build_network, monais):
        torch.manual_seed(3)
        models.append(build(network, 2))
        following.append(torch.rand(4))
    assert torch.equal(*following)
    return models


@networks
@both_blocks
def test_initial_weights_and_the_random_numbers_they_take(network, residual):
    ours, theirs = pair(network, residual)
    expected = list(theirs.named_parameters())
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in expected]
    for (_, weight), (name, value) in zip(ours.named_parameters(), expected, strict=True):
        assert torch.equal(weight, value), name


@networks
@both_blocks
def test_answers_and_training_steps(network, residual):
    """Optimising three times, so that every bit of every gradient counts."""
    ours, theirs = pair(network, residual)
    image = torch.randn(2, 2, *(2 * n for n in network.divisor))
    goal = torch.randn(2, 1 + network.deep_supervision, 2, *image.shape[2:])
    optimisers = [torch.optim.SGD(model.parameters(), 0.01, 0.9) for model in (ours, theirs)]
    for _ in range(3):
        outputs = [model(image) for model in (ours, theirs)]
        assert torch.equal(*outputs) and outputs[0].shape == goal.shape
        for output, optimiser in zip(outputs, optimisers, strict=True):
            optimiser.zero_grad()
            ((output - goal) ** 2).mean().backward()
            optimiser.step()
    with torch.no_grad():
        assert torch.equal(ours.eval()(image), theirs.eval()(image))


def test_states_of_monais_network_load():
    """Checkpoints of earlier versions hold every stage twice."""
    ours, theirs = pair(NETWORKS[0], False)
    with torch.no_grad():
        for value in theirs.parameters():
            value.add_(1)
    state = theirs.state_dict()
    assert any(name.startswith("skip_layers.") for name in state)
    ours.load_state_dict(state)
    holder = torch.nn.ModuleDict({"network": pair(NETWORKS[0], False)[0]})
    holder.load_state_dict({f"network.{name}": value for name, value in state.items()})
    for model in (ours, holder["network"]):
        assert all(torch.equal(value, state[name]) for name, value in model.named_parameters())
    with pytest.raises(RuntimeError, match="Unexpected key"):
        ours.load_state_dict({**state, "more": torch.zeros(1)})


SETTINGS = {
    "kernels": ((3, 3, 3),) * 3, "strides": ((1, 1, 1), (2, 2, 2), (2, 2, 1)),
    "features": (4, 8, 12), "deep_supervision": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strides": ((1, 1, 1), (2, 2, 2), (5, 2, 2))}, "voxels would be left out"),
        ({"features": (2, 4)}, "one entry for each"),
        ({"deep_supervision": 2}, "deep_supervision 2"),
    ],
)
def test_impossible_networks_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        UNet(2, 2, **{**SETTINGS, **changes})
