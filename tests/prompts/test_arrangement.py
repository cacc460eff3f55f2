"""Points that lie outside, far from the others, or twice in one place, are named."""

import re
from dataclasses import replace

import numpy as np
import pytest

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import read_label
from interactivenet.prompts.arrangement import (
    check_inside,
    describe_outside,
    doubled_points,
    far_point,
    outside_mm,
)
from interactivenet.prompts.checks import arrangement_doubts, check_prompt, prompt_notes
from interactivenet.prompts.corrections import BACKGROUND, Correction
from interactivenet.prompts.prompt import Prompt
from interactivenet.prompts.prompt_objects import PromptObjects
from interactivenet.prompts.simulation import SimulationOptions, draw_points, find_objects
from tests.sample_cases import ellipsoid

#: LPS on disk, 2 x 2 x 3 mm, all of it where x and y are negative
GRID = Geometry((20, 20, 10), np.array([[-2.0, 0, 0, -10], [0, -2, 0, -10], [0, 0, 3, 30],
                                        [0, 0, 0, 1]]))  # fmt: skip
NAMES = tuple(f"F-{number}" for number in range(1, 7))
INSIDE = np.array([[-30, -26, 42], [-20, -27, 43], [-25, -32, 41], [-26, -20, 44],
                   [-25, -26, 36], [-24, -25, 51.0]])  # fmt: skip
IN_PLANE = np.array([[0, 0, 40]] * 5 + [[5, 0, 40]])


def named(points, **more):
    return Prompt(1, points, point_names=NAMES[: len(points)], **more)


def test_points_inside_are_not_spoken_of():
    assert describe_outside(named(INSIDE), GRID) == ""
    check_inside(named(INSIDE), GRID)
    assert (
        prompt_notes([named(INSIDE)], GRID) == () and arrangement_doubts(named(INSIDE), GRID) == []
    )


def test_a_point_outside_is_named_with_its_distance():
    points = INSIDE.copy()
    points[2] = (-25, -26, 28.5 - 12.3)  # the first voxel begins at 28.5
    message = describe_outside(named(points), GRID)
    assert message == "F-3 at (-25, -26, 16.2) mm (RAS) lies 12.3 mm outside the image"
    with pytest.raises(DataError, match=r"^F-3 at .* outside the image; the image has shape 20x20"):
        check_inside(named(points), GRID)
    # 3 mm and 4 mm beyond a corner are 5 mm
    points[4] = (-9 + 3, -9 + 4, 40)
    np.testing.assert_allclose(outside_mm(points, GRID)[[2, 4]], [12.3, 5])
    message = describe_outside(named(points), GRID)
    assert "F-3 at" in message and "F-5 at" in message and "lie up to 12.3 mm" in message
    assert describe_outside(Prompt(1, points), GRID).startswith("point 3 at")


def test_swapped_signs_are_recognised_where_they_bring_all_inside():
    turned = INSIDE * [-1, -1, 1]
    assert "LPS and RAS were mistaken for each other" in describe_outside(named(turned), GRID)
    turned[0, 2] = 500
    assert "mistaken" not in describe_outside(named(turned), GRID)
    some = INSIDE.copy()
    some[0] = (20, 20, 40)  # one point outside is a slip, not a coordinate system
    assert "mistaken" not in describe_outside(named(some), GRID)


def test_voxel_indices_are_recognised():
    voxels = np.array([[3, 4, 5], [12, 4, 5], [7, 1, 4], [8, 18, 5], [7, 7, 1], [7, 8, 9.0]])
    for points in (voxels, voxels * [-1, -1, 1]):
        message = describe_outside(named(points), GRID)
        assert "as voxel indices they all lie inside" in message, message
        assert "`convert_prompts(voxels_in=True)`" in message
    assert "voxel indices" not in describe_outside(named(voxels + 0.25), GRID)
    assert "voxel indices" not in describe_outside(named(voxels + 15), GRID)


def corrected(*clicks, points=INSIDE, name=""):
    """An object with corrections, as (sign, voxel on the stored grid)."""
    corrections = tuple(
        Correction(GRID.voxel_to_world([voxel])[0], sign == "+", name and f"{name}{sign}-{number}")
        for number, (sign, voxel) in enumerate(clicks, start=1)
    )
    return named(points, corrections=corrections)


def test_a_correction_outside_is_named_with_its_distance():
    prompt = corrected(("+", (4, 4, 4)), ("-", (4, 4, -2.5)))
    message = "correction -2 at (-18, -18, 22.5) mm (RAS) lies 6.0 mm outside the image"
    assert describe_outside(prompt, GRID) == message
    with pytest.raises(DataError, match=r"^correction -2 at .* lies 6.0 mm outside the image; the"):
        check_inside(prompt, GRID)
    assert findings(prompt) == [("error", f"prompt of label 1: {message}")]
    assert "F--2 at" in describe_outside(
        corrected(("+", (4, 4, 4)), ("-", (4, 4, 11)), name="F"), GRID
    )
    both = corrected(("+", (30, 4, 4)), points=np.vstack([INSIDE[:5], INSIDE[5] + 100]))
    assert "F-6 at" in describe_outside(both, GRID) and "+1 at" in describe_outside(both, GRID)


