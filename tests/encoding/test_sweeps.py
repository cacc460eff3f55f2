import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactivenet.encoding import Encoding, encode_prompts, geodesic_distance
from interactivenet.encoding.step_cost import StepCost
from interactivenet.errors import DataError
from tests.encoding.cases import spacings, volumes

torch = pytest.importorskip("torch", reason="the sweeps are made of tensor operations")
sweeps = pytest.importorskip("interactivenet.encoding.sweeps")
devices = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    ),
]
metrics = st.sampled_from(
    [StepCost(), StepCost(lamb=0.0), StepCost(lamb=0.6), StepCost("gradient", weight=0.9)]
)


@pytest.fixture(autouse=True)
def _one_thread():
    """Small tensors: more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("device", devices)
@settings(derandomize=True, deadline=None, max_examples=60)
@given(volumes(longest=6), spacings, metrics, st.sampled_from([None, 0.7]))
def test_sweeps_reach_the_exact_distance(device, volume, spacing, metric, bound):
    image, seeds = volume
    distance = sweeps.geodesic_sweeps(
        torch.from_numpy(image).to(device),
        torch.from_numpy(seeds).to(device),
        spacing,
        metric,
        bound=bound or 1e30,
    )
    assert distance.dtype == torch.float32 and distance.device.type == device
    expected = geodesic_distance(
        image, seeds, spacing, metric=metric.name, lamb=metric.lamb, weight=metric.weight
    )
    if bound is not None:
        near = np.abs(expected - bound) < 1e-4
        expected = np.where(near, distance.cpu(), np.where(expected < bound, expected, np.inf))
    assert np.abs(np.exp(-distance.cpu().numpy()) - np.exp(-expected)).max() < 1e-4


def test_fewer_sweeps_find_fewer_paths():
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.standard_normal((1, 20, 20, 20)).astype(np.float32))
    seeds = torch.zeros(20, 20, 20, dtype=torch.bool)
    seeds[0, 0, 0] = True
    spacing = (1.0, 1.0, 3.0)
    one, three, all_ = (
        sweeps.geodesic_sweeps(image, seeds, spacing, StepCost(), iterations=n)
        for n in (1, 3, None)
    )
    assert (one >= three).all() and (three >= all_).all() and (one > all_ + 0.01).any()


@pytest.mark.parametrize("device", devices)
@pytest.mark.parametrize("kind", ["geodesic", "euclidean"])
def test_tensors_in_tensor_out(device, kind):
    rng = np.random.default_rng(0)
    image = rng.standard_normal((12, 13, 14)).astype(np.float32)
    seeds = rng.random(image.shape) < 0.01
    expected = encode_prompts(image, seeds, (1, 1, 3), Encoding(kind=kind))
    for given_seeds in (torch.from_numpy(seeds).to(device), seeds):
        encoded = encode_prompts(
            torch.from_numpy(image).to(device), given_seeds, (1, 1, 3), Encoding(kind=kind)
        )
        assert isinstance(encoded, torch.Tensor) and encoded.device.type == device
        np.testing.assert_allclose(encoded.cpu(), expected, atol=1e-4)
    assert isinstance(
        encode_prompts(image, torch.from_numpy(seeds), (1, 1, 3), Encoding()), np.ndarray
    )


def test_a_tensor_of_another_type_is_refused_by_name():
    image, seeds = torch.zeros(3, 4, 5), torch.ones(3, 4, 5, dtype=torch.bool)
    with pytest.raises(DataError, match=r"image must be float32, got torch\.bfloat16"):
        geodesic_distance(image.bfloat16(), seeds, (1, 1, 1))
