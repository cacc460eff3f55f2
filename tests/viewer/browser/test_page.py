"""What the page says and keeps when something is not as it should be, and how it looks."""

import numpy as np
import pytest

from interactivenet.prompts.io import read_prompts
from tests.viewer.browser.conftest import ARGUMENTS, chromium

NARROW = {"width": 768, "height": 1024}


def test_a_case_that_cannot_be_opened_is_named_with_its_reason(driven):
    driven.page.click(".case:has-text('broken')")
    driven.until("document.getElementById('messages').textContent.includes('broken')")
    assert len(driven.says) > 30
    assert driven.value("!work.annotation")


def test_a_server_that_does_not_answer_is_said_and_nothing_is_lost(driven, server):
    case = driven.fresh("straight")
    points = server.points(case)
    for point in points[:3]:
        driven.click(point)
    driven.settle()
    driven.page.route("**/objects", lambda route: route.abort())
    driven.click(points[3])
    driven.until("document.getElementById('messages').textContent.includes('does not answer')")
    assert len(driven.points) == 4
    driven.page.unroute("**/objects")
    driven.page.click("#messages button:has-text('Try again')")
    driven.settle()
    driven.until("work.answer.objects[0].placed === 4")


def test_a_session_that_has_ended_is_opened_again(driven, server):
    case = driven.fresh("straight")
    driven.page.evaluate("() => window.interactivenet.work.session.close()")
    driven.place(server.points(case))
    driven.until("work.map")
    assert driven.voxels()


def test_after_a_restart_of_the_server_the_work_goes_on(driven, server):
    case = driven.fresh("straight")
    points = server.points(case)
    for point in points[:5]:
        driven.click(point)
    driven.settle()
    # a new server knows neither the session nor the case's id
    driven.page.evaluate("""() => {
      const { work } = window.interactivenet;
      work.entry = { ...work.entry, id: "of-another-server" };
      return work.session.close();
    }""")
    driven.click(points[5])
    driven.until("work.map")
    assert driven.voxels() and len(driven.points) == 6
    driven.until("document.querySelector('.case[aria-current]')")
    assert driven.page.inner_text(".case[aria-current] .name") == case


def test_what_was_saved_comes_back(driven, server):
    case = driven.fresh("straight")
    points = server.points(case)
    driven.place(points)
    driven.press("Control+s")
    driven.until("!work.annotation.unsaved")
    driven.fresh("straight")
    driven.open(case)
    driven.until("work.map")
    np.testing.assert_allclose(driven.points, points, atol=2e-3)
    assert "outlined" in driven.page.inner_text(".case[aria-current]")


def test_leaving_unsaved_work_asks(driven, server):
    case = driven.fresh("straight")
    driven.click(server.points(case)[0])
    other = server.take("straight")
    driven.page.click(f".case:has-text('{other}')")
    question = driven.page.wait_for_selector("#question[open]")
    assert case in question.inner_text() and "not saved" in question.inner_text()
    driven.press("Escape")
    assert driven.value("work.entry.name") == case and len(driven.points) == 1
    driven.page.click(f".case:has-text('{other}')")
    driven.page.click("#answers button:has-text('without')")
    driven.until(f"work.annotation && work.entry.name === '{other}'")


def test_a_closed_scan_is_freed(driven):
    driven.fresh("straight")
    driven.page.evaluate("() => { window.before = window.interactivenet.view.volume; }")
    driven.fresh("straight")
    assert driven.value("window.before.img === null && view.nv.volumes.length === 1")


def test_windows_of_a_ct(driven):
    driven.fresh("tilted")
    assert driven.value("view.window") == [-160, 240]
    driven.press("w")
    driven.until("view.window[0] === -1350 && view.window[1] === 150")
    driven.fresh("straight")
    presets = "[...document.querySelectorAll('#display select')[1].options].map(({text}) => text)"
    driven.until(f"{presets}.join() === 'Automatic'")


def test_outlines_can_be_filled_and_hidden(driven, server):
    case = driven.fresh("straight")
    driven.place(server.points(case))
    path = driven.page.wait_for_selector("path.outline")
    assert path.get_attribute("fill") == "none"
    driven.press("f")
    driven.until("document.querySelector('path.outline').getAttribute('fill') !== 'none'")
    driven.press("h")
    driven.until("!document.querySelector('path.outline')")


