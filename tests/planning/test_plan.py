"""The plan's file: what is written is read, and nothing else."""

import json
from dataclasses import replace

import numpy as np
import pytest

from interactivenet.errors import DataError, RequestError
from interactivenet.planning.plan import CropMargins, Encoding, Network, Normalisation, Plan


def some_plan(**changes):
    network = Network(
        kernels=((3, 3, 1), (3, 3, 3), (3, 3, 3)),
        strides=((1, 1, 1), (2, 2, 1), (2, 2, 2)),
        features=(8, 16, 32),
        deep_supervision=1,
    )
    plan = Plan(
        task="Task001_A",
        version="0.1.0",
        modalities=("MR", "CT"),
        labels={1: "tumour", 4: "oedema"},
        preset="tiny",
        seed=7,
        spacing=(1.0, 1.0, 3.0),
        cut=CropMargins(mm=((3.0, 4.0), (5.0, 6.0), (7.0, 8.0)), fraction=((0.1, 0.2),) * 3),
        normalisation=(Normalisation("zscore"), Normalisation("ct", -100.0, 200.0, 30.0, 50.0)),
        encoding=Encoding(),
        network=network,
        sample_shape=(32, 32, 16),
        batch_size=2,
        memory_gb=8.0,
        estimated_gb=1.5,
    )
    return replace(plan, **changes)


def written(tmp_path, plan, change=None):
    content = json.loads(json.dumps(plan.as_json()))
    if change:
        change(content)
    path = tmp_path / "plans.json"
    path.write_text(json.dumps(content))
    return path


def test_what_is_written_is_read(tmp_path):
    plan = some_plan(encoding=Encoding(kind="gaussian", bound=3.5))
    assert Plan.load(written(tmp_path, plan)) == plan


def test_splits_and_fingerprint_beside_the_plan_are_fine(tmp_path):
    extra = {"splits": [], "coverage": {}, "fingerprint": {"cases": 3}}
    path = written(tmp_path, some_plan(), lambda content: content.update(extra))
    assert Plan.load(path) == some_plan()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(schema_version=1), "schema_version is 1, but this version"),
        (lambda c: c.pop("schema_version"), "it has no field schema_version"),
        (lambda c: c.update(extra=1), "field extra is unknown"),
        (lambda c: c.pop("plan"), "field plan is missing"),
        (lambda c: c["plan"].update(colour="red"), "field colour is unknown"),
        (lambda c: c["plan"]["network"].update(dropout=1), "field network.dropout is unknown"),
        (lambda c: c["plan"]["normalisation"][0].update(x=1), "field normalisation.0.x is unknown"),
        (lambda c: c["plan"].pop("seed"), "field seed is missing"),
        (lambda c: c["plan"].update(seed="seven"), "field seed cannot be used"),
        (lambda c: c["plan"].update(spacing=[1.0, 2.0]), "field spacing.2 is missing"),
        (lambda c: c["plan"].update(spacing=[1.0, 2.0, -1.0]), "cannot be used: spacing must be"),
        (lambda c: c["plan"].update(sample_shape=[31, 32, 16]), "is not divisible by"),
        (lambda c: c["plan"]["encoding"].update(kernel="best"), "field encoding.kernel cannot"),
        (lambda c: c["plan"]["encoding"].update(lamb=1.5), "lamb must be from 0 to 1, got 1.5"),
        (lambda c: c["plan"]["normalisation"][1].update(std=0.0), "a positive std"),
        (lambda c: c["plan"]["normalisation"].pop(), "one entry per modality"),
        (lambda c: c["plan"]["network"]["strides"].pop(), "need one entry for each"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path, change, message):
    path = written(tmp_path, some_plan(), change)
    with pytest.raises(DataError, match=r"plans\.json") as error:
        Plan.load(path)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_no_file_and_no_json(tmp_path):
    with pytest.raises(RequestError, match=r"run `plan\(task='.*'\)` first$"):
        Plan.load(tmp_path / "plans.json")
    (tmp_path / "plans.json").write_text("{")
    with pytest.raises(DataError, match="is not valid JSON"):
        Plan.load(tmp_path / "plans.json")
    (tmp_path / "plans.json").write_text("[1]")
    with pytest.raises(DataError, match="is not an InteractiveNet plan"):
        Plan.load(tmp_path / "plans.json")


def test_margins_are_a_length_and_a_fraction_of_the_extent():
    margins = some_plan().cut.margins([10.0, 20.0, 30.0])
    assert np.allclose(margins, [[4.0, 6.0], [7.0, 10.0], [10.0, 14.0]])


def test_divisor_and_smallest_input():
    network = some_plan().network
    assert network.divisor == (4, 4, 2) and network.smallest == (8, 8, 4)
