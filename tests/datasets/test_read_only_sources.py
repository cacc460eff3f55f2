"""Sources that nobody may write to: what is imported is the user's own, and can be removed."""

import errno
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.conversion import import_cases
from interactivenet.datasets.formats import find_source
from interactivenet.datasets.placing import place, remove_tree
from interactivenet.errors import DataError
from interactivenet.imaging.io import write_label_array, write_volume
from tests.raw_task import GRID, image_array, label_array, read

NAME = "Task513_RO"


def words(source, raw):
    return ["dataset", "convert", str(source), "-t", NAME, "-m", "CT", "-m", "CT2", "-l", "tumour",
            "--raw", str(raw)]  # fmt: skip


def make_source(folder):
    """Case a in a folder and a file, c in two files; b as a, but its second image is broken."""
    for name in ("a", "b"):
        series = folder / f"images/{name}_0000"
        series.mkdir(parents=True)
        for number in range(3):
            (series / f"{number}.dcm").write_bytes(bytes([number]) * 100)
        write_volume(folder / f"images/{name}_0001.mha", image_array(1), GRID)
    for index in range(2):
        write_volume(folder / f"images/c_{index:04d}.nii.gz", image_array(index), GRID)
    header = (folder / "images/b_0001.mha").read_bytes().replace(b"= LOCAL", b"= gone.raw")
    (folder / "images/b_0001.mhd").write_bytes(header)
    (folder / "images/b_0001.mha").unlink()
    for name in ("a", "b", "c"):
        write_label_array(folder / f"labels/{name}.nii.gz", label_array(), GRID)
    return folder


