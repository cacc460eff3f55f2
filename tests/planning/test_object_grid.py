"""Plans whose objects each have a grid of their own."""

from dataclasses import replace

import numpy as np
import pytest

from interactivenet.errors import RequestError
from interactivenet.planning.architecture import training_gb
from interactivenet.planning.extent import usual_depth
from interactivenet.planning.fingerprint import Fingerprint, Histogram
from interactivenet.planning.object_grid import PRESETS, usual_spacing
from interactivenet.planning.options import PlanningOptions
from interactivenet.planning.plan import Encoding, ObjectGrid, Plan
from interactivenet.planning.rules import make_plan
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.files import write_json
from tests.planning.test_rules import case_facts, prompt_facts

OBJECT = PlanningOptions(grid="object")


def some_cases(count=3, modalities=("MR",), **prompt):
    facts = (replace(prompt_facts(), **prompt),)
    cases = [case_facts(f"c{i}", channels=len(modalities), prompts=facts) for i in range(count)]
    histograms = {"CT": Histogram.of(np.arange(-1000.0, 1001.0))}
    return Fingerprint(modalities, tuple(cases), histograms)


def planned(options=OBJECT, fingerprint=None):
    fingerprint = fingerprint or some_cases()
    return make_plan("Task001_A", LabelNames({1: "a"}), fingerprint, options)


@pytest.mark.parametrize(
    ("preset", "voxels", "features", "batch"),
    [
        ("tiny", 48, (16, 32, 64, 96), 8),
        ("small", 64, (16, 32, 64, 128), 8),
        ("default", 96, (32, 64, 128, 192), 16),
        ("large", 96, (32, 64, 128, 256, 320), 16),
    ],
)
def test_presets(tmp_path, preset, voxels, features, batch):
    fingerprint = some_cases(count=400)
    plan = planned(replace(OBJECT, preset=preset, memory_gb=80.0, seed=3), fingerprint)
    assert plan.sample_shape == (voxels,) * 3 and plan.network.features == features
    assert set(plan.network.kernels) == {(3, 3, 3)} and plan.network.residual == (preset == "large")
    assert plan.network.strides == ((1, 1, 1), *((2, 2, 2),) * (len(features) - 1))
    assert plan.batch_size == batch and plan.preset == preset and plan.seed == 3
    assert plan.encoding == Encoding(metric="gradient", extent=True) and plan.notes == ()
    write_json(tmp_path / "plans.json", plan.as_json())
    assert Plan.load(tmp_path / "plans.json") == plan


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("gb", [1.5, 2.0, 3.0, 4.0, 8.0, 24.0])
def test_the_largest_grid_of_which_a_batch_of_two_fits(preset, gb):
    plan = planned(replace(OBJECT, preset=preset, memory_gb=gb))
    voxels, largest = plan.sample_shape[0], PRESETS[preset].voxels
    assert plan.estimated_gb <= gb and plan.batch_size >= 1
    if voxels < largest:
        larger = training_gb(plan.network, (voxels + 16,) * 3, plan.channels, 2)
        assert larger > gb and "instead of" in plan.notes[-1]
    else:
        assert plan.notes == ()
    if voxels > 48:
        assert plan.batch_size >= 2


def test_a_few_objects_still_make_a_batch_of_four():
    assert planned(replace(OBJECT, preset="tiny")).batch_size == 4
    assert planned(replace(OBJECT, preset="tiny"), some_cases(120)).batch_size == 6


def test_voxels_that_are_asked_for_stay():
    plan = planned(replace(OBJECT, grid_voxels=128, memory_gb=12.0))
    assert plan.sample_shape == (128,) * 3 and plan.notes == ()
    assert planned(PlanningOptions(grid_voxels=32)).sample_shape == (32,) * 3
    with pytest.raises(RequestError, match=r"`memory_gb=4.0`: is too little: .* 128x128x128"):
        planned(replace(OBJECT, grid_voxels=128, memory_gb=4.0))
    with pytest.raises(RequestError, match=r"48x48x48 voxels .* choose a smaller `preset`"):
        planned(replace(OBJECT, memory_gb=0.9))


