"""``interactivenet plan``: what it writes and refuses."""

import hashlib
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.task import Task
from interactivenet.errors import DataError
from interactivenet.imaging.io import read_image, read_label, write_label_array, write_volume
from interactivenet.imaging.resampling import resampled_geometry
from interactivenet.planning.plan import Plan
from interactivenet.preprocessing.preparation import Snapshots
from interactivenet.preprocessing.storage import load_region, region_names
from interactivenet.prompts.simulation import SimulationOptions
from interactivenet.system.files import write_json
from tests.cli.plan_command import NAME, digests, plan, run
from tests.raw_task import read


@pytest.fixture
def task(phantom_task):
    return phantom_task


def test_what_is_written(task):
    folder = plan(task, "-s", "4")
    names = sorted(case.name for case in Task.load(task).training)
    regions = [name for case in names for name in region_names(case, [1, 2])]
    assert sorted(path.name for path in folder.iterdir() if path.name != ".lock") == [
        "fingerprint", "plans.json", "regions", "run.json", "sources.json",
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


def test_a_picture_that_cannot_be_drawn_costs_no_region(task, monkeypatch):
    def fails(*_):
        raise TypeError("no picture")

    monkeypatch.setattr("interactivenet.pipeline.planning_steps.SNAPSHOTS", Snapshots(fails, str))
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
            write_volume(path, read_image(path).array[0][:, :, index : index + 1], grid)
        write_label_array(case.label, label.array[0][:, :, index : index + 1] == 1, grid)
        case.interaction.unlink()
    simulated = CliRunner().invoke(main, ["simulate", "-t", NAME, "--raw", str(task.parent)])
    assert simulated.exit_code == 0, simulated.output
    folder = plan(task, "-v")
    assert len(list((folder / "snapshots").iterdir())) == 6


def test_a_region_that_cannot_be_written_is_in_no_split(task, monkeypatch):
    from interactivenet.preprocessing import preparation

    case = Task.load(task).training[2].name
    real = preparation.save_region

    def fails(folder, name, *rest, **more):
        if name.startswith(case):
            raise DataError(f"{name}.npz: cannot be written: No space left on device")
        real(folder, name, *rest, **more)

    monkeypatch.setattr(preparation, "save_region", fails)
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
    assert (
        result.exit_code == 2
        and "--folds 3: expected at most 2, the number of cases" in result.output
    )
    assert result.output.count("6 bytes, a header has 348") == 4


def test_a_folder_that_cannot_be_written(task):
    (task.parent.parent / "processed").write_text("a file")
    result = run(task)
    assert result.exit_code == 2 and "cannot be written" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-f", "7"], "-f / --folds 7: expected at most 6, the number of cases"),
        (["-f", "0"], "-f / --folds 0: expected 1 or more"),
        (["--relax", "-1"], "--relax -1: expected a fraction"),
        (["--memory-gb", "0.01"], "--memory-gb 0.01: is too little"),
        (["-s", "-1"], "--seed -1: expected 0 to 4294967295"),
        (["-s", "5000000000"], "--seed 5000000000: expected 0 to"),
        (["--leave-one-out"], "expected at least two subtypes, and a subtype for every case"),
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
    assert (
        result.exit_code == 2
        and "--folds 5: expected at most 4, the number of patients" in result.output
    )


def test_one_case_alone(task):
    content = read(task / "dataset.json")
    content["training"] = content["training"][:1]
    write_json(task / "dataset.json", content)
    result = run(task, "-f", "1")
    assert result.exit_code == 0 and "trains and validates on the same cases" in result.output


def test_low_coverage_is_a_warning(task):
    """Part of an object far from the points, which nobody pointed at."""
    case = Task.load(task).training[0]
    label = read_label(case.label)
    array = label.array[0].copy()
    far = np.argwhere(array == 0)
    points = np.argwhere(array == 1).mean(axis=0)
    far = far[np.argsort(-((far - points) ** 2).sum(axis=1))[:60]]
    array[tuple(far.T)] = 1
    write_label_array(case.label, array, label.source)
    result = run(task)
    assert result.exit_code == 0, result.output
    assert f"{case.name}__1: the planned cut holds" in result.output
    folder = task.parent.parent / "processed" / NAME
    assert read(folder / "plans.json")["coverage"][f"{case.name}__1"] < 0.999


def test_the_originals_name_is_the_same_command():
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="interactivenet_plan_and_process")
    assert script.load() is main.get_command(None, "plan")


def test_regions_know_how_their_points_were_simulated(task):
    folder = plan(task)
    decided = Plan.load(folder / "plans.json")
    first, second = (case.name for case in Task.load(task).training[:2])
    region = load_region(folder / "regions", f"{first}__1", decided)
    assert region.simulation == SimulationOptions()
    # moved by a person since: no longer simulated, and the region is made again
    path = task / "interactionsTr" / f"{first}.nii.gz"
    prompts = read_label(path)
    write_label_array(path, np.roll(prompts.array[0], 1, axis=0), prompts.source)
    plan(task)
    decided = Plan.load(folder / "plans.json")  # other points, perhaps other margins
    assert load_region(folder / "regions", f"{first}__1", decided).simulation is None
    assert (
        load_region(folder / "regions", f"{second}__1", decided).simulation == SimulationOptions()
    )


def test_a_spacing_that_is_asked_for(task):
    folder = plan(task, "--spacing", "2", "2", "4", "--extent", "--preset", "small")
    decided = Plan.load(folder / "plans.json")
    assert decided.spacing == (2.0, 2.0, 4.0) and decided.encoding.extent
    assert decided.network.features[0] == 16
    result = run(task, "--spacing", "2", "-1", "4")
    assert result.exit_code == 2 and "--spacing" in result.output
