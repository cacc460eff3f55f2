"""The stage ``plan``, called from Python."""

import signal
from dataclasses import replace

import pytest

from interactivenet.datasets.phantom import PhantomSettings
from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.errors import RequestError
from interactivenet.pipeline import planning_report, planning_steps
from interactivenet.pipeline.dataset import make_phantoms
from interactivenet.pipeline.plan import FoldOptions, plan
from interactivenet.pipeline.simulate import simulate
from interactivenet.planning.options import PlanningOptions
from interactivenet.planning.plan import Plan
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.planning.rules import make_plan
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.files import write_json
from interactivenet.system.signals import Interrupted
from interactivenet.training import timing
from tests.pipeline.recording_reporter import RecordingReporter, told
from tests.planning.test_object_grid import some_cases
from tests.planning.test_rules import COARSE, FINE, LARGE, small_task
from tests.random_model import make_bundle
from tests.raw_task import read

NAME = "Task108_PLAN"
TINY = PlanningOptions(preset="tiny", seed=5)


@pytest.fixture
def roots(tmp_path):
    """A task of four phantoms with points."""
    roots = Roots(tmp_path / "raw", tmp_path / "processed", tmp_path / "results")
    shape = PhantomSettings(cases=4, test_cases=0, shape=(24, 22, 16), spacing=(1.5, 1.5, 2.5))
    make_phantoms(NAME, shape, roots=roots)
    simulate(NAME, roots=roots)
    return roots


def test_what_it_returns_and_reports(roots, capsys):
    reporter = RecordingReporter()
    result = plan(NAME, TINY, folds=2, snapshots=True, roots=roots, jobs=1, reporter=reporter)
    assert capsys.readouterr() == ("", "")
    folder = roots.processed / NAME
    assert result.task == PlannedTask.load(folder)
    assert result.task.plan.seed == 5 and result.task.plan.preset == "tiny"
    assert len(result.task.splits) == 2 and result.failures == {}
    names = [case.name for case in Task.load(roots.raw / NAME).training]
    assert result.prepared == dict.fromkeys(names, "written")
    assert len(list((folder / "snapshots").iterdir())) == 4
    assert reporter.tracked == ["measured", "preprocessed"]
    assert reporter.lines[-1] == f"{folder / 'plans.json'}: 4 regions of 4 cases (4 written)"
    (line,) = [
        line for line in reporter.lines if line.startswith("an epoch of 10 steps takes about ")
    ]
    assert line.endswith(" s here (the network's part alone)")
    assert not [text for text in reporter.texts if "--" in text]


def test_how_long_an_epoch_takes_is_left_out_where_memory_is_short(roots, monkeypatch):
    monkeypatch.setattr(timing, "available_memory", lambda: 1000)
    reporter = RecordingReporter()
    assert plan(NAME, TINY, folds=2, roots=roots, jobs=1, reporter=reporter).failures == {}
    (line,) = [line for line in reporter.lines if "was not measured" in line]
    assert line.startswith("how long an epoch takes here was not measured: a step takes about")


def test_a_plan_that_decides_the_same_stays_what_an_earlier_version_wrote(roots):
    """A new version of the program must not orphan the folds that are trained already."""
    path = roots.processed / NAME / "plans.json"
    first = plan(NAME, TINY, folds=2, roots=roots, jobs=1).task.plan
    content = read(path)
    content["plan"]["version"] = "0.1.0"
    write_json(path, content)
    earlier = Plan.load(path)
    assert earlier.digest != first.digest
    again = plan(NAME, TINY, folds=2, roots=roots, jobs=1).task.plan
    assert again == earlier and Plan.load(path) == earlier
    other = plan(NAME, replace(TINY, seed=6), folds=2, roots=roots, jobs=1).task.plan
    assert other.version == first.version and other.digest != earlier.digest


def test_the_record_has_the_arguments_of_the_function(roots):
    plan(NAME, TINY, folds=FoldOptions(2, stratified=False), roots=roots, jobs=1)
    record = read(roots.processed / NAME / "run.json")
    assert record["stage"] == "plan" and record["seed"] == 5
    arguments = record["arguments"]
    assert {name: arguments[name] for name in ("task", "seed", "relax", "memory_gb", "preset")} == {
        "task": NAME, "seed": 5, "relax": 0.1, "memory_gb": 8.0, "preset": "tiny",
    }  # fmt: skip
    assert arguments["folds"] == 2 and arguments["stratified"] is False
    assert arguments["encoding"]["metric"] == TINY.encoding.metric
    assert arguments["processed"] == str(roots.processed) and arguments["overwrite"] is False


def test_the_choice_of_the_grid_is_told(roots):
    reporter = RecordingReporter()
    by_rule = plan(NAME, TINY, folds=2, roots=roots, jobs=1, reporter=reporter).task.plan
    (note,) = [one.message for one in reporter.found if "get a grid of one spacing" in one.message]
    assert by_rule.grid is None and by_rule.notes[-1] == note
    reporter = RecordingReporter()
    asked = plan(NAME, replace(TINY, grid="object"), folds=2, roots=roots, jobs=1,
                 reporter=reporter).task.plan  # fmt: skip
    assert asked.grid is not None and asked.sample_shape == (48, 48, 48) and asked.notes == ()
    lines = "\n".join(reporter.lines)
    assert "a grid for each object, its voxels" in lines and "48x48x48 voxels" in lines
    assert "grown by their depth" in lines and "+ 30/30 %" in lines
    assert Plan.load(roots.processed / NAME / "plans.json") == asked
    settings = read(next((roots.processed / NAME / "regions").glob("*.json")))["made_from"]
    assert settings["settings"]["sample_shape"] == [48, 48, 48]


