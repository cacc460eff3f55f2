"""A log begins with what is loaded, before anything that takes long is."""

import pytest

from interactivenet.datasets.roots import Roots
from interactivenet.errors import RequestError
from interactivenet.pipeline import chosen_model as module
from interactivenet.pipeline import predict as predict_module
from interactivenet.pipeline import test as test_module
from interactivenet.pipeline.infer import infer
from interactivenet.pipeline.predict import predict
from tests.pipeline.recording_reporter import RecordingReporter
from tests.training.trained_task import NAME


class Stopped(Exception):
    """Nothing is to be read yet."""


def stop(*_, **__):
    raise Stopped


@pytest.mark.parametrize("deployed", [True, False])
@pytest.mark.parametrize("model", [None, "own", "deployed"])
def test_a_model_of_a_task(tmp_path, monkeypatch, model, deployed):
    roots, reporter = Roots(tmp_path, tmp_path, tmp_path / "results"), RecordingReporter()
    folder = roots.results / "models" / NAME
    folder.mkdir(parents=True)
    if deployed:
        (folder / "bundle.json").write_text("{}")
    monkeypatch.setattr(module, "model_of_task", stop)
    with pytest.raises(Stopped):
        infer(NAME, tmp_path, tmp_path, tmp_path / "out", model=model, roots=roots,
              reporter=reporter)  # fmt: skip
    own = model == "own" or (model is None and not deployed)
    place = roots.results / NAME if own else folder
    assert reporter.lines == [f"loading the model of {NAME} from {place}"]


def test_a_model_by_its_name(tmp_path, monkeypatch, with_starter):
    monkeypatch.setattr(module, "read_bundle", stop)
    for model in ("starter", with_starter):
        reporter = RecordingReporter()
        with pytest.raises(Stopped):
            infer(None, tmp_path, tmp_path, tmp_path / "out", model=model, reporter=reporter)
        assert reporter.lines == [f"loading model {model} from {with_starter}"]


def test_folds(trained, tmp_path, monkeypatch):
    roots = Roots(trained / "raw", trained / "processed", tmp_path / "results")
    for start, where in ((predict, predict_module), (test_module.test, test_module)):
        reporter = RecordingReporter()
        monkeypatch.setattr(where, "check_sources", stop)
        with pytest.raises(Stopped):
            start(NAME, roots=roots, reporter=reporter)
        assert reporter.lines == [
            f"loading the trained folds of {NAME} from {roots.results / NAME}"
        ]


def test_a_task_that_is_not_there_is_refused_without_it(tmp_path):
    reporter = RecordingReporter()
    with pytest.raises(RequestError, match="does not exist"):
        predict(NAME, roots=Roots(tmp_path, tmp_path, tmp_path), reporter=reporter)
    assert reporter.lines == []
