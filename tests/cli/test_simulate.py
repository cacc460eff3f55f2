"""``interactivenet simulate``: the files it writes, keeps, skips and refuses."""

import hashlib
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.phantom import PhantomSettings, write_phantom_task
from interactivenet.errors import DataError
from interactivenet.imaging.io import read_label, write_label_array
from interactivenet.pipeline.simulate import simulate_task
from interactivenet.prompts.io import read_prompts
from interactivenet.prompts.simulation import SimulationOptions
from tests.raw_task import GRID, POINTS, SHAPE, read, write_case, write_points

NAME = "Task102_SIM"


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms") / NAME
    settings = PhantomSettings(
        cases=3, test_cases=1, labels=("tumour", "oedema"), spacing=(1.0, 1.0, 3.5), oblique=12.0
    )
    write_phantom_task(folder, settings)
    return folder


@pytest.fixture
def task(tmp_path, phantoms):
    return shutil.copytree(phantoms, tmp_path / NAME)


def run(command, task, *options):
    arguments = [command, "-t", task.name, "--raw", str(task.parent), *options]
    return CliRunner().invoke(main, arguments)


def simulate(task, *options):
    result = run("simulate", task, *options)
    assert result.exit_code == 0, result.output
    return result


def digests(task, folders=("interactionsTr", "interactionsTs")):
    return {
        str(path.relative_to(task)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in folders
        for path in sorted((task / folder).iterdir())
    }


def assert_points_inside(task):
    count = 0
    for subset in ("Tr", "Ts"):
        for path in (task / f"interactions{subset}").glob("*"):
            label = read_label(
                next((task / f"labels{subset}").glob(f"{path.name.split('.')[0]}.*"))
            )
            for prompt in read_prompts(path):
                voxels = label.grid.nearest_voxel(prompt.points)
                assert (label.array[0][tuple(voxels.T)] == prompt.label).all()
                count += len(voxels)
    return count


def test_six_points_per_object_lie_inside_for_training_and_test(task):
    raw = digests(task, ("imagesTr", "labelsTr", "imagesTs", "labelsTs"))
    simulate(task)
    assert assert_points_inside(task) == 4 * 2 * 6
    assert digests(task, ("imagesTr", "labelsTr", "imagesTs", "labelsTs")) == raw
    assert read(task / "simulation.json")["settings"]["seed"] == 0


def test_the_same_seed_gives_the_same_bytes_and_another_others(task, tmp_path):
    simulate(task, "--seed", "0", "--jobs", "1")
    first = digests(task)
    again = shutil.copytree(task, tmp_path / "again" / NAME)
    shutil.rmtree(again / "interactionsTr")
    shutil.rmtree(again / "interactionsTs")
    simulate(again, "--seed", "0", "--jobs", "4")
    assert digests(again) == first
    simulate(task, "--seed", "1")
    assert all(digests(task)[name] != digest for name, digest in first.items())


def test_finished_files_are_skipped_and_changed_labels_redone(task):
    simulate(task)
    assert "4 unchanged" in simulate(task).output
    label = read_label(task / "labelsTr/phantom_000.nii.gz")
    write_label_array(task / "labelsTr/phantom_000.nii.gz", label.array[0] == 1, label.source)
    assert "1 written, 3 unchanged" in simulate(task).output


@pytest.mark.parametrize("before", [False, True])
def test_a_killed_run_goes_on_with_the_same_or_another_seed(task, before):
    if before:
        simulate(task, "--seed", "7", "--format", "json")
    killed = simulate_task(task, SimulationOptions(seed=0))
    next(killed), next(killed)
    killed.close()
    assert "2 written" in simulate(task).output or before
    assert "4 unchanged" in simulate(task).output
    killed = simulate_task(task, SimulationOptions(seed=1))
    next(killed)
    killed.close()
    assert "4 written" in simulate(task, "--seed", "2").output
    assert_points_inside(task)
    names = [path.name for path in (task / "interactionsTr").iterdir()]
    assert sorted(names) == [f"phantom_00{i}.nii.gz" for i in range(3)]
    assert not list(task.glob(".*"))


def test_points_of_json_follow_renamed_labels(task):
    simulate(task, "--format", "json")
    assert run("dataset", task, "-m", "MR", "-l", "tumour", "-l", "oedema").exit_code == 0
    assert "4 written" in simulate(task, "--format", "json").output
    names = {point["name"] for point in read(task / "interactionsTr/phantom_000.json")["points"]}
    assert names == {"tumour", "oedema"}


def test_two_files_of_a_person_are_refused_even_when_overwriting(task):
    for suffix in ("json", "csv"):
        write_points(task / f"interactionsTr/phantom_000.{suffix}", POINTS)
    assert run("simulate", task, "--overwrite").exit_code == 1
    assert len(list((task / "interactionsTr").glob("phantom_000.*"))) == 2


def test_points_of_a_person_are_kept_unless_overwritten(task):
    path = task / "interactionsTr/phantom_000.nii.gz"
    label = read_label(task / "labelsTr/phantom_000.nii.gz")
    voxels = np.argwhere(label.array[0] == 1)[:6]
    write_points(path, voxels, grid=label.source)
    mine = path.read_bytes()
    for _ in range(2):
        assert "1 kept" in simulate(task, "--seed", "3").output
        assert path.read_bytes() == mine
    simulate(task)
    edited = task / "interactionsTr/phantom_001.nii.gz"  # simulated, then edited by a person
    edited.write_bytes(mine)
    assert "2 kept" in simulate(task, "--seed", "4").output
    assert edited.read_bytes() == mine
    assert "4 written" in simulate(task, "--overwrite").output
    assert path.read_bytes() != mine


def test_json_is_chosen_where_objects_share_a_label(tmp_path):
    task = tmp_path / NAME
    write_phantom_task(task, PhantomSettings(cases=2, test_cases=0, objects=2))
    simulate(task)  # one object per label: a mask
    assert (task / "interactionsTr/phantom_000.nii.gz").exists()
    simulate(task, "--per-component")
    names = sorted(path.name for path in (task / "interactionsTr").iterdir())
    assert names == ["phantom_000.json", "phantom_001.json"]  # and the masks are gone
    points = read(task / "interactionsTr/phantom_000.json")["points"]
    assert [point["name"] for point in points] == ["1"] * 6 + ["1#2"] * 6
    assert_points_inside(task)


def test_before_and_after_dataset(task):
    simulate(task, "--format", "json")
    options = ("-m", "MR", "-l", "tumour", "-l", "oedema")
    assert run("dataset", task, *options).exit_code == 0
    listed = [case["interaction"] for case in read(task / "dataset.json")["training"]]
    assert listed[0] == "./interactionsTr/phantom_000.json"
    simulate(task)  # now the names are known, and dataset.json follows
    listed = [case["interaction"] for case in read(task / "dataset.json")["training"]]
    assert listed[0] == "./interactionsTr/phantom_000.nii.gz"
    assert run("dataset", task).exit_code == 0


@pytest.mark.parametrize(
    ("options", "points"),
    [(["--random", "4"], 4), (["--centre"], 1), (["--random", "3", "--centre"], 4)],
)
def test_other_points_can_be_asked_for(task, options, points):
    simulate(task, *options)
    assert assert_points_inside(task) >= 8 * points - 8


def test_points_other_than_margin_points_are_checked_as_what_they_are(task):
    simulate(task, "--centre")
    result = run("dataset", task, "-m", "MR", "-l", "tumour", "-l", "oedema")
    assert result.exit_code == 0, result.output
    assert "has 1 points, expected 6" in result.output


def test_jitter_and_depth_move_points_but_not_out(task):
    simulate(task)
    first = digests(task)
    simulate(task, "--jitter-mm", "3")
    assert_points_inside(task)
    second = digests(task)
    simulate(task, "--depth-mm", "0")
    assert_points_inside(task)
    assert len({tuple(first.values()), tuple(second.values()), tuple(digests(task).values())}) == 3


def test_bad_cases_are_named_and_tiny_objects_get_what_they_have(tmp_path):
    task = tmp_path / NAME
    write_case(task, "good")
    write_case(task, "empty")
    write_label_array(task / "labelsTr/empty.nii.gz", np.zeros(SHAPE, np.uint8), GRID)
    tiny = np.zeros(SHAPE, np.uint8)
    tiny[0, 0, :2] = 1
    tiny[10:12, 10, 10] = 1
    write_case(task, "tiny")
    write_label_array(task / "labelsTr/tiny.nii.gz", tiny, GRID)
    write_case(task, "double", prompt=True)
    write_points(task / "interactionsTr/double.json", POINTS)
    result = run("simulate", task)
    assert result.exit_code == 1
    failures = read(task / "failures.json")["simulate"]
    assert failures["empty"] == "the label map is empty: there is no object to point at"
    assert "has 2 prompt files, expected one: double.json, double.nii.gz" in failures["double"]
    assert "too small, 2 points instead of 6" in result.output
    assert "2 voxels outside the largest of 2 components are ignored" in result.output
    assert (task / "interactionsTr/good.nii.gz").exists()


def test_reasons_in_failures_json_are_in_the_words_of_the_command_line(task, monkeypatch):
    def failing(*_):
        raise DataError("is odd", remedy=f"run `check_dataset(task={NAME!r})`, or `jobs=1`")

    monkeypatch.setattr("interactivenet.pipeline.simulate._simulate_case", failing)
    result = run("simulate", task)
    reason = f"is odd: run 'interactivenet dataset -t {NAME}', or --jobs 1"
    assert result.exit_code == 1 and reason in result.output
    assert set(read(task / "failures.json")["simulate"].values()) == {reason}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-t", NAME, "--seed", "-1"], "--seed -1: expected 0 or more"),
        (["-t", NAME, "--depth-mm", "-1"], "--depth-mm -1: expected 0 or more"),
        (["-t", NAME, "--jitter-mm", "inf"], "--jitter-mm inf: expected 0 or more"),
        (["-t", NAME, "--format", "xml"], "'xml' is not one of"),
        (["-t", "Task103_NONE"], "does not exist"),
    ],
)
def test_wrong_requests_are_refused(task, options, message):
    result = CliRunner().invoke(main, ["simulate", "--raw", str(task.parent), *options])
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_task_without_labels_is_refused(tmp_path):
    (tmp_path / NAME / "imagesTr").mkdir(parents=True)
    result = run("simulate", tmp_path / NAME)
    assert result.exit_code == 2
    assert "holds no label maps" in result.stderr


