"""Simulated clicks: where the network is wrong at that moment, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_cdt

from interactivenet.planning.plan import Normalisation, ObjectGrid
from interactivenet.system.signals import Interrupted
from interactivenet.training.clicks import ClickSimulation, correct_samples, depths, draw_click
from interactivenet.training.random_fields import RandomSource
from interactivenet.training.starting import take_weights
from interactivenet.training.trainer import train_fold
from tests.sample_cases import make_plan
from tests.training.test_resuming import Stop
from tests.training.test_starting import network_of, plan_of, start_of
from tests.training.trained_task import EXACT, first_fold, make_task, rows, same, weights

ONE_CLICK = ClickSimulation(shares=(0.0, 1.0), moved=0.0, deepest=1.0, unseen=0.0)
PLAN = make_plan((1.0, 1.0, 1.0), grid=ObjectGrid(), normalisation=(Normalisation("zscore"),),
                 corrections=True)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.tuples(*[st.integers(1, 15)] * 3), st.floats(0.05, 1.0), st.integers(0, 2**32))
def test_depths_are_chessboard_distances(shape, share, seed):
    mask = np.random.default_rng(seed).random(shape) < share
    padded = np.pad(mask, 1)
    expected = distance_transform_cdt(padded, "chessboard")[1:-1, 1:-1, 1:-1].clip(0, 12)
    np.testing.assert_array_equal(depths(torch.tensor(mask)).numpy(), expected)


@pytest.mark.parametrize("deepest", [0.0, 1.0])
def test_a_click_lies_in_the_error(deepest):
    wrong = torch.zeros(12, 11, 10, dtype=torch.bool)
    wrong[2:9, 3:8, 1:6] = True
    wrong[0, 0, 9] = True
    seen = set()
    for seed in range(40):
        voxel = draw_click(wrong, RandomSource([seed]), deepest=deepest)
        assert voxel.shape == (3,) and wrong[tuple(voxel.tolist())]
        seen.add(tuple(voxel.tolist()))
    inner = {voxel for voxel in seen if depths(wrong)[voxel] == 3}
    assert inner == seen if deepest else 0 < len(inner) < len(seen)
    assert draw_click(torch.zeros_like(wrong), RandomSource([0]), deepest=deepest) is None


def batch(found):
    """Two samples with an object each, and what is found of them."""
    label = torch.zeros(2, 1, 16, 16, 16, dtype=torch.uint8)
    label[:, :, 4:12, 4:12, 4:12] = 1
    image = torch.rand(2, PLAN.channels, 16, 16, 16)
    image[:, -3:] = 0
    return image, label, lambda images: torch.stack([found] * len(images))


def test_what_was_missed_gets_a_positive_click_and_what_was_taken_in_a_negative_one():
    for value, channel, other in ((0.0, -3, -2), (1.0, -2, -3)):
        found = torch.full((16, 16, 16), value)
        image, label, predict = batch(found)
        kept = image.clone()
        correct_samples(image, label, PLAN, predict, RandomSource([1]), ONE_CLICK)
        assert torch.equal(image[:, :-3], kept[:, :-3])
        assert torch.equal(image[:, -1], torch.stack([found] * 2))
        assert not image[:, other].any() and (image[:, channel].amax((1, 2, 3)) == 1).all()
        clicked = image[:, channel] == 1
        inside = label[:, 0] > 0
        assert (inside[clicked] == (value == 0)).all() and clicked.sum() == 2


def test_what_is_right_gets_no_click():
    image, label, _ = batch(torch.zeros(16, 16, 16))
    truth = label[0, 0].float()
    correct_samples(image, label, PLAN, lambda images: torch.stack([truth] * len(images)),
                    RandomSource([0]), ONE_CLICK)  # fmt: skip
    assert not image[:, -3:].any()


def test_every_turn_asks_those_that_get_more_and_shares_are_kept():
    asked = []

    def predict(images):
        asked.append(len(images))
        return torch.zeros(len(images), 16, 16, 16)

    label = torch.ones(400, 1, 16, 16, 16, dtype=torch.uint8)
    image = torch.zeros(400, PLAN.channels, 16, 16, 16)
    correct_samples(image, label, PLAN, predict, RandomSource([5]))
    assert len(asked) == 5
    assert min(asked) > 1
    assert np.allclose(np.array(asked) / 400, [0.5, 0.35, 0.23, 0.13, 0.05], atol=0.07)
    untouched = (image[:, -3:].flatten(1) == 0).all(1).sum()
    assert untouched == 400 - asked[0]


def test_clicks_follow_from_the_seed():
    made = []
    for seed in (3, 3, 4):
        image, label, predict = batch(torch.rand(16, 16, 16, generator=torch.manual_seed(0)))
        correct_samples(image, label, PLAN, predict, RandomSource([seed]),
                        replace(ONE_CLICK, deepest=0.5, moved=0.7))  # fmt: skip
        made.append(image[:, -3:])
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])


def test_a_start_without_corrections_is_what_it_was_until_somebody_clicks():
    plan = plan_of("MR")
    start = start_of(plan)
    clicked = replace(plan, corrections=True)
    network, plain = network_of(clicked), network_of(plan)
    transfer = take_weights(network, clicked, start)
    plain.load_state_dict(dict(start.weights))
    assert "what is made of channel corrections" in transfer.describe(start)
    image = torch.rand(1, plan.channels, 16, 16, 16)
    empty = torch.zeros(1, 3, 16, 16, 16)
    with torch.inference_mode():
        both = network.eval()(torch.cat([image, empty], 1)), plain.eval()(image)
    torch.testing.assert_close(*both)
    again = take_weights(network_of(clicked), clicked, start_of(clicked))
    assert again.channels == ()


@pytest.mark.parametrize("grid", ["object", "spacing"])
def test_a_training_with_corrections_goes_on_where_it_was(tmp_path, grid):
    more = ["--grid-voxels", "32"] if grid == "object" else []
    fold = first_fold(make_task(tmp_path, ["--corrections", "--grid", grid, *more]))
    assert fold.plan.corrections and fold.plan.channels == 1 + 2 + 3
    options = replace(EXACT, steps=2)
    whole = train_fold(fold, tmp_path / "whole", options, warn=lambda line: None)
    with pytest.raises(Interrupted):
        train_fold(fold, tmp_path / "part", options, [Stop(3)], warn=lambda line: None)
    train_fold(fold, tmp_path / "part", options, warn=lambda line: None)
    assert len(whole.history) == len(rows(tmp_path / "part")) == 2
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "part"))
