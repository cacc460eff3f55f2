"""The plan of a bundle, whether in a folder or a zip."""

import zipfile

import pytest

from interactivenet.datasets.roots import Roots
from interactivenet.errors import DataError, RequestError
from interactivenet.models.bundle_plan import read_bundle_plan
from tests.random_model import make_bundle
from tests.sample_cases import make_plan

PLAN = make_plan((1.0, 1.0, 2.0))


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path, PLAN, folds=(0,))


@pytest.fixture
def roots(tmp_path):
    return Roots.choose(tmp_path / "raw", tmp_path / "processed", tmp_path / "results")


def zipped(folder, path, prefix=""):
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, prefix + file.name)
    return path


def test_of_a_folder_and_of_a_zip(bundle, tmp_path, roots):
    before = sorted(tmp_path.rglob("*"))
    assert read_bundle_plan(bundle, roots) == PLAN == read_bundle_plan(str(bundle), roots)
    assert sorted(tmp_path.rglob("*")) == before
    assert read_bundle_plan(zipped(bundle, tmp_path / "a.zip"), roots) == PLAN
    assert read_bundle_plan(zipped(bundle, tmp_path / "b.zip", "Task001_A/"), roots) == PLAN


def test_what_is_no_model_is_refused_by_its_own_name(bundle, tmp_path, roots):
    with pytest.raises(RequestError, match=r"^`like`: there is no model .*nowhere'"):
        read_bundle_plan(tmp_path / "nowhere", roots)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match=r"empty: holds no bundle.json"):
        read_bundle_plan(tmp_path / "empty", roots)
    (bundle / "fold_0.safetensors").write_bytes(b"altered")
    path = zipped(bundle, tmp_path / "altered.zip")
    with pytest.raises(DataError, match=r"altered\.zip: fold_0\.safetensors: was altered"):
        read_bundle_plan(path, roots)