def test_swapped_signs_are_recognised_with_corrections_alike():
    turned = Correction(GRID.voxel_to_world([[4, 4, 4]])[0] * [-1, -1, 1], True)
    prompt = named(INSIDE * [-1, -1, 1], corrections=(turned,))
    assert "LPS and RAS were mistaken for each other" in describe_outside(prompt, GRID)
    inside = Correction(GRID.voxel_to_world([[4, 4, 4]])[0], True)
    assert "mistaken" not in describe_outside(replace(prompt, corrections=(inside,)), GRID)


def test_a_voxel_is_not_both_object_and_not():
    near = (4.4, 3.6, 4.49)
    prompt = corrected(("+", (4, 4, 4)), ("-", (7, 4, 4)), ("-", near))
    message = (
        "correction +1 and correction -3 lie in one voxel, one positive and the other negative:"
        " remove one of them"
    )
    with pytest.raises(DataError, match="^" + re.escape(message)):
        check_inside(prompt, GRID)
    assert findings(prompt) == [("error", f"prompt of label 1: {message}")]
    assert "F--1 and F+-2 lie" in findings(corrected(("-", near), ("+", near), name="F"))[0][1]
    background = Correction(GRID.voxel_to_world([near])[0], False, BACKGROUND)
    prompt = replace(prompt, corrections=(background, prompt.corrections[0]))
    assert "background point 1 and correction +2 lie in one voxel" in findings(prompt)[0][1]
    # neighbours, and two objects, do not contradict each other
    check_inside(corrected(("+", (4, 4, 4)), ("-", (4.6, 4, 4))), GRID)
    many = [(sign, (number, 4, 4)) for number in range(6) for sign in "+-"]
    assert (
        "correction +5 and correction -6 lie in one voxel (and 3 more pairs)"
        in (findings(corrected(*many))[0][1])
    )


def test_between_two_voxels_the_grid_along_ras_decides():
    """As where clicks are applied: else one of two would be silently unheeded."""
    grid = Geometry((10, 9, 8), np.diag([-1.0, 1, 1, 1]))
    place = grid.voxel_to_world([[2.5, 4, 4], [3, 4, 4], [2, 4, 4]])
    assert (grid.ras.nearest_voxel(place)[:, 0] == [6, 6, 7]).all()
    between, same, neighbour = map(tuple, place.tolist())
    middle = grid.voxel_to_world([[5, 5, 5]])
    both = (Correction(between, True), Correction(same, False))
    with pytest.raises(DataError, match=r"correction \+1 and correction -2 lie in one voxel"):
        check_inside(Prompt(1, middle, corrections=both), grid)
    check_inside(replace(Prompt(1, middle), corrections=(both[0], Correction(neighbour, False))),
                 grid)  # fmt: skip


def test_one_voxel_for_two_objects_is_a_note():
    first, other = corrected(("+", (5, 5, 5))), corrected(("+", (5, 5, 5)), ("+", (7, 5, 5)))
    (note,) = prompt_notes([first, other], GRID)
    assert note == (
        "objects 1 and 2 have a positive correction in one voxel, which is given to object 2: which"
        " of the two is meant?"
    )
    assert prompt_notes([first, corrected(("+", (7, 5, 5)), ("-", (5, 5, 5)))], GRID) == ()


def test_a_correction_that_is_there_twice_is_a_warning():
    prompt = corrected(("+", (4, 4, 4)), ("-", (7, 4, 4)), ("+", (4.3, 4, 4)), ("+", (4, 4, 4)))
    check_inside(prompt, GRID)
    note = (
        "correction +1 and correction +3, correction +1 and correction +4 lie in one voxel: was"
        " one placed twice?"
    )
    assert findings(prompt) == [("warning", f"prompt of label 1: {note}")]
    assert prompt_notes([prompt, prompt], GRID).count(note) == 1
    assert arrangement_doubts(prompt, GRID) == []  # no reason to look at the object first


def test_a_negative_correction_on_a_point_of_the_object_is_a_warning():
    voxel = GRID.world_to_voxel(INSIDE[2:3])[0]
    note = (
        "correction -2, which is negative, lies in one voxel with F-3: which of the two is meant?"
    )
    prompt = corrected(("+", voxel + 2), ("-", voxel))
    assert findings(prompt) == [("warning", f"prompt of label 1: {note}")]
    assert findings(corrected(("+", voxel))) == []


