"""Robustness is that of first results."""

import json
from dataclasses import replace

import pytest

from interactivenet.datasets.task import Case
from interactivenet.errors import DataError
from interactivenet.pipeline.measurement_keys import measurement_key
from interactivenet.pipeline.robustness import _measurement
from interactivenet.prompts.corrections import Correction
from interactivenet.system.signals import Signals, go_on
from tests.inference.predictors import knowing
from tests.sample_cases import make_plan, make_scan, stored_grid


def test_corrections_are_left_out_and_spoken_of(tmp_path):
    scan = make_scan(stored_grid((20, 18, 16), (1.0, 1.0, 1.5), (2, 0, 1), (1, -1, -1)))
    (prompt,) = scan.prompts
    inside = tuple(scan.image.grid.voxel_to_world([[10, 9, 8]])[0])
    corrected = replace(prompt, corrections=(Correction(inside, False),))
    predictor = knowing(make_plan((1.0, 1.0, 1.5)), tmp_path, mirrored=False)
    measure = _measurement(tmp_path, 1, 0).measure
    first = measure(predictor, scan, go_on)
    same = measure(predictor, replace(scan, prompts=(corrected,)), go_on)
    assert same.rows == first.rows and first.notes == ()
    assert same.notes == (
        "1 correction of its points' file left out: it begins with the points alone",
    )


def test_another_backend_is_another_measurement(tmp_path):
    predictor = knowing(make_plan((1.0, 1.0, 1.5)), tmp_path, mirrored=False)
    case = Case("a", ())
    before = measurement_key(predictor, case, {})
    assert "backend" not in before.content
    predictor.backend = "openvino"
    assert measurement_key(predictor, case, {}).differences(before.content) == ["backend"]


@pytest.mark.parametrize("row", [{"dice": float("nan")}, {"case": "a", "prompt": 0}])
def test_an_edited_record_is_one_clear_line(tmp_path, row):
    measurement = _measurement(tmp_path, 1, 0)
    cases = {"a": {"made_from": {}, "rows": [row]}}
    measurement.record.write_text(
        json.dumps({"summary": None, "cases": cases, "files": {}}), encoding="utf-8"
    )
    with pytest.raises(DataError, match=r"robustness\.json: is not as this program writes it"):
        list(measurement.run([], overwrite=False, signals=Signals()))
        measurement._finish(cases, {}, measurement.earlier_files())
