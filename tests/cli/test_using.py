"""Trained folds are used: postprocess, predict, ensemble, test, infer, evaluate --robustness."""

import json
import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from click.testing import CliRunner

from interactivenet.bundle import write_bundle
from interactivenet.cli import main
from interactivenet.inference import Predictor
from interactivenet.io.images import read_label, read_volume, write_label, write_volume
from interactivenet.io.prompt_files import read_prompts, write_prompts
from interactivenet.model import own_model
from interactivenet.predict_cases import Output, predict_cases
from interactivenet.prompts import LabelNames, Prompt
from interactivenet.signals import Interrupted, Signals
from interactivenet.task import Roots, Task
from tests.training.trained_task import NAME, make_task

CPU = ["--device", "cpu", "--precision", "fp32"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two trained folds of four phantoms, and two test cases; not to be changed."""
    root = make_task(tmp_path_factory.mktemp("using"), cases=4, test_cases=2)
    words = ["train", "-t", NAME, "-f", "all", "-e", "3", "--workers", "0", "--no-mlflow", *CPU]
    done = run(root, *words, raw=True)
    assert done.exit_code == 0, done.output
    return root


@pytest.fixture(scope="module")
def tested(root, tmp_path_factory):
    """What ``test`` prints, and its results."""
    results = copied(root, tmp_path_factory.mktemp("tested"))
    done = run(root, "test", "-t", NAME, "--no-mlflow", *CPU, results=results)
    assert done.exit_code == 0, done.output
    return done.output, results


def run(root, *words, results=None, raw=True):
    where = ["--processed", root / "processed", "--results", results or root / "results"]
    where += ["--raw", root / "raw"] * raw
    return CliRunner().invoke(main, [str(word) for word in (*words, *where)])


def copied(root, target):
    shutil.copytree(root / "results", target / "results")
    return target / "results"


def copied_root(root, target):
    for part in ("raw", "processed", "results"):
        shutil.copytree(root / part, target / part)
    return target


def files(folder):
    return sorted(
        one.relative_to(folder).as_posix()
        for one in folder.rglob("*")
        if one.is_file() and one.name != ".lock"
    )


def case_of(root):
    return Task.load(root / "raw" / NAME).test[0]


def test_everything_is_written(root, tested):
    said, results = tested
    folder = results / NAME
    names = [case.name for case in Task.load(root / "raw" / NAME).test]
    expected = [f"{name}{end}" for name in names for end in (".json", ".nii.gz")]
    for one in ("fold_0", "fold_1", "ensemble"):
        assert files(folder / "predictions" / one) == sorted(expected)
    assert files(folder / "postprocess") == ["reliability.png"]
    found = files(folder / "evaluation")
    for name in ("metrics.csv", "metrics.json", "report.html", f"figures/cases/{names[0]}.png"):
        assert name in found
    record = json.loads((folder / "predictions" / "run.json").read_text())
    assert record["status"] == "done" and len(record["weights"]) == 2
    assert record["seconds"]["network"] <= record["seconds"]["predict"]
    assert len(record["inputs"]) == 4 and "choices" in record
    assert "own folds 0, 1" in said and "report:" in said and "*  none" in said


def test_what_is_reported_is_what_is_stored(root, tested):
    from interactivenet.evaluation import evaluate_pair

    _, results = tested
    rows = json.loads((results / NAME / "evaluation" / "metrics.json").read_text())["rows"]
    for case in Task.load(root / "raw" / NAME).test:
        (row,) = [row for row in rows if row["case"] == case.name]
        found = read_label(results / NAME / "predictions" / "ensemble" / f"{case.name}.nii.gz")
        truth = read_label(case.label)
        metrics = evaluate_pair(found.array[0] == 1, truth.array[0] == 1, found.spacing)
        assert row["dice"] == pytest.approx(metrics["dice"]) and row["name"] == "tumour"
        stored = json.loads(
            (results / NAME / "predictions/ensemble" / f"{case.name}.json").read_text()
        )
        assert row["agreement"] == stored["objects"][0]["agreement"]
        assert stored["objects"][0]["volume_ml"] == pytest.approx(metrics["volume_prediction_ml"])


def test_single_stages_give_the_same_voxels(root, tested, tmp_path):
    _, results = tested
    other = copied(root, tmp_path)
    for words in (
        ["postprocess"], ["predict", "-w", *CPU, "-f", "1"], ["predict", "-w", *CPU],
        ["ensemble", "--no-mlflow"],
    ):  # fmt: skip
        done = run(root, *words, "-t", NAME, results=other, raw=words[0] != "postprocess")
        assert done.exit_code == 0, done.output
    for path in sorted((results / NAME / "predictions").rglob("*.nii.gz")):
        same = other / path.relative_to(results)
        assert same.read_bytes() == path.read_bytes()
    for path in sorted((results / NAME / "predictions" / "ensemble").glob("phantom*.json")):
        assert json.loads(path.read_text()) == json.loads(
            (other / path.relative_to(results)).read_text()
        )
    assert list((other / NAME / "predictions" / "fold_0").glob("*.npz"))


def test_what_is_done_is_kept_and_what_changed_is_not(root, tested, tmp_path, monkeypatch):
    _, results = tested
    mine = copied_root(root, tmp_path)
    shutil.rmtree(mine / "results")
    shutil.copytree(results, mine / "results")
    again = ["test", "-t", NAME, "--no-mlflow", *CPU]

    def never(*_, **__):
        raise AssertionError("the model is loaded")

    with monkeypatch.context() as patched:
        patched.setattr("interactivenet.inference.Predictor.__init__", never)
        done = run(mine, *again)
    assert done.exit_code == 0, done.output
    assert "2 cases done before" in done.output and "checkpoint, epoch" not in done.output
    case = case_of(mine)
    image = read_volume(case.images[0])
    write_volume(case.images[0], image.array[0][::-1] + 1, image.source)
    path = mine / "results" / NAME / "predictions" / "ensemble" / f"{case.name}.nii.gz"
    before = path.read_bytes()
    done = run(mine, *again)
    assert done.exit_code == 0 and "1 case done before" in done.output
    assert path.read_bytes() != before


def test_a_result_of_other_files_does_not_stay(root, tested, tmp_path):
    mine = copied_root(root, tmp_path)
    shutil.rmtree(mine / "results")
    shutil.copytree(tested[1], mine / "results")
    case, other = Task.load(mine / "raw" / NAME).test
    image = read_volume(case.images[0]).source
    write_label(case.interaction, np.zeros(image.ras.shape, np.uint8), image)  # no points any more
    done = run(mine, "test", "-t", NAME, "--no-mlflow", *CPU)
    assert done.exit_code == 1 and "holds no points" in done.output
    folder = mine / "results" / NAME
    left = files(folder / "predictions")
    assert not any(case.name in one for one in left)
    assert f"ensemble/{other.name}.nii.gz" in left
    content = json.loads((folder / "evaluation" / "metrics.json").read_text())
    assert {row["case"] for row in content["rows"]} == {other.name}
    assert list(content["failures"]) == [case.name]


def test_missing_folds_are_named(root, tmp_path):
    results = copied(root, tmp_path)
    (results / NAME / "fold_1" / "model_last.safetensors").unlink()
    done = run(root, "postprocess", "-t", NAME, results=results, raw=False)
    assert done.exit_code == 2
    assert "fold 1 of 2 is not trained to its end" in done.output and "--folds 0" in done.output
    done = run(root, "postprocess", "-t", NAME, "--folds", "0", results=results, raw=False)
    assert done.exit_code == 0, done.output
    choice = json.loads((results / NAME / "postprocessing.json").read_text())
    assert choice["folds"] == [0] and len(choice["table"]) == 16
    assert {row["fold"] for row in choice["objects"]} == {0}
    done = run(root, "predict", "-t", NAME, "-f", "1", *CPU, results=results)
    assert done.exit_code == 2 and "finished: 0" in done.output


def test_a_validation_of_other_weights_chooses_nothing(root, tmp_path):
    results = copied(root, tmp_path)
    path = results / NAME / "fold_0" / "model_best.safetensors"
    shutil.copy(results / NAME / "fold_1" / "model_best.safetensors", path)
    done = run(root, "postprocess", "-t", NAME, results=results, raw=False)
    assert done.exit_code == 2 and "lacks the validation" in done.output


def test_ensembles_need_probabilities_of_what_is_there(root, tmp_path):
    mine = copied_root(root, tmp_path)
    done = run(mine, "ensemble", "-t", NAME, "--no-mlflow")
    assert done.exit_code == 2 and "predict -t" in done.output
    assert run(mine, "predict", "-t", NAME, "-w", "--no-nifti", *CPU).exit_code == 0
    case = case_of(mine)
    folder = mine / "results" / NAME / "predictions"
    assert not list(folder.rglob("*.nii.gz"))
    image = read_volume(case.images[0])
    write_volume(case.images[0], image.array[0] + 1, image.source)
    done = run(mine, "ensemble", "-t", NAME, "--no-mlflow")
    assert done.exit_code == 1 and "was predicted with other inputs" in done.output
    assert len(list((folder / "ensemble").glob("*.nii.gz"))) == 1
    failures = json.loads((folder / "ensemble" / "failures.json").read_text())
    assert list(failures["ensemble"]) == [case.name]


def infer(root, *words, results, **more):
    return run(root, "infer", "-t", NAME, *CPU, *words, results=results, raw=False, **more)


def test_new_cases_get_the_same_voxels(root, tested, tmp_path):
    _, results = tested
    raw = root / "raw" / NAME
    out = tmp_path / "out"
    words = ["-i", raw / "imagesTs", "-in", raw / "interactionsTs", "-o", out]
    done = infer(root, *words, "-l", raw / "labelsTs", results=results)
    assert done.exit_code == 0, done.output
    assert "own folds 0, 1" in done.output
    for case in Task.load(raw).test:
        mine = out / f"{case.name}.nii.gz"
        same = results / NAME / "predictions" / "ensemble" / mine.name
        assert mine.read_bytes() == same.read_bytes()
    assert (out / "evaluation" / "report.html").exists()
    again = infer(root, *words, results=results)
    assert again.exit_code == 0 and "2 cases done before" in again.output


def test_one_file_of_another_format(root, tested, tmp_path):
    """Points as LPS JSON, an image as MHA in another orientation: the same object."""
    _, results = tested
    case = case_of(root)
    nifti = sitk.ReadImage(str(case.images[0]))
    turned = sitk.PermuteAxes(nifti, (2, 0, 1))[::-1, :, ::-1]
    path = tmp_path / "scan.mha"
    sitk.WriteImage(turned, str(path))
    image = read_volume(case.images[0]).source
    prompts = read_prompts(case.interaction, LabelNames({1: "tumour"}), image=(path, image))
    write_prompts(tmp_path / "points.json", prompts)
    out = tmp_path / "out"
    done = infer(
        root, "-i", path, "-in", tmp_path / "points.json", "-o", out, "--format", "mha",
        results=results,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    found = sitk.ReadImage(str(out / "scan.mha"))
    assert found.GetSize() == turned.GetSize()
    np.testing.assert_allclose(found.GetOrigin(), turned.GetOrigin(), atol=1e-5)
    np.testing.assert_allclose(found.GetSpacing(), turned.GetSpacing(), atol=1e-6)
    np.testing.assert_allclose(found.GetDirection(), turned.GetDirection(), atol=1e-6)
    # the same voxels in the patient, by SimpleITK alone
    ensemble = results / NAME / "predictions" / "ensemble" / f"{case.name}.nii.gz"
    expected = sitk.Resample(
        sitk.ReadImage(str(ensemble)), found, sitk.Transform(), sitk.sitkNearestNeighbor
    )
    one, other = (sitk.GetArrayFromImage(image) > 0 for image in (found, expected))
    assert other.any() and (one != other).mean() < 1e-3


@pytest.mark.parametrize("fault", ["points", "five", "outside", "modality", "flat"])
def test_an_odd_case_costs_itself(root, tested, tmp_path, fault):
    _, results = tested
    raw = root / "raw" / NAME
    images, points = tmp_path / "images", tmp_path / "points"
    shutil.copytree(raw / "imagesTs", images)
    shutil.copytree(raw / "interactionsTs", points)
    case = case_of(root)
    image = read_volume(case.images[0]).source
    (prompt,) = read_prompts(case.interaction, image=(case.images[0], image))
    mine = points / case.interaction.name
    mine.unlink()
    expected = {
        "points": "has no points", "five": "has 5 points, expected 6",
        "outside": "lie outside the image", "flat": "points lie in one plane",
        "modality": "modality 0001, but 1 were named",
    }[fault]  # fmt: skip
    changed = np.array(prompt.points)
    if fault == "five":
        changed = changed[:5]
    elif fault == "outside":
        changed[0] += 500
    elif fault == "flat":
        changed[:, 2] = changed[0, 2]
    if fault != "points":
        write_prompts(points / f"{case.name}.json", [Prompt(1, changed, "tumour")])
    if fault == "modality":
        (path,) = images.glob(f"{case.name}*")
        shutil.copy(path, images / f"{case.name}_0001.nii.gz")
        path.rename(images / f"{case.name}_0000.nii.gz")
    out = tmp_path / "out"
    done = infer(root, "-i", images, "-in", points, "-o", out, results=results)
    assert done.exit_code == 1 and expected in done.output, done.output
    assert len(list(out.glob("*.nii.gz"))) == 1
    assert list(json.loads((out / "failures.json").read_text())["infer"]) == [case.name]
    if fault == "five":
        done = infer(
            root, "-i", images, "-in", points, "-o", out, "--any-points", results=results
        )  # fmt: skip
        assert done.exit_code == 0 and len(list(out.glob("*.nii.gz"))) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-i", "nowhere", "-in", "points", "-o", "out"], "nowhere: does not exist"),
        (["-i", "points", "-in", "points"], "Missing option '-o / --output'"),
        (["-in", "points", "-o", "out"], "Missing option '-i / --images'"),
        (["-i", "a.nii.gz", "-i", "b.nii.gz", "-in", "points", "-o", "o"], "2 given for one case"),
        (["-i", "empty", "-in", "points", "-o", "out"], "holds no images"),
        (["-i", "empty", "-in", "points/x.json", "-o", "out"], "is one file, but"),
    ],
)  # fmt: skip
def test_wrong_requests(root, tested, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    for folder in ("points", "empty"):
        (tmp_path / folder).mkdir()
    for file in ("a.nii.gz", "b.nii.gz", "points/x.json"):
        (tmp_path / file).write_bytes(b"")
    done = infer(root, *words, results=tested[1])
    assert done.exit_code == 2 and message in done.output, done.output


def test_a_deployed_model_needs_no_task(root, tested, tmp_path):
    _, results = tested
    roots = Roots(root / "raw", root / "processed", results)
    place = tmp_path / "results" / "models" / NAME
    write_bundle(own_model(roots, NAME), place)
    raw = root / "raw" / NAME
    words = ["-i", raw / "imagesTs", "-in", raw / "interactionsTs", "-o", tmp_path / "out"]
    nothing = tmp_path / "nothing"
    done = infer(nothing, *words, results=tmp_path / "results")
    assert done.exit_code == 0, done.output
    assert "deployed, folds 0, 1" in done.output
    for path in (tmp_path / "out").glob("*.nii.gz"):
        same = results / NAME / "predictions" / "ensemble" / path.name
        assert same.read_bytes() == path.read_bytes()


def test_of_two_models_none_wins_silently(root, tested, tmp_path):
    results = copied(root, tmp_path)
    shutil.copy(tested[1] / NAME / "postprocessing.json", results / NAME)
    roots = Roots(root / "raw", root / "processed", results)
    whole = own_model(roots, NAME)
    raw = root / "raw" / NAME
    words = ["-i", raw / "imagesTs", "-in", raw / "interactionsTs", "-o", tmp_path / "out"]
    write_bundle(whole, results / "models" / NAME)
    same = infer(root, *words, results=results)
    assert same.exit_code == 0 and "deployed, folds 0, 1" in same.output
    shutil.rmtree(results / "models")
    write_bundle(whole.fold(0), results / "models" / NAME)
    done = infer(root, *words, results=results)
    assert done.exit_code == 2 and "--model deployed or --model own" in done.output
    for wish, said in (("deployed", "deployed, folds 0,"), ("own", "own folds 0, 1"),
                       (results / "models" / NAME, "deployed, folds 0,")):  # fmt: skip
        done = infer(root, *words, "--model", wish, results=results)
        assert done.exit_code == 0 and said in done.output, done.output


@pytest.mark.parametrize("which", ["imagesTs", "interactionsTs", "labelsTs"])
def test_nothing_is_written_among_what_is_read(root, tested, tmp_path, which):
    raw = copied_root(root, tmp_path) / "raw" / NAME
    before = {path: path.read_bytes() for path in raw.rglob("*.nii.gz")}
    words = ["-i", raw / "imagesTs", "-in", raw / "interactionsTs", "-l", raw / "labelsTs"]
    done = infer(root, *words, "-o", raw / which, results=tested[1])
    assert done.exit_code == 2 and "holds what is read" in done.output
    one = case_of(tmp_path).images[0]
    done = infer(root, "-i", one, *words[2:4], "-o", raw / "imagesTs", results=tested[1])
    assert done.exit_code == 2 and "holds what is read" in done.output
    assert before == {path: path.read_bytes() for path in raw.rglob("*.nii.gz")}


def test_mlflow_is_told(root, tested, tmp_path, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    results = tmp_path / "results"
    shutil.copytree(tested[1], results)
    raw = root / "raw" / NAME
    words = ["-i", raw / "imagesTs", "-in", raw / "interactionsTs", "-o", tmp_path / "out"]
    done = infer(root, *words, "-l", raw / "labelsTs", "-m", results=results)
    assert done.exit_code == 0, done.output
    assert run(root, "test", "-t", NAME, *CPU, results=results).exit_code == 0
    client = MlflowClient(f"sqlite:///{results / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(NAME)
    runs = {one.info.run_name: one for one in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"inference", "test"}
    for one in runs.values():
        assert one.info.status == "FINISHED" and one.data.metrics["objects"] == 2
        assert "dice_mean" in one.data.metrics and one.data.params["mirrored"] == "True"


def test_interrupted_it_keeps_what_is_done(root, tmp_path):
    roots = Roots(root / "raw", root / "processed", root / "results")
    model = own_model(roots, NAME)
    how = {"mirrored": False, "restore": "probability", "precision": "fp32"}
    cases, output = Task.load(root / "raw" / NAME).test, Output(tmp_path, model.folds)
    signals = Signals()
    signals.received = 15
    made = Predictor(model, device="cpu", **how)
    done = []
    with pytest.raises(Interrupted):
        for one in predict_cases(cases, made, model, [output], how, signals=signals):
            done.append(one.case)
    assert done == [cases[0].name]
    again = list(predict_cases(cases, made, model, [output], how))
    assert [one.kept for one in again] == [True, False] and not any(one.error for one in again)
    # a record is what marks a case done: without it, it is done again
    (tmp_path / f"{cases[0].name}.json").write_text("{")
    again = list(predict_cases(cases, made, model, [output], how))
    assert [one.kept for one in again] == [False, True]


def test_robustness(root, tested, tmp_path):
    _, results = tested
    out = tmp_path / "robust"
    words = ["evaluate", "--robustness", "-t", NAME, "-o", out, "--repeats", "2", "--no-tta", *CPU]
    done = run(root, *words, results=results)
    assert done.exit_code == 0, done.output
    assert "as placed" in done.output and "moved 5 mm" in done.output
    content = json.loads((out / "robustness.json").read_text())
    rows = [row for case in content["cases"].values() for row in case["rows"]]
    assert len(rows) == 2 * (1 + 5 * 2) and (out / "robustness.png").stat().st_size > 5000
    placed = {row["case"]: row["dice"] for row in rows if row["disturbance"] == "as placed"}
    assert len(placed) == 2
    table = {row["disturbance"]: row for row in content["summary"]}
    for name, row in table.items():
        mine = [one for one in rows if one["disturbance"] == name]
        mean = np.mean([np.mean([one["dice"] for one in mine if one["case"] == case])
                        for case in placed])  # fmt: skip
        assert row["mean"] == pytest.approx(mean)
        assert row["cost"] == pytest.approx(np.mean(list(placed.values())) - mean)
    before = (out / "robustness.json").read_bytes()
    assert run(root, *words, results=results).exit_code == 0
    assert (out / "robustness.json").read_bytes() == before


def test_other_commands_say_what_is_missing(root, tmp_path):
    done = run(root, "evaluate", "-p", tmp_path)
    assert done.exit_code == 2 and "Missing option '-l / --labels'" in done.output
    done = run(root, "evaluate", "--robustness")
    assert done.exit_code == 2 and "Missing option '-t / --task'" in done.output
    done = run(root, "predict", "-t", NAME, "--no-nifti")
    assert done.exit_code == 2 and "nothing would be written" in done.output
    done = run(root, "test", "-t", NAME, "--folds", "x")
    assert done.exit_code == 2 and "expected all, or numbers" in done.output
    done = run(root, "test", "-t", NAME, results=tmp_path / "none")
    assert done.exit_code == 2 and "has no trained fold" in done.output
