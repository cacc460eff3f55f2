"""Real scans are planned, cut around their points, and put back where they were."""

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.case import Scan, read_scan
from interactivenet.datasets.task import Task
from interactivenet.imaging.io import read_image, read_label
from interactivenet.inference.rules import make_sample
from interactivenet.planning.plan import Plan
from interactivenet.preprocessing.region import make_region
from interactivenet.preprocessing.sample import crop_sample, restore
from interactivenet.preprocessing.storage import load_region
from interactivenet.prompts.prompt import Prompt
from interactivenet.prompts.simulation import find_objects, margin_points
from tests.raw_task import read
from tests.sample_cases import UNCHANGED, dice, make_plan

#: how a set is imported, as many of its cases as the minutes of a test run allow, and their prompts
SETS = {
    "hippocampus_mr": (["-m", "MR", "-l", "anterior", "-l", "posterior", "--cases", 40], 80),
    "sarcoma_mr_ct": (["-m", "MR", "-m", "CT", "-l", "tumour", "--cases", 12], 12),
}


def run(*arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def plan_of(shared, name, folder, *planning):
    """Plan a set; returns the task, its plan and its processed folder."""
    where = ["-t", "Task001_REAL", "--raw", folder]
    run("dataset", "convert", shared(name), *where, *SETS[name][0])
    run("simulate", *where)
    run("dataset", *where)
    run("plan", *where, "--processed", folder / "processed", "--jobs", 2, *planning)
    processed = folder / "processed/Task001_REAL"
    return Task.load(folder / "Task001_REAL"), Plan.load(processed / "plans.json"), processed


@pytest.fixture(params=list(SETS), scope="module")
def planned(request, shared_data, tmp_path_factory):
    """The task, its plan and its processed folder, and how many prompts it has; only read."""
    name = request.param
    found = plan_of(shared_data, name, tmp_path_factory.mktemp(name), "--grid", "spacing")
    return *found, SETS[name][1]


def test_every_object_is_covered_and_comes_back(planned):
    task, plan, folder, prompts = planned
    coverage = read(folder / "plans.json")["coverage"]
    assert len(coverage) == prompts and min(coverage.values()) >= 0.999
    plain = replace(plan, encoding=replace(plan.encoding, kind="gaussian"))  # the map is not tested
    finer = replace(plain, spacing=tuple(0.8 * np.array(plan.spacing)))
    for case in task.training:
        scan = read_scan(case, len(task.modalities), task.labels)
        for prompt in scan.prompts:
            truth = scan.label.array[0] == prompt.label
            kept = make_sample(scan, prompt, plain)
            # the spacing is the scan's own: bit for bit
            assert np.array_equal(restore(kept.label.astype(np.float32), kept), truth)
            resampled = make_sample(scan, prompt, finer)
            assert max(resampled.grid.spacing) < 0.85 * max(plan.spacing)
            back = restore(resampled.label.astype(np.float32), resampled) >= 0.5
            assert dice(back, truth) > 0.98, (case.name, prompt.label)
    # a coarser grid cannot hold the outline of a small object: that much is lost, and no more
    coarser = replace(plain, spacing=tuple(1.25 * np.array(plan.spacing)))
    least = 0.88 if len(task.labels.names) == 2 else 0.95
    for case in task.training[::4]:
        scan = read_scan(case, len(task.modalities), task.labels)
        for prompt in scan.prompts:
            sample = make_sample(scan, prompt, coarser)
            back = restore(sample.label.astype(np.float32), sample) >= 0.5
            assert dice(back, scan.label.array[0] == prompt.label) > least


def test_training_and_inference_see_the_same(planned):
    """A focus in the stored region is the sample that the scan itself gives."""
    task, plan, folder, _ = planned
    for case in task.training[::4]:
        scan = read_scan(case, len(task.modalities), task.labels)
        for prompt in scan.prompts:
            direct = make_sample(scan, prompt, plan)
            region = load_region(folder / "regions", f"{case.name}__{prompt.label}", plan)
            stored = crop_sample(region, region.prompt.points, plan)
            assert np.array_equal(stored.array, direct.array)
            assert np.array_equal(stored.label, direct.label)
            assert np.array_equal(stored.grid.affine, direct.grid.affine)


def test_every_object_lies_in_a_grid_of_its_own_and_comes_back(shared_data, tmp_path):
    """By rule sarcomas get grids of their own; a region gives the sample that the scan gives."""
    task, plan, folder = plan_of(shared_data, "sarcoma_mr_ct", tmp_path, "--preset", "small")
    assert plan.grid is not None and plan.sample_shape == (64, 64, 64)
    coverage = read(folder / "plans.json")["coverage"]
    assert len(coverage) == 12 and min(coverage.values()) >= 0.999
    for case in task.training[::4]:
        scan = read_scan(case, len(task.modalities), task.labels)
        (prompt,) = scan.prompts
        direct = make_sample(scan, prompt, plan)
        region = load_region(folder / "regions", f"{case.name}__{prompt.label}", plan)
        stored = crop_sample(region, region.prompt.points, plan)
        assert np.array_equal(stored.array, direct.array)
        assert np.array_equal(stored.label, direct.label)
        back = restore(direct.label.astype(np.float32), direct) >= 0.5
        assert dice(back, scan.label.array[0] == prompt.label) > 0.95, case.name


def test_new_draws_fit_into_the_stored_regions(planned):
    """The margins hold for other margin points, and no draw asks for more than is stored."""
    task, plan, _, _ = planned
    unchanged = replace(
        plan,
        normalisation=(UNCHANGED,) * len(plan.modalities),  # z-scores are of the region
        encoding=replace(plan.encoding, kind="gaussian"),
    )
    rng = np.random.default_rng(0)
    for case in task.training[::4]:
        scan = read_scan(case, len(task.modalities), task.labels)
        for prompt in scan.prompts:
            region = make_region(scan, prompt, unchanged)
            truth = scan.label.array[0] == prompt.label
            (thing,) = find_objects(region.label > 0, per_component=False, largest_only=True)
            shallow = margin_points(thing, region.grid.spacing, rng, depth_mm=0.0)
            usual = margin_points(thing, region.grid.spacing, rng)
            for voxels in (usual, shallow):
                points = region.grid.voxel_to_world(voxels)
                there = crop_sample(region, points, unchanged)
                here = make_sample(scan, Prompt(prompt.label, points), unchanged)
                assert np.array_equal(there.array, here.array)
                assert np.array_equal(there.label, here.label)
                assert there.label.sum() >= 0.999 * truth.sum()


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("tumour_singles", "brain1"), ("tumour_singles", "brain2"), ("tumour_singles", "breast1"),
        ("tumour_singles", "lung2"), ("vertebra_pir", "ct_vertebra"),
        ("vertebra_pir", "t2_vertebra"),
    ],
)  # fmt: skip
def test_odd_grids(shared_data, folder, name):
    (image,) = (shared_data(folder) / "images").glob(f"{name}*")
    (label,) = (shared_data(folder) / "labels").glob(f"{name}*")
    image, label = read_image(image), read_label(label)
    value = int(np.unique(label.array)[1])
    (thing,) = find_objects(label.array[0] == value, per_component=False, largest_only=True)
    voxels = margin_points(thing, label.spacing, np.random.default_rng(0))
    prompt = Prompt(value, label.voxel_to_world(voxels))
    scan = Scan(name, image, label, (prompt,))
    mask = np.zeros(label.shape, bool)
    mask[tuple(thing.voxels.T)] = True
    margins = make_plan((1.0,) * 3).cut
    wide = replace(margins, mm=((7.0, 7.0),) * 3, fraction=((0.5, 0.5),) * 3)
    same = make_sample(scan, prompt, make_plan(image.spacing, cut=wide))
    assert (restore(same.label.astype(np.float32), same).astype(bool) & mask).sum() == mask.sum()
    finer = tuple(0.7 * step for step in image.spacing)
    other = make_sample(scan, prompt, make_plan(finer, cut=wide))
    back = restore(other.label.astype(np.float32), other) >= 0.5
    # of several components, those that lie in the cut are in the truth
    truth = (label.array[0] == value) & restore(np.ones(other.grid.shape), other).astype(bool)
    assert dice(back, truth) > 0.95 and back.shape == image.shape
    assert (back & mask).sum() > 0.95 * mask.sum()