def test_a_file_that_cannot_be_replaced_stays_known_as_simulated(task, monkeypatch):
    from interactivenet.pipeline import simulate as module

    simulate(task)
    real = module.write_prompts

    def full(path, *rest, **options):
        real(path, *rest, **options)

        if "phantom_001" in path.name:
            path.unlink()  # the rename will find nothing, as after a failed write
            raise DataError(f"{path}: cannot be written: No space left on device")
        return []

    monkeypatch.setattr(module, "write_prompts", full)
    assert run("simulate", task, "--seed", "5").exit_code == 1
    monkeypatch.undo()
    assert "1 written, 3 unchanged" in simulate(task, "--seed", "5").output


def test_tiny_components_as_objects_pass_the_check(tmp_path):
    task = tmp_path / NAME
    write_case(task, "a")
    label = np.zeros(SHAPE, np.uint8)
    label[2:12, 2:12, 2:8] = label[15:17, 15, 12] = label[18, 3, 3:6] = label[18, 9:12, 9:12] = 1
    write_label_array(task / "labelsTr/a.nii.gz", label, GRID)
    simulate(task, "--per-component")
    result = run("dataset", task, "-m", "MR", "-l", "tumour")
    assert result.exit_code == 0, result.output
    assert "has 2 points, expected 6: the object has 2 voxels" in result.output
    assert "all 6 points lie in one plane" in result.output
