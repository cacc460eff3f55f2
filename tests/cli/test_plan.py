"""``interactivenet plan``: what it writes, skips, resumes and refuses."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.errors import DataError
from interactivenet.io.atomic import write_json
from interactivenet.io.images import read_label, read_volume, write_label, write_volume
from interactivenet.phantom import PhantomSettings, write_phantom_task
from interactivenet.plan import Plan
from interactivenet.preprocess import load_region, region_names
from interactivenet.resample import resampled_geometry
from interactivenet.task import Task
from tests.raw_task import read

NAME = "Task103_PLAN"


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory):
    """Six cases of two modalities, two labels, slices along an oblique axis."""
    folder = tmp_path_factory.mktemp("planned") / NAME
    settings = PhantomSettings(
        cases=6, test_cases=0, labels=("tumour", "oedema"), spacing=(1.0, 1.0, 3.5), oblique=12.0,
        modalities=("MR", "CT"), shape=(40, 36, 18),
    )  # fmt: skip
    write_phantom_task(folder, settings)
    names = ["-m", "MR", "-m", "CT", "-l", "tumour", "-l", "oedema"]
    for command, options in (("simulate", []), ("dataset", names)):
        where = ["-t", NAME, "--raw", str(folder.parent)]
        done = CliRunner().invoke(main, [command, *where, *options])
        assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def task(tmp_path, phantoms):
    return shutil.copytree(phantoms, tmp_path / "raw" / NAME)


def run(task, *options, jobs=1):
    processed = task.parent.parent / "processed"
    where = ["-t", task.name, "--raw", task.parent, "--processed", processed, "--jobs", jobs]
    arguments = ["plan", *where, "--preset", "tiny", "-f", 3, *options]
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def plan(task, *options, **more):
    result = run(task, *options, **more)
    assert result.exit_code == 0, result.output
    return task.parent.parent / "processed" / task.name


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("run.json", ".lock")
    }


def test_what_is_written(task):
    folder = plan(task, "-s", "4")
    names = sorted(case.name for case in Task.load(task).training)
    regions = [name for case in names for name in region_names(case, [1, 2])]
    assert sorted(path.name for path in folder.iterdir() if path.name != ".lock") == [
        "fingerprint", "plans.json", "regions", "run.json",
    ]  # fmt: skip
    expected = sorted(f"{name}.{suffix}" for name in regions for suffix in ("json", "npz"))
    assert sorted(path.name for path in (folder / "regions").iterdir()) == expected
    content = read(folder / "plans.json")
    decided = Plan.load(folder / "plans.json")
    assert decided.seed == 4 and decided.modalities == ("MR", "CT") and decided.preset == "tiny"
    assert [one.kind for one in decided.normalisation] == ["zscore", "ct"]
    assert len(content["splits"]) == 3
    assert sorted(n for one in content["splits"] for n in one["validation"]) == names
    assert set(content["coverage"]) == set(regions)
    assert min(content["coverage"].values()) >= 0.999
    assert content["fingerprint"]["prompts"] == 12
    record = read(folder / "run.json")
    assert record["status"] == "done" and record["seed"] == 4 and record["failures"] == {}
    assert set(record["seconds"]) == {"fingerprint", "plan", "preprocess", "all"}
    files = [*task.rglob("*.nii.gz"), task / "dataset.json"]
    hashes = {p.relative_to(task).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
              for p in files}  # fmt: skip
    assert record["inputs"] == hashes


def test_regions_read_back(task):
    folder = plan(task)
    decided = Plan.load(folder / "plans.json")
    case = Task.load(task).training[0].name
    for label in (1, 2):
        region = load_region(folder / "regions", f"{case}__{label}", decided)
        assert region.case == case and region.prompt.label == label
        assert region.image.dtype == np.float32 and region.image.shape[0] == 2
        assert region.label.dtype == np.uint8 and region.label.max() == 1
        assert region.image.shape[1:] == region.label.shape == region.grid.shape
        assert np.isfinite(region.image).all()
        assert np.abs(np.array(region.grid.spacing) - decided.spacing).max() < 0.2
        inside = region.grid.nearest_voxel(region.prompt.points)
        assert region.label[tuple(inside.T)].mean() > 0.7
        with np.load(folder / f"regions/{case}__{label}.npz", allow_pickle=False) as arrays:
            assert sorted(arrays.files) == ["image", "label"]


def test_the_number_of_processes_changes_nothing(task):
    alone = digests(plan(task))
    shutil.rmtree(task.parent.parent / "processed")
    assert digests(plan(task, jobs=3)) == alone


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
    image = read_volume(other.images[0])
    write_volume(other.images[0], image.array[0].astype(np.float32) ** 2, image.source)
    assert "1 written, 5 unchanged" in run(task).output
    changed = digests(folder)
    assert {name for name in good if changed[name] != good[name]} >= {
        f"regions/{other.name}__1.npz", f"fingerprint/{other.name}.json",
    }  # fmt: skip
    # another margin concerns all
    assert "6 written" in run(task, "--relax", "0.9").output


def test_regions_of_cases_that_are_gone_go_too(task):
    folder = plan(task, "-v")
    content = read(task / "dataset.json")
    gone = content["training"].pop()["case"]
    write_json(task / "dataset.json", content)
    plan(task, "-v")
    assert not [path for path in folder.rglob("*") if path.name.startswith(gone)]
    assert len(list((folder / "snapshots").iterdir())) == 10


def test_a_bad_case_costs_only_itself(task):
    case = Task.load(task).training[2]
    case.images[0].write_bytes(case.images[0].read_bytes()[:100])
    result = run(task)
    folder = task.parent.parent / "processed" / NAME
    assert result.exit_code == 1 and f"{case.name}" in result.output
    failures = read(folder / "failures.json")["plan"]
    assert list(failures) == [case.name] and case.images[0].name in failures[case.name]
    content = read(folder / "plans.json")
    assert case.name not in {n for one in content["splits"] for n in one["training"]}
    assert not list((folder / "regions").glob(f"{case.name}*"))
    assert read(folder / "run.json")["failures"] == failures


def test_snapshots(task):
    from matplotlib.image import imread

    folder = plan(task, "-v")
    pictures = sorted((folder / "snapshots").iterdir())
    assert len(pictures) == 12
    picture = imread(pictures[0])
    assert picture.shape[0] > 500 and picture.shape[1] > 900 and picture.std() > 0.05


@pytest.mark.skipif(sys.platform != "linux", reason="kills a process group")
def test_killed_and_started_again(task, tmp_path):
    reference = digests(plan(task))
    decided = Plan.load(task.parent.parent / "processed" / NAME / "plans.json")
    processed = tmp_path / "killed"
    where = ["-t", NAME, "--raw", task.parent, "--processed", processed, "--jobs", 2]
    command = [sys.executable, "-m", "interactivenet", "plan", *where, "--preset", "tiny", "-f", 3]
    for files in (1, 4, 9):
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


def test_arrays_that_are_newer_than_their_geometry_are_made_again(task):
    """As a kill between the two leaves them, where the new arrays have the size of the old."""
    folder = plan(task)
    reference = digests(folder)
    region = next(iter(sorted((folder / "regions").glob("*.npz"))))
    kept = region.with_suffix(".json").read_bytes()
    from interactivenet import preprocess

    with np.load(region) as arrays:
        other = dict(arrays)
    decided = Plan.load(folder / "plans.json")
    whole = load_region(region.parent, region.stem, decided)
    changed = replace(whole, image=other["image"] + 1)
    real, preprocess.write_json = preprocess.write_json, lambda *_: (_ for _ in ()).throw(OSError)
    try:
        with pytest.raises(OSError):
            preprocess.save_region(region.parent, region.stem, changed)
    finally:
        preprocess.write_json = real
    assert not region.with_suffix(".json").exists() and kept
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


def test_pictures_follow_the_encoding_and_the_region(task):
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


def test_a_picture_that_cannot_be_drawn_costs_no_region(task, monkeypatch):
    def fails(*_):
        raise TypeError("no picture")

    monkeypatch.setattr("interactivenet.preprocess.save_snapshot", fails)
    result = run(task, "-v")
    assert result.exit_code == 0 and "could not be drawn: no picture" in result.output
    assert "12 regions of 6 cases" in result.output


def test_scans_of_one_slice(task, tmp_path):
    for case in Task.load(task).training:
        label = read_label(case.label)
        index = int((label.array[0] == 1).sum(axis=(0, 1)).argmax())
        grid = resampled_geometry(
            label.grid, (0, 0, index), (*label.shape[:2], index + 1), (*label.shape[:2], 1)
        )
        for path in case.images:
            write_volume(path, read_volume(path).array[0][:, :, index : index + 1], grid)
        write_label(case.label, label.array[0][:, :, index : index + 1] == 1, grid)
        case.interaction.unlink()
    simulated = CliRunner().invoke(main, ["simulate", "-t", NAME, "--raw", str(task.parent)])
    assert simulated.exit_code == 0, simulated.output
    folder = plan(task, "-v")
    assert len(list((folder / "snapshots").iterdir())) == 6


def test_a_region_that_cannot_be_written_is_in_no_split(task, monkeypatch):
    from interactivenet import preprocess

    case = Task.load(task).training[2].name
    real = preprocess.save_region

    def fails(folder, name, *rest):
        if name.startswith(case):
            raise DataError(f"{name}.npz: cannot be written: No space left on device")
        real(folder, name, *rest)

    monkeypatch.setattr(preprocess, "save_region", fails)
    result = run(task)
    assert result.exit_code == 1 and "No space left on device" in result.output
    folder = task.parent.parent / "processed" / NAME
    content = read(folder / "plans.json")
    assert case not in {n for one in content["splits"] for n in one["training"]}
    assert list(read(folder / "failures.json")["plan"]) == [case]


def test_reasons_are_shown_when_too_few_cases_are_left(task):
    for case in Task.load(task).training[:4]:
        case.images[0].write_bytes(b"broken")
    result = run(task)
    assert result.exit_code == 2 and "there are 2 cases" in result.output
    assert result.output.count("_0000.nii.gz") >= 1 and "4 cases" in result.output


def test_one_run_at_a_time(task):
    from interactivenet.io.lock import only_one

    folder = task.parent.parent / "processed" / NAME
    with only_one(folder):
        result = run(task)
    assert result.exit_code == 2 and "another run is writing there" in result.output
    assert not (folder / "run.json").exists()
    plan(task)


def test_a_folder_that_cannot_be_written(task):
    (task.parent.parent / "processed").write_text("a file")
    result = run(task)
    assert result.exit_code == 2 and "cannot be written" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-f", "7"], "-f / --folds 7: expected at least as many cases, there are 6"),
        (["-f", "0"], "-f / --folds 0: expected 1 or more"),
        (["--relax", "-1"], "--relax -1: expected a fraction"),
        (["--memory-gb", "0.01"], "--memory-gb 0.01 is too little"),
        (["-s", "-1"], "--seed -1: expected 0 to 4294967295"),
        (["-s", "5000000000"], "--seed 5000000000: expected 0 to"),
        (["--leave-one-out"], "--leave-one-out needs cases of two subtypes"),
        (["--preset", "huge"], "'huge' is not one of"),
        (["-t", "Task999_NONE"], "task Task999_NONE does not exist"),
    ],
)
def test_requests_that_cannot_be(task, options, message):
    result = run(task, *options)
    assert result.exit_code == 2 and message in result.output, result.output
    assert "Traceback" not in result.output


def test_no_prompts_and_no_dataset_json(task):
    content = read(task / "dataset.json")
    for entry in content["training"]:
        del entry["interaction"]
    write_json(task / "dataset.json", content)
    result = run(task)
    assert result.exit_code == 2 and "interactivenet simulate -t Task103_PLAN" in result.output
    (task / "dataset.json").unlink()
    result = run(task)
    assert result.exit_code == 2 and "run 'interactivenet dataset" in result.output


def test_subtypes_and_groups(task):
    content = read(task / "dataset.json")
    for number, entry in enumerate(content["training"]):
        entry["subtype"] = "ab"[number % 2]
    write_json(task / "dataset.json", content)
    names = [entry["case"] for entry in content["training"]]
    folder = plan(task, "--leave-one-out")
    assert [one["left_out"] for one in read(folder / "plans.json")["splits"]] == ["a", "b"]
    write_json(task / "groups.json", {names[0]: "p", names[1]: "p", names[2]: "q", names[3]: "q"})
    for split in read(plan(task) / "plans.json")["splits"]:
        assert len({names[0], names[1]} & set(split["validation"])) in (0, 2)
        assert len({names[2], names[3]} & set(split["validation"])) in (0, 2)
    result = run(task, "-f", "5")
    assert result.exit_code == 2 and "there are 4 patients" in result.output


def test_one_case_alone(task):
    content = read(task / "dataset.json")
    content["training"] = content["training"][:1]
    write_json(task / "dataset.json", content)
    result = run(task, "-f", "1")
    assert result.exit_code == 0 and "no honest validation" in result.output


def test_low_coverage_is_a_warning(task):
    """Part of an object far from the points, which nobody pointed at."""
    case = Task.load(task).training[0]
    label = read_label(case.label)
    array = label.array[0].copy()
    far = np.argwhere(array == 0)
    points = np.argwhere(array == 1).mean(axis=0)
    far = far[np.argsort(-((far - points) ** 2).sum(axis=1))[:60]]
    array[tuple(far.T)] = 1
    write_label(case.label, array, label.source)
    result = run(task)
    assert result.exit_code == 0, result.output
    assert f"{case.name}__1: the planned cut holds" in result.output
    folder = task.parent.parent / "processed" / NAME
    assert read(folder / "plans.json")["coverage"][f"{case.name}__1"] < 0.999


def test_the_originals_name_is_the_same_command():
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="interactivenet_plan_and_process")
    assert script.load() is main.get_command(None, "plan")


def test_damaged_regions_are_named(tmp_path, task):
    folder = plan(task)
    path = next(iter((folder / "regions").glob("*.npz")))
    decided = Plan.load(folder / "plans.json")
    with pytest.raises(DataError, match=r"made with other settings than the plan's"):
        load_region(path.parent, path.stem, replace(decided, spacing=(1.0, 1.0, 1.0)))
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    with pytest.raises(DataError, match=r"is no region as 'interactivenet plan' writes it"):
        load_region(path.parent, path.stem, decided)
    other = load_region(path.parent, path.stem.replace("__1", "__2"), decided)
    np.savez(path, image=other.image[:, 1:], label=other.label[1:])
    with pytest.raises(DataError, match=r"shape .* of the image"):
        load_region(path.parent, path.stem, decided)
