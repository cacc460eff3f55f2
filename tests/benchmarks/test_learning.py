"""The benchmark that decides: nothing leaks, nothing is done twice, nothing is invented."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.learning import __main__ as learning
from benchmarks.learning.arms import ARMS, DATASETS, Arm
from benchmarks.learning.datasets import objects_of, validation_names
from benchmarks.learning.ellipsoid import GROWTHS, best_growth, ellipsoid
from benchmarks.learning.job import Budget, Job, Unavailable, filled
from benchmarks.learning.nnunet import find_object
from benchmarks.learning.results import objects_of as pooled
from benchmarks.learning.results import read_runs
from benchmarks.learning.starters import find_starter
from benchmarks.learning.worker import mirrored_model, run_job
from interactivenet import PlanningOptions
from interactivenet.imaging.io import write_label_array, write_volume
from interactivenet.imaging.volume import Volume
from interactivenet.inference.predictor import Predictor
from interactivenet.models.model import Model
from interactivenet.models.network import build_network, save_weights
from interactivenet.prompts.prompt import Prompt
from tests.benchmarks.learning_runs import GRID, ball, run_of


@pytest.fixture
def shared(tmp_path):
    """A folder as the shared data: ten hippocampi that are bright balls of several sizes."""
    folder = tmp_path / "shared" / "hippocampus_mr"
    rng = np.random.default_rng(0)
    for number in range(10):
        mask = ball(9 + number / 2)
        image = (100 * mask + rng.normal(0, 10, mask.shape)).astype(np.float32)
        write_volume(folder / "images" / f"case_{number}.nii.gz", image, GRID)
        # two values, as the real ones have: the benchmark's object is both
        label = mask.astype(np.uint8)
        label[:20] *= 2
        write_label_array(folder / "labels" / f"case_{number}.nii.gz", label, GRID)
    return folder.parent


def job(shared, tmp_path, arm="ellipsoid", dataset="hippocampus", fold=-1, **more):
    budget = Budget(epochs=1, preset="tiny", threads=1)
    return Job(arm, dataset, fold, budget, shared, tmp_path / "work", **more)


def test_no_case_trains_and_is_tested_and_every_one_is_tested_once(shared, tmp_path):
    tested = []
    for dataset, count in (("hippocampus", 8), ("hippocampus_5", 5)):
        tested = []
        for fold in range(5):
            training, validation = job(shared, tmp_path, "object", dataset, fold).cases()
            assert len(training) == count
            assert not {c.name for c in training} & {c.name for c in validation}
            tested += [case.name for case in validation]
        assert sorted(tested) == [f"case_{number}" for number in range(10)]


def test_fewer_cases_are_some_of_the_more(shared, tmp_path):
    five, twenty = (
        {c.name for c in job(shared, tmp_path, "object", f"hippocampus_{n}", 2).cases()[0]}
        for n in (5, 20)
    )
    assert five < twenty


def test_folds_are_those_of_plan():
    from interactivenet.datasets.splits import make_splits

    names = [f"STS_{number:03}" for number in range(24)]
    splits = make_splits(
        names, folds=5, seed=0, groups={n: n for n in names}, subtypes=dict.fromkeys(names)
    )
    for fold, split in enumerate(splits):
        assert validation_names(names, fold) == list(split.validation)


def test_points_are_those_of_simulate_and_know_their_depth():
    label = Volume.from_ras(ball().astype(np.uint8), GRID)
    (thing,) = objects_of(label, "case")
    assert thing.prompt.depth_mm == (5, 5, 10)  # 5 voxels along each axis
    from interactivenet.prompts.simulation import simulate_prompts

    (expected,) = simulate_prompts(label, key="Tr/case")
    assert np.array_equal(thing.prompt.points, expected.points)


def test_the_ellipsoid_goes_through_the_points_and_grows_by_their_depth():
    points = np.array([[10, 18, 30], [30, 18, 30], [20, 8, 30], [20, 28, 30], [20, 18, 20],
                       [20, 18, 40]], float)  # fmt: skip
    prompt = Prompt(1, points, depth_mm=(5, 5, 4))
    for growth, ends in ((0.0, (10, 30)), (1.0, (5, 35))):
        mask = ellipsoid(prompt, GRID, growth)
        line = np.flatnonzero(mask[:, 18, 15])
        assert (line[0], line[-1]) == ends
    half = np.array([20, 20, 14]) / 2 + (5, 5, 4)
    volume = np.count_nonzero(ellipsoid(prompt, GRID, 1.0)) * 2.0
    assert volume == pytest.approx(4 / 3 * math.pi * half.prod() * 20 / 14, rel=0.25)
    corner = replace(prompt, points=points - (10, 8, 20))
    assert ellipsoid(corner, GRID, 2.0).shape == GRID.shape  # ends where the scan does


def test_the_best_growth_is_that_of_the_best_mean_dice():
    rows = [
        {"case": case, "object": "1", "growth": growth, "dice": 1 - abs(growth - best),
         "nsd": 1 - abs(growth - 1), "hd95": growth}
        for case, best in (("a", 0.5), ("b", 0.75), ("c", 0.5))
        for growth in GROWTHS
    ]  # fmt: skip
    found = best_growth(rows)
    assert found["growth"] == 0.5
    assert [row["dice"] for row in found["objects"]] == [1, 0.75, 1]
    assert found["best"]["nsd"] == {"growth": 1.0, "mean": 1.0}
    assert found["best"]["hd95"] == {"growth": 0.0, "mean": 0.0}


def test_an_option_that_there_is_not_is_said(shared, tmp_path):
    assert filled(PlanningOptions(), {"relax": 0.5}).relax == 0.5
    with pytest.raises(Unavailable, match="no option nonsense"):
        filled(PlanningOptions(), {"nonsense": 1})


def test_a_starter_that_saw_what_it_is_tested_on_is_refused(shared, tmp_path):
    folder = tmp_path / "starters" / "without-sarcoma-pet"
    sarcoma = DATASETS["sarcoma_mr"]
    with pytest.raises(Unavailable, match="--without sarcoma pet"):
        find_starter(sarcoma, tmp_path, shared)
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(b"")
    (folder / "facts.json").write_text('{"without": ["sarcoma"]}')
    with pytest.raises(Unavailable, match="was trained on pet, too"):
        find_starter(sarcoma, tmp_path, shared)
    (folder / "facts.json").write_text('{"without": ["pet", "sarcoma"]}')
    assert find_starter(sarcoma, tmp_path, shared).parent == folder
    unnamed = replace(sarcoma, kind=())
    with pytest.raises(Unavailable, match="nobody says"):
        find_starter(unnamed, tmp_path, shared)


def test_every_kind_of_the_recipe_that_a_data_set_is_of_is_left_out():
    recipe = pytest.importorskip("recipes.starter.data")
    kinds = {kind for dataset in DATASETS.values() for kind in dataset.kind}
    assert kinds <= set(recipe.KINDS)


def test_ellipsoids_are_measured_and_not_again(shared, tmp_path, monkeypatch):
    record = run_job(job(shared, tmp_path))
    assert len(record["objects"]) == 10
    assert np.mean([row["dice"] for row in record["objects"]]) > 0.9  # balls are ellipsoids
    assert 0 < record["growth"] <= 2 and record["machine"]["threads"] == 1

    def again(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr("benchmarks.learning.worker._ellipsoids", again)
    assert run_job(job(shared, tmp_path)) == json.loads(json.dumps(record))
    path = shared / "hippocampus_mr" / "labels" / "case_3.nii.gz"
    write_label_array(path, ball(5).astype(np.uint8), GRID)
    with pytest.raises(AssertionError, match="again"):  # of another label map
        run_job(job(shared, tmp_path))


def test_a_fold_is_planned_trained_and_tested_by_the_pipeline(shared, tmp_path, monkeypatch):
    arm = Arm("trial", "a trial", datasets=("hippocampus",))
    monkeypatch.setitem(ARMS, "trial", arm)
    work = job(shared, tmp_path, "trial", fold=1, limit=5)
    record = run_job(work)
    training, tested = work.cases()
    assert record["trained_on"] == [case.name for case in training]
    assert [row["case"] for row in record["objects"]] == [case.name for case in tested]
    assert all(0 <= row["dice"] <= 1 for row in record["objects"])
    assert record["cost"]["epochs"] == 1 and record["cost"]["train_seconds"] > 0
    # of the cases that are tested, the task knows nothing
    (raw,) = (work.work / "raw").glob("*/Task*")
    names = " ".join(path.name for path in raw.rglob("*"))
    assert training[0].name in names and not any(case.name in names for case in tested)
    # mirrored or not, the same training
    monkeypatch.setitem(ARMS, "mirrored", replace(arm, name="mirrored", mirrored=True))
    weights = record["cost"]["weights"]
    before = (work.work / weights).stat().st_mtime_ns
    assert run_job(replace(work, arm="mirrored"))["cost"]["weights"] == weights
    assert (work.work / weights).stat().st_mtime_ns == before


def test_a_starter_of_the_recipe_is_tested_as_it_is(shared, tmp_path):
    recipe = pytest.importorskip("recipes.starter.train")
    plan = recipe.starter_plan()
    work = job(shared, tmp_path, "zero_shot", limit=2)
    folder = work.work / "starters" / "full"
    facts = {"plan": plan.digest, "without": []}
    network = build_network(plan.network, plan.channels).half()
    save_weights(folder / "weights.safetensors", network, facts)
    (folder / "facts.json").write_text(json.dumps(facts))
    record = run_job(work)
    assert [row["case"] for row in record["objects"]] == ["case_0", "case_1"]
    assert record["starter"]["name"] == "full" and not record["trained_on"]
    (folder / "facts.json").write_text('{"plan": "another", "without": []}')
    with pytest.raises(Unavailable, match="another plan"):
        run_job(replace(work, limit=1))


def test_nnunet_is_asked_about_arrays_as_files_store_them():
    affine = [[0, -2, 0, 70], [-1, 0, 0, 40], [0, 0, 3, 0], [0, 0, 0, 1]]  # PLS
    mask = np.random.default_rng(0).random((6, 5, 4)) > 0.5
    image = Volume.from_stored(mask.astype(np.float32), affine)

    class Seen:
        def predict_single_npy_array(self, array, properties, *_):
            assert np.array_equal(array[0], mask.transpose(2, 1, 0))
            assert properties["spacing"] == [3, 2, 1]
            return array[0].astype(np.uint8)

    assert np.array_equal(find_object(Seen(), image), image.array[0] == 1)


def test_what_is_done_is_kept_and_what_fails_costs_only_itself(shared, tmp_path, capsys):
    done = []

    def quick(work):
        if work.arm == "spacing" and work.fold == 1:
            return "no memory"
        done.append((work.arm, work.fold))
        value = 0.5 if work.arm == "ellipsoid" else 0.6
        _, tested = work.cases()
        work.record.parent.mkdir(parents=True, exist_ok=True)
        rows = [{"case": c.name, "object": "1", "dice": value, "nsd": value, "hd95": 2.0}
                for c in tested]  # fmt: skip
        budget = work.budget.name if work.fold >= 0 else "untrained"
        best = {"nsd": {"growth": 1.0, "mean": 0.5}}
        run = run_of(work.arm, rows, budget=budget, fold=work.fold, growth=1.0, best=best, cost={})
        work.record.write_text(json.dumps(run))
        return ""

    where = ["--shared", str(shared), "--work", str(tmp_path / "w"), "--output",
             str(tmp_path / "out"), "--datasets", "hippocampus"]  # fmt: skip
    learning.main([*where, "--minutes", "30", "--only", "ellipsoid", "spacing"], quick)
    assert done == [("ellipsoid", -1), *(("spacing", fold) for fold in (0, 2, 3, 4))]
    assert "spacing, hippocampus, fold 1: not measured: no memory" in capsys.readouterr().out
    runs = read_runs(tmp_path / "out" / "learning.json")
    assert len(pooled(runs, "hippocampus", "30min-cpu2", "spacing")) == 8
    table = (tmp_path / "out" / "learning.md").read_text()
    assert "| 8 | 0.600 (0.600 to 0.600) |" in table
    assert "+0.100 (+0.100 to +0.100)" in table
    # of another machine, with other arms: what was measured stays
    learning.main([*where, "--full", "--device", "cuda", "--folds", "0", "--only", "object"], quick)
    assert len(read_runs(tmp_path / "out" / "learning.json")) == 6
    # nothing is trained where no budget is given
    learning.main([*where], lambda work: pytest.fail(work.arm) if work.fold >= 0 else "")


def test_the_ceiling_is_near_one_and_higher_the_finer_the_grid(shared, tmp_path):
    means = []
    for side in (48, 64, 96):
        record = run_job(job(shared, tmp_path, f"ceiling_{side}"))
        assert len(record["objects"]) == 10 and record["budget"] == "untrained"
        means.append(np.mean([row["dice"] for row in record["objects"]]))
    assert 0.95 < means[0] <= means[1] <= means[2] <= 1
    assert means[2] > 0.98


def test_mirrored_copies_are_really_averaged(tmp_path):
    recipe = pytest.importorskip("recipes.starter.train")
    plan = recipe.starter_plan(16)
    plan = replace(plan, grid=replace(plan.grid, mirrored=False))
    network = build_network(plan.network, plan.channels)
    save_weights(tmp_path / "one.safetensors", network, {"plan": plan.digest})
    model = Model(plan, (tmp_path / "one.safetensors",), (0,), "last", name="one")
    assert len(Predictor(model, mirrored=True)._networks.flips) == 1
    mirrored = mirrored_model(model, tmp_path / "record" / "fold_0.safetensors")
    assert len(Predictor(mirrored, mirrored=True)._networks.flips) == 8
    assert not list((tmp_path / "record").glob("*.json"))
