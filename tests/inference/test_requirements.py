"""What a model asks for that is not there is found out before its weights are read."""

from dataclasses import replace

import pytest

from interactivenet.encoding.library import check_library
from interactivenet.errors import DataError, RequestError
from interactivenet.inference import requirements
from interactivenet.inference.predictor import Predictor
from interactivenet.inference.requirements import check_plan, least_bytes
from interactivenet.models.model import Model
from interactivenet.planning.plan import Encoding, Network
from tests.sample_cases import make_plan

PLAN = make_plan((1.0, 1.0, 1.0))
LARGE = {
    "arrays": replace(PLAN, sample_shape=(1024, 1024, 1024)),
    "first layer": replace(
        PLAN,
        sample_shape=(256, 256, 256),
        network=Network(
            kernels=((3, 3, 3),) * 3, strides=((1, 1, 1), (2, 2, 2), (2, 2, 1)),
            features=(1024, 1024, 1024), deep_supervision=1,
        ),
    ),
    "weights": replace(
        PLAN,
        network=Network(
            kernels=((15, 15, 15),) * 3, strides=((1, 1, 1), (2, 2, 2), (2, 2, 1)),
            features=(1024, 1024, 1024), deep_supervision=1,
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("plan", LARGE.values(), ids=LARGE)
def test_a_plan_that_asks_for_much_is_refused_before_anything_is_loaded(
    tmp_path, monkeypatch, plan
):
    monkeypatch.setattr(requirements, "available_memory", lambda: 8 * 10**9)
    with pytest.raises(DataError) as refusal:  # and not that there is no such file
        Predictor(Model(plan, (tmp_path / "none.safetensors",), name="this"), device="cpu")
    said = str(refusal.value)
    assert said.startswith("this: its plan has samples of ") and "\n" not in said
    assert f"at least {least_bytes(plan, 1) / 1e9:.0f} GB of memory" in said
    assert "8.00 GB are available" in said


def test_the_estimate_is_a_lower_bound_of_what_was_measured():
    """On a CPU, without mirroring, resident: benchmarks of a tiny and a default network."""
    from interactivenet.planning.architecture import PRESETS, plan_network, segmenting_bytes

    for preset, side, measured in (("tiny", 128, 0.375e9), ("default", 96, 0.496e9 + 0.1e9)):
        network = plan_network((side,) * 3, (1, 1, 1), PRESETS[preset])
        estimate = segmenting_bytes(network, (side,) * 3, 3)
        assert 0.4 * measured < estimate < measured


def test_what_fits_is_not_refused(monkeypatch):
    monkeypatch.setattr(requirements, "available_memory", lambda: 10**6)
    assert least_bytes(PLAN, 5) < 10**7
    requirements.check_model(Model(PLAN, ()), "cpu")  # too little to be worth a question


def test_a_missing_library_is_one_line(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "GeodisTK", None)
    plan = replace(PLAN, encoding=Encoding("geodesic", "geodistk"))
    with pytest.raises(RequestError, match="Task001_A encodes points with GeodisTK, which is not"):
        check_plan(plan)
    with pytest.raises(RequestError, match="which is not installed"):
        check_library("geodistk")
    check_library("exact")
    check_plan(replace(plan, encoding=Encoding("gaussian", "geodistk")))  # needs none


def test_an_interruption_comes_before_the_next_convolution(tmp_path):
    from interactivenet.system.signals import Interrupted
    from tests.inference.predictors import predictor, random_weights
    from tests.sample_cases import make_scan, stored_grid

    scan = make_scan(stored_grid((24, 22, 20), (1.0, 1.0, 1.0)))
    made = predictor(PLAN, random_weights(tmp_path / "w.safetensors", PLAN))
    prepared = made.prepare(scan)
    asked = []

    def interrupt():
        asked.append(1)
        if len(asked) == 3:
            raise Interrupted(15)

    with pytest.raises(Interrupted):
        made.answer(prepared, interrupt=interrupt)
    assert len(asked) == 3
    (answer,) = made.answer(prepared)  # nothing of it is left
    assert len(asked) == 3 and answer.probability.shape[0] == 1
    with pytest.raises(Interrupted):
        made.prepare(scan, interrupt=lambda: made.answer(prepared, interrupt=interrupt_now))


def interrupt_now():
    from interactivenet.system.signals import Interrupted

    raise Interrupted(2)
