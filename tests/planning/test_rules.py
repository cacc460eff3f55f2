"""Decisions: spacing, margins, normalisation and sizes follow from the facts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.resampling import resample_labels
from interactivenet.planning.fingerprint import (
    CaseFacts,
    Fingerprint,
    Histogram,
    Intensities,
    PromptFacts,
)
from interactivenet.planning.options import PlanningOptions, encoding_named
from interactivenet.planning.plan import Plan
from interactivenet.planning.rules import (
    SMALL_OBJECT_VOXELS,
    cases_of_small_objects,
    cut_sizes,
    lone_margins,
    make_plan,
    plan_cut,
    spacing_for_small_objects,
    target_spacing,
)
from interactivenet.prompts.prompt import LabelNames


def prompt_facts(box=(30.0, 40.0, 50.0), overhang=((5.0, 5.0),) * 3):
    return PromptFacts(1, 6, 0, box, box, overhang, 1000, 1.0, 1)


def case_facts(name="a", shape=(100, 100, 100), spacing=(1.0, 1.0, 1.0), channels=1, prompts=None):
    intensities = (Intensities(10, 50.0, 90.0, (1.0, 2.0, 3.0, 4.0, 5.0)),) * channels
    coarse = (False, False, False)
    return CaseFacts(name, shape, spacing, "RAS", coarse, intensities, prompts or (prompt_facts(),))


@pytest.mark.parametrize(
    ("spacings", "expected"),
    [
        ([(1, 1, 1), (2, 2, 2), (1, 1, 1)], (1, 1, 1)),
        ([(1, 1, 2.9)] * 3, (1, 1, 2.9)),
        # anisotropic: the 10th percentile of the coarse axis, whichever it is
        ([(1, 1, 3 + i) for i in range(11)], (1, 1, 4)),
        ([(3 + i, 1, 1) for i in range(11)], (4, 1, 1)),
        # ... but never finer than the other axes
        ([(1, 1, 0.5), (1, 1, 0.5), (1, 1, 5), (1, 1, 5), (1, 1, 5)], (1, 1, 1)),
    ],
)
def test_target_spacing(spacings, expected):
    assert target_spacing(np.array(spacings, dtype=float)) == pytest.approx(expected)


extents = st.lists(
    st.tuples(st.floats(1, 200), st.floats(0, 40), st.floats(0, 40)), min_size=1, max_size=20
)


@given(extents, st.floats(0, 1))
def test_margins_reach_as_far_as_every_object(rows, relax):
    boxes = np.array([[extent] * 3 for extent, _, _ in rows])
    overhangs = np.array([[[low, high]] * 3 for _, low, high in rows])
    cut = plan_cut(boxes, overhangs, (1.0, 1.0, 5.0), relax)
    margins = np.array([cut.margins(box) for box in boxes])
    safety = np.array([2.0, 2.0, 5.0])[:, None]
    assert (margins >= overhangs + safety - 1e-4).all()
    assert np.array(cut.fraction).min() >= relax - 1e-6
    # never more than the largest fraction alone would take
    largest = np.maximum(relax, (overhangs / boxes[:, :, None]).max(axis=0))
    alone = boxes.mean(axis=0)[:, None] * largest + safety
    assert (margins.mean(axis=0) <= alone + 1e-3).all()


def test_points_of_equal_depth_need_a_length_and_overhang_in_proportion_a_fraction():
    boxes = np.array([[10.0] * 3, [100.0] * 3])
    same = plan_cut(boxes, np.full((2, 3, 2), 5.0), (1.0, 1.0, 1.0), 0.0)
    assert np.allclose(same.mm, 5.0 + 2.0) and np.allclose(same.fraction, 0.0)
    part = plan_cut(boxes, 0.2 * np.repeat(boxes[:, :, None], 2, 2), (1.0, 1.0, 1.0), 0.0)
    assert np.allclose(part.mm, 2.0, atol=1e-5) and np.allclose(part.fraction, 0.2)


def test_cuts_are_clipped_at_the_image():
    facts = case_facts(shape=(34, 100, 100))
    fingerprint = Fingerprint(("MR",), (facts,))
    cut = plan_cut(fingerprint.boxes, fingerprint.overhangs, (1.0, 1.0, 2.0), 0.0)
    sizes = cut_sizes(fingerprint.boxes, cut, (1.0, 1.0, 2.0), fingerprint)
    assert sizes.tolist() == [[34, 40 + 14, 25 + 5 + 5]]


def test_ct_is_clipped_and_others_are_not():
    histograms = {"CT": Histogram.of(np.arange(-1000.0, 1001.0))}
    fingerprint = Fingerprint(("MR", "CT"), (case_facts(channels=2),), histograms)
    plan = make_plan("Task001_A", LabelNames({1: "a"}), fingerprint, PlanningOptions())
    assert [normalisation.kind for normalisation in plan.normalisation] == ["zscore", "ct"]
    assert (plan.normalisation[1].low, plan.normalisation[1].high) == (-990.0, 990.0)
    assert (plan.normalisation[1].mean, plan.normalisation[1].std) == (50.0, 3.0)


def test_a_ct_whose_objects_have_one_value_is_refused_in_words():
    histograms = {"CT": Histogram.of(np.full(50, 90.0))}
    fingerprint = Fingerprint(("MR", "CT"), (case_facts(channels=2),), histograms)
    with pytest.raises(DataError, match="have the one value 90 in modality CT"):
        make_plan("Task001_A", LabelNames({1: "a"}), fingerprint, PlanningOptions())


@pytest.mark.parametrize("preset", ["tiny", "default", "large"])
@pytest.mark.parametrize("gb", [2.0, 8.0, 80.0])
@pytest.mark.parametrize("box", [(2.0, 2.0, 2.0), (30.0, 40.0, 50.0), (390.0, 390.0, 390.0)])
def test_a_plan_reads_back_and_keeps_to_the_memory(tmp_path, preset, gb, box):
    prompts = (prompt_facts(box),)
    cases = tuple(case_facts(name, (400, 400, 400), prompts=prompts) for name in "abc")
    options = PlanningOptions(memory_gb=gb, preset=preset, seed=3)
    plan = make_plan("Task001_A", LabelNames({1: "a"}), Fingerprint(("MR",), cases), options)
    assert plan.estimated_gb <= gb and plan.seed == 3 and plan.batch_size >= 1
    whole = all(n >= b for n, b in zip(plan.sample_shape, box, strict=True))
    assert whole or "larger than the sample shape" in plan.notes[0]
    from interactivenet.system.files import write_json

    write_json(tmp_path / "plans.json", plan.as_json())
    assert Plan.load(tmp_path / "plans.json") == plan


def test_a_prompt_that_alone_makes_the_margins_large_is_named():
    near, far = prompt_facts(), prompt_facts(overhang=((5.0, 5.0), (5.0, 40.0), (5.0, 5.0)))
    cases = tuple(
        case_facts(name, prompts=(one,)) for name, one in zip("abc", (near, far, near), strict=True)
    )
    ((case, message),) = lone_margins(Fingerprint(("MR",), cases), (1.0, 1.0, 1.0))
    assert case == "b" and "reaches 40 mm beyond its points" in message
    assert lone_margins(Fingerprint(("MR",), (cases[0],) * 3), (1.0, 1.0, 1.0)) == []


def test_a_ct_by_another_name_is_pointed_out():
    plan = make_plan(
        "Task001_A",
        LabelNames({1: "a"}),
        Fingerprint(("CT_late",), (case_facts(),)),
        PlanningOptions(),
    )
    assert (
        plan.normalisation[0].kind == "zscore" and "CT_late is not treated as CT" in plan.notes[0]
    )


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("preset", "huge", "one of tiny, small, default, large"),
        ("relax", -0.1, "a fraction from 0 to 10"),
        ("memory_gb", 0.0, "a number above 0"),
        ("memory_gb", float("inf"), "a number above 0"),
        ("seed", -1, "0 to 4294967295"),
        ("seed", 2**32, "0 to 4294967295"),
        ("spacing", (1.0, 0.0, 1.0), "three lengths above 0, mm"),
    ],
)
def test_options_out_of_range_are_named_as_in_python(field, value, expected):
    with pytest.raises(RequestError) as error:
        PlanningOptions(**{field: value})
    assert str(error.value) == f"`{field}={value!r}`: expected {expected}"


def test_a_library_that_is_not_there(monkeypatch):
    monkeypatch.setattr("interactivenet.planning.options.find_spec", lambda name: None)
    with pytest.raises(RequestError, match="needs the library GeodisTK"):
        encoding_named("geodistk")


def test_encodings_by_name():
    assert encoding_named("exact").kernel == "exact"
    assert encoding_named("gradient").metric == "gradient"
    with pytest.raises(RequestError, match="expected one of exact, scan"):
        encoding_named("best")


def small_task(*objects):
    """A fingerprint of cases: the spacing of each, and the extent of its object, mm."""
    prompts = [
        (replace(prompt_facts(), object_mm=extent, overhang_mm=((1.0, 1.0),) * 3),)
        for _, extent in objects
    ]
    cases = (
        case_facts(f"c{number}", spacing=spacing, prompts=facts)
        for number, ((spacing, _), facts) in enumerate(zip(objects, prompts, strict=True))
    )
    return Fingerprint(("MR",), tuple(cases))


COARSE, FINE = (3.0, 3.0, 6.0), (1.0, 1.0, 2.0)
LARGE = (50.0, 50.0, 50.0)


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        # nothing is small: as it was, whatever the spacings
        ([(COARSE, LARGE)] * 6 + [(FINE, LARGE)] * 2, COARSE),
        # small objects in scans that are no finer: there is nothing to gain
        ([(COARSE, (6.0, 6.0, 6.0))] * 8, COARSE),
        # small objects of fine scans: these scans' own spacing
        ([(COARSE, LARGE)] * 6 + [(FINE, (3.0, 3.0, 4.0))] * 2, FINE),
        # as fine as they need, and along the axes on which they need it
        ([(COARSE, LARGE)] * 6 + [(FINE, (8.0, 40.0, 16.0))] * 2, (2.0, 3.0, 4.0)),
        # one of ten may be smaller
        ([(COARSE, LARGE)] * 29 + [(FINE, (3.0, 3.0, 4.0))] * 2, COARSE),
    ],
)
def test_small_objects_ask_for_a_finer_grid(objects, expected):
    assert spacing_for_small_objects(COARSE, small_task(*objects)) == pytest.approx(expected)


def test_a_plan_says_why_its_grid_is_finer():
    labels, options = LabelNames({1: "tumour"}), PlanningOptions(preset="tiny")
    fingerprint = small_task(*[(COARSE, LARGE)] * 6, *[(FINE, (3.0, 3.0, 4.0))] * 2)
    plan = make_plan("Task001_A", labels, fingerprint, options)
    assert plan.spacing == FINE
    assert plan.notes[0].startswith("spacing 1x1x2 mm instead of the usual 3x3x6 mm")
    names = [case for case, _ in cases_of_small_objects(plan.spacing, fingerprint)]
    assert names == [case.name for case in fingerprint.cases[6:]]
    assert not cases_of_small_objects(COARSE, fingerprint)
    asked = make_plan("Task001_A", labels, fingerprint, replace(options, spacing=COARSE))
    assert asked.spacing == COARSE and not any("usual" in note for note in asked.notes)


@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5])
def test_a_ball_of_so_many_voxels_is_not_lost(shift):
    """What the rule grants keeps more than 0.8 of a ball, wherever it lies on the grid."""
    fine, size = 12, (SMALL_OBJECT_VOXELS + 4) * 12
    axes = np.indices((size,) * 3) + 0.5 - size / 2 - shift * fine
    ball = (axes**2).sum(axis=0) <= (SMALL_OBJECT_VOXELS * fine / 2) ** 2
    label = resample_labels(ball.astype(np.uint8), (SMALL_OBJECT_VOXELS + 4,) * 3)
    assert 0.8 < label.sum() * fine**3 / ball.sum() < 1.25
