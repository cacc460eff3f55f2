"""A server with the starter, which is loaded once for all tests, and asks a cheap network."""

import pytest

from tests.viewer.near_points import with_near_points
from tests.viewer.serving import Clock, make_served, serving, starter, write_image


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    return with_near_points(starter(tmp_path_factory.mktemp("models")))


@pytest.fixture
def serve(models, tmp_path):
    """Return a function that serves a folder with two images until the test ends."""
    running = []

    def start(**settings):
        images, uploads = tmp_path / "images", tmp_path / "uploads"
        for folder in (images, uploads):
            folder.mkdir(exist_ok=True)
        write_image(images / "one.nii.gz")
        write_image(images / "two.nii.gz")
        served = make_served(models, images, uploads, tmp_path / "saved", **settings)
        running.append(serving(served))
        return running[-1].__enter__()

    yield start
    for each in running:
        each.__exit__(None, None, None)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def client(serve):
    return serve()
