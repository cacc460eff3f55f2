"""Pretrained models, installed and converted from Python."""

import shutil

import pytest

from interactivenet import legacy
from interactivenet.datasets.roots import Roots
from interactivenet.errors import RequestError
from interactivenet.models import registry
from interactivenet.models.bundle import read_bundle
from interactivenet.pipeline.models import convert_model, download_model, install_model
from tests.model_server import make_task_bundle, make_zip, serving, sha256
from tests.pipeline.recording_reporter import RecordingReporter


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_task_bundle(tmp_path_factory.mktemp("models") / "Task001_A")


@pytest.fixture
def roots(tmp_path):
    return Roots(tmp_path / "raw", tmp_path / "processed", tmp_path / "results")


def test_installing(bundle, roots, capsys):
    reporter = RecordingReporter()
    model = install_model(bundle, roots=roots, reporter=reporter)
    assert (model.name, model.outcome) == ("Task001_A", "installed")
    assert model.folder == roots.results / "models" / "Task001_A"
    assert read_bundle(model.folder).folds == (0, 2)
    assert install_model(bundle, roots=roots).outcome == "already installed"
    named = install_model(bundle, name="Task002_B", roots=roots)
    assert named.name == named.folder.name == "Task002_B"
    assert "`infer(task='Task001_A')` uses it" in reporter.lines[-1]
    assert capsys.readouterr().out == ""


def test_downloading(bundle, roots, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    data = make_zip(bundle, tmp_path / "Task001_A.zip").read_bytes()
    progress = []
    with serving() as site:
        monkeypatch.setattr(registry, "ZENODO", site.url)
        site.files["/m.zip"] = data
        model = download_model(
            f"{site.url}/m.zip", checksum=sha256(data), name="Task003_C", roots=roots,
            progress=lambda done, total: progress.append((done, total)),
        )  # fmt: skip
        assert (model.name, model.outcome) == ("Task003_C", "installed")
        assert progress[-1] == (len(data), len(data))
        requests = len(site.asked)
        again = download_model(f"{site.url}/m.zip", name="Task003_C", roots=roots)
        assert again.outcome == "kept" and len(site.asked) == requests
    assert read_bundle(model.folder).folds == (0, 2)


def test_converting(bundle, roots, tmp_path, monkeypatch):
    calls = []

    def convert(source, target, note, **names):
        calls.append((source.name, names))
        shutil.copytree(bundle, target, dirs_exist_ok=True)

    monkeypatch.setattr(legacy, "convert_model", convert)
    source = tmp_path / "Task004_D"
    source.mkdir()
    model = convert_model(source, label="lesion", roots=roots)
    assert (model.name, model.outcome) == ("Task004_D", "converted")
    names = {"name": "Task004_D", "label": "lesion", "modality": None, "grow": False}
    assert calls == [("Task004_D", names)]
    with pytest.raises(RequestError, match="exists: `overwrite=True` replaces it"):
        convert_model(source, roots=roots)
    convert_model(source, overwrite=True, roots=roots)
    assert len(calls) == 2