def test_it_fits_a_tablet(driven):
    driven.page.set_viewport_size(NARROW)
    assert not driven.page.is_visible("#cases")
    driven.page.click("#cases-button")
    driven.fresh("straight")
    driven.until("!document.body.classList.contains('drawer')")
    overflows = "document.documentElement.scrollWidth > innerWidth"
    assert not driven.value(overflows)
    for button in driven.page.query_selector_all("header button, #tools button"):
        if box := button.bounding_box():
            assert box["x"] >= 0 and box["x"] + box["width"] <= NARROW["width"]


def test_everything_that_can_be_pressed_has_a_name(driven):
    driven.fresh("straight")
    named = """() => [...document.querySelectorAll("button, input, select")].filter((each) =>
      !(each.textContent.trim() || each.title || each.ariaLabel || each.labels?.length))
      .map((each) => each.outerHTML)"""
    assert driven.page.evaluate(named) == []


def test_without_webgl2_the_page_says_so(server, browser):
    arguments = [ARGUMENTS[0], ARGUMENTS[-1], "--disable-gpu", "--disable-3d-apis"]
    other = browser.browser_type.launch(executable_path=chromium(), args=arguments)
    page = other.new_page()
    page.goto(server.address)
    page.wait_for_selector("#welcome:has-text('WebGL 2')")
    assert "hardware acceleration" in page.inner_text("#welcome")
    other.close()


def test_nothing_passes_for_saved_that_the_server_does_not_have(driven, server):
    case, points = driven.outlined("straight", "full")
    driven.page.route("**/objects", lambda route: route.abort())
    driven.press("n")
    driven.click(np.mean(points, axis=0).tolist())
    driven.until("document.getElementById('messages').textContent.includes('does not answer')")
    driven.page.click("#messages button:has-text('Close')")
    assert "does not answer" not in driven.says
    driven.press("Control+s")  # the server would save what it has: without the correction
    driven.until("document.getElementById('messages').textContent.includes('does not answer')")
    assert driven.value("work.annotation.unsaved")
    assert not (server.output / f"{case}.nii.gz").exists()
    driven.page.unroute("**/objects")
    driven.press("Control+s")
    driven.until("!work.annotation.unsaved")
    (prompt,) = read_prompts(server.output / "points" / f"{case}.json")
    assert len(prompt.corrections) == 1


@pytest.mark.parametrize("known_as", ["work.entry.id", "'of a server before'"])
def test_what_is_open_no_longer_is_opened_again_to_be_saved(driven, server, known_as):
    case, _ = driven.outlined("straight", "full")
    driven.page.evaluate(
        "() => { const { work } = window.interactivenet;"
        f" work.entry = {{ ...work.entry, id: {known_as} }}; return work.session.close(); }}"
    )
    driven.press("Control+s")
    driven.until("!work.annotation.unsaved")
    assert (server.output / f"{case}.nii.gz").exists()


def test_the_scan_that_is_shown_is_the_one_that_is_outlined(driven, server):
    case, _ = driven.outlined("straight", "full")
    image = server.images / f"{case}.nii.gz"
    image.write_bytes(image.read_bytes())  # perhaps another scan of this name
    driven.page.evaluate("() => window.interactivenet.work.session.close()")
    driven.press("Control+s")
    driven.until("document.getElementById('messages').textContent.includes('have changed')")
    assert driven.value("work.annotation.unsaved")
    assert not (server.output / f"{case}.nii.gz").exists()


def test_a_drag_that_is_broken_off_takes_nothing_back(driven, server):
    case = driven.fresh("straight")
    points = server.points(case)
    for point in points[:2]:
        driven.click(point)
    for number in (0, 1):
        x, y = driven.pixel(driven.points[number])
        driven.page.mouse.move(x, y)
        driven.page.mouse.down()
        driven.page.mouse.move(x + 20, y + 10, steps=3)
        driven.page.evaluate(
            "() => document.getElementById('layers').dispatchEvent(new PointerEvent("
            "'pointercancel', {pointerId: 1}))"
        )
        driven.page.mouse.up()
    moved = np.abs(np.subtract(driven.points, points[:2])).max(axis=1)
    assert (moved > 1).all()


def test_a_brush_paints_in_the_slice_that_is_shown(driven, server):
    _, points = driven.outlined("tilted", "full")
    driven.page.route("**/brush*", lambda route: route.abort())
    driven.press("b")
    # on the border of two slices, where a thousandth of a millimetre would decide
    across = driven.value("view.shape[2]")
    x, y = driven.pixel(np.mean(points, axis=0).tolist())
    index = driven.value("view.slice(0).index")
    driven.page.evaluate(
        "() => { const { view } = window.interactivenet;"
        " view.nv.scene.crosshairPos[2] = 1; view.draw(); }"
    )
    assert driven.value("view.slice(0).index") == across - 1 != index
    driven.page.mouse.click(x, y)
    driven.until(f"work.map.boxes.get(1)[2][1] === {across - 1}")


