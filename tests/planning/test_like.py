"""Plans like another model's: what is taken, and what stays the task's own."""

from dataclasses import replace

import pytest

from interactivenet.errors import RequestError
from interactivenet.planning.fingerprint import Fingerprint
from interactivenet.planning.like import make_plan_like
from interactivenet.planning.options import PlanningOptions
from interactivenet.planning.plan import Legacy, Normalisation, ObjectGrid
from interactivenet.prompts.prompt import LabelNames
from tests.planning.test_object_grid import OBJECT, planned, some_cases

LABELS = LabelNames({1: "b", 2: "c"})
STARTER = replace(
    planned(replace(OBJECT, grid_voxels=64, preset="tiny", relax=0.5)), task="Task900_STARTER",
    modalities=("any",), grid=ObjectGrid(depth_mm=(9.0, 9.0, 9.0), mirrored=True),
)  # fmt: skip


def like(other, fingerprint=None, **options):
    fingerprint = fingerprint or some_cases(30, ("MR", "CT"))
    options = PlanningOptions(like="model", **options)
    return make_plan_like("Task001_A", LABELS, fingerprint, options, other)


def test_an_object_plan_like_another():
    plan = like(STARTER, seed=7)
    for name in ("network", "sample_shape", "encoding", "cut", "preset", "padding"):
        assert getattr(plan, name) == getattr(STARTER, name)
    assert plan.modalities == ("MR", "CT") and plan.labels == {1: "b", 2: "c"} and plan.seed == 7
    assert [one.kind for one in plan.normalisation] == ["zscore", "zscore"]
    assert plan.grid == ObjectGrid(depth_mm=(5.0, 5.0, 5.0)) and plan.batch_size == 4
    assert plan.spacing[0] == pytest.approx(((30 + 10) * 2.0 + 2.0) / 64, abs=1e-6)
    assert "Task900_STARTER" in plan.notes[0]


def test_a_plan_of_one_spacing_keeps_it_and_the_kinds_of_its_modalities():
    options = PlanningOptions(grid="spacing", spacing=(1.5, 1.5, 2.0), preset="tiny")
    ct = planned(options, some_cases(3, ("CT",)))
    assert ct.normalisation[0].kind == "ct"
    plan = like(ct)
    assert plan.spacing == ct.spacing and plan.grid is None and plan.network == ct.network
    assert [one.kind for one in plan.normalisation] == ["zscore", "ct"]
    as_zscore = replace(ct, normalisation=(Normalisation("zscore"),))
    assert [one.kind for one in like(as_zscore).normalisation] == ["zscore", "zscore"]


def test_the_memory_makes_the_batch_and_is_not_exceeded():
    small = like(STARTER, memory_gb=STARTER.estimated_gb / 2 + 0.4)
    assert 1 <= small.batch_size < 4 and small.estimated_gb <= small.memory_gb
    with pytest.raises(RequestError, match=r"64x64x64 voxels, as `like` has it, takes about"):
        like(STARTER, memory_gb=0.85)


def test_weights_of_the_original_program_are_refused():
    plan = planned(PlanningOptions(grid="spacing"), some_cases())
    encoding = replace(plan.encoding, extent=False)
    legacy = replace(plan, legacy=Legacy(0.1), encoding=encoding, extent_prior=None)
    with pytest.raises(RequestError, match="`like='model'`: is a model of the original program"):
        like(legacy)


def test_a_preset_of_another_version_has_the_batch_of_its_plan():
    other = replace(STARTER, preset="future", batch_size=5)
    assert like(other, Fingerprint(("MR",), some_cases(200).cases)).batch_size == 5
