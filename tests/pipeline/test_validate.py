"""Validation: every object of every case, measured against its own label; kept as it is done."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.phantom import PhantomSettings, write_phantom_task
from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.errors import DataError, RequestError
from interactivenet.evaluation import evaluate_masks
from interactivenet.imaging.io import read_label
from interactivenet.inference.examination import Examination
from interactivenet.inference.networks import NetworkOutput
from interactivenet.inference.predictor import PreparedScan
from interactivenet.models.fold_results import FoldResults
from interactivenet.pipeline.validate import validate, validate_fold
from interactivenet.pipeline.validated_cases import validate_case
from interactivenet.pipeline.validation_results import Validated
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.postprocessing.merging import PromptProbability
from interactivenet.preprocessing.folds import read_fold
from interactivenet.prompts.corrections import Correction
from interactivenet.system import files
from interactivenet.system.cache_key import CacheKey
from interactivenet.system.signals import Interrupted, Signals
from interactivenet.training.trainer import train_fold
from tests.pipeline.recording_reporter import RecordingReporter, told
from tests.sample_cases import make_scan, stored_grid
from tests.training.trained_task import QUICK

NAME = "Task106_VALID"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A fold of cases with two labels, whose prompts are JSON; its task, and its results."""
    root = tmp_path_factory.mktemp("valid")
    folder = root / "raw" / NAME
    settings = PhantomSettings(
        cases=4,
        test_cases=0,
        labels=("tumour", "node"),
        shape=(44, 40, 18),
        spacing=(1.5, 1.5, 2.5),
    )
    write_phantom_task(folder, settings)
    where = ["-t", NAME, "--raw", str(root / "raw")]
    plan = ["--processed", str(root / "processed"), "--preset", "tiny", "-f", "2", "--jobs", "1"]
    labels = ["-m", "MR", "-l", "tumour", "-l", "node"]
    for command in (["dataset", *where, *labels], ["simulate", *where, "--format", "json"],
                    ["plan", *where, *plan]):  # fmt: skip
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, done.output
    fold = read_fold(PlannedTask.load(root / "processed" / NAME), 0)
    train_fold(fold, root / "results" / NAME / "fold_0", replace(QUICK, epochs=1))
    return Task.load(folder), fold, FoldResults(root / "results" / NAME, 0)


class Oracle:
    """Segments every prompt as its label says."""

    facts = ({"epoch": 7},)

    def __init__(self, *_, **__):
        pass

    def prepare(self, scan, **_):
        return PreparedScan(scan, (), Examination((), None))

    def answer(self, prepared, **_):
        answer = NetworkOutput(None, (0.9,), (0.8,), adaptive=(0.85,))
        return [answer for _ in prepared.scan.prompts]

    def claims(self, prepared, _):
        scan = prepared.scan
        masks = [scan.objects.mask(one, scan.prompts, scan.image.grid) for one in scan.prompts]
        return [
            [PromptProbability(prompt, mask.astype(np.float16), (0, 0, 0), 0.9)]
            for prompt, mask in zip(scan.prompts, masks, strict=True)
        ]


@pytest.fixture
def oracle(monkeypatch):
    monkeypatch.setattr("interactivenet.pipeline.validate.Predictor", Oracle)


def copied(trained, tmp_path):
    task, fold, results = trained
    copy = FoldResults(tmp_path / "results" / NAME, 0)
    shutil.copytree(results.folder, copy.folder)
    return task, fold, copy


def test_named_prompts_are_measured_against_their_own_label(trained, tmp_path, oracle):
    task, fold, results = copied(trained, tmp_path)
    for result in validate_fold(task, fold, results).checkpoints:
        assert [row["case"] for row in result.objects] == [c for c in fold.cases for _ in "12"]
        assert [(row["label"], row["name"]) for row in result.objects[:2]] == [
            (1, "tumour"), (2, "node"),
        ]  # fmt: skip
        assert result.mean("dice") == 1 and result.mean("hd95") == 0 and result.missed == 0
        assert result.epoch == 7
        for case in task.training:
            if case.name in fold.cases:
                found = read_label(results.validation / result.checkpoint / f"{case.name}.nii.gz")
                assert np.array_equal(found.array, read_label(case.label).array)


