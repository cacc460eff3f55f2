"""Bundles come back as they were, from anywhere; whatever was altered is refused by name."""

import hashlib
import json
from dataclasses import replace

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from interactivenet.datasets.roots import Roots
from interactivenet.datasets.splits import Split
from interactivenet.errors import DataError, RequestError
from interactivenet.inference.predictor import Predictor
from interactivenet.models.bundle import (
    bundle_content,
    load_model,
    read_bundle,
    read_description,
    verify_bundle,
    write_bundle,
)
from interactivenet.models.model_card import render_card
from interactivenet.models.task_model import model_of_task
from interactivenet.planning.plan import Normalisation, ObjectGrid
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.planning.training_set import ChannelRanges, TrainingSet
from interactivenet.postprocessing.calibration import calibrate
from interactivenet.postprocessing.components import Postprocessing
from tests.random_model import make_model
from tests.sample_cases import make_plan


@pytest.fixture
def model(tmp_path):
    plan = replace(make_plan((1.0, 1.0, 1.5)), notes=("patient_17: was odd",))
    x = [0.5 + 0.01 * i for i in range(40)]
    calibration = calibrate(x, [value**2 for value in x], list(map(str, range(40))))
    return make_model(
        tmp_path, plan, postprocessing=Postprocessing(True, "touched"),
        calibrations={"mirrored": calibration}, name="mine",
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


def test_without_any_model_the_error_says_how_to_get_one(tmp_path):
    roots = Roots(tmp_path / "raw", tmp_path / "processed", tmp_path / "results")
    remedy = r"run `plan\(.*`download_model\(model=\.\.\.\)` or `install_model\(file=\.\.\.\)`$"
    with pytest.raises(RequestError, match=rf"Task101_X does not exist in .*{remedy}"):
        model_of_task(roots, "Task101_X")
    splits = (Split(("a",), ("b",)),)
    PlannedTask(roots.processed / "Task101_X", make_plan((1.0, 1.0, 1.5)), splits).save()
    with pytest.raises(RequestError, match=r"no trained fold: run `train.*`download_model"):
        model_of_task(roots, "Task101_X")
    # a task that is being trained is meant itself
    (roots.results / "Task101_X" / "fold_0").mkdir(parents=True)
    for model in (None, "own"):
        with pytest.raises(RequestError, match=r"no trained fold: run `train\(.*\)` first$"):
            model_of_task(roots, "Task101_X", model)


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
        ({"labels": {"1": "b"}}, "field labels is .*but its plan says"),
        ({"encoding": {"kind": "gaussian"}}, "field encoding is .*but its plan says"),
        ({"modalities": ["MR"]}, "field modalities is"),
        ({"training_set": {"cases": 1}}, "is missing"),
        ({"training_set": 3}, "field training_set"),
        ({"schema_version": 1}, "field training_set is unknown"),
        ({"libraries": 5}, "field libraries is of type int, expected dict"),
        ({"libraries": {}}, r"bundle\.json: was altered"),
        ({"cross_validation": {"cases": 9}}, r"bundle\.json: was altered"),
    ],
)  # fmt: skip
def test_an_altered_bundle_is_refused(model, tmp_path, changes, message):
    write_bundle(model, tmp_path / "bundle")
    changed(tmp_path / "bundle", **changes)
    with pytest.raises(DataError, match=message):
        read_bundle(tmp_path / "bundle")


def known(channels=1):
    side = (10.0, 30.0)
    one = ChannelRanges("CT", (side,) * 3, (side,) * 3, side, (-1.0, 1.0))
    spacing = ((1.0, 1.0),) * 3
    return TrainingSet(9, 12, (6, 6), spacing, (side,) * 3, (1.0, 4.0), (one,) * channels)


def test_it_knows_what_it_was_trained_on(model, tmp_path):
    write_bundle(replace(model, training=known()), tmp_path / "bundle")
    assert read_bundle(tmp_path / "bundle").training == known()
    card = (tmp_path / "bundle" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "measure 10 x 10 x 10 to 30 x 30 x 30 mm" in card
    write_bundle(replace(model, training=known(2)), tmp_path / "other")
    with pytest.raises(DataError, match="training_set must have a channel per modality"):
        read_bundle(tmp_path / "other")


def test_a_bundle_of_version_1_is_read_and_knows_nothing_of_its_training(model, tmp_path):
    write_bundle(replace(model, training=known()), tmp_path / "bundle")
    path = tmp_path / "bundle" / "bundle.json"
    content = json.loads(path.read_text())
    del content["training_set"], content["digest"]
    content["schema_version"] = 1
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({**content, "digest": digest}))
    back = read_bundle(tmp_path / "bundle")
    assert back.training is None and back.choices() == model.choices()


