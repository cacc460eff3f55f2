"""The walker that sessions are compared with, and the benchmark's table."""

import numpy as np
import pytest

from benchmarks.corrections.__main__ import line_of, table
from benchmarks.corrections.walker import walk
from interactivenet.evaluation.clicking import Clicking
from interactivenet.evaluation.correction_measures import summarise_corrections

SPACING = np.array([1.0, 1.5, 2.0])


@pytest.mark.parametrize("positive", [True, False])
def test_the_walker_heeds_a_click_and_does_nothing_else(positive):
    rng = np.random.default_rng(0)
    probability = rng.uniform(size=(12, 11, 10))
    image = rng.normal(size=(2, 12, 11, 10))
    walked = walk(probability, image, (5, 4, 3), positive, SPACING, 1.0, 2.0, [(8, 8, 8)])
    assert walked[5, 4, 3] == positive and walked[8, 8, 8] == probability[8, 8, 8]
    assert (walked >= probability if positive else walked <= probability).all()
    assert np.abs(walked - probability)[5, 4, 4:6].min() > 0  # and its neighbours follow


def test_the_walker_stops_at_edges():
    image = np.zeros((1, 20, 9, 9))
    image[:, 12:] = 100.0
    walked = walk(np.full((20, 9, 9), 0.2), image, (10, 4, 4), True, np.ones(3), 1.0, 4.0)
    assert walked[8, 4, 4] > 0.25 and abs(walked[12, 4, 4] - 0.2) < 1e-3


def test_the_table_has_every_way_and_the_brush_once():
    rows = [
        {"case": "a", "label": 1, "name": "", "prompt": 0, "method": method, "clicks": step,
         "dice": 0.5 + 0.1 * step, "nsd": 0.4, "positive": True if step else None,
         "x_mm": None, "y_mm": None, "z_mm": None, "heeded": True if step else None,
         "seconds": 0.1 if step else None}
        for method in ("model", "brush") for step in range(2)
    ]  # fmt: skip
    found = [
        {"dataset": "hippocampus", "way": way, "arm": "zero_shot",
         **summarise_corrections(rows, Clicking(clicks=1))}
        for way in ("session", "walker")
    ]  # fmt: skip
    text = table(found)
    assert text.count("| brush |") == 1 and text.count("| walker |") == 1
    assert "0.500 | 0.600 | 100%" in text
    assert line_of(found[0]).startswith(
        "hippocampus, zero_shot, cvpr, session: 0.5000 0.6000; brush 0.5000"
    )
