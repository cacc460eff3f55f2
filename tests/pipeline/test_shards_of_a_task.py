"""Shards of the stages that do a task's own cases: ``predict``, ``test``, ``robustness``."""

import json
import shutil
from dataclasses import replace

import pytest

from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.errors import DataError, RequestError
from interactivenet.inference import predictor
from interactivenet.inference.options import InferenceOptions
from interactivenet.models import device as device_module
from interactivenet.pipeline import robustness as robustness_module
from interactivenet.pipeline.evaluate_corrections import evaluate_corrections
from interactivenet.pipeline.predict import predict
from interactivenet.pipeline.robustness import robustness
from interactivenet.pipeline.select import select
from interactivenet.pipeline.sharding import Shard, shard_number
from interactivenet.pipeline.test import test as run_test
from interactivenet.prompts.perturbation import PERTURBATIONS
from interactivenet.system.files import write_json
from interactivenet.system.journal import Journal
from interactivenet.system.signals import Interrupted, Signals
from tests.pipeline.recording_reporter import RecordingReporter
from tests.raw_task import read
from tests.training.trained_task import NAME

FAST = InferenceOptions(mirrored=False, precision="fp32", device="cpu")


@pytest.fixture
def roots(trained, tmp_path):
    """Folders of a trained task, whose raw files and results may be changed."""
    for part in ("raw", "results"):
        shutil.copytree(trained / part, tmp_path / part)
    return Roots(tmp_path / "raw", trained / "processed", tmp_path / "results")


@pytest.fixture
def names(roots):
    return [case.name for case in Task.load(roots.raw / NAME).test]


@pytest.fixture
def of(names):
    """The least number of shards that parts the two test cases."""
    return next(n for n in range(2, 100) if shard_number(names[0], n) != shard_number(names[1], n))


def written(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*.*")
            if path.suffix in (".gz", ".json") and path.name != "run.json"
            and not {"shards", "sheets"} & {*path.parts}}  # fmt: skip


def shards_of(names, of):
    return [Shard(shard_number(name, of), of) for name in names]


def test_predicting(roots, names, of):
    settings = {"options": FAST, "roots": roots}
    first, second = shards_of(names, of)
    one = predict(NAME, shard=first, **settings)
    assert one.cases == 1 and one.failures == {}
    reporter = RecordingReporter()
    gathered = predict(NAME, gather=True, reporter=reporter, **settings)
    assert {*gathered.failures} == {names[1]}
    assert len([line for line in reporter.lines if f"run shard {second} again" in line]) == 2
    for folder in one.folders.values():
        assert read(folder / "failures.json") == {
            f"fold {folder.name[-1]}": {
                names[1]: "told: not segmented yet: run the shards again"
            }
        }  # fmt: skip
    predict(NAME, shard=second, **settings)
    assert predict(NAME, gather=True, **settings).failures == {}
    mine = written(roots.results / NAME / "predictions")
    shutil.rmtree(roots.results / NAME / "predictions")
    predict(NAME, **settings)
    assert written(roots.results / NAME / "predictions") == mine and len(mine) == 2 * 2 * 2


def test_testing_needs_a_choice_and_gives_the_same(roots, names, of):
    settings = {"options": FAST, "roots": roots, "mlflow": False}
    predictions = roots.results / NAME / "predictions"
    with pytest.raises(RequestError) as refused:
        run_test(NAME, shard="1/2", **settings)
    assert refused.value.remedy == f"run `select(task='{NAME}')` first"
    with pytest.raises(RequestError, match="predictions"):  # in which no shard has written
        run_test(NAME, gather=True, **settings)
    assert not predictions.exists()
    select(NAME, roots=roots)
    for shard in shards_of(names, of):
        done = run_test(NAME, shard=shard, **settings)
        assert done.cases == 1 and done.evaluation is None
        assert (shard.folder(predictions) / "run.json").exists()
    gathered = run_test(NAME, gather=True, **settings)
    assert {row["case"] for row in gathered.evaluation.rows} == {*names}
    mine, record = written(predictions), read(predictions / "run.json")
    shutil.rmtree(predictions)
    alone = run_test(NAME, **settings)
    assert written(predictions) == mine and len(mine) == 3 * 2 * 2
    assert alone.evaluation.rows == gathered.evaluation.rows
    again = read(predictions / "run.json")
    assert {key: record[key] for key in ("inputs", "weights", "choices", "notes")} == {
        key: again[key] for key in ("inputs", "weights", "choices", "notes")
    }  # fmt: skip