def test_many_points_outside_are_counted():
    points = np.arange(60.0).reshape(20, 3) + 500.5
    assert "and 14 more lie up to" in describe_outside(Prompt(1, points), GRID)


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("direction", [(1, 0, 0), (0, -1, 0), (0, 0, 1), (0.6, 0, 0.8)])
def test_a_point_six_centimetres_off_is_named(number, direction):
    points = INSIDE.copy()
    points[number] += 60 * np.array(direction)
    found, distance = far_point(named(points))
    assert found == number and 40 < distance < 80
    affine = np.diag([1.0, 1, 1, 1])
    affine[:3, 3] = -100
    big = Geometry((220, 220, 220), affine)
    (note,) = arrangement_doubts(named(points), big)
    assert f"F-{number + 1} lies {distance:.1f} mm from the nearest" in note


@pytest.mark.parametrize("radii", [(40, 5, 5), (5, 5, 45), (40, 40, 40), (45, 8, 45), (2, 2, 2)])
@pytest.mark.parametrize("spacing", [(1.0, 1, 1), (1, 1, 4)])
def test_large_and_long_objects_have_no_far_point(radii, spacing):
    mask = ellipsoid(np.array(radii) * 2 + 3, np.array(radii) + 1, np.array(radii) + 0.01)
    (labelled,) = find_objects(mask, per_component=False, largest_only=False)
    rng = np.random.default_rng(0)
    for _ in range(15):
        points = draw_points(labelled, spacing, SimulationOptions(), rng) * spacing
        assert far_point(named(points)) is None


def test_the_end_of_something_long_is_not_far():
    rod = np.array([[0, 0, 0], [2, 0, 10], [-2, 0, 30], [0, 2, 20], [0, -2, 5], [0, 0, 100.0]])
    assert far_point(named(rod)) is None
    rod[5] = (100, 0, 15)  # but across it
    assert far_point(named(rod))[0] == 5


def test_of_few_points_or_close_ones_none_is_far():
    assert far_point(named(np.array([[0, 0, 0], [1, 0, 0], [500.0, 0, 0]]))) is None
    tiny = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [12.0, 0, 0]])
    assert far_point(named(tiny)) is None


FOLDERS = {
    "hippocampus_mr": 40, "sarcoma_mr_ct": 6, "tumour_singles": 3, "brain_tumour_mr": 1,
    "multiorgan_ct_lowres": 1, "vertebra_pir": 2,
}  # fmt: skip


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_simulated_point_of_a_real_object_is_far_or_doubled(shared_data, folder):
    paths = sorted(shared_data(f"{folder}/labels").iterdir())
    checked = 0
    for path in paths[:: max(1, len(paths) // FOLDERS[folder])]:
        volume = read_label(path)
        grid = volume.grid
        for value in np.unique(volume.array)[1:]:
            objects = find_objects(volume.array[0] == value, per_component=True, largest_only=False)
            for labelled in objects[:3]:
                rng = np.random.default_rng(1)
                for _ in range(2):
                    drawn = draw_points(labelled, grid.spacing, SimulationOptions(), rng)
                    prompt = Prompt(int(value), grid.voxel_to_world(drawn))
                    assert far_point(prompt) is None, (path, value)
                    assert not doubled_points(prompt, grid)
                    checked += 1
    assert checked > 2


@pytest.mark.parametrize("shift", [(0, 0, 0), (1.9, 0, 0), (-1.5, 1.5, 2.9)])
def test_a_doubled_point_is_named(shift):
    points = INSIDE.copy()
    points[3] = points[1] + shift
    assert doubled_points(named(points), GRID) == [(1, 3)]
    (note,) = arrangement_doubts(named(points), GRID)
    assert "F-2 and F-4 lie within a voxel of each other" in note


@pytest.mark.parametrize("shift", [(2, 0, 0), (0, -2, 0), (0, 0, 3), (0.5, 0.5, 3.2)])
def test_points_in_neighbouring_voxels_are_two(shift):
    points = INSIDE.copy()
    points[3] = points[1] + shift
    assert doubled_points(named(points), GRID) == []


def findings(prompt, margin=True, remedy=""):
    found = []
    check_prompt(
        prompt, GRID, PromptObjects(None), lambda *each: found.append(each), margin, remedy
    )
    return found


def test_doubts_are_warnings_of_the_check():
    points = INSIDE.copy()
    points[3] = points[1]
    told = findings(named(points, notes=("F-7 was left out",)))
    assert [level for level, _ in told] == ["warning", "warning"]
    assert told[0][1] == "F-7 was left out" and "F-2 and F-4" in told[1][1]
    ((level, message),) = findings(named(points - 500))
    assert level == "error" and message.startswith("prompt of label 1: F-1 at")


def test_a_note_that_several_objects_share_is_told_once():
    one = named(INSIDE, notes=("F-7 was left out",))
    assert prompt_notes([one, one], GRID) == ("F-7 was left out",)


@pytest.mark.parametrize("points", [INSIDE[:5], INSIDE * [1, 1, 0] + IN_PLANE])
def test_the_remedy_is_named_where_there_is_one(points):
    ((level, message),) = findings(named(points), remedy="`any_points=True` takes them")
    assert level == "error" and message.endswith("; `any_points=True` takes them")
    ((level, message),) = findings(named(points), margin=False, remedy="`any_points=True`")
    assert level == "warning" and "any_points" not in message
