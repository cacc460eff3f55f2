"""Lines that are added to a journal, and what a kill leaves of them."""

import pytest

from interactivenet.errors import DataError
from interactivenet.system.files import open_regular
from interactivenet.system.journal import Journal


def test_lines_come_back_exactly(tmp_path):
    journal = Journal(tmp_path / "below" / "a.jsonl")
    rows = [{"case": "Köln\udcfc\u2028", "dice": 0.1 + 0.2, "rows": [None, True]}, {"case": "b"}]
    assert journal.rows() == []
    for row in rows:
        journal.add(row)
    journal.add(["no row", 1])
    assert journal.rows() == rows
    assert [content for _, content in journal.read()] == [*rows, ["no row", 1]]
    journal.remove()
    assert not journal.path.exists()


def test_what_a_kill_cut_off_costs_that_line_alone(tmp_path):
    journal = Journal(tmp_path / "a.jsonl")
    for case in "abc":
        journal.add({"case": case})
    whole = journal.path.read_bytes()
    for length in range(len(whole)):
        journal.path.write_bytes(whole[:length])
        journal.add({"case": "d"})
        complete = whole[:length].count(b"}")
        assert [row["case"] for row in journal.rows()] == [*"abc"[:complete], "d"]


@pytest.mark.parametrize("content", ["case,dice\na,1\n", '{"case": "a"}\n'])
def test_a_file_of_somebody_else_is_refused(tmp_path, content):
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=r"a\.jsonl: is no journal of this program"):
        Journal(path).rows()


def test_a_folder_is_no_journal(tmp_path):
    with pytest.raises(DataError, match="is a folder: expected a regular file"):
        Journal(tmp_path).add({})


def test_one_that_its_run_removes_meanwhile_is_none(tmp_path, monkeypatch):
    running = Journal(tmp_path / "a.jsonl")
    running.add({"case": "a"})

    def removed_before(path):
        running.remove()
        return open_regular(path)

    monkeypatch.setattr("interactivenet.system.journal.open_regular", removed_before)
    assert Journal(running.path).rows() == []


def test_more_lines_than_a_text_may_have_are_read(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "a.jsonl")
    rows = [{"case": f"case_{number}"} for number in range(100)]
    for row in rows:
        journal.add(row)
    monkeypatch.setattr("interactivenet.system.files._TEXT_BYTES", 100)
    assert journal.rows() == rows


def test_all_lines_are_replaced_at_once(tmp_path):
    journal = Journal(tmp_path / "a.jsonl")
    journal.add({"case": "old"})

    def contents():
        yield {"case": "new"}
        raise KeyError

    with pytest.raises(KeyError):
        journal.replace(contents())
    assert journal.rows() == [{"case": "old"}]
    journal.replace([{"case": "new"}, {"case": "newer"}])
    journal.add({"case": "newest"})
    assert [row["case"] for row in journal.rows()] == ["new", "newer", "newest"]
    assert list(tmp_path.iterdir()) == [journal.path]


def test_a_link_that_leads_nowhere_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.symlink_to(tmp_path / "gone")
    with pytest.raises(DataError, match=r"a\.jsonl: cannot be read"):
        Journal(path).rows()
