"""The pictures of the viewer's page, docs/images/viewer/*.png: phantoms in a real browser.

Needs Playwright and Chromium: `python docs/drawings/viewer.py`.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from interactivenet.datasets.phantom import PhantomSettings, make_phantom
from interactivenet.imaging.io import read_label, write_label_array, write_volume
from interactivenet.prompts.simulation import simulate_prompts

PICTURES = Path(__file__).parents[1] / "images" / "viewer"
ARGUMENTS = [
    "--headless=new", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox",
]  # fmt: skip
PHANTOM = PhantomSettings(
    modalities=("CT",), labels=("tumour", "node"), shape=(176, 176, 64), spacing=(1.2, 1.2, 2.5),
    seed=11,
)  # fmt: skip
GREYS, COLOURS = 72, 56  # of a picture
VIVID = 70  # from so much between red, green and blue on
PIXEL = """(mm) => {
  window.interactivenet.view.goTo(mm);
  const { x, y } = window.interactivenet.view.pixelOf(mm, 0);
  const { left, top } = document.getElementById("layers").getBoundingClientRect();
  return [x + left, y + top];
}"""

REFINED = """() => {
  const { answer, outlining } = window.interactivenet.work;
  return answer?.quality === "full" && answer.revision === outlining.revision;
}"""


def main() -> None:
    """Write all pictures anew."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(5):
            channels, label, grid = make_phantom(PHANTOM, number)
            image = folder / "scans" / f"phantom_{number:03d}.nii.gz"
            write_volume(image, grid.to_ras(channels[0]), grid)
            if not number:
                write_label_array(folder / "label.nii.gz", grid.to_ras(label), grid)
        objects = [each.points for each in simulate_prompts(read_label(folder / "label.nii.gz"))]
        command = ["serve", str(folder / "scans"), "-o", str(folder / "out"), "--port", "0"]
        serving = subprocess.Popen(
            [sys.executable, "-m", "interactivenet", *command, "--no-browser"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert serving.stdout is not None
        found = (re.search(r"browser: (http\S+)", line) for line in serving.stdout)
        try:
            draw(next(match[1] for match in found if match), objects)
        finally:
            serving.terminate()
            serving.wait()


def draw(address: str, objects: list[np.ndarray[Any, Any]]) -> None:
    """Go through a case as a person does."""
    tumour, node = (each.tolist() for each in objects)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(120000)
        page.goto(address)
        page.click(".case:has-text('phantom_000')")
        page.wait_for_selector("#guide .next:has-text('left')")
        for point in tumour[:3]:
            page.mouse.click(*page.evaluate(PIXEL, point))
        page.wait_for_selector("#guide :text('3 of 6 points')")
        keep(page, "points")
        for point in tumour[3:]:
            page.mouse.click(*page.evaluate(PIXEL, point))
        keep(page, "outline")
        page.keyboard.press("n")
        # a quarter of the way from a point at the object's left end to its middle
        inside = 0.65 * np.array(tumour[0]) + 0.35 * np.mean(tumour, axis=0)
        page.mouse.click(*page.evaluate(PIXEL, inside.tolist()))
        keep(page, "correction")
        page.keyboard.press("Control+z")
        page.keyboard.press("o")
        for point in node:
            page.mouse.click(*page.evaluate(PIXEL, point))
        page.keyboard.press("f")
        page.set_viewport_size({"width": 768, "height": 1024})
        keep(page, "tablet")
        browser.close()


def keep(page: Any, name: str) -> None:
    """Write what the page shows once it is at rest, in few colours."""
    page.wait_for_timeout(1500)
    while name != "points" and not page.evaluate(REFINED):
        page.wait_for_timeout(200)
    page.wait_for_timeout(1000)
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    image.quantize(palette=palette(image), dither=Image.Dither.NONE).save(
        PICTURES / f"{name}.png", optimize=True
    )


def palette(image: Image.Image) -> Image.Image:
    """Choose colours: few pixels are not grey, but what they show counts."""
    pixels = np.asarray(image).reshape(1, -1, 3)
    vivid = pixels[:, np.ptp(pixels[0].astype(int), axis=1) > VIVID]
    found = [
        np.array(Image.fromarray(part).quantize(count).getpalette()[: 3 * count])
        for part, count in ((pixels, GREYS), (vivid, COLOURS))
    ]
    chosen = Image.new("P", (1, 1))
    chosen.putpalette(np.concatenate(found).tolist())
    return chosen


if __name__ == "__main__":
    main()
