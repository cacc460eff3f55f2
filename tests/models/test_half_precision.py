"""Weights in half precision: half as large, float32 in memory, and known for what they are."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from interactivenet.errors import DataError
from interactivenet.inference.predictor import Predictor
from interactivenet.models.bundle import read_bundle, verify_bundle, write_bundle
from interactivenet.models.half_precision import half_precision
from interactivenet.models.network import build_network, load_network, load_weights, save_weights
from tests.random_model import make_model
from tests.sample_cases import make_plan, make_scan, stored_grid

PLAN = make_plan((1.0, 1.2, 1.5))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"), PLAN)


@pytest.fixture(scope="module")
def bundle(model, tmp_path_factory):
    return write_bundle(model, tmp_path_factory.mktemp("half") / "b", half=True).parent


def test_they_are_written_rounded_and_read_as_float32(tmp_path):
    torch.manual_seed(0)
    network = build_network(PLAN.network, PLAN.channels)
    for half in (False, True):
        save_weights(tmp_path / f"{half}.safetensors", network, {"epoch": 3}, half=half)
    whole, small = (tmp_path / f"{half}.safetensors" for half in (False, True))
    assert small.stat().st_size < 0.55 * whole.stat().st_size
    assert {value.dtype for value in load_file(small).values()} == {torch.float16}
    read, facts = load_network(small, PLAN)
    assert facts == {"epoch": 3, "dtype": "float16"}
    assert load_network(whole, PLAN)[1] == {"epoch": 3}
    for name, value in network.state_dict().items():
        assert read.state_dict()[name].dtype == torch.float32
        assert torch.equal(read.state_dict()[name], value.half().float())
    told = json.loads(small.with_suffix(".json").read_text())
    assert told["dtype"] == "float16" and len(told["sha256"]) == 64


def test_what_float16_cannot_hold_is_refused(tmp_path):
    network = build_network(PLAN.network, PLAN.channels)
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] = 7e4
    save_weights(tmp_path / "w.safetensors", network, {})
    with pytest.raises(DataError, match="has values that float16 cannot hold"):
        save_weights(tmp_path / "h.safetensors", network, {}, half=True)
    assert not (tmp_path / "h.safetensors").exists()


def rewritten(source, target, change, **facts):
    """Copy weights; change: what becomes of each tensor.  facts: of the copy."""
    with safe_open(source, framework="pt") as file:
        before = json.loads(file.metadata()["interactivenet"])
    weights = {name: change(value) for name, value in load_file(source).items()}
    save_file(weights, target, {"interactivenet": json.dumps(before | facts)})
    return target


@pytest.mark.parametrize(
    ("change", "facts", "message"),
    [
        (lambda value: value * float("nan"), {}, "not finite float16 numbers"),
        (lambda value: value.float(), {}, "not finite float16 numbers"),
        (lambda value: value, {"dtype": "float32"}, "not finite float32 numbers"),
        (lambda value: value.bfloat16(), {"dtype": "bfloat16"}, "are not InteractiveNet weights"),
        (lambda value: value, {"dtype": ["float16"]}, "are not InteractiveNet weights"),
    ],
)
def test_files_that_are_not_what_they_say(bundle, tmp_path, change, facts, message):
    path = rewritten(bundle / "fold_0.safetensors", tmp_path / "w.safetensors", change, **facts)
    with pytest.raises(DataError, match=message):
        load_weights(path, build_network(PLAN.network, PLAN.channels))


def test_files_that_do_not_say_what_they_are(bundle, tmp_path):
    """Of another writer: all in float16 is as good, some are not."""
    weights = load_file(bundle / "fold_0.safetensors")
    save_file(weights, tmp_path / "w.safetensors", {"interactivenet": "{}"})
    assert load_network(tmp_path / "w.safetensors", PLAN)[1] == {}
    first = next(iter(weights))
    save_file(weights | {first: weights[first].float()}, tmp_path / "mixed.safetensors",
              {"interactivenet": "{}"})  # fmt: skip
    with pytest.raises(DataError, match="not finite float32 numbers"):
        load_network(tmp_path / "mixed.safetensors", PLAN)


def test_a_bundle_of_them(model, bundle, tmp_path):
    read = verify_bundle(bundle)
    assert read.half_of == model.digests != read.digests and read.is_same(model)
    assert read.fold(2).half_of == model.digests[1:]
    assert not replace(read, half_of=()).is_same(model)
    assert "| weights | float16, rounded from float32 |" in (bundle / "MODEL_CARD.md").read_text()
    content = json.loads((bundle / "bundle.json").read_text())
    assert content["schema_version"] == 3
    again = write_bundle(model, tmp_path / "again", half=True).parent
    twice = write_bundle(read, tmp_path / "twice", half=True).parent
    for path in bundle.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()
        assert (twice / path.name).read_bytes() == path.read_bytes()


def test_bundles_in_full_precision_stay_what_they_are(model, tmp_path):
    folder = write_bundle(model, tmp_path / "b").parent
    content = json.loads((folder / "bundle.json").read_text())
    assert content["schema_version"] == 2 and "half_of" not in content
    assert "float16" not in (folder / "MODEL_CARD.md").read_text()
    assert read_bundle(folder).half_of == ()


@pytest.mark.parametrize("half_of", [{}, {"fold_0.safetensors": "x"}, 3])
def test_whence_they_are_must_be_whole(bundle, tmp_path, half_of):
    for path in bundle.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    content = json.loads((tmp_path / "bundle.json").read_text())
    (tmp_path / "bundle.json").write_text(json.dumps(content | {"half_of": half_of}))
    with pytest.raises(DataError, match="field half_of"):
        read_bundle(tmp_path)


def test_files_of_the_rounding_go_away(model, tmp_path):
    with half_precision(model, tmp_path / "place") as rounded:
        assert all(path.is_file() for path in rounded.weights)
    assert list((tmp_path / "place").iterdir()) == []


def test_they_segment_the_same_voxels(model, bundle):
    scan = make_scan(stored_grid((20, 22, 18), (1.0, 1.2, 1.5)))
    answers = []
    for one in (model, bundle):
        made = Predictor(one, device="cpu", precision="fp32", mirrored=False)
        answers.append(made.answer(made.prepare(scan))[0].probability)
    assert abs(answers[0] - answers[1]).max() < 0.01
