"""Which image Next Sample offers, and to whom."""

import gzip
import hashlib
import re

import nibabel
import numpy as np
import pytest

from interactivenet.errors import DataError, RequestError
from interactivenet.viewer.monai_label.info import describe_server
from interactivenet.viewer.monai_label.samples import Samples
from interactivenet.viewer.worklist.strategies import STRATEGIES
from interactivenet.viewer.worklist.worklist import Worklist
from tests.viewer.monai_label.conftest import make_picture


@pytest.fixture
def worklist(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for number, name in enumerate(("a b.nii.gz", "c.nii.gz", "é.nii.gz")):
        make_picture(folder / name, "oblique", number)
    return Worklist([folder])


def take(samples, client, times):
    return [samples.next(client, "first")["id"] for _ in range(times)]


def test_each_is_offered_once_and_then_again(worklist):
    ids = [entry.id for entry in worklist.entries()]
    assert take(Samples(worklist), "one", 4) == [*ids, ids[0]]


def test_nobody_is_offered_what_another_one_was(worklist):
    samples = Samples(worklist)
    ids = [entry.id for entry in worklist.entries()]
    assert take(samples, "one", 1) + take(samples, "other", 1) + take(samples, "one", 1) == ids
    # while there are others
    assert take(samples, "other", 2) == [ids[0], ids[2]]


def test_the_file_is_the_one_that_was_announced(worklist):
    samples = Samples(worklist)
    for entry in worklist.entries():
        sample = samples.next("one", "first")
        assert set(sample) == {"id", "name", "checksum"}  # no path: Slicer would open it
        assert re.fullmatch(r"[A-Za-z0-9._-]+\.nii\.gz", sample["name"])
        for _ in range(2):  # the second time, it is read again
            name, data = samples.file(sample["id"])
            assert name == sample["name"]
            assert f"SHA256:{hashlib.sha256(data).hexdigest()}" == sample["checksum"]
        image = nibabel.Nifti1Image.from_bytes(gzip.decompress(data))
        original = nibabel.load(entry.images[0])
        np.testing.assert_allclose(image.affine, original.affine, atol=1e-5)
        assert np.array_equal(np.asarray(image.dataobj), np.asarray(original.dataobj))


def test_names_are_unlike_though_the_images_are_called_alike(worklist, tmp_path):
    other = tmp_path / "others"
    other.mkdir()
    make_picture(other / "c.nii.gz")
    samples = Samples(Worklist([tmp_path / "scans", other]))
    names = [samples.next("one", "first")["name"] for _ in range(4)]
    assert len(set(names)) == 4


def test_an_image_that_cannot_be_read_is_offered_once(worklist):
    samples = Samples(worklist)
    first, second, _ = worklist.entries()
    data = gzip.decompress(first.images[0].read_bytes())
    first.images[0].write_bytes(gzip.compress(data[:-1000]))
    with pytest.raises(DataError, match="a b"):
        samples.next("one", "first")
    assert samples.next("one", "first")["id"] == second.id
    assert samples.next("other", "first")["id"] != first.id
    assert worklist.find(first.id).problem


def test_nothing_is_left(tmp_path):
    (tmp_path / "empty").mkdir()
    assert Samples(Worklist([tmp_path / "empty"])).next("one", "first") == {}


def test_an_unknown_strategy_is_refused(worklist):
    with pytest.raises(RequestError, match="there is no strategy 'random'"):
        Samples(worklist).next("one", "random")


def test_the_labels_of_a_task_take_the_place_of_any(make_server):
    models = {each.name: each for each in make_server().served.models.offered}
    starter = {"starter": models["starter"]}
    strategies = list(STRATEGIES.values())
    assert describe_server(starter, [], strategies, [])["labels"] == ["object"]
    assert describe_server(starter, ["lung"], strategies, [])["labels"] == ["lung"]
    found = describe_server(models, ["lung"], strategies, [])
    assert found["labels"] == ["lung", "tumour", "oedema"]
    assert all(model["labels"] == [] for model in found["models"].values())
