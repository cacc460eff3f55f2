"""Every topology that the rules choose builds, takes a tensor, and fits its estimate."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from interactivenet.errors import RequestError
from interactivenet.models.network import build_network
from interactivenet.planning.architecture import (
    PRESETS,
    Preset,
    divisible,
    fit,
    plan_network,
    training_gb,
)

torch.set_num_threads(1)  # the tests run side by side

SPACINGS = [(1.0, 1.0, 1.0), (0.7, 0.7, 5.0), (5.0, 0.7, 0.7), (0.7, 4.0, 0.6), (0.3, 1.0, 3.0)]
SIZES = [
    (8, 8, 8), (9, 14, 3), (1, 1, 1), (1, 40, 40), (16, 16, 16), (31, 40, 24), (60, 50, 3),
    (2, 90, 17), (48, 48, 48), (24, 96, 33),
]  # fmt: skip
#: topologies depend on sizes and spacing, not on how many features there are
NARROW = Preset(features=2, most_features=4, stages=6, batch=2)
NARROW_RESIDUAL = Preset(features=2, most_features=4, stages=6, batch=2, residual=True)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("size", SIZES)
def test_a_network_of_any_size_learns_a_step(size, spacing):
    torch.manual_seed(0)
    residual = SIZES.index(size) % 2 == 1
    network = plan_network(size, spacing, NARROW_RESIDUAL if residual else NARROW)
    shape = divisible(size, network)
    assert all(n >= wanted for n, wanted in zip(shape, size, strict=True))
    model = build_network(network, 2)
    output = model(torch.rand(1, 2, *shape))
    assert output.shape == (1, 1 + network.deep_supervision, 2, *shape)
    output.square().mean().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())
    model.eval()
    # the smallest cut of the same plan, too
    smallest = divisible((1, 1, 1), network)
    with torch.no_grad():
        assert model(torch.rand(1, 2, *smallest)).shape == (1, 2, *smallest)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("size", [(400, 400, 400), (400, 400, 60), (8, 400, 400)])
def test_the_largest_objects(size, spacing):
    network = plan_network(size, spacing, NARROW)
    shape = np.array(divisible(size, network))
    assert (shape < np.array(size) + network.divisor).all() or shape.min() >= 8
    assert len(network.strides) == 6 and max(network.divisor) >= 16
    model = build_network(network, 2).eval()
    part = divisible(np.minimum(shape, 64), network)  # the whole of it takes minutes
    with torch.no_grad():
        assert model(torch.rand(1, 2, *part)).shape[2:] == part


sizes = st.tuples(*[st.integers(1, 400)] * 3)
spacings = st.tuples(*[st.floats(0.2, 10.0)] * 3)


@given(sizes, spacings)
def test_rules_hold_for_any_size_and_spacing(size, spacing):
    network = plan_network(size, spacing, PRESETS["default"])
    shape = np.array(divisible(size, network))
    assert (shape % network.divisor == 0).all() and (shape >= size).all()
    assert ((shape - size < network.divisor) | (shape == network.smallest)).all()
    bottleneck = shape // network.divisor
    assert bottleneck.prod() > 1 or (np.array(network.divisor) == 1).all()
    # stage by stage, what is halved together is of about the same scale
    scale = np.array(spacing)
    for stride in np.array(network.strides):
        halved = scale[stride == 2]
        assert halved.max(initial=0.0) < 2 * halved.min(initial=np.inf)
        scale = scale * stride


def test_nnunets_anisotropic_example():
    """A prostate MR: the slices are left alone until the plane is as coarse."""
    network = plan_network((320, 256, 20), (0.625, 0.625, 3.6), PRESETS["default"])
    assert network.strides[:3] == ((1, 1, 1), (2, 2, 1), (2, 2, 1))
    assert network.kernels[:3] == ((3, 3, 1), (3, 3, 1), (3, 3, 3))
    assert network.features == (32, 64, 128, 256, 320, 320)


@pytest.mark.parametrize("name", list(PRESETS))
@pytest.mark.parametrize(
    ("size", "spacing"), [((32, 32, 32), (1, 1, 1)), ((48, 48, 16), (1, 1, 3))]
)
def test_memory_estimate_against_what_the_backward_pass_keeps(name, size, spacing):
    network = plan_network(size, spacing, PRESETS[name])
    shape = divisible(size, network)
    model = build_network(network, 3)
    weights = {p.untyped_storage().data_ptr(): p for p in model.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return tensor

    x = torch.rand(1, 3, *shape)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(x)
    activations = sum(storage.nbytes() for storage in kept.values())
    numbers = sum(p.numel() for p in model.parameters())
    estimated = (training_gb(network, shape, 3, 2) - training_gb(network, shape, 3, 1)) * 1e9
    assert 0.6 * estimated < activations < estimated
    rest = training_gb(network, shape, 3, 0) * 1e9 - 0.8e9
    assert 0.95 * 20 * numbers < rest < 1.05 * 20 * numbers


def test_little_memory_makes_samples_smaller_and_much_makes_batches_larger():
    spacing = (1.0, 1.0, 1.0)
    plans = {
        gb: fit((160, 160, 160), spacing, 2, PRESETS["default"], gb) for gb in (3, 6, 12, 1000)
    }
    voxels = [int(np.prod(shape)) for _, shape, _, _ in plans.values()]
    assert voxels == sorted(voxels) and voxels[0] < voxels[-1]
    for gb, (network, shape, batch, needed) in plans.items():
        assert needed <= gb and training_gb(network, shape, 2, batch) == needed
        assert batch >= 1 and all(n % d == 0 for n, d in zip(shape, network.divisor, strict=True))
    assert plans[1000][1] == (160, 160, 160) and plans[1000][2] == PRESETS["default"].batch


def test_far_too_little_memory_is_refused():
    with pytest.raises(RequestError, match=r"^`memory_gb=0\.5`: is too little: the smallest"):
        fit((64, 64, 64), (1.0, 1.0, 1.0), 2, PRESETS["default"], 0.5)
