"""Mirrored copies: no more are asked than are needed, and what was asked is what counts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interactivenet.inference import mirroring
from interactivenet.inference.mirroring import ENOUGH, FLIPS, RunningMean
from interactivenet.inference.predictor import Predictor
from interactivenet.inference.rules import make_sample, rules_for
from interactivenet.models.model import Model
from interactivenet.postprocessing.calibration import Calibration, agreement
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.prompt import Prompt
from tests.inference.predictors import predictor, random_weights
from tests.sample_cases import make_plan, make_scan, stored_grid

PLAN = make_plan((1.0, 1.0, 1.0))
WHOLE = (..., slice(None), slice(None), slice(None))


@pytest.fixture(scope="module")
def sample():
    scan = make_scan(stored_grid((24, 22, 20), (1.0, 1.0, 1.0)))
    return make_sample(scan, scan.prompts[0], PLAN)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return [random_weights(folder / f"{seed}.safetensors", PLAN, seed) for seed in range(2)]


@pytest.fixture(scope="module")
def every(sample, paths):
    """What all copies say."""
    return predictor(PLAN, *paths).answer_one(sample)


def members(count, noise, seed):
    """Scores of copies around one object, more or less of one mind."""
    random = np.random.default_rng(seed)
    x = np.linspace(-1, 1, 20)
    distance = np.sqrt(sum(axis**2 for axis in np.meshgrid(x, x, x, indexing="ij")))
    for _ in range(count):
        radius = 0.6 + noise * random.normal()
        yield torch.from_numpy(1 / (1 + np.exp(20 * (distance - radius)))).float()


def asked(scores):
    mean = RunningMean(rules_for(PLAN), WHOLE)
    for score in scores:
        mean.add(score)
    return mean


def test_copies_come_as_opposites_and_balanced():
    assert len(set(FLIPS)) == 8 and FLIPS[0] == (False, False, False)
    for one, other in zip(FLIPS[::2], FLIPS[1::2], strict=True):
        assert all(a != b for a, b in zip(one, other, strict=True))
    for count in ENOUGH:
        assert np.array_equal(np.mean(FLIPS[:count], axis=0), [0.5, 0.5, 0.5])


def test_the_more_they_disagree_the_more_are_asked():
    counts = []
    for noise in (0.0, 0.006, 0.1):
        enough = []
        for seed in range(10):
            mean = asked(members(8, noise, seed))
            mean.finish()
            enough.append(mean.enough)
        counts.append(np.mean(enough))
    assert counts[0] == 2 and counts[0] < counts[1] < counts[2] and counts[2] > 5


@pytest.mark.parametrize("seed", range(20))
def test_where_it_ends_the_halves_agree(seed):
    scores = list(members(8, 0.02, seed))
    mean = asked(scores)
    mean.finish()
    for count in (*ENOUGH, 8):
        half = count // 2
        one, other = (torch.stack(part).mean(0) >= 0.5 for part in
                      (scores[:half], scores[half:count]))  # fmt: skip
        dice = 2 * float((one & other).sum()) / float(one.sum() + other.sum())
        if count == 8 or dice >= ENOUGH[count]:
            assert mean.enough == count
            first = torch.stack(scores[:count]).mean(0).numpy()
            assert mean.agreed == pytest.approx(agreement(first), abs=1e-6)
            break
        assert mean.enough != count


def test_nothing_found_is_not_agreed_upon():
    mean = asked([torch.zeros(8, 8, 8)] * 8)
    mean.finish()
    assert mean.enough == 8


def test_fewer_copies_are_the_first_of_all(sample, paths, monkeypatch):
    """What was asked is averaged; the agreement of it is known where all are asked, too."""
    monkeypatch.setattr(mirroring, "ENOUGH", {2: 0.5, 4: 0.3})
    few = predictor(PLAN, *paths, mirrored="adaptive").answer_one(sample)
    every = predictor(PLAN, *paths).answer_one(sample)
    assert set(few.copies) <= {2, 4, 8} and min(few.copies) < 8 and every.copies == (8, 8)
    assert few.agreement == every.adaptive == few.adaptive and few.single == every.single
    for number, count in enumerate(few.copies):
        one = predictor(PLAN, paths[number])
        one._networks.flips = FLIPS[:count]
        assert np.array_equal(few.probability[number], one.answer_one(sample).probability[0])
    again = predictor(PLAN, *paths, mirrored="adaptive").answer_one(sample)
    assert np.array_equal(few.probability, again.probability) and few.copies == again.copies


def test_where_none_agree_all_are_asked(sample, paths, every, monkeypatch):
    monkeypatch.setattr(mirroring, "ENOUGH", {2: 1.1, 4: 1.1})
    few = predictor(PLAN, *paths, mirrored="adaptive").answer_one(sample)
    assert few.copies == (8, 8) and np.array_equal(few.probability, every.probability)
    assert few.agreement == every.agreement == few.adaptive


def test_no_copy_is_computed_before_it_is_needed(tmp_path, monkeypatch):
    """Not where eight fit at once, as on a graphics card, either."""
    monkeypatch.setattr(mirroring, "ENOUGH", {2: 0.0, 4: 0.0})
    plan = replace(PLAN, sample_shape=(32, 32, 32))
    scan = make_scan(stored_grid((24, 22, 20), (1.0, 1.0, 1.0)))
    sample = make_sample(scan, scan.prompts[0], plan)
    weights = random_weights(tmp_path / "w.safetensors", plan)
    for mirrored, expected in (("adaptive", [2]), (True, [8]), (False, [1])):
        made = predictor(plan, weights, mirrored=mirrored, batch=8)
        seen = []
        network = made._networks.networks[0]
        network.register_forward_pre_hook(lambda _, args, seen=seen: seen.append(len(args[0])))
        made.answer_one(sample)
        assert seen == expected


def test_corrections_are_asked_as_carefully(tmp_path, monkeypatch):
    monkeypatch.setattr(mirroring, "ENOUGH", {2: 0.0, 4: 0.0})
    plan = replace(PLAN, corrections=True)
    scan = make_scan(stored_grid((24, 22, 20), (1.0, 1.0, 1.0)))
    first = scan.prompts[0]
    click = Correction(tuple(first.points.mean(axis=0)), True)
    prompt = Prompt(first.label, first.points, first.name, corrections=(click,))
    made = predictor(plan, random_weights(tmp_path / "w.safetensors", plan), mirrored="adaptive")
    answer = made.answer_one(make_sample(scan, prompt, plan))
    assert answer.corrections == 1 and answer.copies == (2,)


def test_an_expected_dice_is_of_as_many_copies(paths):
    """Of a model that knows agreements of all copies alone, none is expected of fewer."""
    curve = Calibration(
        "constant", (0.0, 1.0), (0.8, 0.8), None, 0.5, None, None, None, 0.1, 0.1, 20, 20
    )
    model = Model(PLAN, tuple(paths[:1]), (0,), calibrations={"mirrored": curve, "single": curve})
    assert model.calibration("adaptive") is None and model.calibration(True) is curve
    scan = make_scan(stored_grid((24, 22, 20), (1.0, 1.0, 1.0)))
    options = {"device": "cpu", "precision": "fp32", "mirrored": "adaptive"}
    assert Predictor(model, **options).segment(scan).objects[0].expected_dice is None
    known = replace(model, calibrations={"adaptive": curve})
    assert known.calibration("adaptive") is curve and known.calibration(True) is None
