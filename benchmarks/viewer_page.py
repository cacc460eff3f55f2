"""The viewer in a browser: seconds from a click to the outline that is drawn.

Run with ``python -m benchmarks.viewer_page DATA``, the folder that holds hippocampus_mr and
sarcoma_mr_ct; it needs Playwright and Chromium, and draws in software. Six points are clicked in
ten cases, each in the slice that it lies in, then the worst error of the outline. The network is
warm, and a graphics card would draw faster.
"""

from __future__ import annotations

import base64
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import machine, print_table, write_result
from benchmarks.viewer import DATA, REPEATS, cases_of, correction_of, points_of, serving

ARGUMENTS = (
    "--headless=new", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox",
)  # fmt: skip
_PIXEL = """mm => {
  const { view } = window.interactivenet;
  view.goTo(mm);
  const { x, y } = view.pixelOf(mm, 0);
  const { left, top } = document.getElementById("layers").getBoundingClientRect();
  return [x + left, y + top];
}"""
#: the outline of a later revision than one is drawn
_DRAWN = """revision => {
  const { work } = window.interactivenet;
  return work.answer?.revision > revision && work.answer.objects[0]?.complete
    && document.querySelector("path.outline");
}"""
_OPENED = "name => window.interactivenet?.work.annotation && interactivenet.work.entry.name == name"
_REVISION = "() => window.interactivenet.work.outlining.revision"
_OUTLINE = """() => {
  const data = window.interactivenet.work.map.data;
  let text = "";
  for (let at = 0; at < data.length; at += 8192)
    text += String.fromCharCode(...data.subarray(at, at + 8192));
  return btoa(text);
}"""


def main() -> None:
    """Measure, print and write ``results/viewer_page.json``."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if len(sys.argv) < 2 or chromium is None:
        print("needs the folder of hippocampus_mr and sarcoma_mr_ct, and Chromium: not measured")
        return
    from playwright.sync_api import sync_playwright

    found: dict[str, Any] = {}
    for name in DATA:
        folder = Path(sys.argv[1]) / name
        with serving(folder / "images") as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=[*ARGUMENTS])
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            page.set_default_timeout(120_000)
            page.goto(str(server.client.base_url))
            found[name] = measure(page, folder)
            browser.close()
    for name, seconds in found.items():
        rows = [[kind, each["median"], each["most"]] for kind, each in seconds.items()]
        print_table(f"{name}: seconds, {REPEATS} cases", ["", "median", "most"], rows)
    about = {"machine": machine("torch", "playwright"), "model": "starter", "cases": REPEATS}
    print(f"\n{write_result('viewer_page', {**about, 'seconds': found})}")


def measure(page: Any, folder: Path) -> dict[str, dict[str, float]]:
    """Outline and correct ten cases by clicks; returns the seconds of each kind."""
    outlines: list[float] = []
    corrections: list[float] = []
    for name, label, value in cases_of(folder, REPEATS):
        page.click(f".case:has-text('{name}')")
        if outlines:
            page.click("text=Leave without saving")
        page.wait_for_function(_OPENED, arg=name)
        outlines.append(_click(page, points_of(label, value)))
        page.wait_for_function("() => interactivenet.work.answer.quality === 'full'")
        data = np.frombuffer(base64.b64decode(page.evaluate(_OUTLINE)), np.uint8)
        stored = data.reshape(label.stored[0].shape, order="F") > 0
        click = correction_of(stored, label, value)
        page.keyboard.press("p" if click["positive"] else "n")
        corrections.append(_click(page, [click["position"]]))
        page.wait_for_function("() => interactivenet.work.answer.quality === 'full'")
    measured = {"outline": outlines, "correction": corrections}
    return {
        kind: {"median": round(statistics.median(runs), 3), "most": round(max(runs), 3)}
        for kind, runs in measured.items()
    }


def _click(page: Any, positions: Sequence[Sequence[float]]) -> float:
    """Click at places, mm; return the seconds from the last click to a drawn outline."""
    for place in positions[:-1]:
        page.mouse.click(*page.evaluate(_PIXEL, [*place]))
        page.wait_for_timeout(100)
    pixel = page.evaluate(_PIXEL, [*positions[-1]])
    revision = page.evaluate(_REVISION)
    begun = time.perf_counter()
    page.mouse.click(*pixel)
    page.wait_for_function(_DRAWN, arg=revision)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
