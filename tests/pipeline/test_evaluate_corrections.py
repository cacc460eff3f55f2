"""Corrections are measured: of which cases, by which model, what is kept and what done again."""

import json
import shutil
from dataclasses import replace

import pytest

from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.errors import RequestError
from interactivenet.imaging.io import read_label, write_label_array
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.predictor import Predictor
from interactivenet.pipeline import evaluate_corrections as stage_module
from interactivenet.pipeline.deploy import deploy
from interactivenet.pipeline.evaluate_corrections import evaluate_corrections
from interactivenet.pipeline.select import select
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.io import read_prompts
from interactivenet.system.signals import Interrupted, Signals
from tests.evaluation.painting_session import PaintingSession
from tests.pipeline.recording_reporter import RecordingReporter, told
from tests.raw_task import read
from tests.training.trained_task import NAME

FAST = InferenceOptions(mirrored=False, precision="fp32", device="cpu")
ENDINGS = ("csv", "html", "json", "png")


@pytest.fixture
def roots(trained, tmp_path):
    """Folders of a trained task, whose raw files and results may be changed."""
    for part in ("raw", "results"):
        shutil.copytree(trained / part, tmp_path / part)
    return Roots(tmp_path / "raw", trained / "processed", tmp_path / "results")


@pytest.fixture
def opened(monkeypatch):
    """Correct by painting; returns the names of the cases that were opened, in their order."""
    names = []
    open_session = Predictor.open

    def painting(self, image, **more):
        session = open_session(self, image, **more)
        names.append(session.scan.name)
        return PaintingSession(session.segment, session.scan.image.grid, radius=3)

    monkeypatch.setattr(Predictor, "open", painting)
    return names


@pytest.fixture
def measure(roots, opened):
    def run(reporter=None, **more):
        settings = {"clicks": 2, "options": FAST, "mlflow": False, "roots": roots, **more}
        return evaluate_corrections(NAME, reporter=reporter or RecordingReporter(), **settings)

    return run


def written(folder):
    return {path.suffix[1:]: path.read_bytes() for path in folder.glob("corrections.*")}


def test_labelled_test_cases_with_all_folds(roots, measure, opened):
    reporter = RecordingReporter()
    result = measure(reporter)
    names = [case.name for case in Task.load(roots.raw / NAME).test]
    assert opened == names and result.cases == 2 and result.failures == {}
    assert result.folder == roots.results / NAME / "corrections"
    assert sorted(written(result.folder)) == sorted(ENDINGS)
    content = read(result.folder / "corrections.json")
    assert list(content["cases"]) == names and content["summary"] == result.summary
    for record in content["cases"].values():
        assert [(row["method"], row["clicks"]) for row in record["rows"]] == [
            (method, step) for method in ("model", "brush") for step in range(3)
        ]
        made_from = record["made_from"]
        assert (made_from["clicks"], made_from["robot"], made_from["seed"]) == (2, "cvpr", 0)
        assert len(made_from["weights"]) == 2 and set(made_from["inputs"]) == {
            "image 0", "points", "label",
        }  # fmt: skip
    assert (result.folder / "corrections.csv").read_text().count("\n") == 1 + 2 * 2 * 3
    curve, worth = reporter.tables
    assert [row[0] for row in curve.rows] == ["0", "1", "2"]
    assert all(len(row) == len(curve.columns) for row in curve.rows)
    assert worth.columns == ("", "model", "brush")
    assert reporter.tracked == ["evaluate-corrections"]
    assert "2 labelled test cases" in reporter.lines
    run = read(result.folder / "run.json")
    assert run["stage"] == "evaluate-corrections" and run["status"] == "done"
    assert run["cases"] == 2 and run["clicks"] == 2 and run["robot"] == "cvpr"
    assert run["arguments"]["task"] == NAME and run["model"] == "own"
    assert "cores" in run["device"]  # the machine, whose seconds these are


