"""What is doubtful about a scan is in the output, CASE.json, run.json and the report."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.grand_challenge.algorithm import run_algorithm
from interactivenet.imaging.io import read_image, write_volume
from interactivenet.inference.examination import UNKNOWN
from interactivenet.models import bundle
from interactivenet.models.bundle import write_bundle
from interactivenet.models.model import own_model
from interactivenet.pipeline.validate import validate
from interactivenet.prompts.io import read_prompts, write_prompts
from interactivenet.prompts.prompt import LabelNames
from tests.cli.trained_command import CPU, infer, run
from tests.pipeline.recording_reporter import RecordingReporter
from tests.raw_task import read
from tests.training.trained_task import NAME

NEGATIVE = "unlike the training data: MR has values below 0"
CONSTANT = "every voxel is 3"


@pytest.fixture
def odd(trained, tmp_path):
    """The test cases: one constant, one with the values of a CT; and what they are told of."""
    raw = trained / "raw" / NAME
    for part in ("imagesTs", "labelsTs", "interactionsTs"):
        shutil.copytree(raw / part, tmp_path / "odd" / part)
    names = [case.name for case in Task.load(raw).test]
    for path in sorted((tmp_path / "odd" / "imagesTs").iterdir()):
        image = read_image(path)
        values = image.array[0].astype(np.int16)
        values = values * 0 + 3 if path.name.startswith(names[0]) else values - 1000
        write_volume(path, values, image.source)
    return tmp_path / "odd", names


def told(record):
    return record["notes"], [reason for one in record["objects"] for reason in one["reasons"]]


def test_infer_tells_everywhere_and_again_where_cases_are_kept(trained, tested, odd, tmp_path):
    folder, (first, second) = odd
    words = ["-i", folder / "imagesTs", "-in", folder / "interactionsTs", "-o", tmp_path / "out"]
    words += ["-l", folder / "labelsTs"]
    for run_again in (False, True):
        done = infer(trained, *words, results=tested[1])
        assert done.exit_code == 0, done.output
        assert ("already done" in done.output) is run_again
        assert CONSTANT in done.output and NEGATIVE in done.output
        assert "look first: tumour: unlike" in done.output and "review first" in done.output
        record = read(tmp_path / "out" / "run.json")
        assert [note for note in record["notes"][first] if CONSTANT in note]
        assert [reason for reason in record["review"][second] if NEGATIVE in reason]
    notes, _ = told(read(tmp_path / "out" / f"{first}.json"))
    assert [note for note in notes if CONSTANT in note]
    _, reasons = told(read(tmp_path / "out" / f"{second}.json"))
    assert [reason for reason in reasons if NEGATIVE in reason]
    for case in (first, second):
        for segmented in read(tmp_path / "out" / f"{case}.json")["objects"]:
            assert segmented["expected_dice"] is None and segmented["look"] is True
    evaluation = tmp_path / "out" / "evaluation"
    html = (evaluation / "report.html").read_text(encoding="utf-8")
    for text in ("Notes on the files", CONSTANT, NEGATIVE, "Why"):
        assert text in html
    metrics = read(evaluation / "metrics.json")
    assert CONSTANT in metrics["notes"][first][0]
    assert any(NEGATIVE in row["reasons"] for row in metrics["rows"])


def test_evaluate_tells_what_was_noted(trained, tested, odd, tmp_path):
    folder, (first, second) = odd
    words = ["-i", folder / "imagesTs", "-in", folder / "interactionsTs", "-o", tmp_path / "out"]
    assert infer(trained, *words, results=tested[1]).exit_code == 0
    words = ["evaluate", "-p", tmp_path / "out", "-l", folder / "labelsTs", "-o", tmp_path / "e"]
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    assert CONSTANT in done.output and NEGATIVE in done.output
    record = read(tmp_path / "e" / "run.json")
    assert record["notes"][first] and record["review"][second]
    assert NEGATIVE in (tmp_path / "e" / "metrics.csv").read_text()


def test_predict_test_and_validate_tell_it_of_a_task(trained, odd, tmp_path):
    """Headers without orientation, of test and training cases: as ``dataset`` says it."""
    root = tmp_path / "task"
    raw = root / "raw" / NAME
    shutil.copytree(trained / "raw", root / "raw")
    for part in ("imagesTs", "imagesTr", "labelsTs", "labelsTr"):
        for path in (raw / part).iterdir():
            stored = nib.load(path)
            data, header = np.asarray(stored.dataobj), stored.header.copy()
            header["qform_code"] = 0
            bare = nib.Nifti1Image(data, stored.affine, header)
            bare.header.set_sform(stored.affine, code=2)
            if part.startswith("images"):  # contradicts its own sform
                bare.header["pixdim"][1:4] = 9
            bare.to_filename(path)
    where = ["--raw", root / "raw", "--processed", root / "processed"]
    words = ["plan", "-t", NAME, "--preset", "tiny", "-f", "2", "--jobs", "1", *where]
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    words = ["train", "-t", NAME, "-f", "all", "-e", "1", "--workers", "0", "--no-mlflow", *CPU]
    done = run(root, *words)
    assert done.exit_code == 0, done.output
    note = "contradicts the spacing of its sform"
    name, other = (case.name for case in Task.load(raw).test)
    done = run(root, "predict", "-t", NAME, "--no-tta", "--device", "cpu", "--folds", "0")
    assert done.exit_code == 0 and note in done.output, done.output
    folder = root / "results" / NAME
    assert note in read(folder / "predictions" / "fold_0" / f"{name}.json")["notes"][0]
    assert set(read(folder / "predictions" / "fold_0" / "run.json")["notes"]) == {name, other}
    done = run(root, "test", "-t", NAME, "--no-tta", "--device", "cpu", "--no-mlflow")
    assert done.exit_code == 0 and note in done.output, done.output
    assert note in (folder / "evaluation" / "report.html").read_text(encoding="utf-8")
    shutil.rmtree(folder / "fold_0" / "validation")
    roots = Roots(root / "raw", root / "processed", root / "results")
    for _ in range(2):  # measured, then kept
        reporter = RecordingReporter()
        (fold,) = validate(NAME, 0, device="cpu", roots=roots, reporter=reporter)
        assert all(note in told[0] for told in fold.notes.values()) and len(fold.notes) == 2
        assert any(note in finding.message for finding in reporter.found)
        assert len(read(folder / "fold_0" / "validation" / "run.json")["notes"]) == 2


def test_own_folds_and_their_bundle_know_the_same(trained, tested, tmp_path):
    roots = Roots(trained / "raw", trained / "processed", tested[1])
    own = own_model(roots, NAME)
    assert own.training is not None and own.training.cases == 4
    assert own.fold(0).training == own.training
    write_bundle(own, tmp_path / "bundle")
    content = read(tmp_path / "bundle" / "bundle.json")
    assert content["schema_version"] == 2 and content["training_set"] == own.training.as_json()


def test_grand_challenge_prints_them(trained, tested, odd, tmp_path, capsys):
    folder, (first, second) = odd
    roots = Roots(trained / "raw", trained / "processed", tested[1])
    write_bundle(own_model(roots, NAME), tmp_path / "model")
    for case in (first, second):
        (image,) = (folder / "imagesTs").glob(f"{case}*")
        (points,) = (folder / "interactionsTs").glob(f"{case}*")
        place = tmp_path / case / "images" / "mr-image"
        place.mkdir(parents=True)
        source = read_image(image)
        write_volume(place / "scan.mha", source.array[0], source.source)
        prompts = read_prompts(points, LabelNames({1: "tumour"}), image=(image, source.source))
        write_prompts(tmp_path / case / "interior-margin-points.json", prompts)
        run_algorithm(tmp_path / case, tmp_path / "written", tmp_path / "model")
    out = capsys.readouterr().out
    assert f"warning: scan.mha: {CONSTANT}" in out
    assert f"warning: tumour: look first: {NEGATIVE}" in out


def test_an_older_bundle_says_that_it_does_not_know(trained, tested, tmp_path):
    roots = Roots(trained / "raw", trained / "processed", tested[1])
    place = tmp_path / "bundle"
    write_bundle(own_model(roots, NAME), place)
    content = read(place / "bundle.json")
    del content["training_set"], content["digest"]
    content["schema_version"] = 1
    content["digest"] = bundle._digest(content)
    (place / "bundle.json").write_text(json.dumps(content))
    raw = trained / "raw" / NAME
    words = ["-i", raw / "imagesTs", "-in", raw / "interactionsTs", "-o", tmp_path / "out"]
    done = infer(trained, *words, "--model", place, results=tested[1])
    assert done.exit_code == 0 and UNKNOWN in done.output, done.output
    for case in Task.load(raw).test:
        record = read(tmp_path / "out" / f"{case.name}.json")
        assert record["notes"] == [UNKNOWN]
        assert all(segmented["expected_dice"] is None for segmented in record["objects"])
