"""Samples on the object's own grid as training draws them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interactivenet.inference.rules import make_sample
from interactivenet.planning.plan import CropMargins, Encoding, Normalisation, ObjectGrid
from interactivenet.preprocessing.object_grid import object_box
from interactivenet.preprocessing.region import make_region
from interactivenet.prompts.simulation import SimulationOptions
from interactivenet.training.intensities import OWN, UNCHANGED, Intensities, change_values
from interactivenet.training.made_up import LabelledImage, make_up, recoloured
from interactivenet.training.object_samples import (
    ANYTHING,
    ObjectAugmentation,
    draw_sample,
    labelled_image,
    look_into,
)
from interactivenet.training.random_fields import RandomSource
from interactivenet.training.warping import STRAIGHT, Warping, draw_axes, draw_warp, look
from tests.sample_cases import dice, make_plan, make_scan, stored_grid

PLAIN = ObjectAugmentation(STRAIGHT, UNCHANGED, made_up=0.0)


def object_plan(voxels=24):
    return make_plan(
        (1.0, 1.0, 1.0), cut=CropMargins(((1.0, 1.0),) * 3, ((0.3, 0.3),) * 3),
        normalisation=(Normalisation("zscore"),), grid=ObjectGrid(),
        encoding=Encoding(metric="gradient", extent=True), sample_shape=(voxels,) * 3,
    )  # fmt: skip


def thing_of(scan, plan):
    return labelled_image(make_region(scan, scan.prompts[0], plan), plan, "cpu")


@pytest.fixture(scope="module")
def scan():
    source = stored_grid((44, 40, 30), (1.0, 1.1, 1.4), (1, 2, 0), (-1, 1, 1), (0.1, 0.2, -0.1))
    return make_scan(source, radii=(12, 9, 7), seed=1)


def test_training_and_inference_see_the_same(scan):
    plan = object_plan()
    region = make_region(scan, scan.prompts[0], plan)
    sample = make_sample(scan, scan.prompts[0], plan)
    thing = labelled_image(region, plan, "cpu")
    origin = region.start * np.array(scan.image.grid.spacing)
    points = region.grid.world_to_voxel(scan.prompts[0].points) * region.grid.spacing
    assert np.allclose(origin + points, scan.image.grid.world_to_voxel(scan.prompts[0].points)
                       * scan.image.grid.spacing, atol=1e-3)  # fmt: skip
    box = object_box(points, thing.depth.numpy(), thing.scan.numpy(), plan.cut)
    image, label = look_into(box, thing, lambda mm: mm, plan)
    np.testing.assert_allclose(image.numpy(), sample.array[:1], atol=2e-4)
    assert np.array_equal(label.numpy(), sample.label > 0)


def test_a_draw_follows_from_its_seed_alone(scan):
    plan = object_plan()
    thing = thing_of(scan, plan)
    one, two, three = (
        draw_sample(thing, plan, ANYTHING, RandomSource([seed, 7])) for seed in (0, 0, 1)
    )
    assert torch.equal(one[0], two[0]) and torch.equal(one[1], two[1])
    assert not torch.equal(one[0], three[0])


@pytest.mark.parametrize("augmentation", [PLAIN, ObjectAugmentation(), ANYTHING])
def test_a_sample_is_whole_and_its_points_lie_in_the_object(scan, augmentation):
    plan = object_plan(32)
    thing = thing_of(scan, plan)
    for seed in range(12):
        sample, label = draw_sample(thing, plan, augmentation, RandomSource([seed]))
        assert sample.shape == (3, 32, 32, 32) and sample.dtype == torch.float32
        assert bool(sample.isfinite().all()) and label.dtype == torch.bool
        assert 0.005 < float(label.float().mean()) < 0.5
        assert abs(float(sample[0].mean())) < 1e-3 and abs(float(sample[0].std()) - 1) < 1e-2
        # the points: where the geodesic map is 1; a voxel's width around, for they are rounded
        near = torch.nn.functional.max_pool3d(label[None].float(), 3, 1, 1)[0] > 0
        points = sample[1] == 1
        assert 4 <= int(points.sum()) <= 6
        assert bool(near[points].all())


def test_points_lie_as_deep_as_they_are_said_to_more_or_less(scan):
    """The box grown by the depth is about the object's: what inference assumes."""
    plan = object_plan(48)
    fills = []
    for seed in range(20):
        _, label = draw_sample(thing_of(scan, plan), plan, PLAIN, RandomSource([seed]))
        voxels = label.nonzero()
        fills.append(((voxels.amax(0) - voxels.amin(0) + 1) / 48).tolist())
    # of a box with 0.3 of the extents around them, which would be 1 / 1.6, and 1 mm
    assert np.all(np.abs(np.mean(fills, axis=0) - 0.55) < 0.1)


