"""What somebody meets who uses the page for the first time, as they would expect it."""

import json

import nibabel
import numpy as np
import pytest

SLICE = "view.slice(0).index"
WIDE = {"width": 1400, "height": 900}


@pytest.mark.parametrize("notch", [53, 100, 120])
def test_a_notch_of_the_wheel_is_a_slice(driven, notch):
    driven.fresh("straight")
    start = driven.value(SLICE)
    driven.page.mouse.move(*driven.pixel(driven.value("view.cross")))
    for turned in range(1, 4):
        driven.page.mouse.wheel(0, notch)
        driven.until(f"{SLICE} === {start - turned}")
    driven.page.mouse.wheel(0, -notch)
    driven.until(f"{SLICE} === {start - 2}")


def test_the_little_steps_of_a_touch_pad_add_up(driven):
    driven.fresh("straight")
    start = driven.value(SLICE)
    driven.page.mouse.move(*driven.pixel(driven.value("view.cross")))
    for _ in range(13):
        driven.page.mouse.wheel(0, 10)
    driven.until(f"{SLICE} === {start - 2}")


def test_a_point_can_be_placed_where_another_object_has_one(driven, server):
    case = driven.fresh("straight")
    points = server.points(case)
    driven.place(points)
    driven.press("o")
    driven.until("work.tool === 'points'")
    driven.click(points[0])
    driven.until("work.annotation.active.points.length === 1")
    assert len(driven.objects) == 2
    driven.click(points[0])  # its own point is selected, and none placed on it
    driven.until("work.selection.mark")
    assert len(driven.points) == 1


def test_what_is_saved_in_a_hurry_is_what_is_shown_then(driven, server):
    case = driven.fresh("tilted")
    driven.place(server.points(case))
    driven.press("Control+s")
    driven.until("document.getElementById('messages').textContent.startsWith('Saved to')")
    assert driven.value("work.answer.quality") == "full"
    saved = np.asarray(nibabel.load(server.output / f"{case}.nii.gz").dataobj)
    assert np.count_nonzero(saved) == driven.voxels()
    assert driven.says.startswith(f"Saved to {server.output.name}.")
    header = "document.getElementById('case-name').innerText"
    driven.until(f"/saved/.test({header}) && !/not saved/.test({header})")


def test_a_case_keeps_its_place_in_the_list(driven, server):
    case = driven.fresh("straight")
    names = "[...document.querySelectorAll('.case .name')].map((each) => each.textContent)"
    before = driven.value(names)
    driven.place(server.points(case))
    driven.press("Control+s")
    driven.until("document.querySelector('.case[aria-current] .status').textContent === 'outlined'")
    assert driven.value(names) == before
    driven.page.set_viewport_size({"width": 1280, "height": 400})
    driven.press("x")
    driven.until(f"work.annotation && work.entry.name !== '{case}'")
    box = "document.querySelector('.case[aria-current]')?.getBoundingClientRect()"
    driven.until(f"(({{top, bottom}}) => 0 < top && bottom < 400)({box} ?? {{}})")


def test_points_that_were_given_up_are_not_in_the_list(driven, server):
    case = driven.fresh("straight")
    driven.click(server.points(case)[0])
    driven.settle()
    driven.page.reload()
    driven.until("window.interactivenet && document.querySelector('.case')")
    assert "points" not in driven.page.inner_text(f".case:has-text('{case}')")


def test_a_file_that_is_no_image_is_refused_by_its_name(driven, tmp_path):
    cases = driven.page.locator(".case").count()
    (tmp_path / "letter.txt").write_text("Dear colleague")
    driven.page.set_input_files("#files", str(tmp_path / "letter.txt"))
    driven.until("document.getElementById('messages').textContent.includes('letter.txt')")
    (tmp_path / "cut.nii.gz").write_bytes(b"cut")
    driven.page.set_input_files("#files", str(tmp_path / "cut.nii.gz"))
    driven.until("document.getElementById('messages').textContent.includes('cut.nii.gz')")
    assert driven.page.locator(".case").count() == cases


def test_a_scan_that_was_added_is_opened(driven, server, tmp_path):
    scan = tmp_path / "brought.nii.gz"
    scan.write_bytes((server.images / "straight_00.nii.gz").read_bytes())
    driven.page.set_input_files("#files", str(scan))
    driven.until("work.annotation && work.entry.name.startsWith('brought')")


def test_no_letter_of_a_plane_is_below_its_buttons(driven):
    driven.page.set_viewport_size(WIDE)
    driven.fresh("straight")
    driven.until("document.querySelectorAll('.letter').length === 12")
    boxes = "(what) => [...document.querySelectorAll(what)].map((each) => {"
    boxes += " const { left, right, top, bottom } = each.getBoundingClientRect();"
    boxes += " return [left, right, top, bottom]; })"
    bars = driven.page.evaluate(boxes, ".plane-bar")
    letters = driven.page.evaluate(boxes, ".letter")
    assert len(bars) == 3 and len(letters) == 12
    for left, right, top, bottom in bars:
        for west, east, north, south in letters:
            assert west >= right or east <= left or north >= bottom or south <= top


def test_without_a_folder_saving_is_a_download_once(driven, server):
    def without_folder(route):
        answer = route.fetch().json()
        route.fulfill(body=json.dumps({**answer, "saves_to": "download"}))

    driven.page.route("**/api/sessions", without_folder)
    case = driven.fresh("straight")
    assert not driven.page.is_visible("#download")
    driven.place(server.points(case))
    with driven.page.expect_download() as downloading:
        driven.page.click("#save")
    assert downloading.value.suggested_filename == f"{case}.zip"
    driven.until("document.querySelector('.case[aria-current]').textContent.includes('downloaded')")
    next_case = driven.value("window.interactivenet.cases.after(work.entry.id).name")
    assert next_case != case
    driven.press("x")
    driven.until(f"work.annotation && work.entry.name === '{next_case}'")
    last = "window.interactivenet.cases.after(work.entry.id)?.name"
    assert driven.value(last) != case