def protect(folder):
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def state(folder):
    """All that an import must leave as it is."""
    return {
        path: (path.stat().st_mode, path.stat().st_mtime_ns, path.stat().st_nlink if path.is_file()
               else 0, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }  # fmt: skip


def check_modes(task):
    for path in task.rglob("*"):
        wanted = stat.S_IRWXU if path.is_dir() else stat.S_IRUSR | stat.S_IWUSR
        assert path.stat().st_mode & wanted == wanted, path
        assert not path.name.startswith("."), path


def test_copies_of_a_read_only_source_are_writable_and_the_source_stays_as_it_is(tmp_path):
    source = make_source(tmp_path / "source")
    protect(source)
    before = state(source)
    done = CliRunner().invoke(main, words(source, tmp_path / "raw"))
    task = tmp_path / "raw" / NAME
    assert done.exit_code == 1
    assert list(read(task / "failures.json")["convert"]) == ["b"]
    assert sorted(path.name for path in (task / "imagesTr").iterdir()) == [
        "a_0000", "a_0001.mha", "c_0000.nii.gz", "c_0001.nii.gz",
    ]  # fmt: skip
    check_modes(task)
    assert state(source) == before
    label = task / "labelsTr/c.nii.gz"
    assert label.read_bytes() == (source / "labels/c.nii.gz").read_bytes()
    assert not label.samefile(source / "labels/c.nii.gz")


def test_a_file_that_can_be_written_to_is_still_linked(tmp_path):
    source, target = tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"
    source.write_bytes(b"x")
    place(source, target, copy=False)
    assert target.samefile(source)


def without_rights_of_root():
    """The beginning of a command that is run as permissions say; skips where there is none."""
    if os.geteuid():
        return []
    dropped = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
    probe = [*dropped, sys.executable, "-c", "import interactivenet"]
    if not shutil.which("setpriv") or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("needs setpriv, to give up the rights of root")
    return dropped


def test_for_whom_permissions_count(tmp_path):
    """Not for root: the import is made, and rm -rf removes all of it, but not the source."""
    begin = without_rights_of_root()
    source = make_source(tmp_path / "source")
    protect(source)
    before = state(source)
    refused = subprocess.run([*begin, "rm", "-rf", str(source)], capture_output=True)
    assert refused.returncode and state(source) == before
    done = subprocess.run(
        [*begin, sys.executable, "-m", "interactivenet", *words(source, tmp_path / "raw")],
        cwd=Path(__file__).parents[2], capture_output=True, text=True,
    )  # fmt: skip
    task = tmp_path / "raw" / NAME
    assert done.returncode == 1, done.stdout + done.stderr
    assert list(read(task / "failures.json")["convert"]) == ["b"]
    assert {path.name for path in (task / "labelsTr").iterdir()} == {"a.nii.gz", "c.nii.gz"}
    check_modes(task)
    assert state(source) == before
    subprocess.run([*begin, "rm", "-rf", str(tmp_path / "raw")], check=True)


def test_the_import_of_a_read_only_folder(shared_cases, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(shared_cases("a13_read_only_import") / "source", source)
    protect(source)
    before = state(source)
    done = CliRunner().invoke(main, words(source, tmp_path / "raw"))
    task = tmp_path / "raw" / NAME
    assert done.exit_code == 1
    assert [entry["case"] for entry in read(task / "dataset.json")["training"]] == ["a"]
    failures = read(task / "failures.json")
    assert list(failures["convert"]) == ["b"] and "dataset" not in failures
    check_modes(task)
    assert state(source) == before


def test_what_an_earlier_version_left_read_only_is_removed(tmp_path):
    source = make_source(tmp_path / "source")
    begun = tmp_path / "raw" / f".{NAME}.importing-00000000"
    begun.parent.mkdir()
    shutil.copytree(source, begun)
    protect(begun)
    done = CliRunner().invoke(main, words(source, tmp_path / "raw"))
    assert done.exit_code == 1 and [path.name for path in begun.parent.iterdir()] == [NAME]


def test_removing_a_tree_leaves_the_permissions_of_linked_files(tmp_path):
    (tmp_path / "tree/inner").mkdir(parents=True)
    (tmp_path / "kept").write_bytes(b"x")
    os.link(tmp_path / "kept", tmp_path / "tree/inner/link")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "tree/away").symlink_to(tmp_path / "elsewhere")
    protect(tmp_path / "tree/inner")
    for path in (tmp_path / "elsewhere", tmp_path / "tree"):
        path.chmod(0o555)
    remove_tree(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o444
    assert (tmp_path / "elsewhere").stat().st_mode & 0o777 == 0o555


def test_a_folder_that_cannot_be_copied_leaves_nothing_behind(tmp_path):
    (tmp_path / "series").mkdir()
    (tmp_path / "series/1.dcm").write_bytes(b"x")
    for make in (
        os.mkfifo,
        lambda path: path.symlink_to("gone"),
        lambda path: path.symlink_to("."),
    ):
        make(tmp_path / "series/2.dcm")
        with pytest.raises(DataError, match=r"series/2\.dcm"):
            place(tmp_path / "series", tmp_path / "out/series", copy=False)
        assert list((tmp_path / "out").iterdir()) == []
        (tmp_path / "series/2.dcm").unlink()
    place(tmp_path / "series", tmp_path / "out/series", copy=False)
    assert (tmp_path / "out/series/1.dcm").read_bytes() == b"x"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="is neither a file nor a folder"):
        place(tmp_path / "pipe", tmp_path / "out/pipe.nii.gz", copy=False)


def test_a_full_disk_ends_the_import_and_not_one_case_after_the_other(tmp_path, monkeypatch):
    source = make_source(tmp_path / "source")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("interactivenet.datasets.placing._copy_file", full)
    monkeypatch.setattr("os.link", full)
    done = CliRunner().invoke(main, words(source, tmp_path / "raw"))
    assert done.exit_code == 2 and "No space left on device" in done.stderr
    assert not (tmp_path / "raw" / NAME).exists()
    monkeypatch.undo()
    assert CliRunner().invoke(main, words(source, tmp_path / "raw")).exit_code == 1
    assert {path.name for path in (tmp_path / "raw").iterdir()} == {NAME}


def test_a_copy_that_was_killed_leaves_nothing_in_the_task(tmp_path):
    source = find_source(make_source(tmp_path / "source"))
    run = import_cases(source, tmp_path / "raw" / NAME)
    next(run)
    (begun,) = (tmp_path / "raw").iterdir()
    (begun / "imagesTr/.77-abcdef-a_0000").mkdir()
    (begun / "imagesTr/.77-abcdef-a_0000/1.dcm").write_bytes(b"x")
    list(run)
    check_modes(tmp_path / "raw" / NAME)


def test_the_order_of_channels_is_that_of_the_numbers(tmp_path):
    source = make_source(tmp_path / "source")
    CliRunner().invoke(main, words(source, tmp_path / "raw"))
    from interactivenet.imaging.io import read_image

    for index in range(2):
        volume = read_image(tmp_path / "raw" / NAME / f"imagesTr/c_{index:04d}.nii.gz")
        np.testing.assert_array_equal(volume.array[0], image_array(index))
