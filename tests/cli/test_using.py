"""Trained folds are used: postprocess, predict, ensemble, test, robustness."""

import json
import shutil

import numpy as np
import pytest

from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.imaging.io import read_image, read_label, write_label_array, write_volume
from interactivenet.inference.batch import predict_cases
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.outputs import Output
from interactivenet.inference.predictor import Predictor
from interactivenet.models.model import own_model
from interactivenet.system.signals import Interrupted, Signals
from tests.cli.trained_command import CPU, case_of, copied, copied_root, files, infer, run
from tests.training.trained_task import NAME


def test_everything_is_written(trained, tested):
    said, results = tested
    folder = results / NAME
    names = [case.name for case in Task.load(trained / "raw" / NAME).test]
    expected = [f"{name}{end}" for name in names for end in (".json", ".nii.gz")]
    expected += ["report.html", "summary.csv", "sheets/summary.json"]
    drawn = ["sheets/sheet_001.jpg", *(f"pictures/{name}.png" for name in names)]
    for one, more in (("fold_0", []), ("fold_1", []), ("ensemble", drawn)):
        assert files(folder / "predictions" / one) == sorted(expected + more)
    assert files(folder / "postprocess") == ["reliability.png"]
    found = files(folder / "evaluation")
    for name in ("metrics.csv", "metrics.json", "report.html", f"figures/cases/{names[0]}.png"):
        assert name in found
    record = json.loads((folder / "predictions" / "run.json").read_text())
    assert record["status"] == "done" and len(record["weights"]) == 2
    assert record["seconds"]["network"] <= record["seconds"]["predict"]
    assert len(record["inputs"]) == 4 and "choices" in record
    assert "own folds 0, 1" in said and "report:" in said and "*  none" in said


def test_what_is_reported_is_what_is_stored(trained, tested):
    from interactivenet.evaluation import evaluate_masks

    _, results = tested
    rows = json.loads((results / NAME / "evaluation" / "metrics.json").read_text())["rows"]
    for case in Task.load(trained / "raw" / NAME).test:
        (row,) = [row for row in rows if row["case"] == case.name]
        found = read_label(results / NAME / "predictions" / "ensemble" / f"{case.name}.nii.gz")
        truth = read_label(case.label)
        metrics = evaluate_masks(found.array[0] == 1, truth.array[0] == 1, found.spacing)
        assert row["dice"] == pytest.approx(metrics["dice"]) and row["name"] == "tumour"
        stored = json.loads(
            (results / NAME / "predictions/ensemble" / f"{case.name}.json").read_text()
        )
        assert row["agreement"] == stored["objects"][0]["agreement"]
        assert stored["objects"][0]["volume_ml"] == pytest.approx(metrics["volume_prediction_ml"])


def test_single_stages_give_the_same_voxels(trained, tested, tmp_path):
    _, results = tested
    other = copied(trained, tmp_path)
    for words in (
        ["postprocess"], ["predict", "-w", *CPU, "-f", "1"], ["predict", "-w", *CPU],
        ["ensemble", "--no-mlflow"],
    ):  # fmt: skip
        done = run(trained, *words, "-t", NAME, results=other, raw=words[0] != "postprocess")
        assert done.exit_code == 0, done.output
    written = sorted((results / NAME / "predictions").rglob("*.nii.gz"))
    assert len(written) == 3 * 2
    for path in written:
        same = other / path.relative_to(results)
        assert same.read_bytes() == path.read_bytes()
    for path in sorted((results / NAME / "predictions" / "ensemble").glob("phantom*.json")):
        assert json.loads(path.read_text()) == json.loads(
            (other / path.relative_to(results)).read_text()
        )
    assert list((other / NAME / "predictions" / "fold_0").glob("*.npz"))


def test_what_is_done_is_kept_and_what_changed_is_not(trained, tested, tmp_path, monkeypatch):
    _, results = tested
    mine = copied_root(trained, tmp_path)
    shutil.rmtree(mine / "results")
    shutil.copytree(results, mine / "results")
    again = ["test", "-t", NAME, "--no-mlflow", *CPU]

    def never(*_, **__):
        raise AssertionError("the model is loaded")

    with monkeypatch.context() as patched:
        patched.setattr("interactivenet.inference.predictor.Predictor.__init__", never)
        done = run(mine, *again)
    assert done.exit_code == 0, done.output
    assert "2 cases already done" in done.output and "checkpoint, epoch" not in done.output
    case = case_of(mine)
    image = read_image(case.images[0])
    write_volume(case.images[0], image.array[0][::-1] + 1, image.source)
    path = mine / "results" / NAME / "predictions" / "ensemble" / f"{case.name}.nii.gz"
    before = path.read_bytes()
    done = run(mine, *again)
    assert done.exit_code == 0 and "1 case already done" in done.output
    assert path.read_bytes() != before