def test_an_altered_byte_is_refused(model, tmp_path):
    write_bundle(model, tmp_path / "bundle")
    path = tmp_path / "bundle" / "fold_2.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"fold_2\.safetensors: was altered"):
        read_bundle(tmp_path / "bundle")


def test_a_fold_left_out_is_noticed(model, tmp_path):
    write_bundle(model, tmp_path / "bundle")
    (name, digest), _ = json.loads((tmp_path / "bundle/bundle.json").read_text())["weights"].items()
    changed(tmp_path / "bundle", weights={name: digest})
    with pytest.raises(DataError, match="was altered"):
        read_bundle(tmp_path / "bundle")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(model, tmp_path, value):
    weights = load_file(model.weights[0])
    next(iter(weights.values())).view(-1)[0] = value
    with safe_open(model.weights[0], framework="pt") as file:
        save_file(weights, model.weights[0], file.metadata())
    write_bundle(model, tmp_path / "bundle")
    with pytest.raises(DataError, match="has values that are not finite"):
        verify_bundle(tmp_path / "bundle")


def test_weights_of_another_plan_or_network_are_refused(model, tmp_path):
    write_bundle(model, tmp_path / "bundle")
    assert verify_bundle(tmp_path / "bundle").digests == model.digests
    other = replace(model.plan.network, features=(8, 16, 24))
    write_bundle(replace(model, plan=replace(model.plan, network=other)), tmp_path / "other")
    with pytest.raises(DataError, match=r"fold_0\.safetensors: these are weights of another"):
        verify_bundle(tmp_path / "other")


def test_another_encoding_is_refused_by_name(model, tmp_path):
    write_bundle(model, tmp_path / "bundle")
    path = tmp_path / "bundle" / "bundle.json"
    path.write_text(path.read_text().replace('"euclidean"', '"telepathic"'))
    with pytest.raises(DataError, match=r"field encoding\.kind cannot be used"):
        read_bundle(tmp_path / "bundle")


def test_what_is_known_is_on_the_card(model, tmp_path):
    write_bundle(model, tmp_path / "bundle", {"description": "Scans of phantoms | CC0"})
    assert read_description(tmp_path / "bundle")["description"] == "Scans of phantoms | CC0"
    card = (tmp_path / "bundle" / "MODEL_CARD.md").read_text(encoding="utf-8")
    for part in ("# Task001_A", "Scans of phantoms | CC0", "a (1)", "1 x 1 x 1.5",
                 "fill holes, touched component", "not a medical device", "Unknown"):  # fmt: skip
        assert part in card
    assert "patient" not in card


def test_the_card_of_a_model_of_anything(model, tmp_path):
    anything = replace(
        model.plan, modalities=("any",), labels={1: "object"}, grid=ObjectGrid(),
        normalisation=(Normalisation("zscore"),),
    )  # fmt: skip
    for plan, parts in (
        (anything, ("any object, called as its points are", "of any modality, one or several",
                   "| voxels | 16 x 16 x 16 around each object, whatever its size")),
        (replace(anything, labels={1: "lesion"}, grid=None), ("lesion (1)", "1 x 1 x 1.5")),
    ):  # fmt: skip
        card = render_card(bundle_content(replace(model, plan=plan)))
        assert all(part in card for part in parts), card


def test_a_model_is_loaded_from_a_folder_named_by_a_text_too(model, tmp_path):
    write_bundle(model, tmp_path / "bundle")
    loaded = load_model(str(tmp_path / "bundle"))
    assert loaded == load_model(tmp_path / "bundle") and loaded.digests == model.digests


def test_no_bundle(tmp_path):
    with pytest.raises(RequestError, match=r"holds no bundle\.json: expected the folder of a"):
        load_model(tmp_path)
