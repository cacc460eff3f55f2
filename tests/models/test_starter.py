"""The starter comes with the package, and is what it says that it is, wherever one is asked for."""

import re
from pathlib import Path

import pytest

import interactivenet
from interactivenet import load_model
from interactivenet.errors import RequestError
from interactivenet.inference.predictor import Predictor
from interactivenet.models import starter
from interactivenet.models.bundle import verify_bundle
from interactivenet.models.starter import has_starter, starter_folder

REPOSITORY = Path(interactivenet.__file__).parents[1]
#: bytes that the weights may take in package and image
MOST = 12_000_000


def test_where_it_is():
    assert starter.FOLDER == REPOSITORY / "interactivenet" / "models" / "starter"


def test_it_is_loaded_by_its_name(with_starter):
    assert has_starter() and starter_folder() == with_starter
    model = load_model("starter")
    assert model.weights == (with_starter / "fold_0.safetensors",) and model.half_of
    assert Predictor("starter", device="cpu").plan == model.plan
    assert model.plan.label_names.open


def test_a_folder_of_that_name_is_a_path(with_starter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match=r"starter: holds no bundle\.json"):
        load_model(Path("starter"))


def test_an_installation_without_it_says_so(without_starter):
    assert not has_starter()
    for use in (load_model, Predictor):
        with pytest.raises(
            RequestError, match=r"this installation has no starter model: .*nothing"
        ) as told:
            use("starter")
        assert "\n" not in str(told.value)


@pytest.mark.skipif(not has_starter(), reason="the package has no starter yet")
def test_what_is_shipped():
    model = verify_bundle(starter_folder())
    assert model.plan.modalities == ("any",) and model.plan.labels == {1: "object"}
    assert model.half_of and sum(path.stat().st_size for path in model.weights) <= MOST
    card = (starter_folder() / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "FIGURE" not in card and "must not be used for" in card


def test_the_build_takes_its_files_along():
    """Whatever git ignores, on the machine of whoever builds."""
    settings = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(
        r'^artifacts = \["interactivenet/models/starter/\*"\]$', settings, re.MULTILINE
    )
