"""Samples that come back to the starter's network, with clicks on what it found in them."""

import pytest
import torch

from recipes.starter.memory import MOST_CLICKS, Memory
from recipes.starter.train import starter_plan

N = 16


def batch_of(plan, count=2):
    label = torch.zeros(count, 1, N, N, N, dtype=torch.uint8)
    label[:, :, 3:12, 4:9, 5:15] = 1
    image = torch.rand(count, plan.channels, N, N, N)
    if plan.corrections:
        image[:, -3:] = 0
    image[:, 0] = label[:, 0].float()
    return image, label


@pytest.mark.parametrize("corrections", [False, True])
def test_what_was_seen_comes_back_turned(corrections):
    plan = starter_plan(N, corrections=corrections)
    memory = Memory(plan, 2, 0)
    image, label = batch_of(plan)
    first, _ = memory.batch(image, label)
    assert torch.equal(first, image)  # nothing is remembered yet
    memory.remember(image, label, torch.zeros(2, N, N, N))
    images, labels = memory.batch(*batch_of(plan))
    assert len(images) == 4 and torch.equal(images[2:, 0] > 0.5, labels[2:, 0] > 0)
    assert any(not torch.equal(labels[0], turned) for turned in labels[2:])
    if corrections:
        assert (images[2:, -3].amax((1, 2, 3)) > 0.5).all()  # of what was missed
        assert not images[:, -2].any() and not images[:2, -3:].any()


def test_clicks_turn_with_their_sample_and_grow_in_number():
    plan = starter_plan(N, corrections=True)
    memory = Memory(plan, 1, 3)
    image, label = batch_of(plan, 1)
    memory.batch(image, label)
    memory.remember(image, label, torch.zeros(1, N, N, N))
    for count in range(1, MOST_CLICKS + 1):
        images, labels = memory.batch(image[:0], label[:0])
        (clicks,) = memory._now
        assert len(clicks) == count and not clicks.of_sign[False]
        for place in clicks.of_sign[True]:
            nearest = place.round().long().clamp(0, N - 1)
            assert images[0, -3][tuple(nearest.tolist())] > 0.35  # where the map says so
            low = (nearest - 2).clamp(0)
            x, y, z = (slice(int(a), int(a) + 5) for a in low)
            assert labels[0, 0, x, y, z].any()
        memory.remember(images, labels, torch.zeros(1, N, N, N))
    assert not memory._kept  # after so many clicks it is forgotten


def test_samples_stay_on_the_device_that_draws_new_ones():
    """Else they could not be stacked with these, on a graphics card."""
    plan = starter_plan(N, corrections=True)
    memory = Memory(plan, 1, 0)
    image, label = (tensor.to("meta") for tensor in batch_of(plan, 1))
    memory.batch(image, label)
    memory.remember(image, label, torch.zeros(1, N, N, N, device="meta"))
    (kept,) = memory._kept
    assert {kept.image.device, kept.label.device, kept.found.device} == {torch.device("meta")}
