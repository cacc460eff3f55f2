"""Regions: the values of their channels, how far they reach, and what they hold of the object."""

import numpy as np
import pytest

from interactivenet.imaging.geometry import box
from interactivenet.inference.rules import make_sample
from interactivenet.planning.plan import CropMargins, Normalisation
from interactivenet.preprocessing.normalising import normalise
from interactivenet.preprocessing.region import covered, make_region
from tests.sample_cases import UNCHANGED, ellipsoid, make_plan, make_scan, stored_grid


def test_z_scores_are_of_the_regions_voxels_that_are_not_zero():
    source = stored_grid((40, 40, 40), (1.0, 1.0, 1.0))
    rng = np.random.default_rng(0)
    image = rng.normal(500, 40, (1, 40, 40, 40)).astype(np.float32)
    image[:, :, :, :20] = 0  # background
    image[:, :3] = 1e6  # far away
    scan = make_scan(source, image=image, radii=(4, 4, 4))
    plan = make_plan((1.0, 1.0, 1.0), normalisation=(Normalisation("zscore"),))
    region = make_region(scan, scan.prompts[0], plan)
    raw = image[0][tuple(slice(a, b) for a, b in zip(region.start, region.stop, strict=True))]
    known = raw[raw != 0]
    assert region.start[0] >= 3
    assert np.allclose(region.image[0], (raw - known.mean()) / known.std(), atol=1e-4)


def test_constant_and_empty_images_stay_finite():
    for value in (0.0, 7.0, 1e7):
        values = np.full((4, 4, 4), value, np.float32)
        assert (normalise(values, values, Normalisation("zscore")) == 0).all()
    values = np.array([-2000.0, 0.0, 3000.0], np.float32)
    ct = Normalisation("ct", -1000.0, 1000.0, 0.0, 500.0)
    assert normalise(values, values, ct).tolist() == [-2.0, 0.0, 2.0]


def test_several_channels_and_integer_images():
    source = stored_grid((20, 20, 20), (1.0, 1.0, 1.0))
    image = np.random.default_rng(0).integers(-1000, 1000, (2, 20, 20, 20)).astype(np.int16)
    scan = make_scan(source, image=image)
    plan = make_plan(
        (1.0, 1.0, 1.0),
        modalities=("CT", "MR"),
        normalisation=(UNCHANGED, Normalisation("zscore")),
    )
    sample = make_sample(scan, scan.prompts[0], plan)
    assert sample.array.shape[0] == 3
    first, last = sample.region_start + sample.start, sample.region_start + sample.stop
    cut = sample.array[(slice(None), *sample.content[1:])]
    assert np.array_equal(cut[0], image[0][box(first, last)])
    assert abs(cut[1].mean()) < 0.2 and abs(cut[1].std() - 1) < 0.2


def test_coverage_counts_the_voxels_in_the_widened_box():
    mask = ellipsoid((20, 20, 20), (10, 10, 10), (6.01, 6.01, 6.01))
    low, high = np.array([6, 6, 6]), np.array([15, 15, 15])
    zero = np.zeros((3, 2))
    assert covered(mask, low, high, zero) == pytest.approx(
        mask[6:15, 6:15, 6:15].sum() / mask.sum()
    )
    assert covered(mask, low, high, zero + 2) == 1.0
    assert covered(mask, low, high, zero + 0.4) == covered(mask, low, high, zero)
    assert covered(mask, low, high, zero + 100) == 1.0
    assert covered(np.zeros((4, 4, 4), bool), low[:3] * 0, high * 0 + 2, zero) == 1.0


def test_margins_reach_further_where_the_plan_says_so():
    source = stored_grid((60, 60, 60), (1.0, 1.0, 1.0))
    scan = make_scan(source, radii=(6, 6, 6))
    cut = CropMargins(mm=((0.0, 20.0), (0.0, 0.0), (0.0, 0.0)), fraction=((0.0, 0.0),) * 3)
    sample = make_sample(scan, scan.prompts[0], make_plan((1.0, 1.0, 1.0), cut=cut))
    first = sample.region_start + sample.start
    last = sample.region_start + sample.stop
    assert first[0] <= 25 and last[0] >= 36 + 20
    assert (last - first)[1] < 20