def test_a_result_of_other_files_does_not_stay(trained, tested, tmp_path):
    mine = copied_root(trained, tmp_path)
    shutil.rmtree(mine / "results")
    shutil.copytree(tested[1], mine / "results")
    case, other = Task.load(mine / "raw" / NAME).test
    image = read_image(case.images[0]).source
    no_points = np.zeros(image.ras.shape, np.uint8)
    write_label_array(case.interaction, no_points, image)
    done = run(mine, "test", "-t", NAME, "--no-mlflow", *CPU)
    assert done.exit_code == 1 and "holds no points" in done.output
    folder = mine / "results" / NAME
    left = files(folder / "predictions")
    assert not any(case.name in one for one in left)
    assert f"ensemble/{other.name}.nii.gz" in left
    content = json.loads((folder / "evaluation" / "metrics.json").read_text())
    assert {row["case"] for row in content["rows"]} == {other.name}
    assert list(content["failures"]) == [case.name]


def test_missing_folds_are_named(trained, tmp_path):
    results = copied(trained, tmp_path)
    (results / NAME / "fold_1" / "model_last.safetensors").unlink()
    done = run(trained, "postprocess", "-t", NAME, results=results, raw=False)
    assert done.exit_code == 2
    assert "fold 1 of 2 is not fully trained" in done.output and "--folds 0" in done.output
    done = run(trained, "postprocess", "-t", NAME, "--folds", "0", results=results, raw=False)
    assert done.exit_code == 0, done.output
    choice = json.loads((results / NAME / "postprocessing.json").read_text())
    assert choice["folds"] == [0] and len(choice["table"]) == 16
    assert {row["fold"] for row in choice["objects"]} == {0}
    done = run(trained, "predict", "-t", NAME, "-f", "1", *CPU, results=results)
    assert done.exit_code == 2 and "finished: 0" in done.output


def test_a_validation_of_other_weights_chooses_nothing(trained, tmp_path):
    results = copied(trained, tmp_path)
    path = results / NAME / "fold_0" / "model_best.safetensors"
    shutil.copy(results / NAME / "fold_1" / "model_best.safetensors", path)
    done = run(trained, "postprocess", "-t", NAME, results=results, raw=False)
    assert done.exit_code == 2 and "lacks the validation" in done.output


def test_ensembles_need_probabilities_of_what_is_there(trained, tmp_path):
    mine = copied_root(trained, tmp_path)
    done = run(mine, "ensemble", "-t", NAME, "--no-mlflow")
    assert done.exit_code == 2 and "predict -t" in done.output
    assert run(mine, "predict", "-t", NAME, "-w", "--no-nifti", *CPU).exit_code == 0
    case = case_of(mine)
    folder = mine / "results" / NAME / "predictions"
    assert not list(folder.rglob("*.nii.gz"))
    image = read_image(case.images[0])
    write_volume(case.images[0], image.array[0] + 1, image.source)
    done = run(mine, "ensemble", "-t", NAME, "--no-mlflow")
    assert done.exit_code == 1 and "is out of date: inputs changed" in done.output
    assert len(list((folder / "ensemble").glob("*.nii.gz"))) == 1
    failures = json.loads((folder / "ensemble" / "failures.json").read_text())
    assert list(failures["ensemble"]) == [case.name]


