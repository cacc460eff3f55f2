"""The kernels of a graphics card, compiled as C++ and run by the host's real code on the CPU."""

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactivenet.encoding import geodesic_distance
from interactivenet.encoding.layout import FAR
from interactivenet.encoding.step_cost import StepCost
from tests.encoding import reference
from tests.encoding.cases import spacings, volumes

torch = pytest.importorskip("torch", reason="the host's side is made of tensors")
card_on_cpu = pytest.importorskip("tests.encoding.card_on_cpu")
on_card = pytest.importorskip("interactivenet.encoding.on_card")

IN_ORDER, ANY_ORDER, STALE = 0, 1, 3
METRICS = [
    StepCost(), StepCost(lamb=0.0), StepCost(lamb=0.6), StepCost("gradient"),
    StepCost("gradient", weight=0.0), StepCost("gradient", weight=1.0, contrast=1000.0),
]  # fmt: skip


@pytest.fixture(scope="module")
def library():
    return card_on_cpu.library()


def on_the_card(library, image, seeds, spacing, metric, bound=None, mode=IN_ORDER, **others):
    distance, progress = on_card.geodesic_on_card(
        torch.from_numpy(image.reshape(-1, *seeds.shape)),
        torch.from_numpy(seeds),
        spacing,
        metric,
        float(FAR) if bound is None else bound,
        card_on_cpu.CardOnCpu(library, mode, **others),
    )
    return distance.numpy(), progress


def on_the_cpu(image, seeds, spacing, metric, bound=None):
    return geodesic_distance(
        image, seeds, spacing, bound=bound, metric=metric.name, lamb=metric.lamb,
        weight=metric.weight, contrast=metric.contrast,
    )  # fmt: skip


def one_voxel(shape):
    seeds = np.zeros(shape, dtype=bool)
    seeds[tuple(n // 3 for n in shape)] = True
    return seeds


def test_both_sides_know_the_same_fields(library):
    assert library.size_of_setup() == ctypes.sizeof(on_card.Setup)
    assert library.size_of_progress() == ctypes.sizeof(on_card.Progress)


@settings(derandomize=True, deadline=None, max_examples=120)
@given(
    volumes(longest=17),
    spacings,
    st.sampled_from(METRICS),
    st.sampled_from([None, None, 0.05, 0.7, 3.0]),
    st.sampled_from([IN_ORDER, ANY_ORDER, STALE]),
    st.integers(0, 1000),
)
def test_the_card_gives_the_cpus_bits(library, volume, spacing, metric, bound, mode, seed):
    image, seeds = volume
    distance, _ = on_the_card(library, image, seeds, spacing, metric, bound, mode, seed=seed)
    assert np.array_equal(distance, on_the_cpu(image, seeds, spacing, metric, bound))


@settings(derandomize=True, deadline=None, max_examples=25)
@given(volumes(longest=12), spacings, st.sampled_from([0.0, 0.6, 1.0]))
def test_the_card_gives_dijkstras_distances(library, volume, spacing, lamb):
    image, seeds = volume
    distance, _ = on_the_card(library, image, seeds, spacing, StepCost(lamb=lamb), mode=ANY_ORDER)
    expected = reference.shortest_paths(image, seeds, spacing, reference.geodistk_metric(lamb))
    assert np.abs(np.exp(-distance.astype(np.float64)) - np.exp(-expected)).max() < 1e-6


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 70), (1, 65, 1), (33, 1, 2), (8, 8, 8),
                                   (9, 16, 25), (7, 17, 8), (16, 17, 18)])  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
def test_sizes_around_those_of_tiles(library, shape, channels):
    image = np.random.default_rng(0).standard_normal((channels, *shape)).astype(np.float32)
    for metric in METRICS[2:4]:
        found, _ = on_the_card(library, image, one_voxel(shape), (1, 0.5, 3), metric, mode=STALE)
        assert np.array_equal(found, on_the_cpu(image, one_voxel(shape), (1, 0.5, 3), metric))
        assert np.isfinite(found).all()


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-18, 1e6, 1e15])
@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_values_of_any_size(library, scale, metric):
    """Subnormal squares, sums in which a step vanishes, costs that reach FAR."""
    shape = (10, 11, 12)
    image = np.random.default_rng(1).uniform(-1, 1, (2, *shape)) * scale
    for channels in (1, 2):
        one = image[:channels].astype(np.float32)
        found, _ = on_the_card(library, one, one_voxel(shape), (1, 1, 1), metric)
        assert np.array_equal(found, on_the_cpu(one, one_voxel(shape), (1, 1, 1), metric))


def test_what_lies_behind_costs_beyond_all_is_not_reached(library):
    image = np.zeros((20, 20, 20), dtype=np.float32)
    image[9:11] = 1e15
    seeds = one_voxel(image.shape)
    spacing = (1e16, 1e16, 1e16)  # mm: a step across costs more than FAR
    found, _ = on_the_card(library, image, seeds, spacing, StepCost())
    assert np.array_equal(found, on_the_cpu(image, seeds, spacing, StepCost()))
    assert np.isinf(found[9:]).all() and np.isfinite(found[:9]).all()


def labyrinth():
    """A path that winds through all tiles, back and forth across their borders."""
    image = np.full((26, 26, 3), 50.0, dtype=np.float32)
    for row in range(0, 26, 2):
        image[row, :, 1] = 0
        if row + 1 < 26:
            image[row + 1, 0 if row % 4 else -1, 1] = 0
    seeds = np.zeros(image.shape, dtype=bool)
    seeds[0, 0, 1] = True
    return image, seeds


@pytest.mark.parametrize("mode", [IN_ORDER, ANY_ORDER, STALE])
def test_a_path_that_winds_is_followed_to_its_end(library, mode):
    image, seeds = labyrinth()
    found, progress = on_the_card(library, image, seeds, (1, 1, 1), StepCost(), mode=mode)
    assert np.array_equal(found, on_the_cpu(image, seeds, (1, 1, 1), StepCost()))
    assert found[24, 25, 1] < 50  # along the path, not across a wall
    # more rounds than are started before the host looks
    assert progress.rounds > on_card.ROUNDS


@pytest.mark.parametrize("blocks", [1, 3, 1000])
def test_any_number_of_blocks_gives_the_same(library, blocks):
    image, seeds = labyrinth()
    found, _ = on_the_card(
        library, image, seeds, (1, 1, 1), StepCost("gradient"), mode=STALE, blocks=blocks
    )
    assert np.array_equal(found, on_the_cpu(image, seeds, (1, 1, 1), StepCost("gradient")))


def test_a_low_bound_saves_visits(library):
    image = np.random.default_rng(0).standard_normal((40, 40, 40)).astype(np.float32)
    seeds = one_voxel(image.shape)
    _, all_of_it = on_the_card(library, image, seeds, (1, 1, 1), StepCost())
    near, some = on_the_card(library, image, seeds, (1, 1, 1), StepCost(), bound=0.5)
    assert np.isinf(near).any() and some.visits < all_of_it.visits / 3


def test_input_in_any_memory_layout(library):
    image = np.random.default_rng(0).standard_normal((9, 10, 11)).astype(np.float32)
    seeds = one_voxel(image.shape)
    turned = tuple(torch.from_numpy(one.T.copy()).permute(2, 1, 0) for one in (image, seeds))
    found, _ = on_card.geodesic_on_card(
        turned[0][None], turned[1], (1, 2, 3), StepCost(), 1e30, card_on_cpu.CardOnCpu(library)
    )
    assert np.array_equal(found.numpy(), on_the_cpu(image, seeds, (1, 2, 3), StepCost()))
