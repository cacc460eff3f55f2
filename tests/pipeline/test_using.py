"""Trained folds, used from Python: what the stages return, report, and refuse."""

import json
import shutil

import pytest

from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.errors import RequestError
from interactivenet.inference.options import InferenceOptions
from interactivenet.models.bundle import read_bundle
from interactivenet.pipeline.deploy import deploy
from interactivenet.pipeline.ensemble import ensemble
from interactivenet.pipeline.evaluate import evaluate
from interactivenet.pipeline.infer import infer
from interactivenet.pipeline.predict import predict
from interactivenet.pipeline.robustness import robustness
from interactivenet.pipeline.select import select
from interactivenet.pipeline.test import test as run_test
from tests.pipeline.recording_reporter import RecordingReporter
from tests.raw_task import read
from tests.training.trained_task import NAME

FAST = InferenceOptions(mirrored=False, precision="fp32", device="cpu")


@pytest.fixture
def roots(trained, tmp_path):
    """Folders of a trained task, whose results may be changed."""
    shutil.copytree(trained / "results", tmp_path / "results")
    return Roots(trained / "raw", trained / "processed", tmp_path / "results")


@pytest.fixture
def reporter(capsys):
    """A reporter; nothing but it is told anything, and nothing in the words of a shell."""
    recording = RecordingReporter()
    yield recording
    assert capsys.readouterr().out == ""
    assert not [text for text in recording.texts if "--" in text]


def test_selecting(roots, reporter):
    selection = select(NAME, roots=roots, reporter=reporter)
    assert selection.folds == (0, 1) and selection.failures == {}
    written = read(roots.results / NAME / "postprocessing.json")
    assert written == json.loads(json.dumps(selection.as_json()))
    (table,) = reporter.tables
    (chosen,) = [row for row in table.rows if row[0] == "*"]
    assert chosen[1:3] == (selection.postprocessing.name, selection.checkpoint)
    assert len(table.rows) == len(selection.table) == 16
    record = read(roots.results / NAME / "postprocess" / "run.json")
    assert record["stage"] == "postprocess" and record["chosen"] == selection.postprocessing.name
    assert record["arguments"]["task"] == NAME
    assert record["arguments"]["results"] == str(roots.results)


def test_predicting_averaging_and_testing(roots, reporter):
    names = [case.name for case in Task.load(roots.raw / NAME).test]
    select(NAME, roots=roots)
    predictions = predict(
        NAME, probabilities=True, options=FAST, roots=roots, reporter=reporter
    )  # fmt: skip
    assert list(predictions.folders) == [0, 1] and predictions.cases == 2
    assert predictions.failures == {} and reporter.tracked == ["fold 0", "fold 1"]
    mean = ensemble(NAME, mlflow=False, roots=roots, reporter=reporter)
    assert mean.folds == (0, 1) and mean.cases == 2 and mean.failures == {}
    averaged = {name: (mean.folder / f"{name}.nii.gz").read_bytes() for name in names}
    tested = run_test(NAME, options=FAST, mlflow=False, roots=roots, reporter=reporter)
    assert averaged == {name: (mean.folder / f"{name}.nii.gz").read_bytes() for name in names}
    assert "2 cases already done" in " ".join(reporter.lines)
    assert tested.failures == {} and tested.cases == 2
    assert {row["case"] for row in tested.evaluation.rows} == set(names)
    assert tested.evaluation.report == roots.results / NAME / "evaluation" / "report.html"
    record = read(mean.folder / f"{names[0]}.json")
    assert {name: record["made_from"][name] for name in ("mirrored", "restore", "precision")} == {
        "mirrored": False, "restore": "probability", "precision": "fp32",
    }  # fmt: skip
    assert "device" not in record["made_from"]


def test_what_one_fold_did_is_compared(roots, reporter):
    predicted = predict(NAME, folds=[1], options=FAST, roots=roots)
    evaluation = evaluate(
        predicted.folders[1], roots.raw / NAME / "labelsTs", names={1: "tumour"}, pictures=False,
        jobs=1, reporter=reporter,
    )  # fmt: skip
    assert len(evaluation.rows) == 2 and evaluation.failures == {}
    assert evaluation.report.parent == predicted.folders[1] / "evaluation"
    assert reporter.tables[0].rows[0][0] == "Dice"
    assert f"report: {evaluation.report}" in reporter.lines
    assert {row["agreement"] is None for row in evaluation.rows} == {False}


