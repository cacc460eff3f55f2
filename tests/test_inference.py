"""Predictor: the sample's way through the network and back to the scan."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interactivenet.errors import DataError
from interactivenet.inference import Predictor
from interactivenet.network import build_network, save_weights
from interactivenet.prompts import Prompt
from interactivenet.sample import make_sample
from interactivenet.scan import Scan
from tests.sample_cases import make_plan, make_scan, stored_grid


def random_weights(path, plan, seed=0):
    torch.manual_seed(seed)
    save_weights(path, build_network(plan.network, plan.channels), {"epoch": seed})
    return path


def predictor(plan, *paths, **more):
    return Predictor(plan, paths, device="cpu", precision="fp32", **more)


class Threshold(torch.nn.Module):
    """Takes the object to be where the first channel is positive."""

    def forward(self, image):
        value = image[:, :1]
        return torch.cat([-10 * value, 10 * value], 1)


def knowing(plan, tmp_path, **more):
    """A predictor whose network reads the answer off the image."""
    made = predictor(plan, random_weights(tmp_path / "w.safetensors", plan), **more)
    made._networks = [Threshold()]
    return made


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
    assert np.array_equal(found.owner, scan.label.array[0])
    assert found.source is scan.image.source


def test_mirroring_averages_the_mirrored_answers(tmp_path):
    scan = make_scan(stored_grid((24, 22, 20), (1.0, 1.0, 1.0)))
    plan = make_plan((1.0, 1.0, 1.0), sample_shape=(24, 24, 24))
    sample = make_sample(scan, scan.prompts[0], plan)
    paths = [random_weights(tmp_path / f"{seed}.safetensors", plan, seed) for seed in (0, 1)]
    both = predictor(plan, *paths)
    network = list(both._networks)
    padded, inside = both._padded(sample.array)
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
    monkeypatch.setattr(
        Predictor, "probability",
        lambda self, sample: np.full(sample.grid.shape, next(values), np.float32),
    )  # fmt: skip
    found = made.segment(scan)
    assert set(np.unique(found.label)) <= {0, 2} and (found.label == 2).any()
    assert set(np.unique(found.owner)) <= {0, 2}
    nothing = made.segment(scan, prompts[:1])
    assert not nothing.label.any()


def test_weights_of_another_plan_are_refused(tmp_path):
    plan = make_plan((1.0, 1.0, 1.0))
    path = random_weights(tmp_path / "w.safetensors", plan)
    other = replace(plan, encoding=replace(plan.encoding, extent=True))
    with pytest.raises(DataError, match=r"w\.safetensors: are of another network"):
        predictor(other, path)


def test_points_outside_are_refused(tmp_path):
    scan = make_scan(stored_grid((24, 22, 20), (1.0, 1.0, 1.0)))
    plan = make_plan((1.0, 1.0, 1.0))
    made = predictor(plan, random_weights(tmp_path / "w.safetensors", plan))
    far = Prompt(1, scan.prompts[0].points + 500, "far")
    with pytest.raises(DataError):
        made.segment(scan, [far])
