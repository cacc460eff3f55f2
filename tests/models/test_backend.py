"""What computes networks: which is taken, what a record says of it, and that both agree."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from interactivenet.datasets.task import Case
from interactivenet.errors import RequestError
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.predictor import Predictor
from interactivenet.models import backend
from interactivenet.models.model import Model
from interactivenet.models.network import build_network
from interactivenet.pipeline.measurement_keys import measurement_key
from tests.inference.predictors import random_weights
from tests.sample_cases import NETWORK, make_plan, make_scan, stored_grid

PLAN = make_plan((1.0, 1.0, 1.0))


def test_without_openvino_it_is_refused_in_a_line(monkeypatch):
    monkeypatch.setattr(backend, "has_openvino", lambda: False)
    assert InferenceOptions(backend="auto", device="cpu").chosen_backend == "torch"
    with pytest.raises(RequestError) as refused:
        _ = InferenceOptions(backend="openvino", device="cpu").chosen_backend
    assert str(refused.value) == (
        "`backend='openvino'`: is not installed: expected 'torch'; or install it: pip install"
        " 'interactivenet[openvino]'"
    )


def test_what_is_taken_where_it_is_installed(monkeypatch):
    monkeypatch.setattr(backend, "has_openvino", lambda: True)
    assert backend.choose_backend("auto", "cpu") == "openvino"
    assert backend.choose_backend("auto", "cuda") == "torch"
    assert backend.choose_backend("torch", "cpu") == "torch"
    with pytest.raises(RequestError, match="computes on CPUs alone"):
        backend.choose_backend("openvino", "cuda")


def test_a_record_names_what_is_not_torch(monkeypatch):
    assert "backend" not in InferenceOptions(device="cpu").as_json()
    monkeypatch.setattr(backend, "has_openvino", lambda: True)
    monkeypatch.setattr(backend, "version", lambda name: "2026.4.1")
    told = InferenceOptions(device="cpu", backend="openvino").as_json()
    assert told["backend"] == "openvino 2026.4.1"


def test_a_measurement_with_another_backend_is_another(tmp_path, monkeypatch):
    monkeypatch.setattr(backend, "version", lambda name: "2026.4.1")
    model = Model(PLAN, (random_weights(tmp_path / "w.safetensors", PLAN),), (0,))
    made, case = Predictor(model, device="cpu", precision="fp32"), Case("a", ())
    assert made.settings == InferenceOptions(device="cpu", precision="fp32").as_json()
    assert "backend" not in measurement_key(made, case, {}).content
    made.backend = "openvino"
    assert measurement_key(made, case, {}).content["backend"] == "openvino 2026.4.1"


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("shape", [(16, 16, 16), None])
def test_openvino_computes_the_same(residual, shape):
    pytest.importorskip("openvino")
    from interactivenet.models.openvino_network import OpenVINONetwork

    torch.manual_seed(1)
    strides = ((1, 1, 1), (2, 2, 1), (2, 2, 2))
    network = build_network(replace(NETWORK, residual=residual, strides=strides), 3).eval()
    with torch.no_grad():
        for name, value in network.named_parameters():
            if "norm" in name or name.endswith("bias"):
                value += 0.3 * torch.randn_like(value)
    image = torch.randn(2, 3, 16, 16, 16)
    other = OpenVINONetwork(network, shape, "fp32", threads=1)
    with torch.inference_mode():
        expected, found = network(image), other(image)
        assert found.dtype == torch.float32
        assert torch.allclose(found, expected, atol=1e-4)
        # as many threads and samples at once as one likes
        assert torch.equal(found[:1], other(image[:1]))
        assert torch.equal(found, OpenVINONetwork(network, shape, "fp32", threads=2)(image))
        half = OpenVINONetwork(network, shape, "bf16", threads=1)(image)
        assert (half.softmax(1) - expected.softmax(1)).abs().max() < 0.1


def test_a_segmentation_is_the_same(tmp_path):
    pytest.importorskip("openvino")
    model = Model(PLAN, (random_weights(tmp_path / "w.safetensors", PLAN),), (0,))
    scan = make_scan(stored_grid((24, 22, 20), (1.0, 1.0, 1.0)))
    options = {"device": "cpu", "precision": "fp32"}
    one, other = (
        Predictor(model, backend=name, **options).segment(scan) for name in ("torch", "openvino")
    )
    both = np.count_nonzero((one.label > 0) & (other.label > 0))
    assert 2 * both >= 0.9998 * (np.count_nonzero(one.label) + np.count_nonzero(other.label)) > 0


def test_it_can_be_interrupted(tmp_path):
    pytest.importorskip("openvino")
    model = Model(PLAN, (random_weights(tmp_path / "w.safetensors", PLAN),), (0,))
    made = Predictor(model, backend="openvino", device="cpu", precision="fp32")
    prepared = made.prepare(make_scan(stored_grid((24, 22, 20), (1.0, 1.0, 1.0))))

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.answer(prepared, interrupt=interrupt)


def test_nobody_is_told(monkeypatch):
    """OpenVINO's package of telemetry is not imported with it, and can be afterwards."""
    pytest.importorskip("openvino")
    from interactivenet.models.openvino_network import _untold

    for name in [name for name in sys.modules if name.split(".")[0] == "openvino_telemetry"]:
        monkeypatch.delitem(sys.modules, name)
    with _untold(), pytest.raises(ImportError):
        import openvino_telemetry  # noqa: F401
    assert "openvino_telemetry" not in sys.modules