def test_what_is_done_is_kept_and_what_changed_is_not(roots, measure, opened):
    first = measure()
    before = written(first.folder)
    opened.clear()
    again = measure()
    assert opened == [] and again.summary == first.summary
    assert written(first.folder) == before
    case, _ = Task.load(roots.raw / NAME).test
    label = read_label(case.label)
    write_label_array(case.label, label.array[0][::-1].copy(), label.source)
    changed = measure()
    assert opened == [case.name] and changed.summary != first.summary
    opened.clear()
    measure(robot="sloppy")
    measure(robot="sloppy", seed=1)
    measure(robot="sloppy", seed=1, overwrite=True)
    assert len(opened) == 6


def test_a_stopped_measurement_goes_on(measure, opened, monkeypatch):
    check, asked = Signals.check, []

    def stopped(self):
        asked.append(1)
        if len(asked) == 4:  # after two clicks, the model's and the brush's, and the case's end
            self.received = 15
        check(self)

    with monkeypatch.context() as patched:
        patched.setattr(Signals, "check", stopped)
        with pytest.raises(Interrupted):
            measure(clicks=1)
    names = list(opened)
    assert len(names) == 2  # the second one was begun
    opened.clear()
    result = measure(clicks=1)
    assert opened == names[1:] and result.failures == {}
    assert list(read(result.folder / "corrections.json")["cases"]) == names


def test_a_case_that_fails_costs_itself(roots, measure):
    case, other = Task.load(roots.raw / NAME).test
    case.label.write_bytes(b"nothing")
    reporter = RecordingReporter()
    result = measure(reporter)
    assert list(result.failures) == [case.name] and result.cases == 2
    assert list(read(result.folder / "corrections.json")["cases"]) == [other.name]
    assert read(result.folder / "failures.json") == {"evaluate-corrections": told(result.failures)}
    assert [finding.case for finding in reporter.found] == [case.name]
    page = (result.folder / "corrections.html").read_text(encoding="utf-8")
    assert "Failed cases" in page and "1 object of 1 case" in page


def test_where_every_case_fails_nothing_is_drawn_and_nothing_stays(roots, measure):
    measure()
    for case in Task.load(roots.raw / NAME).test:
        case.label.write_bytes(b"nothing")
    reporter = RecordingReporter()
    result = measure(reporter)
    assert len(result.failures) == 2 and reporter.tables == []
    assert result.summary["objects"] == 0
    assert sorted(written(result.folder)) == ["json"]


def test_strangers_files_are_refused(measure):
    folder = measure().folder
    for ending in ENDINGS:
        path = folder / f"corrections.{ending}"
        original = path.read_bytes()
        path.write_text("{}")
        with pytest.raises(RequestError, match=rf"corrections\.{ending}: is not as this program"):
            measure(overwrite=True)
        assert path.read_text() == "{}"
        path.write_bytes(original)


def test_training_cases_each_with_the_fold_that_never_saw_it(roots, measure, opened):
    task = Task.load(roots.raw / NAME)
    for case in task.test:
        case.label.unlink()
    replace(task, test=tuple(replace(case, label=None) for case in task.test)).save()
    reporter = RecordingReporter()
    result = measure(reporter, clicks=1)
    assert sorted(opened) == sorted(case.name for case in task.training)
    assert "no labelled test cases: using each fold's validation cases" in " ".join(reporter.lines)
    content = read(result.folder / "corrections.json")
    weights = [tuple(record["made_from"]["weights"]) for record in content["cases"].values()]
    assert len(set(weights)) == 2 and {len(one) for one in weights} == {1}


def test_a_model_of_elsewhere_is_taken_as_never_having_seen_them(
    roots, measure, opened, with_starter
):
    task = Task.load(roots.raw / NAME)
    reporter = RecordingReporter()
    result = measure(reporter, clicks=1, model="starter")
    assert sorted(opened) == sorted(case.name for case in (*task.training, *task.test))
    assert result.folder == roots.results / NAME / "corrections_starter"
    assert (
        "6 labelled cases, of training and test: model 'starter' is taken as never having seen"
        " these cases"
    ) in reporter.lines
    assert read(result.folder / "run.json")["model"] == "starter"
    page = (result.folder / "corrections.html").read_text(encoding="utf-8")
    assert f"<h1>{NAME}: corrections, model starter</h1>" in page
    # it needs neither plan nor folds of the task
    bare = Roots(roots.raw, roots.results / "no", roots.results / "no")
    assert measure(clicks=1, model=with_starter, roots=bare).failures == {}


