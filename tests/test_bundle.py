"""Bundles come back as they were, from anywhere; whatever was altered is refused by name."""

import json
from dataclasses import replace

import pytest
import torch

from interactivenet.bundle import read_bundle, write_bundle
from interactivenet.errors import DataError, RequestError
from interactivenet.inference import Predictor
from interactivenet.model import Model
from interactivenet.network import build_network, save_weights
from interactivenet.postprocess import Postprocessing
from interactivenet.uncertainty import calibrate
from tests.sample_cases import make_plan


@pytest.fixture
def model(tmp_path):
    plan = replace(make_plan((1.0, 1.0, 1.5)), notes=("patient_17: was odd",))
    paths = []
    for number in (0, 2):
        torch.manual_seed(number)
        paths.append(tmp_path / f"fold_{number}" / "w.safetensors")
        save_weights(paths[-1], build_network(plan.network, plan.channels), {"epoch": number})
    x = [0.5 + 0.01 * i for i in range(40)]
    calibration = calibrate(x, [one**2 for one in x], list(map(str, range(40))))
    return Model(
        plan, tuple(paths), (0, 2), "last", Postprocessing(True, "touched"),
        {"mirrored": calibration}, "mine",
    )  # fmt: skip


def test_it_comes_back_from_another_place(model, tmp_path):
    write_bundle(model, tmp_path / "bundle")
    moved = (tmp_path / "bundle").rename(tmp_path / "elsewhere")
    back = read_bundle(moved)
    assert back.digests == model.digests and back.folds == (0, 2)
    assert back.plan == replace(model.plan, notes=()) and back.plan.digest == model.plan.digest
    assert back.choices() == model.choices()
    assert back.calibration(True) == model.calibration(True) and back.calibration(False) is None
    assert "patient_17" not in (moved / "bundle.json").read_text()


def test_the_predictor_takes_its_folder(model, tmp_path):
    write_bundle(model, tmp_path / "bundle")
    made = Predictor(tmp_path / "bundle", device="cpu")
    assert made.model.digests == model.digests and [one["epoch"] for one in made.facts] == [0, 2]


def changed(folder, **changes):
    path = folder / "bundle.json"
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in content.items() if v != "none of it"}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 9}, "schema_version is 9"),
        ({"more": 1}, "field more is unknown"),
        ({"checkpoint": "none of it"}, "field checkpoint is missing"),
        ({"plan": {}}, "is missing"),
        ({"weights": {}}, "field weights must name"),
        ({"weights": {"../fold_0.safetensors": "0"}}, "expected fold_K.safetensors"),
        ({"weights": {"fold_7.safetensors": "0"}}, "fold_7.safetensors: cannot be read"),
        ({"postprocessing": {"fill_holes": 3}}, "field fill_holes"),
        ({"uncertainty": {"mirrored": {}}}, "is missing"),
    ],
)  # fmt: skip
def test_an_altered_bundle_is_refused(model, tmp_path, changes, message):
    write_bundle(model, tmp_path / "bundle")
    changed(tmp_path / "bundle", **changes)
    with pytest.raises(DataError, match=message):
        read_bundle(tmp_path / "bundle")


def test_an_altered_byte_is_refused(model, tmp_path):
    write_bundle(model, tmp_path / "bundle")
    path = tmp_path / "bundle" / "fold_2.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"fold_2\.safetensors: was altered"):
        read_bundle(tmp_path / "bundle")


def test_no_bundle(tmp_path):
    with pytest.raises(RequestError, match=r"holds no bundle\.json"):
        read_bundle(tmp_path)