def test_mlflow_is_told(trained, tested, tmp_path, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    results = tmp_path / "results"
    shutil.copytree(tested[1], results)
    raw = trained / "raw" / NAME
    words = ["-i", raw / "imagesTs", "-in", raw / "interactionsTs", "-o", tmp_path / "out"]
    done = infer(trained, *words, "-l", raw / "labelsTs", "-m", results=results)
    assert done.exit_code == 0, done.output
    assert run(trained, "test", "-t", NAME, *CPU, results=results).exit_code == 0
    client = MlflowClient(f"sqlite:///{results / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(NAME)
    runs = {one.info.run_name: one for one in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"inference", "test"}
    for one in runs.values():
        assert one.info.status == "FINISHED" and one.data.metrics["objects"] == 2
        assert "dice_mean" in one.data.metrics and one.data.params["mirrored"] == "True"


def test_interrupted_it_keeps_what_is_done(trained, tmp_path, monkeypatch):
    roots = Roots(trained / "raw", trained / "processed", trained / "results")
    model = own_model(roots, NAME)
    options = InferenceOptions(mirrored=False, precision="fp32", device="cpu")
    cases, output = Task.load(trained / "raw" / NAME).test, Output(tmp_path, model.folds)
    signals = Signals()
    done = []
    answer, asked = Predictor.answer, []

    def signalled(*arguments, **more):
        asked.append(1)
        signals.received = 15 if len(asked) == 2 else 0
        return answer(*arguments, **more)

    monkeypatch.setattr(Predictor, "answer", signalled)
    with pytest.raises(Interrupted):
        for one in predict_cases(cases, model, [output], options, signals=signals):
            done.append(one.case)
    assert done == [cases[0].name]  # written, though it was not yet when the signal came
    left = {path.name.partition(".")[0] for path in tmp_path.iterdir()}
    assert left <= {cases[0].name, "objects"}
    again = list(predict_cases(cases, model, [output], options))
    assert [one.kept for one in again] == [True, False] and not any(one.error for one in again)
    # a record is what marks a case done: without it, it is done again
    (tmp_path / f"{cases[0].name}.json").write_text("{")
    again = list(predict_cases(cases, model, [output], options))
    assert [one.kept for one in again] == [False, True]


def test_robustness(trained, tested, tmp_path):
    _, results = tested
    out = tmp_path / "robust"
    words = ["robustness", "-t", NAME, "-o", out, "--repeats", "2", "--no-tta", *CPU]
    done = run(trained, *words, results=results)
    assert done.exit_code == 0, done.output
    assert "as placed" in done.output and "moved 5 mm" in done.output
    content = json.loads((out / "robustness.json").read_text())
    rows = [row for case in content["cases"].values() for row in case["rows"]]
    assert len(rows) == 2 * (1 + 5 * 2) and (out / "robustness.png").stat().st_size > 5000
    placed = {row["case"]: row["dice"] for row in rows if row["disturbance"] == "as placed"}
    assert len(placed) == 2
    table = {row["disturbance"]: row for row in content["summary"]}
    assert len(table) == 6
    for name, row in table.items():
        disturbed = [one for one in rows if one["disturbance"] == name]
        mean = np.mean([np.mean([one["dice"] for one in disturbed if one["case"] == case])
                        for case in placed])  # fmt: skip
        assert row["mean"] == pytest.approx(mean)
        assert row["cost"] == pytest.approx(np.mean(list(placed.values())) - mean)
    before = (out / "robustness.json").read_bytes()
    again = run(trained, "evaluate", "--robustness", *words[1:], results=results)
    assert again.exit_code == 0, again.output
    assert (out / "robustness.json").read_bytes() == before
    assert again.output.splitlines()[0] == (
        "note: 'evaluate --robustness' is the old spelling of 'interactivenet robustness'"
    )
    assert "old spelling" not in done.output
    for name in ("robustness.csv", "robustness.png", "robustness.json"):
        original = (out / name).read_bytes()
        (out / name).write_text("{}")
        again = run(trained, *words, "--overwrite", results=results)
        assert again.exit_code == 2 and f"{out / name}: is not as" in again.output
        assert (out / name).read_text() == "{}"
        (out / name).write_bytes(original)
    (out / "robustness.json").unlink()  # and nothing says whose the others are
    again = run(trained, *words, results=results)
    assert again.exit_code == 2 and f"{out / 'robustness.csv'}: is not as" in again.output


def test_the_options_of_the_old_spelling_are_not_offered(trained):
    help_text = run(trained, "evaluate", "-h").output
    assert "--predictions" in help_text and "--repeats" not in help_text
    assert "--tta" not in help_text and "--raw" not in help_text


def test_other_commands_say_what_is_missing(trained, tmp_path):
    done = run(trained, "evaluate", "-p", tmp_path)
    assert done.exit_code == 2 and "Missing option '-l / --labels'" in done.output
    done = run(trained, "robustness")
    assert done.exit_code == 2 and "Missing option '-t / --task'" in done.output
    done = run(trained, "evaluate", "--robustness")
    assert done.exit_code == 2 and "Missing option '-t / --task'" in done.output
    done = run(trained, "predict", "-t", NAME, "--no-nifti")
    assert done.exit_code == 2 and "nothing would be written" in done.output
    done = run(trained, "test", "-t", NAME, "--folds", "x")
    assert done.exit_code == 2 and "--folds x: expected 'all', or numbers" in done.output
    done = run(trained, "test", "-t", NAME, results=tmp_path / "none")
    assert done.exit_code == 2 and "has no trained fold" in done.output