def test_the_real_predictor_is_measured_as_stored(trained, tmp_path):
    task, fold, results = copied(trained, tmp_path)
    cases = {case.name: case for case in task.training}
    for result in validate_fold(task, fold, results, tolerance_mm=3.0).checkpoints:
        for row in result.objects:
            path = results.validation / result.checkpoint / f"{row['case']}.nii.gz"
            found, truth = read_label(path), read_label(cases[row["case"]].label)
            masks = [one.array[0] == row["label"] for one in (found, truth)]
            expected = evaluate_masks(*masks, found.spacing, 3.0)
            assert row["dice"] == pytest.approx(expected["dice"])
            assert row["nsd"] == pytest.approx(expected["nsd"])


def test_interrupted_it_keeps_what_is_done(trained, tmp_path, oracle, monkeypatch):
    task, fold, results = copied(trained, tmp_path)
    signals = Signals()
    segmented = []
    prepare = Oracle.prepare

    def counted(self, scan, **_):
        segmented.append(scan.name)
        signals.received = 15 if len(segmented) == 2 else 0
        return prepare(self, scan)

    monkeypatch.setattr(Oracle, "prepare", counted)
    with pytest.raises(Interrupted):
        validate_fold(task, fold, results, signals=signals)
    assert segmented == list(fold.cases)
    known = json.loads((results.validation / "metrics.json").read_text())
    assert list(known["best"]["cases"]) == [fold.cases[0]]  # of the second, nothing is kept
    assert len(list((results.validation / "best").iterdir())) == 1
    validate_fold(task, fold, results)
    assert segmented[2:] == [fold.cases[1]]  # the first one was not done again
    validate_fold(task, fold, results)
    assert len(segmented) == 3
    (results.validation / "best" / f"{fold.cases[1]}.nii.gz").unlink()
    validate_fold(task, fold, results)
    assert segmented[3:] == [fold.cases[1]]


def test_killed_it_keeps_what_is_done(trained, tmp_path, oracle, monkeypatch):
    """A run that could not write metrics.json at its end has left a journal."""
    task, fold, results = copied(trained, tmp_path)
    expected = validate_fold(task, fold, results).checkpoints
    path, journal = results.validation / "metrics.json", results.validation / ".metrics.journal"
    whole = path.read_bytes()
    records = json.loads(whole)
    assert not journal.exists()
    record = records["best"]
    case, found = record["cases"].popitem()
    records["last"]["cases"] = {}
    path.write_text(json.dumps(records))
    digest = CacheKey(record["made_from"]).digest
    lines = [["best", digest, case, found], ["best", "other", fold.cases[0], {"damaged": 1}]]
    journal.write_text("".join(f"\n{json.dumps(line)}" for line in lines) + '\n["best", "')
    monkeypatch.setattr(
        "interactivenet.pipeline.validate.segment_cases", None
    )  # nothing is left to do
    assert validate_fold(task, fold, results).checkpoints == expected
    assert path.read_bytes() == whole and not journal.exists()


def test_a_damaged_journal_is_named(trained, tmp_path, oracle):
    task, fold, results = copied(trained, tmp_path)
    results.validation.mkdir()
    (results.validation / ".metrics.journal").write_text('\n{"best": 1}')
    with pytest.raises(DataError, match=r"\.metrics\.journal: is not as this program writes it"):
        validate_fold(task, fold, results)


def test_the_record_is_written_as_often_whatever_the_cases(trained, tmp_path, oracle, monkeypatch):
    task, fold, results = copied(trained, tmp_path)
    written = []
    real = files.write_json
    monkeypatch.setattr(
        "interactivenet.pipeline.validate.write_json",
        lambda path, content: written.append(path.name) or real(path, content),
    )
    validate_fold(task, fold, results)
    assert written == ["metrics.json"] * 3  # before, after, and of the last, which is the same


def test_other_weights_are_measured_anew(trained, tmp_path, oracle):
    task, fold, results = copied(trained, tmp_path)
    validate_fold(task, fold, results)
    stale = results.validation / "last" / "gone.nii.gz"
    stale.write_bytes(b"")
    path = results.weights("last")
    path.write_bytes(path.read_bytes() + b" ")
    validate_fold(task, fold, results)
    assert not stale.exists()


