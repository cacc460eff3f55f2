"""Predictor: the sample's way through the network and back to the scan."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interactivenet.datasets.case import Scan
from interactivenet.errors import DataError, RequestError
from interactivenet.inference.networks import NetworkOutput, Networks
from interactivenet.inference.predictor import Predictor
from interactivenet.inference.rules import make_sample
from interactivenet.models.network import build_network, save_weights
from interactivenet.prompts.prompt import Prompt
from tests.inference.predictors import knowing, predictor, random_weights
from tests.sample_cases import make_plan, make_scan, stored_grid


@pytest.mark.parametrize("shape", [(24, 22, 20), (60, 50, 44)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_a_perfect_network_segments_perfectly(tmp_path, shape, order):
    """Padding, windows, mirroring and the way back leave every voxel in its place."""
    source = stored_grid(
        shape, (1.0, 1.2, 1.5), order=order, flips=(-1, 1, -1), angles=(0.2, 0, 0.1)
    )
    scan = make_scan(source)
    image = np.where(scan.label.array > 0, 1.0, -1.0).astype(np.float32)
    scan = make_scan(source, image=image)
    plan = make_plan(source.ras.spacing)
    found = knowing(plan, tmp_path).segment(scan)
    assert np.array_equal(found.label, scan.label.array[0])
    assert np.array_equal(found.instance_map, scan.label.array[0])
    assert found.source is scan.image.source


def test_mirroring_averages_the_mirrored_answers(tmp_path):
    scan = make_scan(stored_grid((24, 22, 20), (1.0, 1.0, 1.0)))
    plan = make_plan((1.0, 1.0, 1.0), sample_shape=(24, 24, 24))
    sample = make_sample(scan, scan.prompts[0], plan)
    paths = [random_weights(tmp_path / f"{seed}.safetensors", plan, seed) for seed in (0, 1)]
    both = predictor(plan, *paths)
    network = list(both._networks.networks)
    padded, inside = both._rules.pad(sample.array)
    expected = np.zeros(padded.shape[1:])
    with torch.inference_mode():
        for one in network:
            for code in range(8):
                axes = [axis + 1 for axis in range(3) if code >> axis & 1]
                image = torch.from_numpy(np.flip(padded, axes).copy())[None]
                found = one(image).softmax(1)[0, 1].numpy()
                expected += np.flip(found, [axis - 1 for axis in axes]) / 16
    probability = both.probability(sample)
    assert probability.shape == sample.grid.shape and probability.dtype == np.float32
    np.testing.assert_allclose(probability, expected[inside], atol=1e-5)
    plain = predictor(plan, paths[0], mirrored=False).probability(sample)
    single = network[0](torch.from_numpy(padded)[None]).softmax(1)[0, 1].detach().numpy()
    np.testing.assert_allclose(plain, single[inside], atol=1e-5)


def test_the_more_probable_prompt_wins(tmp_path, monkeypatch):
    scan = make_scan(stored_grid((24, 22, 20), (1.0, 1.0, 1.0)))
    points = scan.prompts[0].points
    prompts = (Prompt(1, points, "a"), Prompt(2, points, "b"), Prompt(1, points, "c"))
    scan = Scan(scan.name, scan.image, None, prompts)
    plan = make_plan((1.0, 1.0, 1.0), labels={1: "a", 2: "b"})
    made = predictor(plan, random_weights(tmp_path / "w.safetensors", plan))
    values = iter([0.6, 0.9, 0.7, 0.4])

    def answer(self, sample, earlier=None):
        probability = np.full((1, *sample.grid.shape), next(values), np.float32)
        return NetworkOutput(probability, (0.9,), (0.8,))

    monkeypatch.setattr(Networks, "answer", answer)
    found = made.segment(scan)
    assert set(np.unique(found.label)) <= {0, 2} and (found.label == 2).any()
    assert set(np.unique(found.instance_map)) <= {0, 2}
    assert found.shares_labels and [one.volume_ml > 0 for one in found.objects] == [
        False, True, False,
    ]  # fmt: skip
    nothing = made.segment(scan, prompts[:1])
    assert not nothing.label.any() and not nothing.shares_labels


@pytest.mark.parametrize("batch", [3, 8])
def test_a_batch_changes_nothing(tmp_path, batch):
    scan = make_scan(stored_grid((24, 22, 20), (1.0, 1.0, 1.0)))
    plan = make_plan((1.0, 1.0, 1.0), sample_shape=(24, 24, 24))
    path = random_weights(tmp_path / "w.safetensors", plan)
    sample = make_sample(scan, scan.prompts[0], plan)
    one, many = (predictor(plan, path, batch=size) for size in (1, batch))
    np.testing.assert_allclose(one.probability(sample), many.probability(sample), atol=1e-6)


def test_too_little_memory_makes_smaller_batches(tmp_path, monkeypatch):
    scan = make_scan(stored_grid((24, 22, 20), (1.0, 1.0, 1.0)))
    plan = make_plan((1.0, 1.0, 1.0), sample_shape=(24, 24, 24))
    made = predictor(plan, random_weights(tmp_path / "w.safetensors", plan), batch=8)
    sample = make_sample(scan, scan.prompts[0], plan)
    expected = made.probability(sample)
    foreground, sizes = Networks._foreground, []

    def small(self, network, images):
        sizes.append(len(images))
        if len(images) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return foreground(self, network, images)

    monkeypatch.setattr(Networks, "_foreground", small)
    limit = 2
    np.testing.assert_allclose(made.probability(sample), expected, atol=1e-6)
    assert sizes == [8, 4, 2, 2, 2, 2]
    limit = 0
    with pytest.raises(DataError, match="not have enough memory for this object"):
        made.probability(sample)


def test_agreements_are_of_each_network(tmp_path):
    scan = make_scan(stored_grid((24, 22, 20), (1.0, 1.0, 1.0)))
    plan = make_plan((1.0, 1.0, 1.0), sample_shape=(24, 24, 24))
    paths = [random_weights(tmp_path / f"{seed}.safetensors", plan, seed) for seed in (0, 1)]
    both = predictor(plan, *paths)
    (answer,) = both.answer(both.prepare(scan))
    for number, path in enumerate(paths):
        alone = predictor(plan, path)
        (one,) = alone.answer(alone.prepare(scan))
        assert one.agreement == answer.agreement[number : number + 1]
        assert one.single == answer.single[number : number + 1]
        np.testing.assert_array_equal(one.probability[0], answer.probability[number])
        plain = predictor(plan, path, mirrored=False)
        (once,) = plain.answer(plain.prepare(scan))
        assert once.agreement == once.single == pytest.approx(one.single)  # batches differ
    found = both.segment(scan).objects[0]
    assert found.agreement == pytest.approx(np.mean(answer.agreement))


def test_a_label_can_be_resampled_back(tmp_path):
    """Every voxel of the scan gets the label of the nearest voxel of the target grid."""
    source = stored_grid((30, 28, 24), (1.0, 1.0, 1.5), order=(1, 2, 0), flips=(-1, 1, 1))
    scan = make_scan(source)
    plan = make_plan((2.0, 2.0, 3.0))
    label = knowing(plan, tmp_path, restore="label")
    scan = make_scan(source, image=np.where(scan.label.array > 0, 1.0, -1.0).astype(np.float32))
    found = label.segment(scan).label
    sample = make_sample(scan, scan.prompts[0], plan)
    mask = label.probability(sample) >= 0.5
    voxels = np.argwhere(np.ones(source.ras.shape, bool))
    exact = sample.grid.world_to_voxel(source.ras.voxel_to_world(voxels))
    # not those between two voxels, nor beyond the content
    low, high = sample.padding[:, 0], np.array(mask.shape) - sample.padding[:, 1]
    clear = (np.abs(exact - np.floor(exact) - 0.5) > 1e-3).all(axis=1)
    clear &= ((exact > low - 0.5) & (exact < high - 0.5)).all(axis=1)
    assert clear.sum() > 500
    expected = mask[tuple(np.rint(exact[clear]).astype(int).T)]
    np.testing.assert_array_equal(found[tuple(voxels[clear].T)] > 0, expected)
    assert expected.any() and not expected.all()


@pytest.mark.parametrize(
    ("field", "value"), [("restore", "bogus"), ("precision", "x"), ("device", "tpu")]
)
def test_other_settings_are_refused_before_anything_is_loaded(tmp_path, field, value):
    with pytest.raises(RequestError, match=f"`{field}='{value}'`: expected one of ") as refused:
        Predictor(tmp_path / "missing", **{field: value})
    assert (refused.value.field, refused.value.value) == (field, value)


def test_weights_of_another_plan_are_refused(tmp_path):
    plan = make_plan((1.0, 1.0, 1.0))
    path = random_weights(tmp_path / "w.safetensors", plan)
    other = replace(plan, encoding=replace(plan.encoding, extent=True))
    with pytest.raises(DataError, match=r"w\.safetensors: these are weights of another network"):
        predictor(other, path)


def test_weights_trained_with_another_plan_are_refused(tmp_path):
    plan = make_plan((1.0, 1.0, 1.0))
    path = tmp_path / "w.safetensors"
    network = build_network(plan.network, plan.channels)
    save_weights(path, network, {"epoch": 1, "plan": plan.digest})
    predictor(plan, path)
    with pytest.raises(
        DataError, match=r"w\.safetensors: these weights were trained with a different plan"
    ):
        predictor(replace(plan, spacing=(1.0, 1.0, 2.0)), path)


def test_a_case_without_prompts_is_refused(tmp_path):
    scan = make_scan(stored_grid((24, 22, 20), (1.0, 1.0, 1.0)))
    plan = make_plan((1.0, 1.0, 1.0))
    made = predictor(plan, random_weights(tmp_path / "w.safetensors", plan))
    with pytest.raises(DataError, match="case: has no prompts"):
        made.segment(scan, [])


def test_points_outside_are_refused(tmp_path):
    scan = make_scan(stored_grid((24, 22, 20), (1.0, 1.0, 1.0)))
    plan = make_plan((1.0, 1.0, 1.0))
    made = predictor(plan, random_weights(tmp_path / "w.safetensors", plan))
    far = Prompt(1, scan.prompts[0].points + 500, "far")
    with pytest.raises(DataError):
        made.segment(scan, [far])