def test_warping_moves_the_object_and_its_image_together(scan):
    """Of an image that is the object, the sample's image is the sample's label."""
    plan = object_plan(32)
    thing = thing_of(scan, plan)
    thing = replace(thing, image=thing.mask[None].float())
    strong = ObjectAugmentation(Warping(mirrored=True, bent=(0.07,)), UNCHANGED, made_up=0)
    for seed in range(8):
        sample, label = draw_sample(thing, plan, strong, RandomSource([seed]))
        threshold = (sample[0].max() + sample[0].min()) / 2
        assert torch.equal(sample[0] > threshold, label)


def test_axes_are_turned_and_mirrored_only_where_that_is_asked():
    rng = np.random.default_rng(0)
    for _ in range(20):
        matrix = draw_axes(Warping(), rng)
        assert (np.diag(matrix) > 0.4).all() and np.linalg.det(matrix) > 0
    signs = {np.sign(np.linalg.det(draw_axes(Warping(mirrored=True), rng))) for _ in range(20)}
    assert signs == {-1.0, 1.0}
    assert np.array_equal(draw_axes(STRAIGHT, rng), np.eye(3))


def test_looking_is_interpolating():
    rng = np.random.default_rng(0)
    array = rng.normal(size=(2, 5, 6, 7)).astype(np.float32)
    at = rng.uniform(-1, 7, (50, 3))
    from scipy.ndimage import map_coordinates

    result = look(torch.from_numpy(array), torch.tensor(at, dtype=torch.float32))
    expected = [map_coordinates(channel, at.T, order=1, mode="nearest") for channel in array]
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-5)


def test_a_straight_warp_is_none():
    voxels = torch.tensor([[2.0, 3, 4], [9, 8, 7]])
    warp, matrix = draw_warp(voxels, torch.tensor([1.0, 2, 3]), STRAIGHT, RandomSource([0]))
    at = torch.rand(10, 3) * 20
    assert warp.field is None and torch.equal(warp(at), at) and np.array_equal(matrix, np.eye(3))


def test_what_is_made_up_is_an_object_among_others():
    shares = []
    for seed in range(12):
        thing = make_up(2, RandomSource([seed]), side=40)
        assert thing.image.shape == (2, 40, 40, 40) and bool(thing.image.isfinite().all())
        assert bool((thing.depth > 0).all()) and bool((thing.spacing > 0.3).all())
        shares.append(float(thing.mask.float().mean()))
        draw_sample(thing, two_modalities(object_plan()), ANYTHING, RandomSource([seed, 1]))
    assert min(shares) > 0 and max(shares) < 0.6 and np.std(shares) > 0.01


def two_modalities(plan):
    return replace(plan, modalities=("a", "b"), normalisation=plan.normalisation * 2)


def test_recolouring_keeps_the_outlines():
    source = stored_grid((40, 40, 40), (1.0, 1.0, 1.0))
    scan = make_scan(source, radii=(12, 12, 12))
    thing = thing_of(scan, object_plan())
    mask = thing.mask
    smooth = torch.linspace(0, 1, mask.shape[0])[:, None, None].expand(mask.shape)
    thing = replace(thing, image=smooth[None].contiguous())
    other = recoloured(thing, RandomSource([3]))
    assert torch.equal(other.mask, mask) and other.image.shape == thing.image.shape
    inner, outer = other.image[0][mask], other.image[0][~mask]
    assert abs(float(inner.mean() - outer.mean())) > 0.05
    assert not torch.allclose(other.image, thing.image)


