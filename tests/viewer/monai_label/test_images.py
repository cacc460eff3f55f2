"""Which image a client means, and how long one is kept."""

import gzip
import io

import pytest

from interactivenet.viewer.monai_label.images import SlicerImages, UnknownImage
from interactivenet.viewer.settings import ViewerSettings
from tests.viewer.monai_label.conftest import KNOWING, make_picture


@pytest.fixture
def make_images(make_server, clock):
    def make(**settings):
        served = make_server(settings=ViewerSettings(**settings)).served
        images = SlicerImages(served, clock)
        images.served = served
        return images

    return make


def content(picture):
    return io.BytesIO(picture.path.read_bytes())


def test_an_image_that_nobody_uses_goes_with_its_file(make_images, clock, straight):
    images = make_images(idle_minutes=10)
    image = images.receive("one", "a.nii.gz", content(straight))
    file = image.file
    clock.now = 590.0
    assert images.session(image.id) is image and file.exists()
    clock.now = 1180.0
    assert images.session(image.id) is image
    clock.now = 1781.0
    assert images.session(image.id) is None and not file.exists()
    with pytest.raises(UnknownImage, match="does not know this image any more"):
        images.find("one", "a", image.id)


def test_the_image_not_used_for_longest_makes_room(make_images, clock, straight):
    images = make_images(sessions=2)
    kept = []
    for clock.now in (1.0, 2.0, 3.0):
        kept.append(images.receive("one", "a.nii.gz", content(straight)))
        if clock.now == 2.0:
            images.session(kept[0].id)
            clock.now = 2.5
            images.session(kept[0].id)
    assert [images.session(image.id) is not None for image in kept] == [True, False, True]


def test_an_upload_goes_on_where_its_session_was(make_images, straight):
    """The same voxels, whatever the bytes of the file."""
    images = make_images()
    image = images.receive("one", "a.nii.gz", content(straight))
    raw = gzip.decompress(straight.path.read_bytes())
    other = images.upload("one", "CT", "b.nii", io.BytesIO(raw))
    assert other is image and image.file is None
    (entry,) = images.served.worklist.entries()
    assert image.entry.id == entry.id and entry.name == "CT"
    assert images.find("one", "CT") is image
    assert images.find("anybody", entry.id) is not image  # has clicks of its own
    again = images.upload("one", "CT", "a.nii.gz", content(straight))
    assert again is image and len(images.served.worklist.entries()) == 1


def test_a_name_counts_for_one_client(make_images, tmp_path):
    images = make_images()
    pictures = [make_picture(tmp_path / f"{n}.nii.gz", seed=n) for n in (1, 2)]
    one = images.upload("one", "CT", "a.nii.gz", content(pictures[0]))
    other = images.upload("other", "CT", "a.nii.gz", content(pictures[1]))
    assert images.find("one", "CT") is one and images.find("other", "CT") is other
    with pytest.raises(UnknownImage):
        images.find("third", "CT")
    new = images.upload("one", "CT", "a.nii.gz", content(pictures[1]))
    assert images.find("one", "CT") is new is not one


def test_what_was_uploaded_is_known_by_its_name_for_ever(make_images, clock, straight):
    images = make_images(idle_minutes=10)
    image = images.upload("one", "CT", "a.nii.gz", content(straight))
    clock.now = 10_000.0
    again = images.find("one", "CT")
    assert again is not image and again.entry.id == image.entry.id
    with images.opened(again, KNOWING) as scan:
        assert scan.image.shape == (36, 30, 24)


def test_an_open_scan_that_was_closed_is_opened_again(make_images, straight):
    images = make_images()
    image = images.receive("one", "a.nii.gz", content(straight))
    with images.opened(image, KNOWING) as scan:
        pass
    with images.opened(image, KNOWING) as same:
        assert same is scan
    images.served.store.close(scan.id)
    with images.opened(image, KNOWING) as other:
        assert other is not scan
    with images.opened(image, "starter") as starters:
        assert starters.model.name == "starter"
    assert len(images.served.store) == 1


def test_a_client_has_one_scan_open(make_images, clock, straight):
    """What was left is closed when another is opened, not what two windows show in turns."""
    images = make_images()
    kept = [images.receive("one", "a.nii.gz", content(straight)) for _ in range(3)]
    for clock.now, image, count in ((0.0, kept[0], 1), (30.0, kept[1], 2), (95.0, kept[2], 1)):
        images.find("one", "", image.id)
        with images.opened(image, KNOWING):
            assert len(images.served.store) == count
    with images.opened(kept[0], KNOWING) as scan:  # it is opened again
        assert scan.image.shape == (36, 30, 24)


def test_a_scan_left_long_ago_makes_room_for_another(make_images, clock, straight):
    images = make_images(sessions=1)
    images._settings = ViewerSettings(sessions=5)
    one, other = (images.receive(name, "a.nii.gz", content(straight)) for name in ("one", "other"))
    with images.opened(one, KNOWING) as scan:
        pass
    clock.now = 3600.0
    with images.opened(other, KNOWING) as new:
        assert new is not scan


def test_an_image_that_is_removed_while_it_is_opened_is_not_left_open(make_images, straight):
    images = make_images()
    image = images.receive("one", "a.nii.gz", content(straight))
    with images.opened(image, KNOWING):
        images.remove(image.id)  # by another request
        assert image.file is None
    assert len(images.served.store) == 0
