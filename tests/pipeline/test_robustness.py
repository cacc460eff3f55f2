"""Robustness is that of first results."""

from dataclasses import replace

from interactivenet.pipeline.robustness import _measurement
from interactivenet.prompts.corrections import Correction
from interactivenet.system.signals import go_on
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
