"""How deep points lie: as simulated, as files say it, and as settings and positions tell it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.volume import Volume
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.depth import simulated_depth, usual_depth_mm
from interactivenet.prompts.io import MOVED, read_prompts, write_prompts
from interactivenet.prompts.perturbation import Perturbation, perturb
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.prompts.simulation import SimulationOptions, simulate_prompts
from tests.sample_cases import ellipsoid, stored_grid

LABELS = LabelNames({1: "tumour", 2: "oedema"})
POINTS = np.random.default_rng(0).uniform(-30, 30, (6, 3))


def simulated(radii, spacing, options=SimulationOptions()):
    shape = (48, 44, 40)
    grid = Geometry(shape, np.diag([*spacing, 1.0]))
    mask = ellipsoid(shape, (24, 22, 20), np.array(radii) + 0.01)
    volume = Volume.from_stored(mask.astype(np.uint8)[None], grid)
    return simulate_prompts(volume, options, LABELS)[0], volume.grid, mask


@pytest.mark.parametrize(
    ("radii", "spacing", "options", "depth"),
    [
        ((20, 18, 16), (1.0, 1.0, 1.0), SimulationOptions(), (5.0, 5.0, 5.0)),
        ((20, 18, 16), (1.0, 1.5, 4.0), SimulationOptions(), (5.0, 7.5, 4.0)),
        # the third of a thin object: radius 6 has 13 voxels, of which 12 are divided by three
        ((20, 6, 16), (1.0, 1.0, 1.0), SimulationOptions(), (5.0, 4.0, 5.0)),
        ((20, 18, 16), (1.0, 1.0, 2.0), SimulationOptions(depth_mm=6.0), (6.0, 6.0, 6.0)),
        ((20, 18, 16), (1.0, 1.0, 1.0), SimulationOptions(random=5), None),
        ((20, 18, 16), (1.0, 1.0, 1.0), SimulationOptions(centre=True), None),
        ((0, 0, 1), (1.0, 1.0, 1.0), SimulationOptions(), (0.0, 0.0, 0.0)),
    ],
)
def test_simulated_margin_points_know_their_depth(radii, spacing, options, depth):
    prompt, grid, mask = simulated(radii, spacing, options)
    assert prompt.depth_mm == depth
    if depth is not None:  # and that is where they are: below the extremes, along their axes
        extremes = np.argwhere(mask)
        voxels = grid.nearest_voxel(prompt.points)
        below = (voxels.min(axis=0) - extremes.min(axis=0)) * spacing
        above = (extremes.max(axis=0) - voxels.max(axis=0)) * spacing
        np.testing.assert_allclose([below, above], [depth] * 2)


@pytest.mark.parametrize("radii", [(20, 18, 16), (20, 6, 16), (9, 9, 9), (4, 12, 3)])
def test_settings_and_positions_tell_the_depth_to_two_voxels(radii):
    for options in (SimulationOptions(), SimulationOptions(depth_mm=3.0)):
        prompt, grid, _ = simulated(radii, (1.0, 1.2, 1.5), options)
        told = np.array(simulated_depth(prompt, options, grid))
        excess = (told - prompt.depth_mm) / grid.spacing
        assert (excess > -0.5 - 1e-9).all() and (excess <= 2 + 1e-9).all()
        large = np.array(radii) >= 9
        assert (np.abs(excess[large]) <= 0.5 + 1e-9).all()  # a depth in mm is rounded to voxels


def test_only_margin_points_have_a_usual_depth():
    assert usual_depth_mm(SimulationOptions(), (0.5, 0.5, 3.0)) == (2.5, 2.5, 3.0)
    assert usual_depth_mm(SimulationOptions(depth_mm=2.0), (0.5, 0.5, 3.0)) == (2.0, 2.0, 2.0)
    assert usual_depth_mm(SimulationOptions(centre=True), (1.0, 1.0, 1.0)) is None


def test_json_keeps_the_depth_and_the_points(tmp_path):
    path = tmp_path / "a.json"
    write_prompts(path, [Prompt(1, POINTS, "tumour", depth_mm=(5.0, 2.5, 3.0))])
    assert json.loads(path.read_text())["depth_mm"] == [5.0, 2.5, 3.0]
    (read,) = read_prompts(path, LABELS)
    assert read.depth_mm == (5.0, 2.5, 3.0)
    np.testing.assert_allclose(read.points, POINTS)


def test_without_a_depth_files_are_what_they_were(tmp_path):
    path = tmp_path / "a.json"
    write_prompts(path, [Prompt(1, POINTS, "tumour")])
    assert set(json.loads(path.read_text())) == {"version", "type", "name", "points"}
    assert read_prompts(path, LABELS)[0].depth_mm is None


def test_several_objects_share_the_largest_depth_of_a_file(tmp_path):
    path = tmp_path / "a.json"
    first = Prompt(1, POINTS, "tumour", depth_mm=(5.0, 2.0, 3.0))
    second = Prompt(2, POINTS + 5, "oedema", depth_mm=(4.0, 5.0, 3.0))
    write_prompts(path, [first, second])
    assert {prompt.depth_mm for prompt in read_prompts(path, LABELS)} == {(5.0, 5.0, 3.0)}
    write_prompts(path, [first, replace(second, depth_mm=None)])
    assert {prompt.depth_mm for prompt in read_prompts(path, LABELS)} == {None}


@pytest.mark.parametrize(
    ("stated", "depth"), [(4, (4.0,) * 3), ([1, 2.5, 0], (1.0, 2.5, 0.0)), (None, None)]
)
@pytest.mark.parametrize("voxels", [False, True])
def test_a_depth_in_json(tmp_path, stated, depth, voxels):
    path, grid = tmp_path / "a.json", stored_grid((80, 80, 80), (1.0, 1.0, 1.0))
    points = [{"name": "tumour", "point": [20 + i, 30, 40 - i]} for i in range(6)]
    content = {"version": {"major": 1}, "type": "Multiple points", "points": points}
    path.write_text(json.dumps({**content, "depth_mm": stated}))
    image = (tmp_path / "image", grid) if voxels else None
    (prompt,) = read_prompts(path, LABELS, image=image, voxels=voxels)
    assert prompt.depth_mm == depth


@pytest.mark.parametrize(
    "stated", ["deep", -1, 1000, 1e400, True, [1, 2], [1, 2, None], [1, 2, 3, 4], {"R": 1}, []]
)
def test_a_wrong_depth_is_one_line_that_names_the_file(tmp_path, stated):
    path = tmp_path / "a.json"
    write_prompts(path, [Prompt(1, POINTS, "tumour")])
    path.write_text(json.dumps({**json.loads(path.read_text()), "depth_mm": stated}))
    with pytest.raises(DataError) as error:
        read_prompts(path, LABELS)
    assert str(error.value).startswith(f"{path}: has the depth_mm ")
    assert "expected a number of mm, or three (R, A, S)" in str(error.value)
    assert "\n" not in str(error.value)


DEEP = (5.0, 2.5, 3.0)


@pytest.fixture
def deep_file(tmp_path):
    """A file of two objects whose depth is known."""
    path = tmp_path / "a.json"
    first, second = (
        Prompt(value, POINTS + 3 * value, LABELS.names[value], depth_mm=DEEP) for value in (1, 2)
    )
    write_prompts(path, [first, second])
    return path


def rewritten(path, change, **more):
    """The prompts of a file after a change of its content."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return read_prompts(path, LABELS, **more)


