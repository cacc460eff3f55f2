"""Which models a server offers, and what is loaded of them."""

import shutil

import pytest

from interactivenet.datasets.roots import Roots
from interactivenet.errors import RequestError
from interactivenet.models.bundle import write_bundle
from interactivenet.viewer.refusals import Ending
from interactivenet.viewer.sessions.served_models import ServedModels
from interactivenet.viewer.sessions.warming import warm
from tests.random_model import make_model
from tests.sample_cases import make_plan


@pytest.fixture
def roots(tmp_path):
    return Roots.choose(results=tmp_path / "results")


@pytest.fixture
def bundle(tmp_path, roots):
    """An installed model of two folds, a label and a modality."""
    target = roots.results / "models" / "Task101_LIVER"
    model = make_model(tmp_path / "weights", make_plan((1.0, 1.2, 1.5)), (0, 2))
    write_bundle(model, target)
    return target


def test_the_starter_comes_first_unless_another_is_asked_for(roots, bundle):
    assert [each.name for each in ServedModels(roots).offered] == ["starter", "Task101_LIVER"]
    for first in ("Task101_LIVER", bundle):
        models = ServedModels(roots, first)
        assert [each.name for each in models.offered] == ["Task101_LIVER", "starter"]
        assert models.first == "Task101_LIVER"
    told = models.offered[0].as_json()
    assert told["folds"] == 2 and told["labels"] == [{"value": 1, "name": "a"}]
    assert not told["any_label"] and not models.takes_any("Task101_LIVER")
    assert models.takes_any("starter")


def test_a_folder_called_as_an_installed_one_takes_its_place(roots, bundle, tmp_path):
    copy = tmp_path / "copies" / "starter"
    shutil.copytree(bundle, copy)
    models = ServedModels(roots, copy)
    assert [each.name for each in models.offered] == ["starter", "Task101_LIVER"]
    assert models.offered[0].folder == copy


def test_quick_is_the_first_fold_asked_once(roots, bundle):
    models = ServedModels(roots)
    loaded = models.load("Task101_LIVER")
    assert models.load("Task101_LIVER") is loaded
    assert loaded.full.model.folds == (0, 2) and loaded.full.mirrored
    assert loaded.quick.model.folds == (0,) and not loaded.quick.mirrored
    assert warm(models, "Task101_LIVER") == ""


def test_a_model_that_cannot_be_used_is_told_and_not_offered(roots, bundle):
    (bundle / "bundle.json").write_text("{")
    models = ServedModels(roots)
    assert [each.name for each in models.offered] == ["starter"]
    assert len(models.notes) == 1 and "bundle.json" in models.notes[0]
    with pytest.raises(RequestError, match=r"bundle\.json"):
        ServedModels(roots, "Task101_LIVER")


def test_what_is_not_there_is_refused_with_what_is(roots, tmp_path):
    models = ServedModels(roots)
    with pytest.raises(RequestError, match="no model of this name: expected one of starter"):
        models.load("../starter")
    with pytest.raises(RequestError, match="there is no model 'nothing'"):
        ServedModels(roots, "nothing")
    archive = tmp_path / "model.zip"
    archive.write_bytes(b"PK")
    with pytest.raises(RequestError, match="is a zip"):
        ServedModels(roots, archive)


def test_nothing_is_begun_after_the_end(roots):
    models = ServedModels(roots)
    assert models.thread.run(lambda: 7) == 7
    models.thread.end()
    with pytest.raises(Ending):
        models.thread.run(lambda: 7)
    assert warm(models, "starter") == ""  # who has ended it knows
