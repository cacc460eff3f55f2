"""Tables: headed by the keys of the first row, and read back as they were."""

import csv

import pytest

from interactivenet.errors import DataError
from interactivenet.system.files import write_csv


def test_rows_come_back(tmp_path):
    rows = [
        {"case": 'a, "b"', "dice": 0.1 + 0.2, "hd95": None},
        {"case": "c", "dice": 1, "hd95": 2},
    ]
    path = tmp_path / "new" / "table.csv"
    write_csv(path, rows)
    assert path.read_bytes().startswith(b"case,dice,hd95\n") and b"\r" not in path.read_bytes()
    with path.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert first == {"case": 'a, "b"', "dice": repr(0.1 + 0.2), "hd95": ""}
    assert second == {"case": "c", "dice": "1", "hd95": "2"}


def test_no_rows_are_an_empty_file(tmp_path):
    write_csv(tmp_path / "table.csv", [])
    assert (tmp_path / "table.csv").read_text() == ""


def test_a_table_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"table\.csv: cannot be written"):
        write_csv(tmp_path / "file" / "table.csv", [{"a": 1}])