def told(prompts):
    """The depths of prompts, and all of their notes."""
    return {prompt.depth_mm for prompt in prompts}, sum((each.notes for each in prompts), ())


def moved(content, number=0, by=0.01):
    content["points"][number]["point"][1] += by


@pytest.mark.parametrize(
    "change",
    [
        moved,
        lambda content: moved(content, 11, -25.0),
        lambda content: content["points"].pop(3),
        lambda content: content["points"].append({"name": "tumour", "point": [0, 0, 0]}),
        # one point on another: all that are there lie where one lay
        lambda content: content["points"][0].update(point=content["points"][1]["point"]),
        lambda content: content.update(depth_points=[]),
    ],
)
def test_the_depth_of_points_that_were_moved_is_ignored_and_this_is_noted(deep_file, change):
    assert told(read_prompts(deep_file, LABELS)) == ({DEEP}, ())
    assert told(rewritten(deep_file, change)) == ({None}, (MOVED,))


def rounded(content):
    for entry in content["points"]:
        entry["point"] = np.float32(np.round(entry["point"], 3)).tolist()


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["points"].reverse(),
        lambda content: content["points"].sort(key=lambda entry: entry["point"]),
        rounded,  # as another program writes them
        lambda content: content["points"].append({"name": "tumour+", "point": [1, 2, 3]}),
        lambda content: content["points"].insert(0, {"name": "oedema-", "point": [1, 2, 3]}),
        lambda content: content["points"].append({"name": "background", "point": [1, 2, 3]}),
    ],
)
def test_order_decimals_and_corrections_do_not_touch_the_depth(deep_file, change):
    assert told(rewritten(deep_file, change)) == ({DEEP}, ())


