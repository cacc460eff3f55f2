"""A server with a few phantoms, and a browser; skipped where there is no Chromium or Playwright."""

import shutil
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
from tests.viewer.browser.driving import VIEWPORT, Driven
from tests.viewer.serving import TOKEN, make_served, serving

ARGUMENTS = [
    "--headless=new", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-gpu-compositing",  # a page that a GPU in software draws takes longer
    "--no-sandbox",
]  # fmt: skip
FAILED = pytest.StashKey[bool]()
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
def server(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("viewer")
    images, uploads, objects = folder / "images", folder / "uploads", {}
    uploads.mkdir()
    for kind, settings, count in (("tilted", TILTED, 12), ("straight", STRAIGHT, 60)):
        _write(images, kind, settings, count, objects)
    _write_dicom(images / "dicom_00", objects)
    (images / "broken.nii.gz").write_bytes(b"no image")
    with serving(make_served(models, images, uploads, folder / "out")) as client:
        address = f"http://127.0.0.1:{client.port}/{TOKEN}/"
        yield Server(address, images, folder / "out", objects, sorted(objects))


def _write(images: Path, kind: str, settings: PhantomSettings, count: int, objects: dict) -> None:
    channels, label, grid = make_phantom(settings, 0)
    first = images / f"{kind}_00.nii.gz"
    write_volume(first, grid.to_ras(channels[0]), grid)
    points = _points(images.parent / f"{kind}_label.nii.gz", label, grid)
    for number in range(count):
        path = images / f"{kind}_{number:02d}.nii.gz"
        if path != first:
            shutil.copy(first, path)
        objects[path.name.partition(".")[0]] = points


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


@pytest.fixture(scope="session")
def pages(browser, server):
    """The page that tests use one after the other: to open one costs more than most of them."""
    pages = Pages(browser, server)
    yield pages
    pages.leave()


@pytest.fixture
def driven(pages, request):
    """The page, as a person has it in front of them."""
    page = pages.fresh()
    yield page
    if request.node.stash.get(FAILED, False):
        pages.leave()  # who knows what it is in the middle of
    else:
        page.check()


class Pages:
    """One page, loaded again where a test has left it."""

    def __init__(self, browser, server):
        self._browser, self._server, self._page = browser, server, None

    def fresh(self) -> Driven:
        """Give the page as it is once it has been loaded."""
        if self._page is None:
            context = self._browser.new_context(
                viewport=VIEWPORT, accept_downloads=True, reduced_motion="reduce"
            )
            self._page = Driven(context.new_page(), self._server)
            self._page.start()
        else:
            self._page.clear()
        return self._page

    def leave(self) -> None:
        if self._page is not None:
            self._page.page.context.close()
        self._page = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report
