"""Many cases at once: the same bytes with any number of threads, and nothing lost by a signal."""

from dataclasses import replace

import numpy as np
import pytest

from interactivenet.datasets.task import Case
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import write_volume
from interactivenet.inference import batch, case_work
from interactivenet.inference.batch import predict_cases
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.outputs import Output
from interactivenet.inference.overlap import Threads
from interactivenet.inference.predictor import Predictor
from interactivenet.prompts.io import write_prompts
from interactivenet.system.signals import Interrupted, Signals
from tests.random_model import make_model
from tests.sample_cases import make_plan, make_scan

NAMES = ["a", "b", "broken", "c", "d", "a", "e", "f"]
OPTIONS = InferenceOptions(mirrored=False, device="cpu", precision="fp32")
ONE = Threads(1, 1)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Small cases; one is no image, and two have the same name."""
    folder = tmp_path_factory.mktemp("cases")
    grid = Geometry((18, 17, 16), np.diag((1.0, 1.1, 1.2, 1.0)))
    made = []
    for number, name in enumerate(NAMES):
        scan = make_scan(grid, seed=number)
        image, points = folder / f"{number}.nii.gz", folder / f"{number}.json"
        if name == "broken":
            image.write_bytes(b"no image")
        else:
            write_volume(image, scan.image.array[0], grid)
        write_prompts(points, scan.prompts)
        made.append(Case(name, (image,), interaction=points))
    return made


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("weights"), make_plan((1.0, 1.1, 1.2)), (0, 1))


def outputs(folder):
    return [Output(folder / "0", (0,)), Output(folder / "both", (0, 1), probabilities=True)]


def run(cases, model, folder, threads, **more):
    return list(predict_cases(cases, model, outputs(folder), OPTIONS, threads=threads, **more))


def files(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def told(result):
    return replace(result, network_seconds=0.0, seconds=None)


@pytest.fixture(scope="module")
def expected(cases, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("expected")
    return run(cases, model, folder, ONE), files(folder)


@pytest.mark.parametrize("threads", [Threads(2, 1), Threads(1, 2), Threads(4, 4)])
def test_any_number_of_threads_gives_the_same(cases, model, expected, tmp_path, threads):
    results = run(cases, model, tmp_path, threads)
    assert [result.case for result in results] == NAMES
    assert [told(result) for result in results] == [told(result) for result in expected[0]]
    assert [result.case for result in results if result.error] == ["broken", "a"]
    assert "two scans have this name" in results[5].error
    assert files(tmp_path) == expected[1] and len(expected[1]) == 6 * 5


def test_what_is_done_is_kept_and_the_rest_made(cases, model, expected, tmp_path):
    some = [cases[1], cases[4]]
    run(some, model, tmp_path, ONE)
    results = run(cases, model, tmp_path, Threads(4, 2))
    assert [result.case for result in results if result.kept] == ["b", "d"]
    assert files(tmp_path) == expected[1]
    again = run(cases, model, tmp_path, Threads(4, 2))
    assert sum(result.kept for result in again) == 6


def test_seconds_are_those_of_a_case_alone(expected):
    for result in expected[0]:
        if result.error:
            assert result.seconds is None
        else:
            assert result.seconds > result.network_seconds > 0


@pytest.mark.parametrize("threads", [ONE, Threads(4, 4)])
def test_a_signal_ends_it_and_nothing_is_lost(
    cases, model, expected, tmp_path, monkeypatch, threads
):
    signals, answer, asked, done = Signals(), Predictor.answer, [], []

    def signalled(*arguments, **more):
        asked.append(1)
        signals.received = 15 if len(asked) == 3 else 0
        return answer(*arguments, **more)

    monkeypatch.setattr(Predictor, "answer", signalled)
    with pytest.raises(Interrupted):
        for result in predict_cases(
            cases, model, outputs(tmp_path), OPTIONS, threads=threads, signals=signals
        ):
            done.append(result.case)
    assert done == ["a", "b", "broken"]
    monkeypatch.setattr(Predictor, "answer", answer)
    results = run(cases, model, tmp_path, threads)
    assert [result.case for result in results if result.kept] == ["a", "b"]
    assert files(tmp_path) == expected[1]


def test_whoever_stops_asking_leaves_no_thread_behind(cases, model, tmp_path, monkeypatch):
    read, begun = case_work.BatchWork.read, []

    def counted(self, case):
        begun.append(case.name)
        return read(self, case)

    monkeypatch.setattr(case_work.BatchWork, "read", counted)
    results = predict_cases(cases, model, outputs(tmp_path), OPTIONS, threads=ONE)
    assert next(results).case == "a"
    results.close()
    assert len(begun) <= 4


def test_without_memory_one_case_is_there_at_a_time(cases, model, expected, tmp_path, monkeypatch):
    """Each is read only when the one before it is written."""
    order = []
    read, write = case_work.BatchWork.read, case_work.BatchWork._write
    monkeypatch.setattr(batch.overlap, "SMALL", 0)
    monkeypatch.setattr(batch.overlap, "available_memory", lambda: 1)

    def reading(self, case):
        order.append(("read", case.name))
        return read(self, case)

    def writing(self, work, *more):
        try:
            return write(self, work, *more)
        finally:
            order.append(("written", work.case.name))

    monkeypatch.setattr(case_work.BatchWork, "read", reading)
    monkeypatch.setattr(case_work.BatchWork, "_write", writing)
    run(cases[:2] + cases[3:5], model, tmp_path, Threads(4, 4))
    begun = [name for what, name in order if what == "read"]
    assert begun == ["a", "b", "c", "d"]
    # the next is being read while one is written, and none beyond that
    for name, after in (("a", "c"), ("b", "d")):
        assert order.index(("written", name)) < order.index(("read", after))
