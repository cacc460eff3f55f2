"""A server with a few phantoms, and a browser; skipped where there is no Chromium or Playwright."""

import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import MRImageStorage

from interactivenet.datasets.phantom import PhantomSettings, make_phantom
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import write_label_array, write_volume
from interactivenet.prompts.simulation import simulate_prompts
from tests.imaging.written_dicom import UID, write_series
from tests.viewer.browser.driving import Driven

ARGUMENTS = [
    "--headless=new", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox",
]  # fmt: skip
#: on permuted and tilted axes, so that a place that is mistaken for another shows
TILTED = PhantomSettings(
    1, 0, ("CT",), ("tumour", "node"), shape=(60, 52, 44), spacing=(1.2, 1.5, 1.8),
    oblique=18, orientation="PIR", seed=4,
)  # fmt: skip
STRAIGHT = PhantomSettings(3, 0, ("MR",), shape=(56, 48, 20), spacing=(1, 1, 2.5), seed=2)


@dataclass(frozen=True)
class Server:
    """A server that runs: its page's address, its images, and where it saves."""

    address: str
    images: Path
    output: Path
    objects: dict[str, list[np.ndarray]]
    fresh: list[str]

    def points(self, case: str, number: int = 0) -> list[list[float]]:
        """Six margin points, mm, of an object that is really there."""
        return self.objects[case][number].tolist()

    def take(self, kind: str) -> str:
        """Name a case, 'tilted' or 'straight', that no test has touched: what is saved stays."""
        case = next(each for each in self.fresh if each.startswith(kind))
        self.fresh.remove(case)
        return case


def chromium():
    """The path of a browser; skips where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("needs Chromium")
    return path


@pytest.fixture(scope="session")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    path = chromium()
    with api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("viewer")
    images, objects = folder / "images", {}
    for kind, settings, count in (("tilted", TILTED, 12), ("straight", STRAIGHT, 60)):
        for number in range(count):
            _write(images, f"{kind}_{number:02d}", settings, objects)
    _write_dicom(images / "dicom_00", objects)
    (images / "broken.nii.gz").write_bytes(b"no image")
    command = ["serve", str(images), "-o", str(folder / "out"), "--port", "0", "--no-browser"]
    log = folder / "log"
    with log.open("w") as told:  # and no pipe, which nobody would empty
        running = subprocess.Popen([sys.executable, "-m", "interactivenet", *command], stdout=told)
    while not (found := re.search(r"browser: (http\S+)\n", log.read_text(encoding="utf-8"))):
        assert running.poll() is None, log.read_text(encoding="utf-8")
        time.sleep(0.1)
    yield Server(found[1], images, folder / "out", objects, sorted(objects))
    running.terminate()
    running.wait(20)


def _write(images: Path, name: str, settings: PhantomSettings, objects: dict) -> None:
    channels, label, grid = make_phantom(settings, 0)
    write_volume(images / f"{name}.nii.gz", grid.to_ras(channels[0]), grid)
    objects[name] = _points(images.parent / f"{name}_label.nii.gz", label, grid)


def _write_dicom(folder: Path, objects: dict) -> None:
    from interactivenet import read_image

    channels, label, _ = make_phantom(STRAIGHT, 0)
    voxels = np.rint(channels[0]).astype(np.int16).transpose(2, 1, 0)
    write_series(folder, voxels, spacing=(1.0, 1.0), FrameOfReferenceUID=f"{UID}.9", Modality="MR",
                 sop_class=MRImageStorage)  # fmt: skip
    grid = read_image(folder).source
    objects[folder.name] = _points(folder.parent.parent / "dicom_label.nii.gz", label, grid)


def _points(path: Path, label: np.ndarray, grid: Geometry) -> list[np.ndarray]:
    from interactivenet import read_label

    write_label_array(path, grid.to_ras(label), grid)
    return [prompt.points for prompt in simulate_prompts(read_label(path))]


@pytest.fixture
def driven(browser, server):
    """The page, as a person has it in front of them."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, accept_downloads=True)
    page = Driven(context.new_page(), server)
    page.start()
    yield page
    page.check()
    context.close()
