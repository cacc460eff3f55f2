"""A write that fails says why, and leaves nothing half written."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import write_label_array, write_volume
from interactivenet.system.files import read_json
from tests.imaging.spoiled_files import AFFINE, every_format


def unwritten(path, write=write_volume):
    """The message that writing an image of noise to ``path`` gives, which names it."""
    noise = np.random.default_rng(0).integers(0, 30000, (40, 40, 40)).astype(np.int16)
    with pytest.raises(DataError) as caught:
        write(path, noise, Geometry(noise.shape, AFFINE))
    message = str(caught.value)
    assert message.startswith(f"{path}: cannot be written")
    assert "\n" not in message
    return message


@every_format
@pytest.mark.parametrize("write", [write_volume, write_label_array])
def test_path_below_a_regular_file_cannot_be_written(tmp_path, suffix, write):
    (tmp_path / "file").write_text("kept")
    unwritten(tmp_path / "file" / f"image{suffix}", write)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("name", ["image.png", "image", "image.mhd", "image.dcm"])
def test_format_that_is_not_written_is_refused_with_those_that_are(tmp_path, name):
    assert "expected one of .nii.gz, .nii, .mha, .nrrd" in unwritten(tmp_path / name)
    assert not any(tmp_path.iterdir())


@every_format
def test_name_of_a_folder_cannot_be_written(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    path.mkdir()
    unwritten(path)
    assert list(tmp_path.rglob("*")) == [path]


@every_format
def test_failed_rename_leaves_the_old_file_and_no_other(tmp_path, suffix, monkeypatch):
    path = tmp_path / f"image{suffix}"
    path.write_text("old")

    def refuse(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "replace", refuse)
    assert "Input/output error" in unwritten(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def file_size_limit():
    """Let no file grow beyond 16 KiB: every write stops half way, as on a full disk."""
    resource = pytest.importorskip("resource", reason="file size limits are a matter of POSIX")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16384, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("file_size_limit")
@every_format
def test_write_that_stops_half_way_leaves_nothing(tmp_path, suffix):
    unwritten(tmp_path / f"image{suffix}")
    assert not any(tmp_path.iterdir())


@pytest.mark.usefixtures("file_size_limit")
@every_format
def test_write_that_stops_half_way_keeps_the_old_file(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    path.write_text("old")
    unwritten(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 KiB."""
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("needs root to mount a small disk")
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount a small disk")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@every_format
def test_full_disk_leaves_nothing(small_disk, suffix):
    unwritten(small_disk / f"image{suffix}")
    assert not any(small_disk.iterdir())


def test_a_key_with_two_values_is_refused(tmp_path):
    """One of the two would be lost without a word: a patient in two folds, say."""
    (tmp_path / "groups.json").write_text('{"c0": "p", "c1": "q", "c0": "q"}')
    with pytest.raises(DataError, match="has the key 'c0' twice"):
        read_json(tmp_path / "groups.json")
