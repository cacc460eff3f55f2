"""Samples by the original's rules, on any grid, and back again."""

from dataclasses import replace
from itertools import permutations

import nibabel as nib
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from interactivenet.datasets.case import Scan
from interactivenet.errors import DataError
from interactivenet.imaging.channels import read_channels
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.volume import Volume
from interactivenet.inference.rules import make_sample
from interactivenet.legacy.sample import make_legacy_sample, resample_whole, stored_spacing
from interactivenet.planning.plan import Encoding, Legacy, Network, Normalisation, Plan
from interactivenet.preprocessing.sample import restore, restored_part
from interactivenet.prompts.prompt import Prompt
from tests.legacy import original
from tests.legacy.published_model import CT, DIVISOR, plans
from tests.sample_cases import make_plan, make_scan, stored_grid

NETWORK = Network(
    kernels=((3, 3, 1), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    strides=((1, 1, 1), (2, 2, 1), (2, 2, 2), (2, 2, 2)),
    features=(4, 8, 16, 32),
    deep_supervision=1,
)
ZSCORE = Normalisation("zscore")
HOUNSFIELD = Normalisation("ct", -80.0, 160.0, 40.0, 55.0)


def legacy_plan(spacing, normalisation=ZSCORE, **rules):
    return make_plan(
        spacing, normalisation=(normalisation,), encoding=Encoding(kernel="scan"),
        network=NETWORK, legacy=Legacy(**{"relaxation": 0.1, **rules}),
    )  # fmt: skip


def case(source, seed=0, **more):
    """A scan of whole values from -200 to 300, a tenth of them 0."""
    rng = np.random.default_rng(seed)
    image = rng.integers(-200, 300, (1, *source.ras.shape)).astype(np.int16)
    image[rng.random(image.shape) < 0.1] = 0
    return make_scan(source, image=image, **more)


def as_stored(scan):
    """The image and the points' voxels of a scan along its stored axes."""
    source = scan.image.source
    image = source.from_ras(scan.image.array)[0]
    points = scan.prompts[0].points
    return image, np.rint(source.world_to_voxel(points)).astype(int)


orders, flips = list(permutations((0, 1, 2))), [-1, 1]
grids = st.builds(
    stored_grid,
    shape=st.tuples(*[st.integers(4, 40)] * 3),
    spacing=st.tuples(*[st.sampled_from([0.5, 0.9765625, 1.25, 4.0])] * 3),
    order=st.sampled_from(orders),
    flips=st.tuples(*[st.sampled_from(flips)] * 3),
    angles=st.tuples(*[st.floats(-0.5, 0.5)] * 3),
)
targets = st.tuples(*[st.sampled_from([0.625, 1.0, 1.75, 3.5])] * 3)


@given(grids, targets, st.booleans(), st.integers(0, 3))
@settings(max_examples=60)
def test_samples_are_the_originals(source, target, ct, seed):
    scan = case(source, seed)
    image, voxels = as_stored(scan)
    spacing = np.float32(source.spacing).astype(float)  # as a header has it
    how = HOUNSFIELD if ct else ZSCORE
    content = plans(**{"Target spacing": list(target), **(CT if ct else {})})
    assume(all(n * a >= b for n, a, b in zip(image.shape, spacing, target, strict=True)))
    expected, place, size = original.sample(image, voxels, spacing, content)
    sample = make_sample(scan, scan.prompts[0], legacy_plan(target, how))
    # the original's network cannot take it: test_one_voxel_at_the_bottleneck
    assume(any(n > d for n, d in zip(expected.shape[1:], DIVISOR, strict=True)))
    assert sample.as_stored and sample.array.dtype == np.float32
    assert sample.array.shape == expected.shape and sample.region_shape == tuple(size)
    assert [tuple(row) for row in place] == [
        (a, b, *pads)
        for a, b, pads in zip(sample.start, sample.stop, sample.padding.tolist(), strict=True)
    ]
    np.testing.assert_allclose(sample.array, expected, atol=2e-4)


@given(grids, st.integers(0, 3))
@settings(max_examples=60)
def test_where_spacing_is_kept_restoring_is_the_identity(source, seed):
    scan = case(source, seed, radii=np.maximum(np.array(source.ras.shape) // 5, 1))
    sample = make_sample(scan, scan.prompts[0], legacy_plan(source.spacing))
    restored = restore(sample.label.astype(np.float32), sample)
    assert np.array_equal(restored, scan.label.array[0])
    # the image, too, normalised as it is: where it was cut, voxel for voxel
    raw = make_sample(scan, scan.prompts[0], legacy_plan(
        source.spacing, Normalisation("ct", -1e6, 1e6, 0.0, 1.0)))  # fmt: skip
    part, start = restored_part(raw.array[0], raw)
    inside = tuple(slice(a, a + n) for a, n in zip(start, part.shape, strict=True))
    assert np.array_equal(part, scan.image.array[0][inside])
    nearest, again = restored_part(raw.array[0], raw, nearest=True)
    assert np.array_equal(part, nearest) and np.array_equal(start, again)


@pytest.mark.parametrize("order", orders)
@pytest.mark.parametrize("target", [(1.0, 1.0, 1.0), (1.6, 1.2, 2.0), (0.9, 1.1, 4.0)])
def test_resampled_objects_come_back_where_they_were(order, target):
    source = stored_grid((40, 36, 30), (1.2, 1.0, 1.5), order, (-1, 1, -1), (0.3, -0.2, 0.1))
    scan = case(source)
    sample = make_sample(scan, scan.prompts[0], legacy_plan(target))
    back = restore(sample.label.astype(np.float32), sample) >= 0.5
    truth = scan.label.array[0] > 0
    assert 2 * (back & truth).sum() / (back.sum() + truth.sum()) > 0.9
    centres = [np.argwhere(mask).mean(axis=0) for mask in (back, truth)]
    assert np.abs(centres[0] - centres[1]).max() < 0.6
    # the sample's own grid says where its voxels are in the patient
    world = sample.grid.voxel_to_world(np.argwhere(sample.label)).mean(axis=0)
    exact = source.ras.voxel_to_world(np.argwhere(truth)).mean(axis=0)
    assert np.abs(world - exact).max() < 0.75


@pytest.mark.parametrize("shape", [(50, 44, 12), (21, 13, 7), (48, 48, 3)])
@pytest.mark.parametrize("spacing", [(0.7, 0.7, 4.0), (1.3, 0.9, 1.7)])
def test_resampling_is_scipys(shape, spacing):
    rng = np.random.default_rng(0)
    image = rng.normal(100, 50, shape).astype(np.float32)
    size = np.array([int(n * a / b) for n, a, b in zip(shape, spacing, (1, 1.1, 3), strict=True)])
    size = np.maximum(size, 1)
    flat = original.anisotropic(spacing)
    found = resample_whole(image, size, anisotropic=flat)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, original.resample(image, size, flat), atol=1e-3)
    assert found.min() >= image.min() and found.max() <= image.max()


def test_resampling_is_scikit_images():
    from skimage import transform

    image = np.random.default_rng(0).normal(100, 50, (30, 26, 11)).astype(np.float32)
    options = {"mode": "edge", "clip": True, "anti_aliasing": False, "cval": 0}
    expected = transform.resize(image, (41, 20, 13), order=3, **options)
    found = resample_whole(image, np.array((41, 20, 13)), anisotropic=False)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    slices = [transform.resize(image[..., k], (41, 20), order=3, **options) for k in range(11)]
    expected = transform.resize(np.stack(slices, -1), (41, 20, 13), order=0, mode="constant",
                                clip=True, anti_aliasing=False)  # fmt: skip
    found = resample_whole(image, np.array((41, 20, 13)), anisotropic=True)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def box_of(voxels, shape, **rules):
    """Start, stop and padding of the sample of points in an image of 1 mm voxels."""
    source = Geometry(shape, np.eye(4))
    image = Volume.from_ras(np.ones(shape, np.float32), source)
    scan = Scan("case", image, None, (Prompt(1, np.array(voxels, float), "a"),))
    sample = make_legacy_sample(scan, scan.prompts[0], legacy_plan((1.0, 1.0, 1.0), **rules))
    return sample.start.tolist(), sample.stop.tolist(), sample.padding.tolist()


def test_the_box_by_hand():
    ends = [[50, 50, 50], [90, 61, 70]]
    # 40, 11 and 20 voxels, relaxed by 8 each: 56, 27 (5 short of 32: the odd one goes before), 36
    assert box_of(ends, (200, 200, 200)) == ([42, 39, 42], [98, 71, 78], [[0, 0]] * 3)
    # half of the size, but 8 at least
    assert box_of(ends, (200, 200, 200), relaxation=0.5) == (
        [30, 39, 40], [110, 71, 80], [[0, 0]] * 3,
    )  # fmt: skip
    grown = box_of(ends, (200, 200, 200), grow=True)
    # 50, 21 and 30, relaxed by 8: 66 -> 72, 37 -> 40, 46 -> 48
    assert grown == ([34, 35, 36], [106, 75, 84], [[0, 0]] * 3)


def test_at_the_images_border_the_box_grows_inwards_then_by_zeros():
    assert box_of([[2, 3, 3], [30, 4, 4]], (34, 60, 6)) == (
        [0, 0, 0], [34, 16, 6], [[3, 3], [0, 0], [1, 1]],
    )  # fmt: skip


def test_points_are_in_the_sample_even_at_the_border():
    corners = [[0, 0, 0], [39, 0, 0], [0, 39, 39], [39, 39, 39]]
    source = Geometry((40, 40, 40), np.eye(4))
    image = np.random.default_rng(0).normal(0, 1, (1, 40, 40, 40)).astype(np.float32)
    scan = Scan(
        "case", Volume.from_ras(image, source), None, (Prompt(1, np.array(corners, float)),)
    )
    for target in ((1.0, 1.0, 1.0), (0.7, 1.4, 1.1)):
        sample = make_sample(scan, scan.prompts[0], legacy_plan(target))
        assert sample.label is None
        assert (sample.array[1] == 1).sum() == len(corners)


def test_one_voxel_at_the_bottleneck_is_avoided():
    """Instance norm cannot take it, and the original stops there."""
    small = box_of([[4, 4, 2]], DIVISOR)
    sizes = np.array(small[1]) - small[0] + np.sum(small[2], axis=1)
    assert sizes.tolist() == [2 * one for one in DIVISOR]


def test_zeros_are_padded_before_normalising():
    source = Geometry((10, 40, 40), np.eye(4))
    image = np.full((1, 10, 40, 40), 150.0, np.float32)
    image[:, ::2] = 50.0
    scan = Scan(
        "case", Volume.from_ras(image, source), None, (Prompt(1, np.array([[5.0, 20, 20]])),)
    )
    sample = make_sample(scan, scan.prompts[0], legacy_plan((1.0, 1.0, 1.0), HOUNSFIELD))
    assert sample.padding[0].tolist() == [3, 3]
    assert np.allclose(sample.array[0][:3], -40 / 55)
    sample = make_sample(scan, scan.prompts[0], legacy_plan((1.0, 1.0, 1.0)))
    assert not sample.array[0][:3].any() and set(np.unique(sample.array[0])) == {-1, 0, 1}


def test_a_truncated_size_follows_the_header(tmp_path):
    """0.8 in single precision is a little more: 400 voxels of it are not quite 320 of 1 mm."""
    affine = np.diag([0.8, 1.0, 1.0, 1.0])
    path = tmp_path / "case.nii"
    nib.save(nib.Nifti1Image(np.zeros((10, 4, 4), np.float32), affine), path)
    source = read_channels([path]).source
    plan = legacy_plan((1.0, 1.0, float(np.float32(0.1))))
    assert stored_spacing(source, plan).tolist() == [float(np.float32(0.8)), 1.0, 1.0]
    assert stored_spacing(source, replace(plan, spacing=(0.8, 1.0, 1.0))).tolist() == [0.8, 1, 1]
    bare = Geometry(source.shape, source.affine)
    assert stored_spacing(bare, plan).tolist() == stored_spacing(source, plan).tolist()


def test_points_outside_and_several_modalities_are_refused():
    scan = case(stored_grid((20, 20, 20), (1.0, 1.0, 1.0)))
    far = Prompt(1, scan.prompts[0].points + 500)
    with pytest.raises(DataError, match="points outside the image"):
        make_sample(scan, far, legacy_plan((1.0, 1.0, 1.0)))
    with pytest.raises(ValueError, match="legacy needs one modality and one map, got 3 channels"):
        replace(legacy_plan((1.0, 1.0, 1.0)), modalities=("A", "B"), normalisation=(ZSCORE, ZSCORE))


def test_plans_without_it_stay_what_they_are(tmp_path):
    plan = make_plan((1.0, 1.0, 1.0))
    assert "legacy" not in plan.as_json()["plan"]
    assert plan.digest == "173cb04a20aa3d484f93375634fcc4a7d20f2e62ac652186ad106b8cf50d0e02"
    legacy = legacy_plan((1.0, 1.0, 1.0))
    assert legacy.as_json()["plan"]["legacy"] == {"relaxation": 0.1, "least": 8, "grow": False}
    assert legacy.digest != replace(legacy, legacy=None).digest
    with pytest.raises(DataError, match=r"field legacy\.more is unknown"):
        Plan.parse({**legacy.as_json()["plan"], "legacy": {"relaxation": 0.1, "more": 1}}, tmp_path)