def test_an_odd_case_costs_itself_only(trained, tmp_path, oracle, monkeypatch):
    task, fold, results = copied(trained, tmp_path)
    prepare = Oracle.prepare

    def failing(self, scan, **_):
        if scan.name == fold.cases[0]:
            raise MemoryError("too large")
        return prepare(self, scan)

    monkeypatch.setattr(Oracle, "prepare", failing)
    best, _ = validate_fold(task, fold, results, reporter=RecordingReporter()).checkpoints
    assert list(best.failures) == [fold.cases[0]]
    recorded = json.loads((results.folder / "failures.json").read_text())["train"]
    assert recorded == told(best.failures)
    assert "unexpected MemoryError: too large" in best.failures[fold.cases[0]]
    assert len(best.objects) == 2
    monkeypatch.setattr(Oracle, "prepare", prepare)
    best, _ = validate_fold(task, fold, results).checkpoints  # what failed is tried again
    assert not best.failures and len(best.objects) == 4


def test_missed_objects_are_counted():
    rows = [{"dice": 0.0, "hd95": None}, {"dice": 0.8, "hd95": 2.0}]
    cases = {"a": {"objects": rows, "error": ""}, "b": {"objects": [], "error": "broken"}}
    one = Validated("best", 3, cases)
    assert one.missed == 1 and one.mean("dice") == 0.4 and one.mean("hd95") == 2.0
    assert one.failures == {"b": "broken"}
    assert Validated("best", 3, {}).mean("dice") is None


def test_the_stage_validates_what_is_trained(trained, tmp_path, oracle, capsys):
    _, fold, results = copied(trained, tmp_path)
    root = fold.processed.parents[1]
    roots = Roots(root / "raw", root / "processed", tmp_path / "results")
    reporter = RecordingReporter()
    (validated,) = validate(NAME, "all", roots=roots, reporter=reporter)  # fold 1 is not trained
    assert capsys.readouterr().out == ""
    assert validated.results == results and validated.failures == {}
    assert [found.checkpoint for found in validated.checkpoints] == ["best", "last"]
    assert reporter.tracked == ["validated best"]  # of one epoch, the last is the best
    (table,) = reporter.tables
    assert table.columns[:3] == ("", "n", "missed")
    assert table.rows[0] == ("best checkpoint, epoch 7, mean", "4", "0", "1.000", "1.000", "0.00")
    assert [row[0].split(":")[0] for row in table.rows[2:]] == ["best", "median", "worst"]
    record = json.loads((results.validation / "run.json").read_text())
    assert record["stage"] == "validate" and record["status"] == "done" and record["fold"] == 0
    assert record["arguments"]["task"] == NAME and record["arguments"]["raw"] == str(roots.raw)
    (again,) = validate(NAME, 0, roots=roots, reporter=reporter)
    assert again.checkpoints == validated.checkpoints and len(reporter.tracked) == 1
    with pytest.raises(RequestError, match=rf"`train\(task='{NAME}', fold=1\)` first"):
        validate(NAME, 1, roots=roots)
    with pytest.raises(RequestError, match=r"`fold=2`: expected all or one of 0, 1"):
        validate(NAME, 2, roots=roots)


def test_first_results_are_measured_whatever_the_points_files_correct():
    """Else postprocessing, and the Dice to be expected, would be those of corrected results."""
    scan = make_scan(stored_grid((20, 18, 16), (1.0, 1.0, 1.5), (2, 0, 1), (1, -1, -1)))
    (prompt,) = scan.prompts
    inside = tuple(scan.image.grid.voxel_to_world([[10, 9, 8]])[0])
    clicks = (Correction(inside, False), Correction(tuple(prompt.points[0]), False, "background"))
    corrected = replace(scan, prompts=(replace(prompt, corrections=clicks),))
    plain, rows = validate_case(Oracle(), scan, 2.0)
    segmentation, same = validate_case(Oracle(), corrected, 2.0)
    assert same == rows and rows[0]["dice"] == 1
    np.testing.assert_array_equal(segmentation.label, plain.label)
    note = "2 corrections of its points' file left out: it begins with the points alone"
    assert segmentation.notes == (*plain.notes, note)
