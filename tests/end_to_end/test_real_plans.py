"""Real scans are planned, cut around their points, and put back where they were."""

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.io.images import read_label, read_volume
from interactivenet.plan import Plan
from interactivenet.preprocess import load_region
from interactivenet.prompts import Prompt
from interactivenet.sample import make_focus, make_sample, restore
from interactivenet.scan import Scan, read_scan
from interactivenet.simulate import find_objects, margin_points
from interactivenet.task import Task
from tests.raw_task import read
from tests.sample_cases import dice, make_plan

SETS = {
    "hippocampus_mr": (["-m", "MR", "-l", "anterior", "-l", "posterior"], 364),
    "sarcoma_mr_ct": (["-m", "MR", "-m", "CT", "-l", "tumour"], 24),
}


def run(*arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(params=list(SETS))
def planned(request, shared_data, tmp_path):
    """The task, its plan and its processed folder."""
    options, prompts = SETS[request.param]
    where = ["-t", "Task001_REAL", "--raw", tmp_path]
    run("dataset", "convert", shared_data(request.param), *where, *options)
    run("simulate", *where)
    run("dataset", *where)
    run("plan", *where, "--processed", tmp_path / "processed", "--jobs", 2)
    folder = tmp_path / "processed/Task001_REAL"
    return Task.load(tmp_path / "Task001_REAL"), Plan.load(folder / "plans.json"), folder, prompts


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


def test_training_and_inference_see_the_same(planned):
    """A focus in the stored region is the sample that the scan itself gives."""
    task, plan, folder, _ = planned
    for case in task.training[::8]:
        scan = read_scan(case, len(task.modalities), task.labels)
        for prompt in scan.prompts:
            direct = make_sample(scan, prompt, plan)
            region = load_region(folder / "regions", f"{case.name}__{prompt.label}")
            stored = make_focus(region, region.prompt.points, plan)
            assert np.array_equal(stored.array, direct.array)
            assert np.array_equal(stored.label, direct.label)
            assert np.array_equal(stored.grid.affine, direct.grid.affine)


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
    image, label = read_volume(image), read_label(label)
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
    assert dice(back & mask, mask) > 0.97 and back.shape == image.shape
