"""A server with the starter, which is loaded once for all tests, and asks a cheap network."""

import shutil
from contextlib import ExitStack

import pytest

from tests.viewer.near_points import with_near_points
from tests.viewer.serving import Clock, make_served, serving, starter, write_image


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    return with_near_points(starter(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="session")
def two_balls(tmp_path_factory):
    """An image of two balls; not to be changed."""
    return write_image(tmp_path_factory.mktemp("two_balls") / "image.nii.gz")


@pytest.fixture(scope="session")
def serve_in(models, two_balls):
    """Return a function that serves two images in a folder, as a context."""

    def start(folder, **settings):
        images, uploads = folder / "images", folder / "uploads"
        for each in (images, uploads):
            each.mkdir(exist_ok=True)
        for name in ("one", "two"):
            shutil.copy(two_balls, images / f"{name}.nii.gz")
        return serving(make_served(models, images, uploads, folder / "saved", **settings))

    return start


@pytest.fixture
def serve(serve_in, tmp_path):
    """Return a function that serves a folder with two images until the test ends."""
    with ExitStack() as running:
        yield lambda **settings: running.enter_context(serve_in(tmp_path, **settings))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def client(serve):
    return serve()
