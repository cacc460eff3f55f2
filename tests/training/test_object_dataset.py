"""Draws and trainings on the object's own grid, from a planned task."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from interactivenet.inference.predictor import Predictor
from interactivenet.models.model import Model
from interactivenet.training.dataset import EpochBatches, Patches, labelled_region
from interactivenet.training.lightning_module import Segmenter
from interactivenet.training.object_dataset import ObjectDataset, StagedBatches, coarser
from interactivenet.training.object_samples import ANYTHING, ObjectAugmentation
from interactivenet.training.trainer import train_fold
from tests.training.trained_task import EXACT, first_fold, make_task, rows, same, weights


@pytest.fixture(scope="module")
def object_task(tmp_path_factory):
    planning = ["--grid", "object", "--grid-voxels", "32"]
    return make_task(tmp_path_factory.mktemp("objects"), planning)


def patches(fold):
    return Patches(fold.plan, fold.processed, fold.training, 5, None)


def test_a_draw_follows_from_seed_epoch_and_number(object_task):
    fold = first_fold(object_task)
    one, two = (ObjectDataset(patches(fold), ObjectAugmentation()) for _ in range(2))
    two[3, 1, 1, False]  # what was drawn before changes nothing
    first, second = one[0, 7, 0, False], two[0, 7, 0, False]
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    assert first[0].shape == (3, 32, 32, 32) and first[1].shape == (1, 32, 32, 32)
    assert first[1].dtype == torch.uint8 and set(first[1].unique().tolist()) == {0, 1}
    assert not torch.equal(first[0], one[0, 8, 0, False][0])


def test_a_coarse_draw_is_the_same_object_on_fewer_voxels(object_task):
    fold = first_fold(object_task)
    assert coarser(fold.plan).sample_shape == (16, 16, 16)
    dataset = ObjectDataset(patches(fold), replace(ObjectAugmentation(), made_up=0.0))
    fine, coarse = (dataset[0, 7, 0, is_coarse] for is_coarse in (False, True))
    assert coarse[0].shape == (3, 16, 16, 16) and coarse[1].shape == (1, 16, 16, 16)
    ellipsoids = [sample[2] for sample, _ in (fine, coarse)]  # where the box is, and how large
    pooled = torch.nn.functional.avg_pool3d(ellipsoids[0][None], 2)[0]
    assert torch.allclose(pooled, ellipsoids[1], atol=0.01)
    shares = [float(label.float().mean()) for _, label in (fine, coarse)]
    assert shares[0] == pytest.approx(shares[1], rel=0.15)


@pytest.mark.parametrize(("voxels", "fewer"), [(96, 64), (80, 48), (64, 40), (48, 32), (16, 16)])
def test_coarse_samples_are_what_the_network_can_take(object_task, voxels, fewer):
    plan = replace(first_fold(object_task).plan, sample_shape=(voxels,) * 3)
    assert plan.network.divisor == (8, 8, 8)
    assert coarser(plan).sample_shape == (fewer,) * 3


def test_batches_are_coarse_until_a_step_of_the_training_and_the_same_otherwise():
    batches = EpochBatches(6, 2, 0, steps=5)
    staged = StagedBatches(batches, lambda step: step < 7)
    seen = []
    for epoch in range(2):
        batches.epoch = epoch
        expected = list(batches)
        assert [[key[:3] for key in batch] for batch in staged] == expected
        seen += [{key[3] for key in batch} for batch in staged]
    assert seen == [{True}] * 7 + [{False}] * 3
    batches.resume(1, 3)  # interrupted: what is left of the second epoch
    assert len(staged) == 5 and [batch[0][:2] for batch in staged] == [(1, 6), (1, 8)]


def test_axes_are_mirrored_where_the_plan_says_so_or_it_is_asked_for(object_task):
    fold = first_fold(object_task)
    assert not fold.plan.is_mirrored
    assert not ObjectDataset(patches(fold), ObjectAugmentation())._augmentation.warping.mirrored
    assert ObjectDataset(patches(fold), ANYTHING)._augmentation.warping.mirrored
    plan = replace(fold.plan, grid=replace(fold.plan.grid, mirrored=True))
    own = Patches(plan, fold.processed, fold.training, 5, None)
    assert ObjectDataset(own, ObjectAugmentation())._augmentation.warping.mirrored


def test_made_up_objects_are_drawn_as_often_as_asked(object_task, monkeypatch):
    fold = first_fold(object_task)
    read = []
    monkeypatch.setattr("interactivenet.training.object_dataset.labelled_region",
                        lambda *args: read.append(args) or labelled_region(*args))  # fmt: skip
    never = ObjectDataset(patches(fold), replace(ObjectAugmentation(), made_up=1.0))
    never[0, 0, 0, False]
    assert not read
    always = ObjectDataset(patches(fold), replace(ObjectAugmentation(), made_up=0.0))
    for number in range(3):
        always[0, number, 1, False]
    assert len(read) == 1  # kept in memory


def test_a_training_begins_on_fewer_voxels_and_ends_on_all(object_task, tmp_path, monkeypatch):
    seen = []
    step = Segmenter.training_step
    monkeypatch.setattr(Segmenter, "training_step", lambda module, batch, index: (
        seen.append(tuple(batch[0].shape[2:])) or step(module, batch, index)))  # fmt: skip
    options = replace(EXACT, epochs=2, steps=5)
    train_fold(first_fold(object_task), tmp_path, options, warn=lambda line: None)
    assert seen == [(16, 16, 16)] * 6 + [(32, 32, 32)] * 4


def test_a_training_ends_with_weights_that_the_predictor_takes(object_task, tmp_path):
    fold = first_fold(object_task)
    options = replace(EXACT, epochs=2, steps=3)
    trained = train_fold(fold, tmp_path / "a", options, warn=lambda line: None)
    again = train_fold(fold, tmp_path / "b", options, warn=lambda line: None)
    assert len(trained.history) == len(rows(tmp_path / "a")) == len(again.history) == 2
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    plan = fold.plan
    predictor = Predictor(Model(plan, (tmp_path / "a" / "model_last.safetensors",)))
    assert predictor._networks.flips == ((False, False, False),)  # trained on the patient's axes
    saved = load_file(tmp_path / "a" / "model_last.safetensors")
    assert all(bool(value.isfinite().all()) for value in saved.values())