def test_the_scan_that_is_shown_is_the_one_that_was_chosen_last(driven, server):
    first, second = server.take("tilted"), server.take("straight")
    held = {}

    def image(route):
        if held:
            route.continue_()
        else:
            held.update(image=route, answer=route.fetch())

    def session(route):
        held["session"] = route

    driven.page.route("**/images/0", image)
    driven.page.click(f".case:has-text('{first}')")
    _wait_for(driven, held, "image")
    driven.page.route("**/api/sessions", session, times=1)
    driven.page.click(f".case:has-text('{second}')")
    _wait_for(driven, held, "session")
    held["image"].fulfill(response=held["answer"])  # of the case that was left
    driven.page.wait_for_timeout(500)  # it has come
    held["session"].continue_()
    driven.until(f"work.annotation && work.entry.name === '{second}'")
    assert driven.value("view.shape.join() === work.opened.images[0].shape.join()")
    assert driven.value("work.images.size === 1 && view.nv.volumes.length === 1")


def test_a_case_that_failed_takes_nothing_from_the_one_that_was_chosen_later(driven, server):
    first, second = server.take("straight"), server.take("straight")
    held = {}
    driven.page.route("**/images/0", lambda route: held.setdefault("image", route), times=1)
    driven.page.click(f".case:has-text('{first}')")
    _wait_for(driven, held, "image")
    driven.page.route("**/api/sessions", lambda route: held.update(session=route), times=1)
    driven.page.click(f".case:has-text('{second}')")
    _wait_for(driven, held, "session")
    held["image"].abort()
    held["session"].continue_()
    driven.until(f"work.annotation && work.entry.name === '{second}'")


def test_a_case_can_be_left_while_it_is_saved(driven, server):
    case, _ = driven.outlined("straight")
    other = server.take("straight")
    held = {}

    def later(route):
        if '"full"' in route.request.post_data:
            held["full"] = route
        else:
            route.continue_()

    driven.page.route("**/objects", later)
    driven.press("n")
    driven.click(np.mean(server.points(case), axis=0).tolist())
    driven.press("Control+s")
    _wait_for(driven, held, "full")
    driven.page.click(f".case:has-text('{other}')")
    driven.page.click("#answers button:has-text('without')")
    driven.until(f"work.annotation && work.entry.name === '{other}'")
    held["full"].continue_()
    driven.until("document.getElementById('messages').textContent.includes('was left')")
    assert not (server.output / f"{case}.nii.gz").exists()
    driven.page.unroute("**/objects")
    driven.place(server.points(other))
    assert driven.voxels()


def test_an_image_that_cannot_be_had_is_said(driven):
    driven.fresh("straight")
    driven.page.evaluate("""() => {
      const { images } = window.interactivenet.work.opened;
      images.push({ ...images[0], name: "another", url: images[0].url.replace(/0$/, "1") });
    }""")
    driven.press("i")
    driven.until("document.getElementById('messages').textContent.includes('no image 1')")
    assert driven.value("work.image") == 0


def test_an_object_that_is_not_saved_is_named_when_the_others_are(driven, server):
    case, points = driven.outlined("straight", "full")
    driven.press("o")
    driven.click([float(each) for each in np.mean(points, axis=0)])
    driven.press("Control+s")
    driven.until("document.getElementById('messages').textContent.startsWith('Saved to')")
    assert "An object without six points has no outline, and is not in it." in driven.says
    assert (server.output / f"{case}.nii.gz").exists()


def test_letters_belong_to_fields_and_alt_to_the_browser(driven, server):
    case = driven.fresh("straight")
    driven.click(server.points(case)[0])
    driven.press("Control+z")
    driven.page.click("#objects input")
    driven.press("Control+Shift+z", "m")
    driven.page.click("#display label:has-text('Fill') input")
    assert len(driven.points) == 0 and "m" in driven.objects[0]["label"]
    assert driven.value("work.display.fill")
    driven.press("Alt+f")
    assert driven.value("work.display.fill")
    driven.press("f")  # a box that has the focus takes no letters
    assert not driven.value("work.display.fill")


def _wait_for(driven, held, name):
    while name not in held:
        driven.page.wait_for_timeout(20)
