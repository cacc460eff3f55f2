"""Scores and tables of the benchmark that decides: paired by object, and nothing invented."""

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.learning import __main__ as learning
from benchmarks.learning.arms import ARMS, DATASETS, objects_as
from benchmarks.learning.results import merged, read_runs
from benchmarks.learning.results import objects_of as pooled
from benchmarks.learning.scores import estimate, paired, score
from benchmarks.learning.table import MISSING, _described, render, with_tables
from tests.benchmarks.learning_runs import GRID, ball, run_of

RESULTS = Path(learning.__file__).parents[1] / "results"


def test_a_mask_without_a_voxel_is_not_left_out():
    found = score(np.zeros(GRID.shape, bool), ball(), GRID)
    assert found["dice"] == found["nsd"] == 0
    assert found["hd95"] == pytest.approx(math.dist((0, 0, 0), (40, 36, 60)), abs=1e-3)


def test_differences_are_paired_by_object():
    first = [{"case": c, "object": "1", "dice": d} for c, d in (("a", 0.9), ("b", 0.8), ("c", 1))]
    second = [{"case": c, "object": "1", "dice": d} for c, d in (("b", 0.3), ("a", 0.4), ("d", 0))]
    found = paired(first, second, "dice")
    assert found.n == 2 and found.mean == pytest.approx(0.5)
    assert found.interval == pytest.approx((0.5, 0.5))  # each alone differs much more
    assert paired(first, second[2:], "dice") is None
    assert estimate(first[:1], "dice").interval is None


def test_objects_of_one_case_make_no_interval_narrow():
    rows = [{"case": "a", "object": str(n), "dice": n / 9} for n in range(10)]
    assert estimate(rows, "dice").interval is None


def test_a_new_run_takes_the_place_of_an_earlier_one():
    before = run_of("object", [["a", "1", 0.1, 0.1, 9.0]], fold=0)
    after = run_of("object", [["a", "1", 0.2, 0.2, 8.0]], fold=0)
    assert merged([before], [after]) == [after]
    two = run_of("object", [["a", "1", 0.4, 0.4, 6.0]], fold=0) | {"seed": 1}
    (mean,) = pooled([after, two], "hippocampus", "untrained", "object")
    assert mean["dice"] == pytest.approx(0.3)


def test_runs_of_what_is_measured_no_more_are_left_out():
    assert not merged([run_of("an arm of old", [])], [run_of("ellipsoid", [], "sarcoma_both")])


def test_a_part_is_compared_with_the_whole_of_the_same_budget():
    rows = [[case, "1", dice, 0.5, 9.0] for case, dice in (("a", 0.5), ("b", 0.7))]
    worse = [[case, "1", dice - 0.1, 0.5, 9.0] for case, _, dice, *_ in rows]
    runs = [
        run_of("object", rows, budget="30min-cpu2", fold=0),
        run_of("object", worse, budget="full-cuda", fold=0),
        run_of("no_geodesic", worse, budget="30min-cpu2", fold=0),
    ]
    (line,) = [text for text in render(runs).splitlines() if "| ellipsoid map alone | 2" in text]
    assert "-0.100 (-0.100 to -0.100)" in line


def test_what_was_not_measured_says_so_and_has_no_number():
    text = render([])
    assert "0." not in text.replace("until 0.3", "")
    lines = [line for line in text.splitlines() if any(a.title in line for a in ARMS.values())]
    assert lines and all(line.lower().startswith(MISSING) for line in lines)


def test_all_arms_are_of_data_sets_that_there_are():
    for arm in ARMS.values():
        assert set(arm.datasets) <= set(DATASETS) and arm.datasets
    for name in DATASETS:
        assert objects_as(name) in ARMS["ellipsoid"].datasets
    assert objects_as("sarcoma_both") == "sarcoma_mr" and objects_as("vertebrae_t2") != "organs"


def test_the_page_and_the_table_are_those_of_the_results():
    runs = read_runs(RESULTS / "learning.json")
    page = learning.PAGE.read_text(encoding="utf-8")
    assert with_tables(page, runs) == page, "`python -m benchmarks.learning --report` writes it"
    assert render(runs) in (RESULTS / "learning.md").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="the page has no"):
        with_tables("no marks", runs)


def test_a_budget_is_told_in_words():
    assert _described("7.5min-cpu2") == "7.5 minutes of 2 CPU cores a fold"
    assert _described("100epochs-cuda") == "100epochs-cuda"