@pytest.fixture
def measured(monkeypatch):
    """Measure by the name of a case alone; returns the names of the cases that were measured."""
    done = []

    def measure(_, scan, repeats, seed, interrupt):
        done.append(scan.name)
        return [{"case": scan.name, "label": 1, "name": "a", "prompt": 0,
                 "disturbance": each.name, "repeat": 0, "dice": 0.1 + 0.2}
                for each in PERTURBATIONS]  # fmt: skip

    monkeypatch.setattr(robustness_module, "measure_scan", measure)
    return done


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.glob("robustness.*")
            if path.suffix != ".png"}  # fmt: skip


def test_measuring(roots, names, of, measured, tmp_path):
    settings = {"options": FAST, "roots": roots, "repeats": 1}
    output = tmp_path / "out"
    first, second = shards_of(names, of)
    one = robustness(NAME, output=output, shard=first, **settings)
    assert one.cases == 1 and one.summary == () and measured == names[:1]
    assert not files_of(output)
    assert {*files_of(first.folder(output))} == {"robustness.json"}
    part = robustness(NAME, output=output, gather=True, **settings)
    assert part.failures == {names[1]: "not measured yet: run the shards again"}
    robustness(NAME, output=output, shard=second, **settings)
    robustness(NAME, output=output, shard="1/1", **settings)  # another number: nothing is new
    assert measured == names
    gathered = robustness(NAME, output=output, gather=True, **settings)
    assert gathered.failures == {} and gathered.summary[0]["objects"] == 2 and measured == names
    mine = files_of(output)
    again = robustness(NAME, output=output, **settings)
    assert files_of(output) == mine and again.summary == gathered.summary and measured == names
    robustness(NAME, output=tmp_path / "alone", **settings)
    assert files_of(tmp_path / "alone") == mine and {*mine} == {"robustness.csv", "robustness.json"}


def test_a_gather_on_another_device_takes_the_precision_of_the_shards(
    roots, measured, monkeypatch, tmp_path
):
    monkeypatch.setattr(
        device_module, "choose_precision", lambda name, _: "fp32"
    )  # of the device here

    def start(precision, **more):
        options = replace(FAST, precision=precision)
        return robustness(
            NAME, repeats=1, output=tmp_path / "out", options=options, roots=roots, **more
        ).failures

    monkeypatch.setattr(predictor, "choose_precision", lambda name, _: "bf16")
    assert start("bf16", shard="1/1") == {}
    monkeypatch.setattr(predictor, "choose_precision", lambda name, _: "fp32")
    assert start("auto", gather=True) == {}
    assert {*start("fp32", gather=True).values()} == {"not measured yet: run the shards again"}


def test_why_a_shard_could_not_measure(roots, names, of, monkeypatch, tmp_path):
    def fail(*_):
        raise DataError("no such luck")

    monkeypatch.setattr(robustness_module, "measure_scan", fail)
    settings = {"options": FAST, "roots": roots, "repeats": 1, "output": tmp_path / "out"}
    shard = shards_of(names, of)[0]
    assert robustness(NAME, shard=shard, **settings).failures == {names[0]: "no such luck"}
    gathered = robustness(NAME, gather=True, **settings)
    assert gathered.failures == {
        names[0]: "no such luck", names[1]: "not measured yet: run the shards again",
    }  # fmt: skip
    other = robustness(NAME, gather=True, **{**settings, "repeats": 2})
    assert {*other.failures.values()} == {"not measured yet: run the shards again"}


