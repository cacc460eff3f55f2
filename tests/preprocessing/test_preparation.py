"""Regions of a case: what they are made from, and when they are made again."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from interactivenet.datasets.task import Case, Task
from interactivenet.errors import DataError
from interactivenet.planning.plan import Encoding, Normalisation, ObjectGrid
from interactivenet.preprocessing.preparation import (
    Preparation,
    Snapshots,
    prepare_case,
    remove_stale,
)
from interactivenet.preprocessing.storage import (
    load_region,
    record_digest,
    region_names,
    region_settings,
)
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.files import sha256, write_json
from interactivenet.system.spread import subfolder
from tests.raw_task import read, write_case
from tests.sample_cases import make_plan

HASHES = {
    "imagesTr/a_0000.nii.gz": "0" * 64,
    "labelsTr/a.nii.gz": "1" * 64,
    "interactionsTr/a.nii.gz": "2" * 64,
}
#: of what the region of ``raw`` is made from, and its picture, as version 1.0 has written them
MADE_FROM = "87440438b753d94cbc3c5787483456af646d0a4871722f1fc4be795ec4a55fab"
PICTURE = "319cc28d34fc175cdf2b4c0bcda1166edd713284b3cc583dab4d496dd4d68ecd"
PLAN = make_plan((0.9, 1.1, 2.0))


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw" / "Task001_A"
    write_case(folder, "a", prompt=True)
    image, label, points = (folder / name for name in HASHES)
    case = Case("a", (image,), label, points)
    return Task("Task001_A", folder, ("CT",), LabelNames({1: "tumour"}), (case,), ())


@pytest.fixture
def processed(tmp_path):
    return tmp_path / "processed"


def prepare(raw, processed, hashes=HASHES, **changes):
    settings = {"task": raw, "plan": PLAN, "folder": processed} | changes
    return prepare_case((Preparation(**settings), raw.training[0], hashes))


def save_source(path, scan, region, plan, made_from):
    path.parent.mkdir(exist_ok=True)
    path.write_text(made_from)


def read_source(path):
    return path.read_text() if path.exists() else ""


def fails(*_):
    raise OSError("no canvas")


SNAPSHOTS = Snapshots(save_source, read_source)


def test_regions_of_earlier_versions_count_as_unchanged(raw, processed):
    assert prepare(raw, processed, snapshots=SNAPSHOTS).status == "written"
    made_from = read(processed / "regions" / "a__1.json")["made_from"]
    assert hashlib.sha256(json.dumps(made_from).encode()).hexdigest() == MADE_FROM
    assert (processed / "snapshots" / "a__1.png").read_text() == PICTURE
    again = prepare(raw, processed, snapshots=SNAPSHOTS)
    assert again.status == "unchanged" and again.coverage == {"a__1": 1.0}


def test_what_a_region_depends_on(raw, processed):
    prepare(raw, processed)
    assert prepare(raw, processed, plan=make_plan(PLAN.spacing, seed=9)).status == "unchanged"
    encoding = Encoding(kind="gaussian")
    other = make_plan(PLAN.spacing, encoding=encoding)
    assert prepare(raw, processed, plan=other).status == "unchanged"
    assert prepare(raw, processed, HASHES | {"labelsTr/a.nii.gz": "3" * 64}).status == "written"
    assert prepare(raw, processed).status == "written"
    assert prepare(raw, processed, plan=make_plan((1.0, 1.0, 2.0))).status == "written"
    assert prepare(raw, processed).status == "written"
    assert prepare(raw, processed, overwrite=True).status == "written"


def test_pictures_are_drawn_again_for_another_encoding(raw, processed):
    prepare(raw, processed, snapshots=SNAPSHOTS)
    path = processed / "snapshots" / "a__1.png"
    first = path.read_text()
    plan = make_plan(PLAN.spacing, encoding=Encoding(kind="gaussian"))
    assert prepare(raw, processed, plan=plan, snapshots=SNAPSHOTS).status == "written"
    assert path.read_text() != first


def test_a_picture_that_cannot_be_drawn_is_a_note(raw, processed):
    result = prepare(raw, processed, snapshots=Snapshots(fails, read_source))
    assert result.status == "written"
    assert result.notes == ("a__1.png could not be drawn: no canvas",)


def test_failures_are_told_not_raised(raw, processed):
    raw.training[0].label.write_bytes(b"broken")
    result = prepare(raw, processed)
    assert result.status == "failed" and result.regions == ()
    assert "a.nii.gz" in result.error and "\n" not in result.error


def test_other_settings_and_damage_are_named(raw, processed):
    prepare(raw, processed)
    folder = processed / "regions"
    with pytest.raises(
        DataError, match=r"settings other than .*: run `plan\(task='Task001_A'\)` again"
    ):
        load_region(folder, "a__1", make_plan((1.0, 1.0, 1.0)))
    (folder / "a__1.npz").write_bytes(b"cut short")
    with pytest.raises(DataError, match=r"a__1\.npz: is damaged.*overwrite=True.*makes it again"):
        load_region(folder, "a__1", PLAN)


def test_objects_of_one_label_are_numbered():
    assert region_names("a", [1, 2, 1, 1]) == ["a__1", "a__2", "a__1_2", "a__1_3"]


def test_an_object_grid_and_its_voxels_are_what_a_region_is_made_for():
    own = replace(
        PLAN, normalisation=(Normalisation("zscore"),), grid=ObjectGrid(depth_mm=(1.0, 2.0, 3.0))
    )
    settings = region_settings(own)
    assert settings["grid"] == {"depth_mm": [1.0, 2.0, 3.0]}
    assert settings["sample_shape"] == [16, 16, 16]
    assert json.loads(json.dumps(settings)) == settings
    assert region_settings(replace(own, grid=replace(own.grid, mirrored=True))) == settings
    for other in (replace(own, sample_shape=(32,) * 3), replace(own, grid=ObjectGrid())):
        assert region_settings(other) != settings
    assert not {"grid", "sample_shape"} & set(region_settings(PLAN))
    assert region_settings(PLAN) == region_settings(replace(PLAN, sample_shape=(32,) * 3))


def test_a_region_keeps_the_depth_of_its_points(raw, processed):
    points = raw.training[0].interaction
    prepare(raw, processed)
    assert load_region(processed / "regions", "a__1", PLAN).prompt.depth_mm is None
    record = {
        "file": "interactionsTr/a.nii.gz", "prompt": sha256(points), "settings": {"depth_mm": 2.0},
    }  # fmt: skip
    write_json(raw.folder / "simulation.json", {"cases": {"Tr/a": record}})
    hashes = HASHES | {"interactionsTr/a.nii.gz": sha256(points)}
    assert prepare(raw, processed, hashes).status == "written"
    assert load_region(processed / "regions", "a__1", PLAN).prompt.depth_mm == (2.0, 2.0, 2.0)
    # it follows from what the region is made from: earlier records, without it, stay current
    path = processed / "regions" / "a__1.json"
    digest, content = record_digest(path), read(path)
    del content["depth_mm"]
    write_json(path, content)
    assert record_digest(path) == digest


def test_regions_in_subfolders_are_those_of_one_folder(raw, processed, tmp_path):
    """And stay where they are as long as nothing has changed, whichever way is asked for now."""

    def save(path, *arguments):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_source(path, *arguments)

    pictures = Snapshots(save, read_source)
    prepare(raw, processed, snapshots=pictures)
    flat = load_region(processed / "regions", "a__1", PLAN)
    other = tmp_path / "spread"
    assert prepare(raw, other, spread=True, snapshots=pictures).status == "written"
    names = sorted(path.relative_to(other).as_posix() for path in other.rglob("*.*"))
    inside = subfolder(other / "regions", "a__1").name
    assert names == [
        f"regions/{inside}/a__1.json", f"regions/{inside}/a__1.npz",
        f"snapshots/{inside}/a__1.png",
    ]  # fmt: skip
    for name in names:
        path = other / name
        assert path.read_bytes() == (processed / path.parent.parent.name / path.name).read_bytes()
    region = load_region(other / "regions", "a__1", PLAN)
    assert np.array_equal(region.image, flat.image) and np.array_equal(region.label, flat.label)
    for folder, spread in ((processed, True), (other, False)):
        again = prepare(raw, folder, spread=spread, snapshots=pictures)
        assert again.status == "unchanged" and again.coverage == {"a__1": 1.0}


@pytest.mark.parametrize("spread", [True, False])
def test_a_region_that_is_made_again_is_in_one_place_alone(raw, processed, spread):
    prepare(raw, processed, spread=not spread)
    assert prepare(raw, processed, spread=spread, overwrite=True).status == "written"
    regions = processed / "regions"
    place = subfolder(regions, "a__1") if spread else regions
    assert sorted(regions.rglob("a__1.*")) == [place / "a__1.json", place / "a__1.npz"]


def test_stale_regions_are_removed_wherever_they_are(raw, processed):
    prepare(raw, processed)
    inside = subfolder(processed / "regions", "gone__1")
    inside.mkdir()
    for path in (inside / "gone__1.npz", inside / "gone__1.json", processed / "regions/b__1.npz"):
        path.touch()
    assert remove_stale(processed, ["a__1"]) == 2
    left = [path.name for path in (processed / "regions").rglob("*.*")]
    assert sorted(left) == ["a__1.json", "a__1.npz"]
