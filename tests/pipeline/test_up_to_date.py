"""Nothing that is out of date is taken for current, from the scans to the deployed model."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from interactivenet.cli import main
from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.errors import RequestError
from interactivenet.imaging.io import read_label, write_label_array
from interactivenet.models.fold_results import FoldResults
from interactivenet.pipeline import tracking
from interactivenet.pipeline.deploy import deploy
from interactivenet.pipeline.ensemble import ensemble
from interactivenet.pipeline.evaluate_corrections import evaluate_corrections
from interactivenet.pipeline.infer import infer
from interactivenet.pipeline.plan import plan
from interactivenet.pipeline.predict import predict
from interactivenet.pipeline.robustness import robustness
from interactivenet.pipeline.select import is_current, select
from interactivenet.pipeline.test import test as run_test
from interactivenet.pipeline.train import train
from interactivenet.pipeline.validate import validate
from interactivenet.planning.options import PlanningOptions
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.system.files import write_json
from tests.cli.trained_command import copied_root, run
from tests.pipeline.recording_reporter import RecordingReporter
from tests.raw_task import read
from tests.training.trained_task import NAME, QUICK

OPTIONS = replace(QUICK, epochs=3)  # as the fixture was trained
TINY = PlanningOptions(preset="tiny")


@pytest.fixture
def roots(trained, tmp_path):
    root = copied_root(trained, tmp_path)
    return Roots(root / "raw", root / "processed", root / "results")


def first_case(roots):
    return Task.load(roots.raw / NAME).training[0]


def shrink(path):
    """Take the outermost slice of an object away from a label map."""
    label = read_label(path)
    array = label.array[0].copy()
    array[:, :, np.flatnonzero(array.any(axis=(0, 1)))[-1]] = 0
    write_label_array(path, array, label.source)


STAGES = {
    "train": lambda roots: train(NAME, 0, OPTIONS, mlflow=False, roots=roots),
    "train_alone": lambda roots: train(NAME, 0, OPTIONS, validate=False, mlflow=False, roots=roots),
    "validate": lambda roots: validate(NAME, roots=roots),
    "postprocess": lambda roots: select(NAME, roots=roots),
    "test": lambda roots: run_test(NAME, mlflow=False, roots=roots),
    "predict": lambda roots: predict(NAME, roots=roots),
    "ensemble": lambda roots: ensemble(NAME, mlflow=False, roots=roots),
    "robustness": lambda roots: robustness(NAME, roots=roots),
    "evaluate_corrections": lambda roots: evaluate_corrections(NAME, mlflow=False, roots=roots),
    "deploy": lambda roots: deploy(NAME, roots=roots),
}


def test_a_label_that_changes_after_planning_stops_every_stage(roots):
    label = first_case(roots).label
    shrink(label)
    before = sorted(path for path in roots.results.rglob("*") if path.name != ".lock")
    for stage in STAGES.values():
        with pytest.raises(RequestError) as refusal:
            stage(roots)
        line = str(refusal.value)
        assert f"since it was planned, labelsTr/{label.name} changed" in line
        assert f"`plan(task='{NAME}', overwrite=True)`" in line
        assert f"then `train(task='{NAME}', fold='all', overwrite=True)`" in line
        assert "\n" not in line
    assert sorted(path for path in roots.results.rglob("*") if path.name != ".lock") == before


@pytest.mark.parametrize("part", ["images", "interaction"])
def test_images_and_points_count_too(roots, part):
    case, other = Task.load(roots.raw / NAME).training[:2]
    path, source = (one.images[0] if part == "images" else one.interaction for one in (case, other))
    shutil.copy(source, path)
    for stage in ("train", "validate", "postprocess"):
        with pytest.raises(RequestError, match=f"{path.name} changed"):
            STAGES[stage](roots)


def test_weights_of_before_are_not_measured_with_the_labels_of_now(roots):
    """Planned again with another label: the folds must be trained again, and each stage says so."""
    shrink(first_case(roots).label)
    with pytest.raises(RequestError, match="would be replaced by a plan that differs in"):
        plan(NAME, TINY, folds=2, roots=roots, jobs=1)
    plan(NAME, TINY, folds=2, roots=roots, jobs=1, overwrite=True)
    for name in ("validate", "postprocess", "test", "predict", "robustness", "evaluate_corrections",
                 "deploy"):  # fmt: skip
        with pytest.raises(RequestError, match=r"overwrite=True\)`$"):
            STAGES[name](roots)
    with pytest.raises(RequestError, match="belongs to another training"):
        STAGES["train"](roots)


def test_a_label_that_changes_while_the_fold_trains_fails_its_case(roots, monkeypatch):
    """What the start found current is looked at again before the case is validated."""
    fold = FoldResults(roots.results / NAME, 0)
    shutil.rmtree(fold.validation)
    case = PlannedTask.load(roots.processed / NAME).splits[0].validation[0]
    (found,) = [one for one in Task.load(roots.raw / NAME).training if one.name == case]
    monkeypatch.setattr("interactivenet.pipeline.validate.check_sources", lambda *_: None)
    shrink(found.label)
    (validated, *_) = validate(NAME, 0, roots=roots, device="cpu", precision="fp32")
    assert list(validated.failures) == [case]
    assert f"labelsTr/{found.label.name} changed" in validated.failures[case]


def test_moved_data_goes_on(roots, tmp_path):
    moved = tmp_path / "elsewhere"
    for part in ("raw", "processed", "results"):
        shutil.copytree(getattr(roots, part), moved / part)
    shutil.rmtree(roots.raw)
    elsewhere = Roots(moved / "raw", moved / "processed", moved / "results")
    reporter = RecordingReporter()
    (fold,) = train(NAME, 0, OPTIONS, mlflow=False, roots=elsewhere, reporter=reporter)
    assert fold.trained.resumed == 3
    assert select(NAME, roots=elsewhere).folds == (0, 1)


def test_without_the_raw_task_it_says_that_nothing_was_compared(roots):
    shutil.rmtree(roots.raw)
    reporter = RecordingReporter()
    select(NAME, roots=roots, reporter=reporter)
    assert reporter.lines[0].endswith("its files were not compared with those of the plan")


def test_a_case_that_is_mended_and_validated_again_is_chosen_from(roots):
    """The choice of when it failed is not kept: its key holds what was measured."""
    fold = FoldResults(roots.results / NAME, 0)
    shutil.rmtree(fold.validation)
    case = PlannedTask.load(roots.processed / NAME).splits[0].validation[0]
    (found,) = [one for one in Task.load(roots.raw / NAME).training if one.name == case]
    away = found.images[0].with_suffix(".away")
    found.images[0].rename(away)
    options = {"roots": roots, "device": "cpu", "precision": "fp32"}
    (validated,) = validate(NAME, 0, **options)
    assert list(validated.failures) == [case]
    assert list(select(NAME, roots=roots).failures) == [case]
    assert is_current(roots, NAME)
    away.rename(found.images[0])
    (validated,) = validate(NAME, 0, **options)
    assert not validated.failures and not is_current(roots, NAME)
    with pytest.raises(RequestError, match=r"is out of date: .* run `select\("):
        predict(NAME, roots=roots)
    test = Task.load(roots.raw / NAME).test[0]
    with pytest.raises(RequestError, match=r"is out of date: .* run `select\("):
        infer(NAME, test.images[0], test.interaction, roots.results / "new", roots=roots)
    done = run_test(NAME, mlflow=False, roots=roots)
    assert not done.failures
    content = read(roots.results / NAME / "postprocessing.json")
    assert content["failures"] == {} and len(content["objects"]) == 4
    assert is_current(roots, NAME)


def test_a_choice_of_an_earlier_version_is_made_again(roots):
    path = roots.results / NAME / "postprocessing.json"
    select(NAME, roots=roots)
    content = read(path)
    for fold in content["made_from"].values():
        for record in fold.values():
            del record["measured"]
    write_json(path, content)
    assert not is_current(roots, NAME)
    select(NAME, roots=roots)
    assert is_current(roots, NAME)


def test_a_plan_with_trained_folds_is_not_just_replaced(roots):
    folder = roots.processed / NAME
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.suffix == ".json"}
    other = replace(TINY, spacing=(2.0, 2.0, 3.0), seed=7)
    with pytest.raises(RequestError) as refusal:
        plan(NAME, other, folds=2, roots=roots, jobs=1)
    line = str(refusal.value)
    assert "seed (7 instead of 0), spacing (2x2x3 instead of 1.5x1.5x2.5)" in line
    assert "fold 0 (3 epochs), fold 1 (3 epochs)" in line
    assert "`overwrite=True` replaces it all the same" in line
    assert {path: path.read_bytes() for path in before} == before
    # the same plan again stays as it is, and so do the folds
    plan(NAME, TINY, folds=2, roots=roots, jobs=1)
    assert (folder / "plans.json").read_bytes() == before[folder / "plans.json"]
    assert select(NAME, roots=roots).folds == (0, 1)
    with pytest.raises(RequestError, match="differs in the folds"):
        plan(NAME, TINY, folds=4, roots=roots, jobs=1)
    reporter = RecordingReporter()
    plan(NAME, other, folds=2, roots=roots, jobs=1, overwrite=True, reporter=reporter)
    assert any(line.startswith("warning: ") and "is lost: fold 0" in line
               for line in reporter.lines)  # fmt: skip
    # folds that belong to no plan that is there are in nobody's way
    plan(NAME, TINY, folds=2, roots=roots, jobs=1)


def test_the_command_asks_for_overwrite(roots):
    root = roots.raw.parent
    words = ["plan", "-t", NAME, "-f", "2", "--preset", "tiny", "--jobs", "1", "--seed", "3"]
    done = run(root, *words)
    assert done.exit_code == 2 and "differs in seed (3 instead of 0)" in done.output
    assert "--overwrite replaces it all the same" in done.output
    assert run(root, *words, "--overwrite").exit_code == 0


class Runs:
    """A tracker that notes which runs were opened."""

    def __init__(self, *_, **__):
        raise AssertionError("a run was opened")


def test_a_refused_training_opens_no_run(roots, monkeypatch):
    monkeypatch.setattr(tracking, "start", Runs)
    with pytest.raises(RequestError, match="has already reached epoch 3"):
        train(NAME, 0, replace(OPTIONS, epochs=2), roots=roots)
    with pytest.raises(RequestError, match="`precision"):
        train(NAME, 0, replace(OPTIONS, precision="fp16"), roots=roots)
    plan(NAME, replace(TINY, seed=4), folds=2, roots=roots, jobs=1, overwrite=True)
    with pytest.raises(RequestError, match="belongs to another training"):
        train(NAME, 0, OPTIONS, roots=roots)


def test_checkpoints_of_the_same_weights_are_validated_once(roots):
    fold = FoldResults(roots.results / NAME, 0)
    shutil.copy(fold.weights("best"), fold.weights("last"))
    shutil.rmtree(fold.validation)
    reporter = RecordingReporter()
    options = {"roots": roots, "device": "cpu", "precision": "fp32"}
    (validated,) = validate(NAME, 0, **options, reporter=reporter)
    assert reporter.tracked == ["validated best"]
    best, last = validated.checkpoints
    assert best.cases == last.cases and best.epoch == last.epoch and len(best.cases) == 2
    for case in best.cases:
        one, other = (fold.validation / name / f"{case}.nii.gz" for name in ("best", "last"))
        assert one.read_bytes() == other.read_bytes()
    made = {path: path.stat().st_mtime_ns for path in fold.validation.glob("*/*.nii.gz")}
    validate(NAME, 0, **options)
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert json.loads((fold.validation / "metrics.json").read_text())["last"]["cases"]


def test_postprocess_and_deploy_take_the_raw_task():
    for name in ("postprocess", "deploy"):
        command = main.get_command(None, name)
        assert "raw" in {parameter.name for parameter in command.params}
