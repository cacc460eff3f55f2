"""Regions around an object with a grid of its own: large enough, filtered, clipped, or refused."""

from dataclasses import replace

import numpy as np
import pytest

from interactivenet.errors import DataError
from interactivenet.imaging.volume import Volume
from interactivenet.inference.rules import make_sample
from interactivenet.planning.plan import Normalisation, ObjectGrid
from interactivenet.preprocessing.object_region import (
    LEAST_REACH,
    REACH,
    check_box,
    sample_box,
    smooth,
)
from interactivenet.preprocessing.region import make_region
from interactivenet.preprocessing.sample import crop_sample
from interactivenet.preprocessing.storage import region_settings
from interactivenet.prompts.prompt import Prompt
from tests.preprocessing.object_plans import object_plan
from tests.sample_cases import make_plan, make_scan, stored_grid


def test_a_region_holds_more_than_the_sample_and_is_no_finer_than_it_must_be():
    source = stored_grid((200, 200, 40), (0.5, 0.5, 2.0))
    scan = make_scan(source, radii=(80, 80, 15))
    (prompt,) = scan.prompts
    plan = object_plan(16)
    region = make_region(scan, prompt, plan)
    sample = crop_sample(region, prompt.points, plan)
    assert region.coverage == 1
    # two voxels of the region for one of the sample, where the scan has many
    ratio = np.array(sample.grid.spacing) / region.grid.spacing
    assert (ratio >= 1).all() and ratio.max() < 3.01
    assert np.prod(region.image.shape) < 0.05 * np.prod(source.shape)
    box = sample_box(prompt, plan, scan.image.grid)
    extents = box.high - box.low
    reach = np.maximum(REACH * extents, LEAST_REACH * extents.max())
    covered = (region.stop - region.start) * scan.image.grid.spacing
    whole = np.array(source.shape) * source.spacing
    assert (covered >= np.minimum(box.high - box.low + 2 * reach, whole) - 1e-6).all()


def test_noise_is_filtered_before_it_is_sampled_coarsely():
    noise = np.random.default_rng(0).normal(size=(60, 60, 60)).astype(np.float32)
    quiet = noise.copy()
    smooth(quiet, np.array([4.0, 4.0, 4.0]))
    assert quiet.std() < 0.15 and abs(quiet.mean() - noise.mean()) < 0.01
    same = noise.copy()
    smooth(same, np.array([1.0, 0.5, 0.9]))
    assert np.array_equal(same, noise)


def test_coverage_tells_what_the_box_does_not_hold():
    source = stored_grid((60, 60, 60), (1.0, 1.0, 1.0))
    scan = make_scan(source, radii=(20, 20, 20))
    few = Prompt(1, scan.prompts[0].points * 0 + scan.image.grid.voxel_to_world([[30, 30, 30]])
                 + np.array([[0, 0, 0], [2, 2, 2], [4, 4, 4], [1, 0, 0], [0, 1, 0], [0, 0, 1]]),
                 "a")  # fmt: skip
    region = make_region(scan, few, object_plan(grid=ObjectGrid((0.0, 0.0, 0.0))))
    assert region.coverage < 0.2
    before, after = region.volume_ml
    assert after == pytest.approx(before, rel=0.4)  # whole voxels, and parts of them


def test_points_outside_the_region_are_refused():
    source = stored_grid((60, 60, 60), (1.0, 1.0, 1.0))
    scan = make_scan(source, radii=(6, 6, 6))
    plan = object_plan(16)
    region = make_region(scan, scan.prompts[0], plan)
    with pytest.raises(DataError, match="1 of 2 points lie outside"):
        far = scan.image.grid.voxel_to_world([[30, 30, 30], [1, 1, 1]])
        crop_sample(region, far, plan)


