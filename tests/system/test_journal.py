"""Lines that are added, and what a kill leaves of them."""

import pytest

from interactivenet.errors import DataError
from interactivenet.system.journal import append_row, read_rows


def test_rows_come_back_exactly(tmp_path):
    path = tmp_path / "below" / "a.jsonl"
    rows = [{"case": "Köln\udcfc\u2028", "dice": 0.1 + 0.2, "rows": [None, True]}, {"case": "b"}]
    assert read_rows(path) == []
    for row in rows:
        append_row(path, row)
    assert read_rows(path) == rows


def test_what_a_kill_cut_off_costs_that_line_alone(tmp_path):
    path = tmp_path / "a.jsonl"
    for case in "abc":
        append_row(path, {"case": case})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        append_row(path, {"case": "d"})
        complete = whole[:length].count(b"}")
        assert [row["case"] for row in read_rows(path)] == [*"abc"[:complete], "d"]


@pytest.mark.parametrize("content", ["case,dice\na,1\n", '{"case": "a"}\n'])
def test_a_file_of_somebody_else_is_refused(tmp_path, content):
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=r"a\.jsonl: is no journal of this program"):
        read_rows(path)


def test_a_folder_is_no_journal(tmp_path):
    with pytest.raises(DataError, match="is a folder: expected a regular file"):
        append_row(tmp_path, {})
