"""Phantom tasks: repeatable, with sound labels and geometry, in memory and on disk."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from interactivenet.datasets.phantom import PhantomSettings, make_phantom, write_phantom_task
from interactivenet.errors import RequestError
from interactivenet.imaging.channels import read_channels
from interactivenet.imaging.io import read_image, read_label

NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)
SMALL = PhantomSettings(cases=2, test_cases=1, shape=(32, 36, 20), spacing=(2.0, 2.0, 4.0))
BUSY = replace(
    PhantomSettings(labels=("tumour", "node", "cyst"), objects=3), shape=(72, 72, 40), cases=1
)


def test_the_same_seed_and_index_give_the_same_case() -> None:
    settings = replace(SMALL, modalities=("CT", "T2"))
    first, second = make_phantom(settings, 1), make_phantom(settings, 1)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    np.testing.assert_array_equal(first[2].affine, second[2].affine)


@pytest.mark.parametrize(("seed", "index"), [(1, 0), (0, 1)])
def test_another_seed_or_index_gives_another_case(seed: int, index: int) -> None:
    images, label, _ = make_phantom(SMALL, 0)
    other_images, other_label, _ = make_phantom(replace(SMALL, seed=seed), index)
    assert (images != other_images).any()
    assert (label != other_label).any()


def test_arrays_lie_on_the_stored_grid() -> None:
    images, label, geometry = make_phantom(replace(SMALL, modalities=("CT", "T2")), 0)
    assert images.shape == (2, 32, 36, 20)
    assert images.dtype == np.int16
    assert label.shape == geometry.shape == (32, 36, 20)
    assert label.dtype == np.uint8
    assert images.flags.c_contiguous
    assert label.flags.c_contiguous


@pytest.mark.parametrize("index", range(5))
def test_objects_are_connected_and_apart(index: int) -> None:
    _, label, _ = make_phantom(BUSY, index)
    assert sorted(np.unique(label)) == [0, 1, 2, 3]
    assert ndimage.label(label > 0, NEIGHBOURS)[1] == 9, "objects of any label touch"
    for value in (1, 2, 3):
        parts, count = ndimage.label(label == value, NEIGHBOURS)
        assert count == 3
        assert np.bincount(parts.ravel())[1:].min() >= 10


def test_objects_are_round_in_mm_on_a_coarse_grid() -> None:
    settings = PhantomSettings(shape=(80, 80, 20), spacing=(1.0, 1.0, 4.0))
    spread = []
    for index in range(20):
        _, label, geometry = make_phantom(settings, index)
        spread.append(np.std(np.argwhere(label) * geometry.spacing, axis=0))
    mean = np.mean(spread, axis=0)
    assert mean.max() / mean.min() < 1.3
    assert 2 < mean.min() < mean.max() < 10  # mm, of 80


def test_objects_are_lobulated() -> None:
    """An object fills clearly less than an ellipsoid of the same second moments would."""
    filled = []
    for index in range(10):
        _, label, geometry = make_phantom(PhantomSettings(), index)
        points = np.argwhere(label) * geometry.spacing
        offset = points - points.mean(axis=0)
        reach = np.einsum("ij,jk,ik->i", offset, np.linalg.inv(np.cov(offset.T)), offset)
        filled.append((reach <= 5).mean())  # 1 for a solid ellipsoid
    assert 0.7 < np.mean(filled) < 0.97


@pytest.mark.parametrize("name", ["CT", "ct"])
def test_ct_is_in_hounsfield_units(name: str) -> None:
    image = make_phantom(PhantomSettings(modalities=(name,)), 0)[0][0]
    assert image.min() >= -1024
    assert 400 < image.max() < 1500, "bone"
    assert abs(np.median(image[:4, :4]) + 1000) < 10, "air in the corner"
    soft = (image > -20) & (image < 150)
    fat = (image > -140) & (image < -60)
    assert soft.mean() > 0.2
    assert fat.mean() > 0.05


def test_mr_is_bright_inside_and_dark_outside() -> None:
    image = make_phantom(PhantomSettings(modalities=("T1",)), 0)[0][0]
    assert image.min() >= 0
    assert 700 < image.max() <= 1500
    assert np.median(image[:4, :4]) < 80
    assert 250 < np.median(image[24:40, 24:40]) < 900


def test_modalities_share_the_anatomy_but_not_the_contrast() -> None:
    settings = PhantomSettings(modalities=("CT", "T1", "T2"))
    signs = set()
    for index in range(8):
        images, label, _ = make_phantom(settings, index)
        assert np.corrcoef(images[1].ravel(), images[2].ravel())[0, 1] > 0.8
        rim = ndimage.binary_dilation(label > 0, NEIGHBOURS, iterations=3)
        rim &= ~ndimage.binary_dilation(label > 0, NEIGHBOURS)
        step = [image[label > 0].mean() - np.median(image[rim]) for image in images]
        assert abs(step[0]) > 15, "HU"
        assert min(abs(step[1]), abs(step[2])) > 40
        signs.add(tuple(np.sign(step)))
    assert len(signs) > 2, "brighter in some cases, darker in others"


def test_every_orientation_and_angle_is_that_asked_for() -> None:
    codes = [
        "".join(axes) for pairs in permutations(("RL", "AP", "SI")) for axes in product(*pairs)
    ]
    assert len(codes) == 48
    for number, code in enumerate(codes):
        angle = float(np.linspace(-45, 45, len(codes))[number])
        settings = replace(SMALL, shape=(20, 24, 28), orientation=code, oblique=angle)
        geometry = make_phantom(replace(settings, spacing=(1.0, 1.5, 2.0)), 0)[2]
        assert geometry.orientation == code
        assert geometry.spacing == pytest.approx((1.0, 1.5, 2.0))


@pytest.mark.parametrize("oblique", [0.0, 25.0])
def test_task_on_disk(tmp_path: Path, oblique: float) -> None:
    settings = replace(
        SMALL, modalities=("CT", "T2"), labels=("a", "b"), orientation="PIR", oblique=oblique
    )
    write_phantom_task(tmp_path / "task", settings)
    names = {str(path.relative_to(tmp_path / "task")) for path in tmp_path.rglob("*.nii.gz")}
    expected = set()
    for part, number in (("Tr", 0), ("Tr", 1), ("Ts", 2)):
        expected |= {f"images{part}/phantom_00{number}_000{channel}.nii.gz" for channel in (0, 1)}
        expected.add(f"labels{part}/phantom_00{number}.nii.gz")
    assert names == expected

    folder = tmp_path / "task"
    read = read_channels([folder / f"imagesTs/phantom_002_000{i}.nii.gz" for i in (0, 1)])
    label = read_label(folder / "labelsTs/phantom_002.nii.gz")
    images, made, geometry = make_phantom(settings, 2)
    assert read.source.is_same_lattice(geometry)
    assert label.source.is_same_lattice(geometry)
    np.testing.assert_array_equal(geometry.from_ras(read.array), images)
    np.testing.assert_array_equal(geometry.from_ras(label.array[0]), made)
    assert sorted(np.unique(label.array)) == [0, 1, 2]

    assert read.source.shape == (32, 36, 20)
    assert read.source.spacing == pytest.approx((2.0, 2.0, 4.0))
    assert read.source.orientation == "PIR"
    straight = make_phantom(replace(settings, oblique=0.0), 2)[2].affine[:3, :3]
    turn = read.source.affine[:3, :3] @ np.linalg.inv(straight)
    angle = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
    assert angle == pytest.approx(oblique, abs=0.05)


def test_no_test_cases(tmp_path: Path) -> None:
    write_phantom_task(tmp_path, replace(SMALL, cases=1, test_cases=0))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["imagesTr", "labelsTr"]
    assert read_image(tmp_path / "imagesTr" / "phantom_000_0000.nii.gz").array.any()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"cases": 0}, "`cases=0`: expected 1 or more"),
        ({"test_cases": -1}, "`test_cases=-1`: expected 0 or more"),
        ({"objects": 0}, "`objects=0`: expected 1 or more"),
        ({"seed": -3}, "`seed=-3`: expected 0 or more"),
        ({"modalities": ()}, "`modalities=()`: expected 1 to 255 different names"),
        ({"modalities": ("T1", "T1")}, "expected 1 to 255 different names"),
        ({"labels": "tumour"}, "`labels='tumour'`: expected 1 to 255 different names"),
        ({"labels": ("a", "")}, "expected 1 to 255 different names"),
        ({"shape": (64, 15, 32)}, "`shape=(64, 15, 32)`: expected three numbers of 16 or more"),
        ({"shape": (64, 64)}, "`shape=(64, 64)`: expected three numbers of 16 or more"),
        ({"spacing": (1.0, 0.0, 1.0)}, "expected three positive lengths in mm"),
        ({"spacing": (1.0, float("nan"), 1.0)}, "expected three positive lengths in mm"),
        ({"spacing": (1.0, 1.0)}, "`spacing=(1.0, 1.0)`: expected three positive lengths in mm"),
        ({"oblique": 50.0}, "`oblique=50.0`: expected -45 to 45 degrees"),
        ({"orientation": "LPP"}, "`orientation='LPP'`: expected one letter each of R or L"),
        ({"orientation": "lps"}, "`orientation='lps'`: expected one letter each of R or L"),
    ],
)
def test_bad_settings_are_refused_in_one_line(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        PhantomSettings(**setting)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_objects_that_do_not_fit() -> None:
    with pytest.raises(RequestError, match=r"only \d+ of 100 objects fit into phantom_003: choose"):
        make_phantom(PhantomSettings(objects=100, shape=(24, 24, 16)), 3)


def test_a_case_is_made_fast() -> None:
    settings = PhantomSettings()
    make_phantom(settings, 0)
    times = []
    for index in range(5):
        start = time.perf_counter()
        make_phantom(settings, index)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.3  # s; 0.03 is usual
