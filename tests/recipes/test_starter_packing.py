"""Objects in one file: what is read back is what was packed, but for noise of a step."""

from contextlib import closing

import torch

from interactivenet.training.made_up import make_up
from interactivenet.training.random_fields import RandomSource
from recipes.starter.draws import Draws, batches, threaded
from recipes.starter.packing import pack, read_packed
from recipes.starter.train import starter_plan


def objects(count=3):
    kinds = ("organ", "vertebra", "tumour")
    things = [make_up(1, RandomSource([number]), side=24) for number in range(count)]
    return list(zip(kinds, things, strict=False))


def test_masks_are_kept_and_images_but_for_a_step(tmp_path):
    packed = objects()
    pack(packed, tmp_path / "objects")
    read = read_packed(tmp_path / "objects", [], "cpu")
    assert [kind for kind, _ in read] == [kind for kind, _ in packed]
    for (_, before), (_, after) in zip(packed, read, strict=True):
        for name in ("mask", "pointed", "spacing", "scan", "depth"):
            assert torch.equal(getattr(before, name), getattr(after, name))
        error = (before.image - after.image).abs()
        assert error.max() < 0.05 * (before.image.max() - before.image.min())
        assert error.mean() < 0.02 * before.image.std()
        assert error.max() > 0


def test_kinds_can_be_left_out(tmp_path):
    pack(objects(), tmp_path / "objects")
    read = read_packed(tmp_path / "objects", ["vertebra"], "cpu")
    assert [kind for kind, _ in read] == ["organ", "tumour"]


def test_samples_follow_from_the_seed_and_differ_from_one_another():
    plan = starter_plan(16)
    with batches(objects(), plan, 2, [5, 0], 0) as drawn:
        first = [next(iter(drawn)) for _ in range(2)]
    with batches(objects(), plan, 2, [6, 0], 0) as drawn:
        other = next(iter(drawn))
    (image, label), again = first[0], first[1]
    assert image.shape == (2, plan.channels, 16, 16, 16) and label.shape == (2, 1, 16, 16, 16)
    assert torch.equal(image, again[0]) and torch.equal(label, again[1])
    assert not torch.equal(image[0], image[1]) and not torch.equal(image, other[0])


def test_threads_draw_what_one_process_does_in_order():
    packed, plan = objects(), starter_plan(16)
    with (
        batches(packed, plan, 2, [5, 0], 0) as alone,
        closing(threaded(Draws(packed, plan, [5, 0]), 2, 3)) as together,
    ):
        for _, first, second in zip(range(3), alone, together, strict=False):
            assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