def test_a_depth_that_does_not_say_of_which_points_counts_for_any(deep_file):
    prompts = rewritten(deep_file, lambda content: content.pop("depth_points"))
    assert told(prompts) == ({DEEP}, ())
    assert told(rewritten(deep_file, moved)) == ({DEEP}, ())


def test_points_left_out_by_their_names_were_not_moved(deep_file):
    assert told(read_prompts(deep_file, LABELS, names={"oedema": ""})) == ({DEEP}, ())
    prompts = rewritten(deep_file, moved, names={"oedema": ""})
    assert told(prompts) == ({None}, (MOVED,))


def test_only_a_file_whose_own_points_were_moved_loses_its_depth(deep_file, tmp_path):
    other = tmp_path / "b.json"
    write_prompts(other, [Prompt(1, POINTS - 50, "tumour", depth_mm=(1.0,) * 3)])
    rewritten(deep_file, moved)
    prompts = read_prompts([deep_file, other], LABELS)
    assert [prompt.depth_mm for prompt in prompts] == [None, None, (1.0,) * 3]
    assert told(prompts)[1] == (f"a.json: {MOVED}",)


def test_the_corrections_of_a_written_prompt_are_no_margin_points(tmp_path):
    path = tmp_path / "a.json"
    clicks = (Correction((1.0, 2.0, 3.0), True), Correction((4.0, 2.0, 3.0), False))
    write_prompts(path, [Prompt(1, POINTS, "tumour", corrections=clicks, depth_mm=DEEP)])
    assert len(json.loads(path.read_text())["depth_points"]) == len(POINTS)
    assert told(read_prompts(path, LABELS)) == ({DEEP}, ())
    # taken back again
    assert told(rewritten(path, lambda content: content["points"].pop())) == ({DEEP}, ())


def test_moved_voxels(tmp_path):
    path, grid = tmp_path / "a.json", stored_grid((80, 80, 80), (1.0, 2.0, 0.5))
    at = [[20 + i, 30, 40 - i] for i in range(6)]
    points = [{"name": "tumour", "point": position} for position in at]
    path.write_text(json.dumps({"points": points, "depth_mm": 4, "depth_points": at[::-1]}))
    more = {"image": (tmp_path / "image", grid), "voxels": True}
    assert told(read_prompts(path, LABELS, **more)) == ({(4.0,) * 3}, ())
    assert told(rewritten(path, lambda content: moved(content, by=1), **more))[0] == {None}


@pytest.mark.parametrize("stated", ["here", 1, [[1, 2]], [1, 2, 3], [[1, 2, "x"]], {"a": 1}])
def test_wrong_positions_of_a_depth_are_one_line_that_names_the_file(deep_file, stated):
    with pytest.raises(DataError) as error:
        rewritten(deep_file, lambda content: content.update(depth_points=stated))
    assert str(error.value).startswith(f"{deep_file}: has ") and "\n" not in str(error.value)
    assert "expected a list of positions" in str(error.value)


def test_points_that_are_placed_anew_have_their_own_depth():
    prompt, grid, mask = simulated((20, 18, 16), (1.0, 1.0, 2.0), SimulationOptions(depth_mm=2.0))
    rng = np.random.default_rng(0)
    anew = perturb(prompt, Perturbation("other seeds", "anew"), mask, grid, rng)
    assert anew.depth_mm == (5.0, 5.0, 10.0)
    moved = perturb(prompt, Perturbation("moved", "moved", 1.0), mask, grid, rng)
    assert moved.depth_mm == prompt.depth_mm == (2.0, 2.0, 2.0)
