"""The stage ``train``, called from Python; its run in MLflow, interrupted and continued."""

import signal
from dataclasses import replace

import pytest

from interactivenet.datasets.roots import Roots
from interactivenet.errors import RequestError
from interactivenet.models.bundle import write_bundle
from interactivenet.models.fold_results import FoldResults
from interactivenet.models.model import own_model
from interactivenet.pipeline import tracking
from interactivenet.pipeline.deploy import deploy
from interactivenet.pipeline.select import select
from interactivenet.pipeline.train import train
from interactivenet.pipeline.validate import validate
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.system.files import sha256
from interactivenet.system.signals import Interrupted
from tests.pipeline.recording_reporter import RecordingReporter
from tests.random_model import make_bundle
from tests.raw_task import read
from tests.training.trained_task import NAME, QUICK, make_task

ONCE = replace(QUICK, epochs=1)


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    return make_task(tmp_path_factory.mktemp("train"))


@pytest.fixture
def roots(planned, tmp_path):
    return Roots(planned / "raw", planned / "processed", tmp_path / "results")


def test_what_it_returns_and_reports(roots, capsys):
    reporter = RecordingReporter()
    folds = train(NAME, "all", ONCE, mlflow=False, roots=roots, reporter=reporter)
    assert capsys.readouterr().out == ""
    assert [fold.results for fold in folds] == [
        FoldResults(roots.results / NAME, number) for number in (0, 1)
    ]
    for fold in folds:
        assert fold.results.is_finished and fold.failures == {}
        assert len(fold.trained.history) == 1 and fold.trained.resumed == 0
        assert [found.checkpoint for found in fold.validated] == ["best", "last"]
        assert all(len(found.cases) == 2 for found in fold.validated)
    assert [row["epoch"] for row in reporter.rows] == [1, 1]
    assert len(reporter.tables) == 2
    assert "fold 0: 2 objects to train on, 2 to validate, 1 epoch" in reporter.lines[0]
    assert not [text for text in reporter.texts if "--" in text]
    record = read(folds[0].results.folder / "run.json")
    arguments = record["arguments"]
    assert arguments["fold"] == "all" and arguments["epochs"] == 1 and arguments["workers"] == 0
    assert arguments["augmentation"] and arguments["results"] == str(roots.results)


def test_a_finished_fold_is_left_alone(roots):
    (first,) = train(NAME, 0, ONCE, validate=False, mlflow=False, roots=roots)
    assert first.validated == () and first.failures == {}
    digest, reporter = first.results.digest("last"), RecordingReporter()
    (again,) = train(NAME, "0", ONCE, validate=False, mlflow=False, roots=roots, reporter=reporter)
    assert again.trained.resumed == 1 and again.results.digest("last") == digest
    (line,) = [line for line in reporter.lines if "already trained" in line]
    assert line.endswith("already trained for 1 epoch (`overwrite=True` starts over)")


def test_requests_that_cannot_be(roots):
    with pytest.raises(RequestError, match=r"^`fold=2`: expected all or one of 0, 1$"):
        train(NAME, 2, ONCE, roots=roots)
    with pytest.raises(RequestError, match=r"^`devices=2`: expected 1 with `fold='all'`, "):
        train(NAME, "all", replace(ONCE, devices=2), roots=roots)
    assert not roots.results.exists()


def test_starting_from_a_model_is_said_and_recorded(planned, roots, tmp_path):
    plan = PlannedTask.load(planned / "processed" / NAME).plan
    bundle = make_bundle(tmp_path, plan)
    reporter = RecordingReporter()
    options = replace(ONCE, steps=1, start=bundle)
    (fold,) = train(
        NAME, 0, options, validate=False, mlflow=False, roots=roots, reporter=reporter
    )  # fmt: skip
    assert [line for line in reporter.lines if line.startswith(f"starting from {NAME} (fold_0.")]
    start = read(fold.results.folder / "run.json")["start"]
    assert start["name"] == NAME and start["file"] == "fold_0.safetensors"
    assert start["sha256"] == sha256(bundle / "fold_0.safetensors")
    assert read(fold.results.weights("last").with_suffix(".json"))["start"] == start


