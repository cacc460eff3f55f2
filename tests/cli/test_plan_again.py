"""``interactivenet plan`` once more: what it skips, makes again, resumes."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from interactivenet.datasets.task import Task
from interactivenet.errors import DataError
from interactivenet.imaging.io import read_image, write_volume
from interactivenet.planning.plan import Plan
from interactivenet.preprocessing import storage
from interactivenet.preprocessing.storage import load_region
from interactivenet.system.files import write_json
from tests.cli.plan_command import NAME, digests, plan, run
from tests.raw_task import read


@pytest.fixture
def task(phantom_task):
    return phantom_task


@pytest.fixture
def small_task(task):
    """Three of its six cases: a picture of each object takes its time."""
    content = read(task / "dataset.json")
    content["training"] = content["training"][:3]
    write_json(task / "dataset.json", content)
    return task


def test_what_is_unchanged_is_skipped(task):
    folder = plan(task)
    before = {p: p.stat().st_mtime_ns for p in (folder / "regions").iterdir()}
    again = run(task, "-f", "2", "--memory-gb", "4")  # does not concern the regions
    assert "6 unchanged" in again.output and again.exit_code == 0
    assert {p: p.stat().st_mtime_ns for p in (folder / "regions").iterdir()} == before
    redone = run(task, "--overwrite")
    assert "6 written" in redone.output
    assert all(p.stat().st_mtime_ns > when for p, when in before.items())


def test_what_has_changed_is_made_again(task):
    folder = plan(task)
    case = Task.load(task).training[0]
    (folder / f"regions/{case.name}__2.npz").write_bytes(b"cut short")
    (folder / f"fingerprint/{case.name}.json").write_text("{")
    good = digests(plan(task))
    decided = Plan.load(folder / "plans.json")
    assert load_region(folder / "regions", f"{case.name}__2", decided).image.ndim == 4
    other = Task.load(task).training[1]
    image = read_image(other.images[0])
    write_volume(other.images[0], image.array[0].astype(np.float32) ** 2, image.source)
    assert "1 written, 5 unchanged" in run(task).output
    changed = digests(folder)
    assert {name for name in good if changed[name] != good[name]} >= {
        f"regions/{other.name}__1.npz", f"fingerprint/{other.name}.json",
    }  # fmt: skip
    # another margin concerns all
    assert "6 written" in run(task, "--relax", "0.9").output


def test_regions_of_cases_that_are_gone_go_too(small_task):
    folder = plan(small_task, "-v", "-f", 2)
    content = read(small_task / "dataset.json")
    gone = content["training"].pop()["case"]
    write_json(small_task / "dataset.json", content)
    plan(small_task, "-v", "-f", 2)
    assert not [path for path in folder.rglob("*") if path.name.startswith(gone)]
    assert len(list((folder / "snapshots").iterdir())) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="kills a process group")
def test_killed_and_started_again(task, tmp_path):
    reference = digests(plan(task))
    decided = Plan.load(task.parent.parent / "processed" / NAME / "plans.json")
    processed = tmp_path / "killed"
    where = ["-t", NAME, "--raw", task.parent, "--processed", processed, "--jobs", 2]
    command = [sys.executable, "-m", "interactivenet", "plan", *where, "--preset", "tiny", "-f", 3]
    for files in (1, 7):
        process = subprocess.Popen(
            [str(one) for one in command], start_new_session=True, stdout=subprocess.DEVNULL
        )
        while len(list(processed.rglob("*.json"))) < files and process.poll() is None:
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for path in (processed / NAME / "regions").glob("[!.]*.json"):
            load_region(path.parent, path.stem, decided)  # what has its name is whole
    subprocess.run([str(one) for one in command], check=True, stdout=subprocess.DEVNULL)
    assert digests(processed / NAME) == reference  # and no temporary file is left


@pytest.mark.skipif(sys.platform != "linux", reason="kills a process group")
def test_a_run_killed_with_other_settings_leaves_no_mixture(task):
    """A, then B that is killed half way, then A again: as if B had never been."""
    folder = plan(task)
    reference = digests(folder)
    where = ["-t", NAME, "--raw", task.parent, "--processed", folder.parent, "--jobs", 1]
    options = ["--preset", "tiny", "-f", 3, "--relax", 1.5]
    command = [sys.executable, "-m", "interactivenet", "plan", *where, *options]
    before = {path: path.stat().st_mtime_ns for path in (folder / "regions").iterdir()}
    process = subprocess.Popen(
        [str(one) for one in command], start_new_session=True, stdout=subprocess.DEVNULL
    )

    def changed():
        paths = [path for path in before if path.suffix == ".npz" and path.exists()]
        return sum(path.stat().st_mtime_ns != before[path] for path in paths)

    while changed() < 3 and process.poll() is None:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "plans.json").exists()  # no plan rather than one that does not fit
    result = run(task)
    assert result.exit_code == 0 and "written" in result.output
    assert digests(folder) == reference


def test_arrays_that_are_newer_than_their_geometry_are_made_again(task, monkeypatch):
    """As a kill between the two leaves them, where the new arrays have the size of the old."""
    folder = plan(task)
    reference = digests(folder)
    path = sorted((folder / "regions").glob("*.npz"))[0]
    region = load_region(path.parent, path.stem, Plan.load(folder / "plans.json"))

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(storage, "write_json", killed)
        storage.save_region(path.parent, path.stem, replace(region, image=region.image + 1))
    assert digests(folder)[f"regions/{path.name}"] != reference[f"regions/{path.name}"]
    assert "1 written, 5 unchanged" in run(task).output
    assert digests(folder) == reference


def test_what_is_which_file_counts_too(task):
    """Images swapped, labels renamed: the same files, another meaning."""
    plan(task)
    content = read(task / "dataset.json")
    content["labels"]["1"] = "lesion"
    write_json(task / "dataset.json", content)
    assert "6 written" in run(task).output
    content["training"][0]["image"].reverse()
    write_json(task / "dataset.json", content)
    result = run(task)
    folder = task.parent.parent / "processed" / NAME
    assert result.exit_code == 0 and "unchanged" not in result.output, result.output
    assert (
        read(folder / "regions" / f"{content['training'][0]['case']}__1.json")["name"] == "lesion"
    )


def test_pictures_follow_the_encoding_and_the_region(small_task):
    task = small_task
    folder = plan(task, "-v")
    before = digests(folder)
    plan(task, "-v", "--encoding", "euclidean")
    other = digests(folder)
    pictures = [name for name in before if name.endswith(".png")]
    assert pictures and all(before[name] != other[name] for name in pictures)
    regions = [name for name in before if name.endswith(".npz")]
    assert all(before[name] == other[name] for name in regions)
    plan(task, "--relax", "0.9")
    assert not list((folder / "snapshots").glob("*.png"))  # none rather than an old one


def test_one_run_at_a_time(task):
    from interactivenet.system.locks import folder_lock

    folder = task.parent.parent / "processed" / NAME
    with folder_lock(folder):
        result = run(task)
    assert result.exit_code == 2 and "another run is writing to it" in result.output
    assert not (folder / "run.json").exists()
    plan(task)


def test_damaged_regions_are_named(tmp_path, task):
    folder = plan(task)
    path = next(iter((folder / "regions").glob("*__1.npz")))
    decided = Plan.load(folder / "plans.json")
    with pytest.raises(DataError, match=r"made with settings other than the plan's"):
        load_region(path.parent, path.stem, replace(decided, spacing=(1.0, 1.0, 1.0)))
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    with pytest.raises(DataError, match=r"is damaged, or is not a region"):
        load_region(path.parent, path.stem, decided)
    other = load_region(path.parent, path.stem.replace("__1", "__2"), decided)
    np.savez(path, image=other.image[:, 1:], label=other.label[1:])
    with pytest.raises(DataError, match=r"the image has shape"):
        load_region(path.parent, path.stem, decided)
