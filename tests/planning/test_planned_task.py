"""A planned task on disk: what is saved is loaded, and what is not one is named."""

import json

import pytest

from interactivenet.datasets.splits import Split
from interactivenet.errors import DataError, RequestError
from interactivenet.planning.planned_task import PlannedTask
from tests.planning.test_plan import some_plan

SPLITS = (Split(("a", "b"), ("c",)), Split(("c",), ("a", "b"), "lipoma"))


def saved(folder, change=None):
    planned = PlannedTask(folder, some_plan(), SPLITS, {"a__1": 1.0, "c__4": 0.5}, {"cases": 3})
    path = planned.save()
    if change:
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
    return planned


def test_what_is_saved_is_loaded(tmp_path):
    planned = saved(tmp_path)
    assert PlannedTask.load(tmp_path) == planned
    assert planned.name == "Task001_A" and planned.path == tmp_path / "plans.json"


def test_a_task_that_was_not_planned(tmp_path):
    with pytest.raises(RequestError, match=r"does not exist: run `plan\(task="):
        PlannedTask.load(tmp_path / "Task001_A")


@pytest.mark.parametrize("change", [lambda c: c.pop("splits"), lambda c: c.update(splits=[])])
def test_a_plan_without_folds(tmp_path, change):
    saved(tmp_path, change)
    with pytest.raises(RequestError, match=r"has no folds: run `plan\(task='Task001_A'\)` again"):
        PlannedTask.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda c: c["splits"][0].pop("training"), r"splits\[0\]\.training is missing"),
        (lambda c: c.update(splits=[3]), r"splits\[0\] is of type int, expected an object"),
        (lambda c: c.update(splits={}), "splits is of type dict, expected a list"),
        (lambda c: c["splits"][0].update(training="abc"), r"splits\[0\]\.training is of type str"),
        (lambda c: c["splits"][0].update(left_out=[]), r"splits\[0\]\.left_out is of type list"),
        (lambda c: c.update(coverage=[1]), "coverage is of type list, expected an object"),
        (lambda c: c.update(coverage={"a__1": "whole"}), "coverage.a__1 is of type str"),
        (lambda c: c.update(coverage={"a__1": 2}), "coverage.a__1 is 2"),
        (lambda c: c.update(coverage={"a": 1}), "coverage: the case of a region"),
        (lambda c: c.update(fingerprint=[]), "fingerprint is of type list"),
    ],
)
def test_damaged_splits_and_coverage(tmp_path, change, fault):
    saved(tmp_path, change)
    with pytest.raises(DataError, match=rf"plans\.json: field {fault}"):
        PlannedTask.load(tmp_path)


def test_another_schema_version(tmp_path):
    saved(tmp_path, lambda content: content.update(schema_version=1))
    with pytest.raises(DataError, match="schema_version is 1"):
        PlannedTask.load(tmp_path)
