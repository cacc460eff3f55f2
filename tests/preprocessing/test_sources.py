"""Whether a task's files are still those of its plan: judged by content, quick where it can be."""

import os
import shutil
import time
from dataclasses import replace

import pytest

from interactivenet.datasets.task import Task
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.preprocessing import sources
from interactivenet.preprocessing.sources import Sources, write_sources
from interactivenet.system import stamps
from interactivenet.system.files import sha256, write_json
from interactivenet.system.stamps import stamp
from tests.raw_task import read
from tests.training.trained_task import NAME, make_task


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_task(tmp_path_factory.mktemp("sources"))


@pytest.fixture
def root(made, tmp_path):
    for part in ("raw", "processed"):
        shutil.copytree(made / part, tmp_path / part)  # with new times: a task that was moved
    return tmp_path


def changes(root):
    folder = root / "processed" / NAME
    return Sources(Task.load(root / "raw" / NAME), folder).changes(PlannedTask.load(folder))


def cases(root):
    return Task.load(root / "raw" / NAME).training


def test_a_copy_with_other_times_is_the_same(root):
    assert changes(root) == []
    (root / "processed" / NAME / "sources.json").unlink()  # as of an earlier version
    assert changes(root) == []
    (root / "processed" / NAME / "sources.json").write_text("{")
    assert changes(root) == []


@pytest.mark.parametrize("part", ["images", "label", "interaction"])
def test_each_kind_of_file_is_compared(root, part):
    case = cases(root)[1]
    path = case.images[0] if part == "images" else getattr(case, part)
    other = cases(root)[2]
    shutil.copy(other.images[0] if part == "images" else getattr(other, part), path)
    assert changes(root) == [path.relative_to(root / "raw" / NAME).as_posix()]


def test_what_dataset_json_says_is_compared(root):
    path = root / "raw" / NAME / "dataset.json"
    content = read(path)
    gone = content["training"].pop()["case"]
    content["labels"]["1"] = "lesion"
    write_json(path, content)
    found = changes(root)
    assert f"{gone}, which is no longer in dataset.json" in found
    assert "the labels in dataset.json" in found and len(found) == 2


def test_points_that_came_and_went(root):
    path = root / "raw" / NAME / "dataset.json"
    content = read(path)
    case = content["training"][0]
    del case["interaction"]
    write_json(path, content)
    assert changes(root) == [f"{case['case']}, which has no points any more"]


def test_a_file_that_was_renamed_is_the_same(root):
    path = root / "raw" / NAME / "dataset.json"
    content = read(path)
    label = root / "raw" / NAME / content["training"][0]["label"]
    label.rename(label.with_name("renamed.nii.gz"))
    content["training"][0]["label"] = "./labelsTr/renamed.nii.gz"
    write_json(path, content)
    assert changes(root) == []


def test_a_missing_file_has_not_changed(root):
    """Whoever needs it says that it is missing; its case alone fails."""
    cases(root)[0].images[0].unlink()
    assert changes(root) == []


def test_files_are_not_read_where_size_and_times_are_those_of_before(root, monkeypatch):
    raw, folder = root / "raw" / NAME, root / "processed" / NAME
    files = [path for case in cases(root) for path in case.files]
    monkeypatch.setattr(stamps, "SETTLED", -(10**12))  # the copies are new
    names = {path.relative_to(raw).as_posix(): path for path in files}
    hashes = {name: sha256(path) for name, path in names.items()}
    write_sources(folder, hashes, {name: stamp(path) for name, path in names.items()})
    hashed = []
    monkeypatch.setattr(sources, "sha256", lambda path: hashed.append(path) or sha256(path))
    assert changes(root) == [] and hashed == []
    # a change that hides behind the size and the time of before
    label = cases(root)[0].label
    status, data = label.stat(), label.read_bytes()
    label.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    os.utime(label, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert label.stat().st_mtime_ns == status.st_mtime_ns and label.stat().st_size == len(data)
    assert changes(root) == [label.relative_to(raw).as_posix()] and hashed == [label]


def test_a_file_that_has_just_changed_gets_no_stamp(tmp_path):
    path = tmp_path / "file"
    path.write_text("a")
    assert stamp(path) is None and stamp(tmp_path / "missing") is None
    end = time.monotonic() + 5
    while (found := stamp(path)) is None and time.monotonic() < end:
        time.sleep(0.1)
    assert found is not None and found[0] == 1


def test_the_slices_of_a_series_are_compared(root, tmp_path):
    """Each by its name: one that was added, taken away or replaced is named."""
    raw, folder = root / "raw" / NAME, root / "processed" / NAME
    case = cases(root)[0]
    series = raw / "imagesTr" / "series"
    series.mkdir()
    for name in ("1.dcm", "2.dcm"):
        (series / name).write_text(name)
    region = sorted((folder / "regions").glob(f"{case.name}__*.json"))[0]
    record = read(region)
    old = case.images[0].relative_to(raw).as_posix()
    record["made_from"]["images"] = ["imagesTr/series"]
    del record["made_from"]["files"][old]
    for name in ("1.dcm", "2.dcm"):
        record["made_from"]["files"][f"imagesTr/series/{name}"] = sha256(series / name)
    write_json(region, record)
    task = Sources(Task.load(raw), folder)
    now = replace(case, images=(series,))
    assert task.changes_of(now, region.stem) == []
    (series / "1.dcm").write_text("other")
    (series / "2.dcm").rename(series / "3.dcm")
    assert sorted(task.changes_of(now, region.stem)) == [
        f"imagesTr/series/{number}.dcm" for number in (1, 2, 3)
    ]


def test_of_more_files_than_can_be_read_again_some_are_noted(tmp_path, monkeypatch):
    """The others are hashed; what is not noted is no change."""
    monkeypatch.setattr("interactivenet.system.files._TEXT_BYTES", 20_000)
    names = [f"imagesTr/a/{number:05d}.dcm" for number in range(1000)]
    write_sources(tmp_path, dict.fromkeys(names, "0" * 64), dict.fromkeys(names, (1, 2, 3)))
    noted = read(tmp_path / "sources.json")["files"]
    assert 50 < len(noted) < 1000 and list(noted) == names[: len(noted)]
    assert (tmp_path / "sources.json").stat().st_size <= 20_000
    few = names[:10]
    write_sources(tmp_path, dict.fromkeys(few, "0" * 64), dict.fromkeys(few, (1, 2, 3)))
    assert list(read(tmp_path / "sources.json")["files"]) == few
