"""From six clicks to a saved outline, in a real browser."""

import nibabel
import numpy as np
import pytest

from interactivenet import Predictor
from tests.viewer.near_points import ask_near_points


def test_what_is_saved_is_what_the_predictor_makes_of_the_saved_points(
    driven, server, tmp_path, monkeypatch
):
    case = driven.fresh("tilted")
    points = server.points(case)
    driven.place(points)
    assert np.abs(np.array(driven.points) - points).max() < 2e-3
    driven.settle("full")
    first = driven.voxels()
    assert first

    driven.press("n")
    driven.click(np.mean(points, axis=0).tolist())
    driven.settle("full")
    assert driven.objects[0]["corrections"][0]["positive"] is False
    corrected = driven.voxels()
    assert corrected != first

    driven.press("Control+z")
    driven.settle("full")
    assert driven.voxels() == first
    driven.press("Control+y")
    driven.settle("full")

    shown = driven.voxels()
    assert "not saved" in driven.page.inner_text("#case-name")
    driven.press("Control+s")
    driven.until("document.getElementById('messages').textContent.startsWith('Saved')")
    driven.until("!work.annotation.unsaved")

    saved = nibabel.load(server.output / f"{case}.nii.gz")
    file = server.output / "points" / f"{case}.json"
    image = server.images / f"{case}.nii.gz"
    ask_near_points(monkeypatch)
    expected = Predictor("starter").segment(image, file)
    again = nibabel.load(expected.save(tmp_path / "again.nii.gz"))
    np.testing.assert_array_equal(np.asarray(saved.dataobj), np.asarray(again.dataobj))
    np.testing.assert_array_equal(saved.affine, nibabel.load(image).affine)
    assert np.count_nonzero(np.asarray(saved.dataobj)) == shown
    assert file.is_file()


def test_a_click_is_at_the_place_that_the_affine_says(driven, server):
    case = driven.fresh("tilted")
    image = nibabel.load(server.images / f"{case}.nii.gz")
    for plane, index in enumerate(((20, 30, 15), (41, 17, 30), (11, 44, 22))):
        mm = (image.affine @ [*index, 1])[:3]
        driven.click(mm.tolist(), plane)
        placed = np.array(driven.points[-1])
        found = np.linalg.inv(image.affine) @ [*placed, 1]
        # a pixel of the screen is less than a third of a voxel here
        assert np.abs(found[:3] - index).max() < 0.35


def test_two_objects_and_a_point_deleted(driven, server):
    case = driven.fresh("tilted")
    driven.place(server.points(case, 0))
    driven.page.click("#new-object")
    driven.until("document.getElementById('guide').textContent.includes('0 of 6')")
    driven.place(server.points(case, 1))
    assert len(driven.objects) == 2
    assert driven.voxels(1) and driven.voxels(2)
    driven.page.wait_for_selector("path.outline")
    driven.settle("full")
    both = driven.voxels(1)

    driven.press(".")
    driven.page.click("#delete-point")
    driven.settle("full")
    assert driven.voxels(2) == 0
    assert driven.voxels(1) == both
    driven.until("document.getElementById('guide').textContent.includes('5 of 6')")


def test_a_point_is_moved_by_dragging_it(driven, server):
    _, points = driven.outlined("straight", "full")
    before = driven.voxels()
    # in the coronal plane: what a move there does to this outline is plain
    right, _, up = np.mean(points, axis=0).tolist()
    driven.page.mouse.move(*driven.pixel(points[0], plane=1))
    driven.page.mouse.down()
    x, y = driven.pixel([right, points[0][1], up], plane=1)
    driven.page.mouse.move(x, y, steps=4)
    driven.page.mouse.up()
    driven.settle("full")
    moved = driven.points
    assert moved[0] != pytest.approx(points[0], abs=0.5)
    np.testing.assert_allclose(moved[1:], points[1:], atol=2e-3)
    assert driven.voxels() != before
    driven.press("Control+z")
    driven.settle("full")
    assert driven.voxels() == before