def test_new_cases(roots, tmp_path, reporter):
    task = Task.load(roots.raw / NAME)
    case = task.test[0]
    arguments = (NAME, list(case.images), case.interaction, tmp_path / "out")
    inference = infer(*arguments, options=FAST, roots=roots, reporter=reporter)
    assert inference.cases == 1 and inference.failures == {} and inference.evaluation is None
    assert len(list(inference.folder.glob("*.nii.gz"))) == 1
    inference = infer(*arguments, labels=case.label, options=FAST, roots=roots, reporter=reporter)
    assert len(inference.evaluation.rows) == 1
    folders = [roots.raw / NAME / f"{kind}Ts" for kind in ("images", "interactions", "labels")]
    inference = infer(
        NAME, *folders[:2], tmp_path / "other", labels=folders[2], options=FAST, format="nrrd",
        roots=roots,
    )  # fmt: skip
    assert inference.cases == 2 and len(list(inference.folder.glob("*.nrrd"))) == 2
    with pytest.raises(RequestError, match=r"`output=.*`: contains input files"):
        infer(NAME, *folders[:2], folders[0], options=FAST, roots=roots)


def test_disturbed_points(roots, tmp_path, reporter):
    arguments = {"repeats": 1, "options": FAST, "roots": roots}
    result = robustness(NAME, output=tmp_path / "out", reporter=reporter, **arguments)
    assert result.cases == 2 and result.failures == {}
    assert [row["disturbance"] for row in result.summary] == [
        "as placed", "other seeds", "moved 1 mm", "moved 3 mm", "moved 5 mm", "one missing",
    ]  # fmt: skip
    assert [row[0] for row in reporter.tables[0].rows] == [
        row["disturbance"] for row in result.summary
    ]
    assert (result.folder / "robustness.csv").read_text().count("\n") == 1 + 2 * 6
    before = read(result.folder / "robustness.json")
    assert robustness(NAME, output=tmp_path / "out", **arguments).summary == result.summary
    assert read(result.folder / "robustness.json") == before
    with pytest.raises(RequestError, match="`repeats=0`: expected 1 or more"):
        robustness(NAME, repeats=0, roots=roots)


@pytest.mark.parametrize(
    "folder",
    ["raw", "raw/imagesTs", "raw/labelsTr", "processed", "results", "results/fold_0", "raw/.."],
)
def test_disturbed_points_are_not_written_among_what_is_read(trained, roots, tmp_path, folder):
    kind, _, rest = folder.partition("/")
    output = getattr(roots, kind) / NAME / rest
    if rest.startswith(".."):
        output = roots.raw / NAME / "imagesTs" / ".."
    before = sorted(trained.rglob("*"))
    with pytest.raises(RequestError, match=r"`output=.*`: contains input files"):
        robustness(NAME, output=output, options=FAST, roots=roots)
    assert sorted(trained.rglob("*")) == before and not (output / "robustness.json").exists()


def test_deploying(roots, reporter):
    deployment = deploy(NAME, zip=True, description="Phantoms", roots=roots, reporter=reporter)
    assert deployment.changed and deployment.folds == (0, 1) and deployment.aside == ()
    assert deployment.archive == roots.results / "models" / f"{NAME}.zip"
    assert deployment.archive.is_file() and deployment.failures == {}
    assert read_bundle(deployment.folder).folds == (0, 1)
    arguments = read(roots.results / NAME / "deploy" / "run.json")["arguments"]
    assert arguments["zip"] is True and arguments["description"] == "Phantoms"
    again = deploy(NAME, roots=roots, reporter=reporter)
    assert not again.changed and again.archive is None
    one = deploy(NAME, folds=[1], roots=roots, reporter=reporter)
    assert one.changed and one.folds == (1,) and not deployment.archive.exists()


def test_refusals_speak_python(roots):
    with pytest.raises(RequestError, match="`nifti=False` without `probabilities`"):
        predict(NAME, nifti=False, roots=roots)
    with pytest.raises(RequestError, match=r"run `predict\(task='.*', probabilities=True\)` first"):
        ensemble(NAME, mlflow=False, roots=roots)
    (roots.results / NAME / "fold_1" / "model_last.safetensors").unlink()
    with pytest.raises(RequestError) as refused:
        select(NAME, roots=roots)
    assert refused.value.remedy == (
        f"run `train(task='{NAME}', fold=1)` first, or use only the finished ones: `folds=[0]`"
    )
