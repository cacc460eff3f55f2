"""What a bundle's labels are, in codes: only bundles that say it are of a new version."""

import json
from dataclasses import replace

import pytest

from interactivenet.errors import DataError
from interactivenet.imaging.structures.codes.code_files import codes_as_json
from interactivenet.imaging.structures.codes.code_tables import term_of
from interactivenet.models.bundle import _digest, read_bundle, write_bundle
from interactivenet.models.bundle_codes import labels_of
from interactivenet.models.model_card import render_card
from interactivenet.models.registry import install
from interactivenet.prompts.prompt import OBJECT
from tests.random_model import make_model
from tests.raw_task import read
from tests.sample_cases import make_plan

PLAN = make_plan((1.0, 1.0, 1.5), labels={1: "liver", 2: "mass"})


@pytest.fixture
def model(tmp_path):
    return make_model(tmp_path, PLAN, codes={"liver": replace(term_of("Liver"), colour=(1, 2, 3))})


def rewritten(path, **changes):
    content = {**read(path), **changes}
    path.write_text(json.dumps({**content, "digest": _digest(content)}), encoding="utf-8")


def test_they_come_back(model, tmp_path):
    path = write_bundle(model, tmp_path / "bundle")
    assert read(path)["schema_version"] == 4 and "half_of" not in read(path)
    assert read(path)["codes"] == codes_as_json(model.codes)
    back = read_bundle(path.parent)
    assert back.codes == model.codes and back.fold(0).codes == model.codes
    card = (path.parent / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "| coded in DICOM as | liver: Liver (10200004, SCT), ORGAN |" in card


def test_half_precision_has_them_too(model, tmp_path):
    path = write_bundle(model, tmp_path / "half", half=True)
    assert read(path)["schema_version"] == 4
    back = read_bundle(path.parent)
    assert back.codes == model.codes and back.half_of == model.digests


def test_a_bundle_without_is_as_it_was(model, tmp_path):
    path = write_bundle(replace(model, codes={}), tmp_path / "bundle")
    assert read(path)["schema_version"] == 2 and "codes" not in read(path)
    assert "coded in DICOM" not in render_card(read(path))
    rewritten(path, codes={})
    with pytest.raises(DataError, match="field codes is unknown"):
        read_bundle(path.parent)


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        ({"spleen": "Spleen"}, "field codes has codes of 'spleen'"),
        ({"liver": "no such thing"}, "field codes 'liver': is 'no such thing'"),
        ([], "field codes is of type list"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(model, tmp_path, codes, reason):
    path = write_bundle(model, tmp_path / "bundle")
    rewritten(path, codes=codes)
    with pytest.raises(DataError, match=reason):
        read_bundle(path.parent)


def test_a_bundle_that_lost_them_is_not_whole(model, tmp_path):
    path = write_bundle(model, tmp_path / "bundle")
    content = read(path)
    del content["codes"]
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match="field codes is missing"):
        read_bundle(path.parent)


def test_a_model_with_other_codes_is_another_to_install(model, tmp_path):
    folders = [tmp_path / "with", tmp_path / "without"]
    write_bundle(model, folders[0])
    write_bundle(replace(model, codes={}), folders[1])
    models = tmp_path / "models"
    assert install(folders[1], models, overwrite=False) == ("Task001_A", "installed")
    with pytest.raises(Exception, match="is a different model"):
        install(folders[0], models, overwrite=False)
    install(folders[0], models, overwrite=True)
    assert read_bundle(models / "Task001_A").codes == model.codes


def test_a_model_of_any_object_may_have_codes_of_any(model):
    assert labels_of(PLAN, {"x": "Liver"}) == ["liver", "mass"]
    anything = replace(PLAN, modalities=("any",), labels={1: OBJECT})
    assert labels_of(anything, {"x": "Liver"}) == ["x"]