def test_a_deployed_model_has_seen_the_training_cases(roots, measure, opened):
    select(NAME, roots=roots)
    deploy(NAME, roots=roots)
    task, reporter = Task.load(roots.raw / NAME), RecordingReporter()
    result = measure(reporter, clicks=1, model="deployed")
    assert opened == [case.name for case in task.test]
    assert result.folder.name == "corrections_deployed"
    assert "model 'deployed' was trained on the training cases" in " ".join(reporter.lines)
    replace(task, test=()).save()
    with pytest.raises(RequestError, match="model 'deployed' was trained on the others"):
        measure(clicks=1, model="deployed")


def test_points_of_a_task_may_have_corrections_which_are_left_out(
    roots, measure, opened, monkeypatch
):
    case, _ = Task.load(roots.raw / NAME).test
    read_scan = stage_module.measure_corrections.__globals__["correct_case"]
    seen = []

    def corrected(session, name, prompts, *more):
        seen.extend(len(prompt.corrections) for prompt in prompts)
        return read_scan(session, name, prompts, *more)

    def with_corrections(files, *more, **others):
        prompts = read_prompts(files, *more, **others)
        place = tuple(prompts[0].points[0])
        return [replace(prompts[0], corrections=(Correction(place, True),)), *prompts[1:]]

    monkeypatch.setattr(stage_module, "correct_case", corrected)
    monkeypatch.setattr("interactivenet.datasets.case.read_prompts", with_corrections)
    reporter = RecordingReporter()
    result = measure(reporter, clicks=1)
    assert result.failures == {} and set(seen) == {0}
    note = "1 correction of its points' file left out: it begins with the points alone"
    assert (case.name, note) in [(finding.case, finding.message) for finding in reporter.found]
    run = read(result.folder / "run.json")
    assert f"told: {note}" in run["notes"][case.name]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"clicks": 0}, "`clicks=0`: expected 1 or more"),
        ({"robot": "random"}, "`robot=.*`: expected one of cvpr, sloppy"),
        ({"model": "nobody"}, "there is no model 'nobody'"),
    ],
)
def test_refusals(roots, measure, settings, message):
    with pytest.raises(RequestError, match=message):
        measure(**settings)
    assert not (roots.results / NAME / "corrections").exists()


def test_it_is_not_written_among_what_is_read(roots, measure):
    for folder in (roots.raw / NAME / "imagesTs", roots.results / NAME / "fold_0"):
        with pytest.raises(RequestError, match=r"`output=.*`: contains input files"):
            measure(output=folder)


def test_mlflow_gets_curves_and_files(roots, measure, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    result = measure(mlflow=True)
    client = MlflowClient(f"sqlite:///{roots.results / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(NAME)
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "corrections" and run.info.status == "FINISHED"
    assert run.data.params["robot"] == "cvpr" and run.data.params["clicks"] == "2"
    history = client.get_metric_history(run.info.run_id, "dice_mean")
    expected = [item["dice"]["mean"] for item in result.summary["curve"][:3]]
    assert [point.value for point in sorted(history, key=lambda one: one.step)] == expected
    heeded = result.summary["methods"]["model"]["heeded"]
    assert run.data.metrics["heeded"] == heeded and "auc_brush" in run.data.metrics
    assert "cvpr_dsc_final" in run.data.metrics and run.data.metrics["failed"] == 0
    kept = {item.path for item in client.list_artifacts(run.info.run_id, "corrections")}
    assert kept == {f"corrections/corrections.{ending}" for ending in ENDINGS}


def test_a_broken_record_is_refused(measure):
    folder = measure().folder
    path = folder / "corrections.json"
    content = read(path)
    for record in content["cases"].values():
        record["rows"] = "none"
    path.write_text(json.dumps(content))
    with pytest.raises(Exception, match=r"corrections\.json: field cases\..*rows is of type str"):
        measure()