def test_another_grid_makes_the_regions_again(roots):
    options = replace(TINY, grid="object")
    first = plan(NAME, options, folds=2, roots=roots, jobs=1)
    assert set(first.prepared.values()) == {"written"}
    again = plan(NAME, options, folds=2, roots=roots, jobs=1)
    assert set(again.prepared.values()) == {"unchanged"} and again.task.plan == first.task.plan
    finer = plan(NAME, replace(options, grid_voxels=64), folds=2, roots=roots, jobs=1)
    assert set(finer.prepared.values()) == {"written"}


def test_a_plan_like_a_model(roots, tmp_path):
    options = replace(TINY, grid="object", grid_voxels=32)
    model = plan(NAME, options, folds=2, roots=roots, jobs=1).task.plan
    model = replace(model, task="Task900_STARTER", modalities=("any",))
    bundle = make_bundle(tmp_path / "model", model, folds=(0,))
    planned = plan(NAME, PlanningOptions(like=bundle), folds=2, roots=roots, jobs=1).task.plan
    assert planned.sample_shape == (32, 32, 32) and planned.modalities == ("MR",)
    assert planned.network == model.network and planned.task == NAME
    assert read(roots.processed / NAME / "run.json")["arguments"]["like"] == str(bundle)
    with pytest.raises(RequestError, match=r"there is no model .nowhere."):
        plan(NAME, PlanningOptions(like="nowhere"), folds=2, roots=roots, jobs=1)


@pytest.mark.parametrize(
    ("grid", "words"),
    [("spacing", "at the planned spacing of 1x1x2 mm"), ("object", "on a grid of 48x48x48 voxels")],
)
def test_a_lost_object_is_told_with_what_would_keep_it(grid, words):
    small = some_cases(object_mm=(9.0, 9.0, 9.0))
    spacing = {"spacing": (1.0, 1.0, 2.0)} if grid == "spacing" else {}
    decided = make_plan("Task001_A", LabelNames({1: "a"}), small,
                        PlanningOptions(preset="tiny", grid=grid, **spacing))  # fmt: skip
    found = {"case": "c", "object": "label 1 (a)", "volume_ml": 1.0, "volume_at_spacing_ml": 0.0}
    (finding,) = planning_report.small_objects({"c__1": found}, decided)
    assert words in finding.message and "nothing is left of 1 ml" in finding.message
    assert ("finer `spacing`" in finding.message) == (grid == "spacing")


def test_no_case_makes_the_grids_of_the_others_finer_where_each_has_its_own():
    cases = [(COARSE, LARGE)] * 6 + [(FINE, (3.0, 3.0, 4.0))] * 2
    fingerprint = small_task(*cases)
    for grid, count in (("spacing", 2), ("object", 0)):
        options = PlanningOptions(preset="tiny", grid=grid)
        decided = make_plan("Task001_A", LabelNames({1: "a"}), fingerprint, options)
        assert len(planning_report.odd_cases(decided, fingerprint, options)) == count


def test_a_case_that_fails_is_returned(roots):
    case = Task.load(roots.raw / NAME).training[2]
    case.images[0].write_bytes(b"broken")
    reporter = RecordingReporter()
    result = plan(NAME, TINY, folds=2, roots=roots, jobs=1, reporter=reporter)
    assert list(result.failures) == [case.name] and case.name not in result.prepared
    assert [finding.case for finding in reporter.found if finding.level == "error"] == [case.name]
    assert "1 case failed, see" in reporter.lines[-1]
    folder = roots.processed / NAME
    assert read(folder / "failures.json")["plan"] == told(result.failures)
    assert read(folder / "run.json")["failures"] == told(result.failures)


def test_a_signal_ends_it_between_two_cases(roots, monkeypatch):
    measure, measured = planning_steps.measure_case, []

    def signalled(scan, subtype):
        measured.append(scan.name)
        if len(measured) == 2:
            signal.raise_signal(signal.SIGTERM)
        return measure(scan, subtype)

    monkeypatch.setattr(planning_steps, "measure_case", signalled)
    with pytest.raises(Interrupted, match="SIGTERM"):
        plan(NAME, TINY, folds=2, roots=roots, jobs=1)
    folder = roots.processed / NAME
    assert len(measured) == 2 and len(list((folder / "fingerprint").iterdir())) == 2
    assert read(folder / "run.json")["ended"] == "ended by SIGTERM"
    assert len(plan(NAME, TINY, folds=2, roots=roots, jobs=1).prepared) == 4
    assert len(measured) == 4  # the first two were not measured again


def test_without_prompts_it_says_what_makes_them(roots):
    folder = roots.raw / NAME
    for path in (folder / "interactionsTr").iterdir():
        path.unlink()
    from interactivenet.pipeline.dataset import check_dataset

    checked = check_dataset(NAME, roots=roots)
    assert all(case.interaction is None for case in checked.task.training)
    with pytest.raises(RequestError) as refusal:
        plan(NAME, roots=roots)
    assert f"run `simulate(task='{NAME}')`, then `check_dataset(" in str(refusal.value)