def test_recolouring_gives_every_labelled_object_values_of_its_own():
    scan = make_scan(stored_grid((40, 40, 40), (1.0, 1.0, 1.0)), radii=(12, 12, 12))
    thing = thing_of(scan, object_plan())
    thing = replace(thing, image=torch.zeros_like(thing.image))  # of which no quantile tells
    labels = torch.zeros(thing.mask.shape, dtype=torch.uint8)
    labels[:5], labels[-5:] = 3, 4
    means = []
    for seed in range(8):
        image = recoloured(replace(thing, labels=labels), RandomSource([seed])).image[0]
        means.append([float(image[:4].mean()), float(image[-4:].mean())])
    apart = np.abs(np.diff(means, axis=1))
    assert np.median(apart) > 0.5  # two draws of a normal value
    plain = [recoloured(thing, RandomSource([seed])).image[0] for seed in range(8)]
    assert np.median([abs(float(x[:4].mean() - x[-4:].mean())) for x in plain]) < 0.2


def test_unchanged_values_stay_and_changed_ones_keep_the_scale():
    image = torch.randn(2, 12, 12, 12, generator=torch.Generator().manual_seed(0))
    image = (image - image.mean((1, 2, 3), keepdim=True)) / image.std(
        (1, 2, 3), correction=0, keepdim=True
    )
    same = change_values(image, UNCHANGED, RandomSource([0]))
    assert torch.allclose(same, image, atol=1e-3)
    for settings in (Intensities(), OWN):
        changed = [change_values(image, settings, RandomSource([seed])) for seed in range(10)]
        for each in changed:
            assert bool(each.isfinite().all())
            assert torch.allclose(each.mean((1, 2, 3)), torch.zeros(2), atol=1e-3)
        assert sum(not torch.allclose(each, image, atol=1e-2) for each in changed) >= 5


def test_a_tasks_own_modality_is_not_turned_upside_down():
    image = torch.linspace(-2, 2, 4096).reshape(1, 16, 16, 16)
    image = (image - image.mean()) / image.std()
    for seed in range(30):
        changed = change_values(image, OWN, RandomSource([seed]))
        correlation = np.corrcoef(image.flatten(), changed.flatten())[0, 1]
        assert correlation > 0.3


def test_an_object_thinner_than_the_lattice_still_gets_points():
    mask = torch.zeros(60, 60, 60, dtype=torch.bool)
    mask[30, 5:55, 29:31] = True
    ones = torch.ones(3)
    thing = LabelledImage(torch.randn(1, 60, 60, 60), mask, mask, ones, ones, 2 * ones)
    sample, _ = draw_sample(thing, object_plan(), PLAIN, RandomSource([0]))
    assert bool(sample.isfinite().all()) and int((sample[1] == 1).sum()) >= 2


def test_points_come_back_where_the_object_is(scan):
    """An oracle of the whole way: what is drawn unwarped is the scan's own object."""
    plan = object_plan(48)
    thing = thing_of(scan, plan)
    _, label = draw_sample(thing, plan, PLAIN, RandomSource([4]))
    own = make_sample(scan, scan.prompts[0], plan)
    # other points, another box: the volumes agree in mm
    assert dice(label.numpy(), own.label) > 0.5


@pytest.mark.parametrize("whole", [False, True])
def test_points_are_placed_where_those_of_the_task_are(whole):
    """Not in a satellite, unless the task's points lie there as well."""
    source = stored_grid((60, 60, 60), (1.0, 1.0, 1.0))
    scan = make_scan(source, centre=(25, 25, 25), radii=(12, 12, 12))
    scan.label.array[0, 48:52, 48:52, 48:52] = 1
    plan = object_plan()
    region = make_region(scan, scan.prompts[0], plan)
    simulation = SimulationOptions(largest_component=not whole)
    thing = labelled_image(replace(region, simulation=simulation), plan, "cpu")
    assert int(thing.mask.sum()) == int((region.label > 0).sum())
    assert int(thing.mask.sum() - thing.pointed.sum()) == (0 if whole else 64)
    touched = labelled_image(replace(region, simulation=None), plan, "cpu")
    assert int(touched.mask.sum() - touched.pointed.sum()) == 64
    # what is learned is the object with all its parts
    _, label = draw_sample(thing, plan, PLAIN, RandomSource([0]))
    assert bool(label.any())