def test_the_brush_is_saved_and_can_be_undone(driven, server):
    case, points = driven.outlined("straight", "full")
    before = driven.voxels()
    _stroke(driven, np.mean(points, axis=0).tolist(), 60, 30)
    driven.settle("full")
    painted = driven.voxels()
    assert painted > before
    driven.until("work.answer.objects[0].made_by === 'brush'")

    driven.press("Control+z")
    driven.settle("full")
    assert driven.voxels() == before
    driven.press("Control+y")
    driven.settle("full")
    assert driven.voxels() == painted
    driven.press("l", ".", "Delete")  # an object without an outline
    driven.settle()
    assert driven.voxels() == 0
    driven.press("Control+z")
    driven.settle("full")
    assert driven.voxels() == painted
    driven.press("Control+s")
    driven.until("!work.annotation.unsaved")
    saved = nibabel.load(server.output / f"{case}.nii.gz")
    assert np.count_nonzero(np.asarray(saved.dataobj)) == painted


def test_what_is_painted_later_covers_what_was_painted(driven, server):
    case = driven.fresh("tilted")
    for number in (0, 1):
        driven.page.click("#new-object") if number else None
        driven.place(server.points(case, number))
    driven.settle("full")
    place = np.mean(server.points(case, 1), axis=0).tolist()
    for key, right, down in (("j", 30, 0), ("k", 0, 30), ("j", 25, 25)):  # the first one last, too
        driven.press(key)
        _stroke(driven, place, right, down)
        shown = driven.voxels(1), driven.voxels(2)
        driven.settle("full")
        assert (driven.voxels(1), driven.voxels(2)) == shown
    driven.press("Control+z", "Control+z", "Control+y", "Control+y")
    driven.settle("full")
    assert (driven.voxels(1), driven.voxels(2)) == shown
    driven.press("Control+s")
    driven.until("!work.annotation.unsaved")
    saved = np.asarray(nibabel.load(server.output / f"{case}.nii.gz").dataobj)
    objects = server.output / "objects" / f"{case}.nii.gz"
    if objects.exists():
        saved = np.asarray(nibabel.load(objects).dataobj)
    assert (np.count_nonzero(saved == 1), np.count_nonzero(saved == 2)) == shown


def _stroke(driven, mm, right, down):
    """Paint in the axial plane, from a place on."""
    driven.press("b")
    x, y = driven.pixel(mm)
    driven.page.mouse.move(x, y)
    driven.page.mouse.down()
    driven.page.mouse.move(x + right, y + down, steps=5)
    driven.page.mouse.up()


def test_keys_alone(driven, server):
    page, case = driven.page, server.take("straight")
    driven.press("c")
    names = [each.inner_text() for each in page.query_selector_all(".case .name")]
    for _ in range(names.index(case)):
        driven.press("ArrowDown")
    driven.press("Enter")
    driven.until("work.annotation && document.activeElement.id === 'layers'")
    for point in server.points(case):
        _walk(driven, point)
        driven.press("Enter")
    driven.settle("full")
    np.testing.assert_allclose(driven.points, server.points(case), atol=2e-3)
    before = driven.voxels()
    assert before
    driven.press("n")
    _walk(driven, np.mean(server.points(case), axis=0))
    driven.press("Enter")
    driven.settle("full")
    assert driven.voxels() != before
    driven.press("?")
    assert "Keys and mouse" in page.inner_text("#help")
    driven.press("Escape")
    driven.press("Control+s")
    driven.until("!work.annotation.unsaved")
    driven.press("x")
    driven.until(f"work.entry?.name !== '{case}' && work.annotation")


def _walk(driven, mm):
    """To the voxel of a place by arrows and slices: 1 is the axial plane, with R on the left."""
    there = driven.value(f"view.voxelOf({[float(each) for each in mm]})")
    here = driven.value("view.voxelOf(view.cross)")
    keys = (("ArrowLeft", "ArrowRight"), ("ArrowUp", "ArrowDown"), ("PageUp", "PageDown"))
    for (more, less), goal, start in zip(keys, there, here, strict=True):
        steps = round(goal) - round(start)
        driven.press(*[more if steps > 0 else less] * abs(steps))