def test_a_start_that_saw_the_validation_cases_is_told_wherever_its_figures_are(roots, tmp_path):
    train(NAME, 0, ONCE, mlflow=False, roots=roots)
    bundle = tmp_path / "bundle"
    write_bundle(own_model(roots, NAME, [0], choice=False), bundle)
    reporter, options = RecordingReporter(), replace(ONCE, steps=1, start=bundle)
    (fold,) = train(NAME, 1, options, mlflow=False, roots=roots, reporter=reporter)
    warning = (
        f"2 of the 2 validation cases of fold 1 were among the training cases of {NAME}, which its"
        " training starts from: the validation of this fold is too good"
    )
    # before it is trained, and where it is validated
    assert reporter.lines.count(f"warning: {warning}") == 2
    record = read(fold.results.folder / "run.json")
    assert record["warnings"] == [warning]
    assert record["start_saw"] == {"model": NAME, "cases": 2, "of": 2}
    measured = read(fold.results.validation / "metrics.json")
    assert [measured[which]["warning"] for which in ("best", "last")] == [warning] * 2
    reporter = RecordingReporter()
    (validated,) = validate(NAME, 1, roots=roots, reporter=reporter)
    assert validated.warning == warning and reporter.lines.count(f"warning: {warning}") == 1
    assert read(fold.results.validation / "run.json")["warnings"] == [warning]
    reporter = RecordingReporter()
    selection = select(NAME, roots=roots, reporter=reporter)
    assert selection.warnings == (warning,) and f"warning: {warning}" in reporter.lines
    assert read(roots.results / NAME / "postprocessing.json")["warnings"] == [warning]
    deployed = deploy(NAME, roots=roots).folder
    assert read(deployed / "bundle.json")["cross_validation"]["warnings"] == [warning]
    assert f"**Too good**: {warning}." in (deployed / "MODEL_CARD.md").read_text()


def test_a_start_that_saw_none_of_them_is_no_matter(roots, tmp_path):
    options = replace(ONCE, steps=1)
    train(NAME, 0, options, validate=False, mlflow=False, roots=roots)
    write_bundle(own_model(roots, NAME, [0], choice=False), tmp_path / "bundle")
    reporter, options = RecordingReporter(), replace(options, start=tmp_path / "bundle")
    (fold,) = train(
        NAME, 0, options, mlflow=False, roots=roots, reporter=reporter, overwrite=True
    )  # fmt: skip
    assert not [line for line in reporter.lines if line.startswith("warning")]
    record = read(fold.results.folder / "run.json")
    assert "warnings" not in record and "start_saw" not in record
    assert "warning" not in read(fold.results.validation / "metrics.json")["best"]


def test_minutes_are_told_in_place_of_epochs(roots):
    reporter, options = RecordingReporter(), replace(QUICK, epochs=None, minutes=0.001, steps=1)
    for _ in range(2):
        train(NAME, 0, options, validate=False, mlflow=False, roots=roots, reporter=reporter)
    assert "fold 0: 2 objects to train on, 2 to validate, 0.001 minutes" in reporter.lines[0]
    (line,) = [line for line in reporter.lines if "already trained" in line]
    assert line.endswith("already trained for 0.001 minutes (`overwrite=True` starts over)")


class Recorded:
    """A tracker that notes how its run ended."""

    def __init__(self, run_id):
        self.run_id, self.address, self.statuses = run_id, "sqlite:///somewhere", []
        self.rows = []

    def parameters(self, values):
        assert values["fold"] == 0 and values["task"] == NAME

    def metrics(self, values, step=None):
        self.rows.append(step)

    def artefact(self, path, folder=""):
        pass

    def finish(self, status="FINISHED"):
        self.statuses.append(status)


def test_an_interrupted_training_is_saved_and_continues_its_run(roots, monkeypatch):
    begun = []

    def start(results, experiment, run, *, run_id="", warn):
        assert (results, experiment, run) == (roots.results, NAME, "fold_0")
        begun.append(Recorded(run_id or f"run {len(begun) + 1}"))
        return begun[-1]

    class Signalling(RecordingReporter):
        def epoch(self, row):
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(tracking, "start", start)
    reporter, options = Signalling(), replace(QUICK, epochs=3)
    with pytest.raises(Interrupted):
        train(NAME, 0, options, validate=False, roots=roots, reporter=reporter)
    folder = FoldResults(roots.results / NAME, 0).folder
    assert f"the training is saved in {folder / 'checkpoint.ckpt'}" in reporter.lines
    assert begun[0].statuses == ["KILLED"] and begun[0].rows == [1]
    assert read(folder / "mlflow.json") == {"run_id": "run 1", "address": "sqlite:///somewhere"}
    assert read(folder / "run.json")["ended"] == "ended by SIGTERM"
    (fold,) = train(NAME, 0, options, validate=False, roots=roots)
    assert fold.trained.resumed == 1 and len(fold.trained.history) == 3
    assert begun[1].run_id == "run 1" and begun[1].statuses == ["FINISHED"]
    train(NAME, 0, ONCE, validate=False, roots=roots, overwrite=True)
    assert begun[2].run_id == "run 3"