@pytest.mark.parametrize(
    ("points", "found"),
    [
        ([[30, 30, 30]], "1 points, expected 6"),
        ([[20, 30, 30], [40, 30, 30], [30, 20, 30], [30, 40, 30]], "4 points, expected 6"),
        ([[20, 30, 30], [40, 30, 30], [30, 20, 30], [30, 40, 30], [25, 25, 30], [35, 35, 30]],
         "all points lie in one plane, expected 6"),
    ],
)  # fmt: skip
def test_points_without_a_box_are_refused(points, found):
    source = stored_grid((60, 60, 60), (1.0, 1.0, 1.0))
    scan = make_scan(source, radii=(20, 20, 20))
    prompt = Prompt(1, scan.image.grid.voxel_to_world(points), "a")
    with pytest.raises(DataError, match=found):
        make_sample(scan, prompt, object_plan(16))
    # of known depth, they tell how large the object is
    check_box(replace(prompt, depth_mm=(0.0, 0.0, 0.0)), scan.image.grid)


def test_what_lies_beyond_the_scan_is_no_volume():
    source = stored_grid((40, 40, 20), (1.0, 1.0, 1.0))
    scan = make_scan(source, centre=(20, 20, 0), radii=(12, 12, 8))
    region = make_region(scan, scan.prompts[0], object_plan(48))
    before, after = region.volume_ml
    assert after == pytest.approx(before, rel=0.1)


def test_a_region_that_no_memory_holds_is_refused(monkeypatch):
    asked = []
    monkeypatch.setattr("interactivenet.preprocessing.object_region.check_memory",
                        lambda needed, what, remedy: asked.append((needed, what)))  # fmt: skip
    scan = make_scan(stored_grid((30, 30, 30), (1.0, 1.0, 1.0)))
    region = make_region(scan, scan.prompts[0], object_plan(16))
    ((needed, what),) = asked
    assert needed == 8 * np.prod(region.stop - region.start) and "surroundings" in what


def test_a_region_that_was_not_clipped_is_not_taken_for_one_that_was():
    ct, mr = (region_settings(object_plan(modalities=(name,))) for name in ("CT", "MR"))
    assert {key for key in ct if ct[key] != mr[key]} == {"clipped"}
    of_any = region_settings(object_plan(modalities=("any",)))["clipped"]
    assert of_any not in (ct["clipped"], mr["clipped"])
    spacing_any = region_settings(make_plan((1.0, 1.0, 1.0), modalities=("any",)))
    assert spacing_any["clipped"] == of_any
    spacing = [region_settings(make_plan((1.0, 1.0, 1.0), modalities=(n,))) for n in ("CT", "MR")]
    assert spacing[0] == spacing[1] and "clipped" not in spacing[0]


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_padding_and_metal_do_not_spread_the_values_of_a_ct(modality):
    source = stored_grid((40, 40, 40), (1.0, 1.0, 1.0))
    scan = make_scan(source, radii=(12, 12, 12))
    array = scan.image.array.copy()
    array[0, :2], array[0, -2:] = -32768, 30000
    scan = replace(scan, image=Volume.from_ras(array, scan.image.grid))
    region = make_region(scan, scan.prompts[0], object_plan(modalities=(modality,)))
    found = float(region.image.min()), float(region.image.max())
    assert found == ((-1024, 3071) if modality == "CT" else (-32768, 30000))


@pytest.mark.parametrize("plan", [object_plan(), make_plan((1.0, 1.0, 1.0))])
@pytest.mark.parametrize("tag", ["CT", "MR"])
def test_a_model_of_any_modality_sees_no_padding_of_a_ct(plan, tag):
    plan = replace(plan, modalities=("any",), normalisation=(Normalisation("zscore"),))
    scan = make_scan(stored_grid((40, 40, 40), (1.0, 1.0, 1.0)), radii=(12, 12, 12))

    def sample(padding, **more):
        array = (300 * scan.image.array).clip(-1000, 1000)
        array[0, :13] = padding
        image = Volume.from_stored(array, scan.image.source, **more)
        made = make_region(replace(scan, image=image), scan.prompts[0], plan)
        return crop_sample(made, scan.prompts[0].points, plan).array

    tags = [{"Modality": tag}]
    same = np.array_equal(sample(-32768, tags=tags), sample(-1024))
    assert same == (tag == "CT")
    # in range, nothing is done
    assert np.array_equal(sample(-1024, tags=tags), sample(-1024))