@pytest.mark.parametrize(("relax", "share"), [(0.1, 0.3), (0.3, 0.3), (0.7, 0.7)])
def test_the_margins_are_the_same_on_every_side(relax, share):
    cut = planned(replace(OBJECT, relax=relax)).cut
    assert np.array_equal(cut.mm, np.full((3, 2), 1.0))
    assert np.array_equal(cut.fraction, np.full((3, 2), share))


def test_all_modalities_are_z_scores():
    plan = planned(fingerprint=some_cases(modalities=("MR", "CT")))
    assert [one.kind for one in plan.normalisation] == ["zscore", "zscore"]
    assert plan.channels == 4


def test_depth_is_the_median_of_both_sides_along_each_axis():
    overhangs = [
        ((1.0, 2.0), (10.0, 10.0), (0.0, 0.0)),
        ((3.0, 4.0), (20.0, 20.0), (0.0, 0.0)),
        ((5.0, 90.0), (10.0, 10.0), (0.0, 6.0)),
    ]
    cases = tuple(
        case_facts(str(number), prompts=(prompt_facts(overhang=overhang),))
        for number, overhang in enumerate(overhangs)
    )
    fingerprint = Fingerprint(("MR",), cases)
    assert usual_depth(fingerprint) == (3.5, 10.0, 0.0)
    assert planned(fingerprint=fingerprint).grid == ObjectGrid(depth_mm=(3.5, 10.0, 0.0))


def test_spacing_is_what_the_median_object_gets():
    plan = planned(replace(OBJECT, preset="tiny"))
    # the points' box, its depth (5 mm) on both sides, then 1 mm and 0.3 of that on both sides
    expected = (np.array([30.0, 40.0, 50.0]) + 10.0) * 1.6 + 2.0
    assert plan.spacing == pytest.approx(expected / 48, abs=1e-6)
    # never grown by more than the points are apart
    flat = some_cases(box_mm=(2.0, 40.0, 50.0))
    spacing = usual_spacing(flat, (5.0, 5.0, 5.0), plan.cut, plan.sample_shape)
    assert spacing[0] == pytest.approx(((2.0 + 2 * 1.0) * 1.6 + 2.0) / 48, abs=1e-6)


def test_the_reason_stands_in_the_notes():
    extents = [(40.0,) * 3, (120.0,) * 3]
    cases = tuple(
        case_facts(f"c{i}", prompts=(replace(prompt_facts(), object_mm=extents[i % 2]),))
        for i in range(24)
    )
    fingerprint = Fingerprint(("MR",), cases)
    by_rule = planned(PlanningOptions(), fingerprint)
    assert by_rule.grid is not None and "a grid of its own" in by_rule.notes[0]
    asked = planned(OBJECT, fingerprint)
    assert asked.notes == () and asked.digest == by_rule.digest
    assert planned(PlanningOptions(grid="spacing"), fingerprint).grid is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grid": "other"}, "`grid='other'`: expected one of auto, object, spacing"),
        ({"grid_voxels": 50}, "`grid_voxels=50`: expected a multiple of 16 from 32 to 128"),
        ({"grid_voxels": 144}, "`grid_voxels=144`: expected a multiple of 16 from 32 to 128"),
        ({"grid": "object", "spacing": (1.0, 1.0, 1.0)}, "each object has a grid of its own"),
        ({"grid": "spacing", "grid_voxels": 64}, "says nothing about a grid of one spacing"),
        ({"spacing": (1.0, 1.0, 1.0), "grid_voxels": 64}, "says nothing about a grid of one"),
        ({"like": "m", "grid": "object"}, "`grid='object'`: is decided by the model that `like`"),
        ({"like": "m", "grid_voxels": 64}, "`grid_voxels=64`: is decided by the model"),
        ({"like": "m", "preset": "tiny"}, "`preset='tiny'`: is decided by the model"),
        ({"like": "m", "spacing": (1.0, 1.0, 1.0)}, "is decided by the model"),
        ({"like": "m", "relax": 0.2}, "`relax=0.2`: is decided by the model"),
        ({"like": "m", "encoding": Encoding()}, "`encoding`: is decided by the model"),
    ],
)
def test_options_that_mean_nothing_or_contradict_are_refused(options, message):
    with pytest.raises(RequestError) as error:
        PlanningOptions(**options)
    assert message in str(error.value) and "\n" not in str(error.value)