def test_a_kill_costs_no_case_that_was_measured(roots, names, measured, monkeypatch, tmp_path):
    settings = {"options": FAST, "roots": roots, "repeats": 1, "output": tmp_path / "out"}
    record = tmp_path / "out" / "robustness.json"
    with monkeypatch.context() as patched:
        patched.setattr(Signals, "check", lambda _: measured and _end())
        with pytest.raises(Interrupted):
            robustness(NAME, **settings)
    journal = record.with_name("robustness.cases.jsonl")
    (row,) = Journal(journal).rows()
    assert measured == names[:1] and read(record)["cases"] == {} and row["case"] == names[0]
    with journal.open("a") as file:
        file.write('\n{"case": "' + names[1])  # what a kill in the middle of a line leaves
    robustness(NAME, **settings)
    assert measured == names and not journal.exists()
    # as an earlier version has left its record, half done
    content = read(record)
    assert list(content["cases"]) == names
    del content["cases"][names[0]]
    write_json(record, {**content, "summary": None})
    robustness(NAME, **settings)
    assert measured == [*names, names[0]] and list(read(record)["cases"]) == names
    journal.write_text("mine\n")
    with pytest.raises(RequestError, match=r"robustness\.cases\.jsonl: is not as this program"):
        robustness(NAME, overwrite=True, **settings)
    assert journal.read_text() == "mine\n"


def test_more_cases_than_a_record_may_have(roots, names, of, measured, monkeypatch, tmp_path):
    """They are in the journal, in which whoever comes later looks as well."""
    settings = {"options": FAST, "roots": roots, "repeats": 1, "output": tmp_path / "out"}
    record = tmp_path / "out" / "robustness.json"
    whole = robustness(NAME, **settings)
    size = record.stat().st_size
    cases = read(record)["cases"]
    shutil.rmtree(record.parent)
    most = "interactivenet.pipeline.measuring.is_readable"
    monkeypatch.setattr(most, lambda data: len(data) < size)
    for more in ({}, {"gather": True}, {}):
        again = robustness(NAME, **more, **settings)
        assert again == whole and measured == names * 2
        content, journal = read(record), Journal(record.with_name("robustness.cases.jsonl"))
        assert content["cases"] == {} and content["summary"] == list(whole.summary)
        assert {row["case"]: row["record"] for row in journal.rows()} == cases
        assert {*content["files"]} == {"robustness.csv", "robustness.png"}
    robustness(NAME, overwrite=True, **settings)
    assert measured == names * 3 and len(journal.rows()) == 2
    monkeypatch.setattr(most, lambda _: True)
    robustness(NAME, **settings)
    assert read(record)["cases"] == cases and not journal.path.exists()
    assert measured == names * 3


def _end():
    raise Interrupted(15)


def test_correcting(roots, names, of, monkeypatch, tmp_path):
    """The figures are those of one run, whose clicks took other times."""
    settings = {"options": FAST, "roots": roots, "clicks": 1, "mlflow": False}
    for shard in shards_of(names, of):
        done = evaluate_corrections(NAME, output=tmp_path / "out", shard=shard, **settings)
        assert done.cases == 1 and done.summary == {}
    gathered = evaluate_corrections(NAME, output=tmp_path / "out", gather=True, **settings)
    assert gathered.failures == {} and (tmp_path / "out" / "corrections.html").exists()
    content = read(tmp_path / "out" / "corrections.json")
    assert list(content["cases"]) == names
    assert content["summary"] == json.loads(json.dumps(gathered.summary))
    assert {item["dice"]["n"] for item in gathered.summary["curve"]} == {2}


def test_correcting_on_another_device(roots, names, of, monkeypatch, tmp_path):
    """Of 'auto', a gather takes what was measured on any, and says so."""
    first, second = shards_of(names, of)

    def start(device, **more):
        reporter, options = RecordingReporter(), replace(FAST, device=device, precision="auto")
        done = evaluate_corrections(
            NAME, output=tmp_path / "out", options=options, roots=roots, clicks=1, mlflow=False,
            reporter=reporter, **more,
        )  # fmt: skip
        return done.failures, [line for line in reporter.lines if "differed" in line]

    for module in (device_module, predictor):
        monkeypatch.setattr(module, "choose_precision", lambda *_: "fp32")
    with monkeypatch.context() as there:  # as on a machine with a card
        there.setattr(device_module, "choose_device", lambda _: "cuda")
        there.setattr(device_module, "choose_precision", lambda *_: "bf16")
        there.setattr(predictor, "choose_precision", lambda *_: "bf16")
        assert start("auto", shard=first) == ({}, [])
    assert start("auto", gather=True)[0] == {names[1]: "not measured yet: run the shards again"}
    assert {*start("cpu", gather=True)[0]} == {*names}
    start("auto", shard=second)
    failures, (line,) = start("auto", gather=True)
    assert failures == {}
    assert line == (
        "the shards' machines differed: 1 case with cpu, fp32, torch; 1 case with cuda, bf16, torch"
    )
