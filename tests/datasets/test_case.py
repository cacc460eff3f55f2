"""A case is read whole or refused with the name of the file."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from interactivenet.datasets.case import read_scan
from interactivenet.datasets.task import Case
from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import write_label_array, write_volume
from interactivenet.inference.rules import make_sample
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.prompts.simulation import SimulationOptions
from interactivenet.system.files import sha256, write_json
from tests.raw_task import GRID, POINTS, image_array, label_array, write_case, write_points
from tests.sample_cases import make_plan


@pytest.fixture
def case(tmp_path):
    write_case(tmp_path, "a", modalities=2, prompt=True)
    images = tuple(tmp_path / f"imagesTr/a_000{i}.nii.gz" for i in range(2))
    label, points = tmp_path / "labelsTr/a.nii.gz", tmp_path / "interactionsTr/a.nii.gz"
    return Case("a", images, label, points)


def test_channels_label_and_prompts(case):
    scan = read_scan(case, 2, LabelNames({1: "tumour"}))
    assert scan.image.array.shape == (2, *GRID.ras.shape)
    assert np.array_equal(scan.image.array[1], image_array(1))
    assert np.array_equal(scan.label.array[0], label_array())
    (prompt,) = scan.prompts
    voxels = scan.image.grid.nearest_voxel(prompt.points)
    assert prompt.name == "tumour" and sorted(voxels.tolist()) == sorted(POINTS)


def test_a_sample_straight_from_files(case):
    plan = make_plan(GRID.ras.spacing)
    first = Case("a", case.images[:1], case.label, case.interaction)
    scan = read_scan(first, 1)
    direct = make_sample(scan, scan.prompts[0], plan)
    assert np.array_equal(make_sample(first, scan.prompts[0], plan).array, direct.array)


def test_what_does_not_fit_is_refused(case, tmp_path):
    with pytest.raises(DataError, match="a: has 2 images, expected 3"):
        read_scan(case, 3)
    moved = np.array(GRID.affine)
    moved[0, 3] += 0.1
    write_label_array(case.label, label_array(), Geometry(GRID.shape, moved))
    with pytest.raises(DataError, match=r"labelsTr/a\.nii\.gz: grid differs"):
        read_scan(case, 2)
    write_label_array(case.label, label_array(), GRID)
    write_volume(case.images[1], image_array(), Geometry(GRID.shape, moved))
    with pytest.raises(DataError, match=r"a_0001\.nii\.gz: grid differs"):
        read_scan(case, 2)


def test_points_outside_the_image(case, tmp_path):
    path = tmp_path / "interactionsTr/a.json"
    write_prompts(path, [Prompt(1, np.array([[500.0, 0.0, 0.0], [25.0, 15.0, -30.0]]))])
    with pytest.raises(
        DataError,
        match=r"a\.json: point 1 at \(500, 0, 0\) mm \(RAS\) lies [\d.]+ mm outside the image",
    ):
        read_scan(Case("a", case.images, case.label, path), 2)


def with_record(case, tmp_path, content=None, **settings):
    """Note a case's prompts as simulated with these settings."""
    record = {
        "file": f"interactionsTr/{case.interaction.name}", "prompt": sha256(case.interaction),
        "settings": settings,
    }  # fmt: skip
    write_json(tmp_path / "simulation.json", content or {"cases": {"Tr/a": record}})


def depths(case):
    return [prompt.depth_mm for prompt in read_scan(case, 2).prompts]


def test_simulated_points_know_their_depth_and_others_do_not(case, tmp_path):
    assert depths(case) == [None]
    # five voxels of 0.9 and 1.1 mm, and of 2 mm; the points lie 7, 5 and 5 voxels apart
    with_record(case, tmp_path, **asdict(SimulationOptions()))
    np.testing.assert_allclose(depths(case)[0], (4.5, 5.5, 10.0))
    with_record(case, tmp_path, depth_mm=8.0)
    np.testing.assert_allclose(depths(case)[0], (6.3, 5.5, 8.0))
    with_record(case, tmp_path, random=3)
    assert depths(case) == [None]


def test_points_that_were_edited_since_are_a_person_s(case, tmp_path):
    with_record(case, tmp_path, depth_mm=2.0)
    assert depths(case) == [(2.0, 2.0, 2.0)]
    write_points(case.interaction, POINTS[1:])
    assert depths(case) == [None]


def test_of_several_objects_each_has_its_own_depth(case, tmp_path):
    path = tmp_path / "interactionsTr/a.json"
    (prompt,) = read_scan(case, 2).prompts
    flat = replace(prompt, label=2, points=prompt.points[[0, 1]], point_names=())
    write_prompts(path, [replace(one, name="", depth_mm=(9.0,) * 3) for one in (prompt, flat)])
    other = replace(case, interaction=path)
    assert depths(other) == [(9.0, 9.0, 9.0)] * 2  # as the file says
    with_record(other, tmp_path, depth_mm=9.0)
    first, second = depths(other)  # never more than its points are apart
    assert first == pytest.approx((6.3, 5.5, 9.0)) and second == pytest.approx((2.7, 2.2, 0.0))


@pytest.mark.parametrize("settings", [{"unknown": 1}, {"depth_mm": "deep"}, {"depth_mm": -1.0}])
def test_a_record_that_is_not_understood_says_nothing(case, tmp_path, settings):
    with_record(case, tmp_path, **settings)
    assert depths(case) == [None]
    with_record(case, tmp_path, {"cases": {"Tr/a": 5}})
    assert depths(case) == [None]
