"""Which files are ours: those that a record names, as they were written."""

import pytest

from interactivenet.errors import DataError
from interactivenet.system.written import FILES, WrittenFiles, noted_files


@pytest.fixture
def folder(tmp_path):
    for name in ("a.csv", "mine.txt", "figures/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def written(folder, *names):
    record = {FILES: noted_files(folder, [folder / name for name in names])}
    return WrittenFiles.of_record(folder, record, ())


def test_only_own_files_are_removed(folder):
    own = written(folder, "a.csv", "figures/a.png")
    (folder / "figures" / "a.png").write_text("drawn over")
    kept = own.remove([folder / name for name in ("a.csv", "mine.txt", "figures/a.png", "away")])
    assert kept == [folder / "mine.txt", folder / "figures" / "a.png"]
    assert not (folder / "a.csv").exists() and (folder / "mine.txt").read_text() == "mine.txt"
    assert own.unnamed([folder / "mine.txt", folder / "figures" / "a.png"]) == [folder / "mine.txt"]


def test_links_are_not_ours(folder):
    own = WrittenFiles(folder, {"link": "", "dangling": ""})
    (folder / "link").symlink_to(folder / "mine.txt")
    (folder / "dangling").symlink_to(folder / "nowhere")
    assert not own.is_own(folder / "dangling") and own.is_own(folder / "away")


def test_files_that_were_being_written_are_ours(folder):
    own = WrittenFiles(folder, WrittenFiles(folder, {}).begun([folder / "a.csv"]))
    assert own.is_own(folder / "a.csv") and not own.is_own(folder / "mine.txt")
    assert own.unchanged([folder / "a.csv", folder / "mine.txt"]) == {"a.csv": ""}


@pytest.mark.parametrize("files", [[], {"a": 1}, {"../x": ""}, {"/x": ""}, "a"])
def test_a_record_of_another_kind_is_refused(folder, files):
    with pytest.raises(DataError, match="field files"):
        WrittenFiles.of_record(folder, {FILES: files}, ())


def test_a_record_without_a_list_is_taken_by_names(folder):
    own = WrittenFiles.of_record(folder, {}, [folder / "a.csv"])
    assert own.is_own(folder / "a.csv") and not own.is_own(folder / "mine.txt")
