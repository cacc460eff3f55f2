"""A case is corrected click by click: rows equal those of a plain loop, for model and brush."""

import numpy as np
import pytest

from interactivenet.evaluation.click_robots import Click, click_rng, cvpr_click, next_click, paint
from interactivenet.evaluation.clicking import BRUSH, MODEL, Clicking, correct_case
from interactivenet.evaluation.metrics import evaluate_masks
from interactivenet.prompts.prompt import Prompt
from tests.evaluation.painting_session import PaintingSession, segmentation
from tests.sample_cases import ellipsoid, stored_grid

SHAPE, SPACING = (22, 20, 14), (0.8, 1.1, 2.5)
GRID = stored_grid(SHAPE, SPACING).ras
TRUTHS = [ellipsoid(SHAPE, (7, 8, 6), (5, 5, 4)), ellipsoid(SHAPE, (16, 12, 7), (4, 5, 4))]
FIRST = [ellipsoid(SHAPE, (8, 9, 7), (5, 4, 3)), ellipsoid(SHAPE, (15, 12, 7), (5, 3, 4))]
PROMPTS = [Prompt(1, GRID.voxel_to_world([[7, 8, 6]]), "left"),
           Prompt(2, GRID.voxel_to_world([[16, 12, 7]]), "right")]  # fmt: skip


def session_of(masks, **more):
    return PaintingSession(lambda _: segmentation(masks, GRID, ["odd"]), GRID, **more)


def corrected(masks, truths, clicking, prompts=None, **more):
    session = session_of(masks, **more)
    prompts = prompts or PROMPTS[: len(truths)]
    return session, correct_case(session, "case", prompts, truths, GRID, clicking)


def of(rows, method, number=0):
    return [row for row in rows if row["method"] == method and row["prompt"] == number]


def test_one_object_against_a_plain_loop():
    session, result = corrected(FIRST[:1], TRUTHS[:1], Clicking(4), radius=3)
    rows = of(result.rows, MODEL)
    assert result.notes == ("odd",) and session.prompts == tuple(PROMPTS[:1])
    mask = FIRST[0].copy()
    assert [row["clicks"] for row in rows] == [0, 1, 2, 3, 4] and len(session.calls) == 4
    for row in rows:
        if row["clicks"]:
            click = cvpr_click(mask, TRUTHS[0])
            mask = paint(mask, click, 3)
            assert session.calls[row["clicks"] - 1] == (1, click)
            assert row["positive"] == click.positive and row["seconds"] >= 0
            place = GRID.voxel_to_world([click.voxel])[0]
            assert [row["x_mm"], row["y_mm"], row["z_mm"]] == pytest.approx(place.tolist())
        else:
            assert row["positive"] is row["x_mm"] is row["heeded"] is row["seconds"] is None
        metrics = evaluate_masks(mask, TRUTHS[0], SPACING)
        assert (row["dice"], row["nsd"]) == pytest.approx((metrics["dice"], metrics["nsd"]))
        assert (row["case"], row["label"], row["name"]) == ("case", 1, "left")


def test_the_brush_corrects_the_first_result_by_clicks_of_its_own():
    _, result = corrected(FIRST[:1], TRUTHS[:1], Clicking(3), deaf=True)
    brush, model = of(result.rows, BRUSH), of(result.rows, MODEL)
    mask = FIRST[0].copy()
    for row in brush:
        if row["clicks"]:
            mask = paint(mask, cvpr_click(mask, TRUTHS[0]), 2)
        assert row["dice"] == pytest.approx(evaluate_masks(mask, TRUTHS[0], SPACING)["dice"])
        assert row["seconds"] is None
    assert brush[0]["dice"] == model[0]["dice"] and brush[-1]["dice"] > brush[0]["dice"]


def test_what_is_not_heeded_is_said():
    _, result = corrected(FIRST[:1], TRUTHS[:1], Clicking(3), deaf=True)
    assert [row["heeded"] for row in of(result.rows, MODEL)] == [None, False, False, False]
    assert len({row["dice"] for row in of(result.rows, MODEL)}) == 1
    _, result = corrected(FIRST[:1], TRUTHS[:1], Clicking(3), radius=2)
    for method in (MODEL, BRUSH):
        assert [row["heeded"] for row in of(result.rows, method)] == [None, True, True, True]


def test_an_earlier_click_that_is_undone_counts_as_unheeded():
    class Forgetful(PaintingSession):
        def correct(self, **click):
            self.result = self.first
            return super().correct(**click)

        def segment(self, prompts):
            self.first = super().segment(prompts)
            return self.first

    session = Forgetful(lambda _: segmentation(FIRST[:1], GRID), GRID, radius=2)
    result = correct_case(session, "case", PROMPTS[:1], TRUTHS[:1], GRID, Clicking(2))
    heeded = [row["heeded"] for row in of(result.rows, MODEL)]
    assert heeded == [None, True, False]


def test_every_object_gets_a_click_in_each_round():
    session, result = corrected(FIRST, TRUTHS, Clicking(2), radius=2)
    assert [instance for instance, _ in session.calls] == [1, 2, 1, 2]
    first = segmentation(FIRST, GRID).instance_map
    for number, truth in enumerate(TRUTHS):
        # of the same round: chosen by the result of the round before
        assert session.calls[number][1] == cvpr_click(first == number + 1, truth)
    last = session.result.instance_map
    for number, truth in enumerate(TRUTHS):
        row = of(result.rows, MODEL, number)[-1]
        assert row["dice"] == pytest.approx(
            evaluate_masks(last == number + 1, truth, SPACING)["dice"]
        )


def test_where_no_error_is_left_nothing_is_clicked():
    session, result = corrected(TRUTHS[:1], TRUTHS[:1], Clicking(5))
    assert session.calls == []
    for row in result.rows:
        assert row["dice"] == row["nsd"] == 1.0 and row["positive"] is None
    almost = TRUTHS[0].copy()
    almost[7, 8, 6] = False
    session, result = corrected([almost], TRUTHS[:1], Clicking(3))
    assert session.calls == [(1, Click((7, 8, 6), True))]
    assert [row["dice"] for row in of(result.rows, MODEL)][1:] == [1.0, 1.0, 1.0]


def test_the_sloppy_robot_draws_by_seed_case_object_and_step():
    masks, truths = FIRST[:1], TRUTHS[:1]
    session, result = corrected(masks, truths, Clicking(2, "sloppy", 7), radius=2)
    again, same = corrected(masks, truths, Clicking(2, "sloppy", 7), radius=2)
    other, _ = corrected(masks, truths, Clicking(2, "sloppy", 8), radius=2)
    assert session.calls == again.calls != other.calls
    without = [{**row, "seconds": None} for row in result.rows]
    assert without == [{**row, "seconds": None} for row in same.rows]
    expected = next_click("sloppy", FIRST[0], TRUTHS[0], SPACING, click_rng(7, "case", 0, 1))
    assert session.calls[0] == (1, expected)


def test_it_can_be_interrupted_before_a_click():
    class Stopped(Exception):
        pass

    def stop():
        raise Stopped

    session = session_of(FIRST)
    with pytest.raises(Stopped):
        correct_case(session, "case", PROMPTS, TRUTHS, GRID, Clicking(1), stop)
    assert session.calls == [] and np.any(session.result.instance_map)
