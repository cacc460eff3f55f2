"""What stages read and list for a case does not grow with the number of cases."""

from collections import Counter
from pathlib import Path

import pytest

from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.pipeline.dataset import check_dataset
from interactivenet.pipeline.plan import plan
from interactivenet.pipeline.simulate import simulate
from interactivenet.pipeline.up_to_date import check_sources
from interactivenet.planning.options import PlanningOptions
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.preprocessing import region_records
from interactivenet.preprocessing.folds import read_fold
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system import files, stamps
from tests.pipeline.recording_reporter import RecordingReporter
from tests.raw_task import write_case

NAME = "Task109_COSTS"
PLANNING = PlanningOptions(preset="tiny", grid="spacing")


class Meter:
    """Counts the bytes of JSON that are read, and the entries of folders that are listed."""

    def __init__(self, monkeypatch):
        self.spent = Counter()
        read, listed = files.read_bytes, Path.iterdir

        def read_bytes(path, *arguments):
            data = read(path, *arguments)
            self.spent["read"] += len(data)
            return data

        def iterdir(path):
            for entry in listed(path):
                self.spent["listed"] += 1
                yield entry

        monkeypatch.setattr(files, "read_bytes", read_bytes)
        monkeypatch.setattr(Path, "iterdir", iterdir)

    def of(self, stage):
        self.spent.clear()
        stage()
        return dict(self.spent)


@pytest.fixture(scope="module")
def costs(tmp_path_factory):
    """Of each stage, what it reads and lists for 5 cases and for 10."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(stamps, "SETTLED", -(10**12))  # as if the files were not new
        meter, measured = Meter(monkeypatch), {}
        for cases in (5, 10):
            root = tmp_path_factory.mktemp(f"of_{cases}")
            roots = Roots(root / "raw", root / "processed", root / "results")
            for number in range(cases):
                write_case(roots.raw / NAME, f"case_{number:02d}")
            stages = {
                "dataset": lambda roots=roots: check_dataset(
                    NAME, modalities=["CT"], labels=LabelNames({1: "a"}), roots=roots, jobs=1
                ),
                "simulate": lambda roots=roots: simulate(NAME, roots=roots, jobs=1),
                "simulate again": lambda roots=roots: simulate(NAME, roots=roots, jobs=1),
                "plan": lambda roots=roots: plan(NAME, PLANNING, folds=2, roots=roots, jobs=1),
                "plan again": lambda roots=roots: plan(
                    NAME, PLANNING, folds=2, roots=roots, jobs=1
                ),
                "start of training": lambda roots=roots: start_training(roots),
            }
            measured[cases] = {name: meter.of(stage) for name, stage in stages.items()}
    return measured


def start_training(roots):
    """What training does before its first step, of all folds."""
    planned = PlannedTask.load(roots.processed / NAME)
    check_sources(roots, planned, RecordingReporter())
    for number in range(len(planned.splits)):
        fold = read_fold(planned, number)
        assert fold.learnable and fold.digest and fold.inputs and fold.training_images


@pytest.mark.parametrize("stage", [
    "dataset", "simulate", "simulate again", "plan", "plan again", "start of training",
])  # fmt: skip
def test_twice_the_cases_cost_twice_as_much(costs, stage):
    few, many = costs[5][stage], costs[10][stage]
    assert few
    for what, spent in many.items():
        assert spent <= 2.1 * few.get(what, 0), f"{what}: {few} for 5 cases, {many} for 10"


def test_the_record_of_a_region_is_read_once_for_all_folds(tmp_path, monkeypatch):
    roots = Roots(tmp_path / "raw", tmp_path / "processed", tmp_path / "results")
    for number in range(4):
        write_case(roots.raw / NAME, f"case_{number}")
    check_dataset(NAME, modalities=["CT"], labels=LabelNames({1: "a"}), roots=roots, jobs=1)
    simulate(NAME, roots=roots, jobs=1)
    plan(NAME, PLANNING, folds=2, roots=roots, jobs=1)
    monkeypatch.setattr(stamps, "SETTLED", -(10**12))
    read = Counter()
    real = region_records.region_record._read
    monkeypatch.setattr(
        region_records.region_record, "_read", lambda path: read.update([path]) or real(path)
    )
    start_training(roots)
    assert len(read) == len(Task.load(roots.raw / NAME).training) == 4
    assert set(read.values()) == {1}
