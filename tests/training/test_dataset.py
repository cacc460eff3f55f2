"""Patches: new points in the object, patches of the planned shape, repeatable."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.utils.data import DataLoader

from interactivenet.imaging.geometry import Geometry
from interactivenet.models.device import worker_context
from interactivenet.planning.plan import Encoding
from interactivenet.preprocessing.region import make_region
from interactivenet.preprocessing.sample import crop_sample
from interactivenet.prompts.simulation import SimulationOptions as Simulation
from interactivenet.training.augmentation import NONE, Augmentation
from interactivenet.training.dataset import (
    EpochBatches,
    PatchDataset,
    Patches,
    ValidationDataset,
    draw_patch,
    draw_prompt,
    settle_worker,
)
from tests.sample_cases import make_plan, make_scan, stored_grid
from tests.training.trained_task import first_fold


def patches(root, augmentation=NONE):
    fold = first_fold(root)
    return Patches(fold.plan, fold.processed, fold.training, 5, augmentation)


def made_region(simulation, shape=(30, 28, 26), spacing=(1.0, 1.0, 1.0), radii=None):
    scan = make_scan(stored_grid(shape, spacing), radii=radii)
    region = make_region(scan, scan.prompts[0], make_plan(spacing))
    return replace(region, simulation=simulation)


@pytest.mark.parametrize("simulation", [Simulation(), Simulation(depth_mm=2.0), None])
def test_new_points_lie_in_the_object_and_differ(simulation):
    region = made_region(simulation)
    seen = set()
    for seed in range(10):
        points = draw_prompt(region, np.random.default_rng(seed))
        voxels = region.grid.nearest_voxel(points)
        assert voxels.shape == (6, 3) and (region.label[tuple(voxels.T)] == 1).all()
        seen.add(voxels.tobytes())
    assert len(seen) == 10


def test_a_persons_points_stay_near():
    region = made_region(None)
    moved = [draw_prompt(region, np.random.default_rng(seed)) for seed in range(200)]
    away = np.linalg.norm(np.array(moved) - region.prompt.points, axis=-1)
    # noise of 2 mm along each axis, less where it would leave the object
    assert 1.5 < away.mean() < 4 and away.max() < 12


def test_points_lie_as_deep_as_in_the_scan():
    """5 voxels of the scan, whatever the target grid."""
    scan = make_scan(stored_grid((60, 60, 60), (0.5, 0.5, 0.5)), radii=(25, 25, 25))
    plan = make_plan((1.0, 1.0, 1.0))
    region = replace(make_region(scan, scan.prompts[0], plan), simulation=Simulation())
    inside = np.argwhere(region.label)
    low, high = inside.min(axis=0), inside.max(axis=0)
    depths = []
    for seed in range(40):
        voxels = region.grid.nearest_voxel(draw_prompt(region, np.random.default_rng(seed)))
        depths += [*(voxels.min(axis=0) - low), *(high - voxels.max(axis=0))]
    assert 1.5 < np.mean(depths) < 3.5  # 2.5 mm, and up to 2 mm of noise


def test_a_region_without_its_object_keeps_its_points():
    region = made_region(Simulation())
    empty = replace(region, label=np.zeros_like(region.label))
    assert np.array_equal(draw_prompt(empty, np.random.default_rng(0)), region.prompt.points)


def euclidean(patches, **changes):
    """The same draws with maps that are easily foretold: exp(-mm from the nearest point / 10)."""
    plan = replace(patches.plan, encoding=Encoding(kind="euclidean", sigma_mm=10.0), **changes)
    return replace(patches, plan=plan)


def stored(patches, index=0):
    """Image (X, Y, Z), label and record of a region, read as they lie on the disk."""
    path = patches.folder / "regions" / f"{patches.names[index]}.npz"
    arrays = np.load(path)
    return arrays["image"][0], arrays["label"], json.loads(path.with_suffix(".json").read_text())


def cut_from(image, patch):
    """Where (3,) in the image the patch was cut: where the middle of the patch is found in it."""
    middle = np.array(patch.shape) // 2
    block = patch[tuple(slice(n - 2, n + 2) for n in middle)]
    blocks = np.lib.stride_tricks.sliding_window_view(image, block.shape)
    (voxel,) = np.argwhere((blocks == block).all(axis=(3, 4, 5)))
    return voxel + 2 - middle


def window(array, start, shape):
    """The part of an array from ``start`` on, 0 where there is none."""
    padded = np.pad(array, [(n, n) for n in shape])
    return padded[tuple(slice(a + n, a + 2 * n) for a, n in zip(start, shape, strict=True))]


def test_an_unaugmented_draw_is_cut_from_the_region_around_new_points(planned_task):
    made = euclidean(patches(planned_task))
    image, label, record = stored(made)
    spacing = np.linalg.norm(np.array(record["grid"]["affine"])[:3, :3], axis=0)
    drawn = set()
    for epoch in range(5):
        array, mask = PatchDataset(made)[epoch, 1, 0]
        assert array.shape == (2, *made.plan.sample_shape) and array.dtype == torch.float32
        assert mask.shape == (1, *made.plan.sample_shape) and mask.dtype == torch.uint8
        values, near = array.numpy()
        start = cut_from(image, values)
        inside = values != 0  # the rest of the patch is padding, beyond the planned margins
        assert inside.mean() > 0.3
        assert np.array_equal(values[inside], window(image, start, values.shape)[inside])
        expected = window(label, start, values.shape) * inside
        assert np.array_equal(mask[0].numpy() * inside, expected)
        points = np.argwhere(near == 1)
        assert 4 <= len(points) <= 6 and mask[0].numpy()[tuple(points.T)].all()
        distance = ndimage.distance_transform_edt(near != 1, spacing)
        assert np.allclose(near[inside], np.exp(-distance / 10)[inside], atol=1e-5)
        drawn.add((points + start).tobytes())
    assert len(drawn) == 5


def test_values_change_in_the_image_alone(planned_task):
    values = replace(NONE, values=1.0)
    draws = PatchDataset(patches(planned_task, values))
    changed = 0
    for number in range(12):
        varied, plain = draws[0, number, 0][0], PatchDataset(patches(planned_task))[0, number, 0][0]
        assert torch.equal(varied[1:], plain[1:])
        changed += not torch.equal(varied[:1], plain[:1])
    assert changed > 3


def test_draws_are_the_same_with_workers(planned_task):
    made = patches(planned_task, Augmentation())
    batches = EpochBatches(len(made.names), 2, 5)
    alone = list(DataLoader(PatchDataset(made), batch_sampler=batches))
    more = {"num_workers": 1, "multiprocessing_context": worker_context()}
    helped = list(
        DataLoader(PatchDataset(made), batch_sampler=batches, worker_init_fn=settle_worker, **more)
    )
    assert len(alone) == len(helped) == len(batches)
    for (a, b), (c, d) in zip(alone, helped, strict=True):
        assert torch.equal(a, c) and torch.equal(b, d)


def test_patches_of_a_large_sample_hold_what_matters():
    region = made_region(Simulation(), shape=(80, 70, 60), radii=(28, 22, 20))
    plan = make_plan((1.0, 1.0, 1.0))
    sample = crop_sample(region, region.prompt.points, plan)
    assert (np.array(sample.grid.shape) > plan.sample_shape).all()
    held = []
    for seed in range(300):
        array, label = draw_patch(sample, plan, NONE, np.random.default_rng(seed))
        assert label.shape == plan.sample_shape and array.shape == (2, *plan.sample_shape)
        assert np.isin(array[0], sample.array[0]).all()  # from inside the sample, no padding
        held.append(label.any() or (array[1] == 1).any())
    assert np.mean(held) > 2 / 3
    flat = replace(plan, sample_shape=(96, 16, 16))  # larger along one axis: padded there
    array, label = draw_patch(sample, flat, NONE, np.random.default_rng(0))
    assert label.shape == flat.sample_shape


def test_validation_shows_the_stored_points_and_of_large_samples_the_middle(planned_task):
    made = euclidean(patches(planned_task), sample_shape=(64, 64, 64))
    assert len(ValidationDataset(made)) == len(made.names)
    small = replace(made, plan=replace(made.plan, sample_shape=(8, 8, 8)))
    for index in range(len(made.names)):
        array, mask = ValidationDataset(made)[index]
        image, label, record = stored(made, index)
        grid = Geometry(tuple(record["grid"]["shape"]), np.array(record["grid"]["affine"]))
        start = cut_from(image, array[0].numpy())
        points = grid.nearest_voxel(np.array(record["points"])) - start
        assert {*map(tuple, points)} == {*map(tuple, np.argwhere(array[1].numpy() == 1))}
        assert mask.sum() == label.sum()  # of a sample that is smaller than 64 voxels, all
        middle = (..., *(slice(28, 36),) * 3)
        parts = zip(ValidationDataset(small)[index], (array, mask), strict=True)
        assert all(torch.equal(part, whole[middle]) for part, whole in parts)


@pytest.mark.parametrize(("regions", "size", "batches"), [(100, 6, 17), (3, 2, 10), (1, 4, 10)])
def test_epochs(regions, size, batches):
    sampler = EpochBatches(regions, size, 0)
    keys = list(sampler)
    assert len(sampler) == len(keys) == batches and all(len(batch) == size for batch in keys)
    flat = [key for batch in keys for key in batch]
    assert {key[2] for key in flat} == set(range(regions))  # every region, every epoch
    counts = np.bincount([key[2] for key in flat])
    assert counts.max() - counts.min() <= 1
    assert len(set(flat)) == len(flat) and all(key[0] == 0 for key in flat)
    assert list(sampler) == keys
    sampler.epoch = 1
    later = [key[2] for batch in sampler for key in batch]
    assert (later == [key[2] for key in flat]) == (regions == 1)


def test_an_interrupted_epoch_goes_on_where_it_was():
    sampler = EpochBatches(40, 3, 7)
    sampler.epoch = 2
    whole = list(sampler)
    again = EpochBatches(40, 3, 7)
    again.resume(2, 5)
    assert list(again) == whole[5:] == list(again)  # however often it is begun
    again.epoch = 3
    assert len(list(again)) == len(again)


def test_processes_share_an_epoch():
    shares = [list(EpochBatches(50, 2, 0, rank=rank, processes=3)) for rank in range(3)]
    assert len({len(share) for share in shares}) == 1
    keys = [key for share in shares for batch in share for key in batch]
    assert len(set(keys)) == len(keys) and {key[2] for key in keys} == set(range(50))
