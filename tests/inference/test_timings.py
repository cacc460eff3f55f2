"""How long cases took, whatever a kill has left of the file."""

import pytest

from interactivenet.errors import RequestError
from interactivenet.inference.timings import (
    TIMINGS,
    all_seconds,
    check_timings,
    note_seconds,
    read_seconds,
)


def test_the_last_time_of_a_result_counts(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    note_seconds(one, "a", "d1", 2.0)
    note_seconds(one, "a", "d1", 3.12345)
    note_seconds(one, "a", "d2", 4.0)
    note_seconds(other, "b ä", "d1", 5.0)
    assert read_seconds([one, other, tmp_path / "none"]) == {
        ("a", "d1"): 3.123, ("a", "d2"): 4.0, ("b ä", "d1"): 5.0,
    }  # fmt: skip


def test_times_of_shards_count_too(tmp_path):
    for part in ("shards/1-of-2", "shards/2-of-2"):
        (tmp_path / part).mkdir(parents=True)
        note_seconds(tmp_path / part, part, "d", 2.0)
    note_seconds(tmp_path, "a", "d", 1.0)
    assert all_seconds(tmp_path) == {
        ("a", "d"): 1.0, ("shards/1-of-2", "d"): 2.0, ("shards/2-of-2", "d"): 2.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    "torn", ['{"case": "b", "made', '{"case": 3}', "[1]", "nonsense", '{"case": "b", "made_from":'
             ' "d", "seconds": NaN}', "[" * 3000]
)  # fmt: skip
def test_what_a_kill_has_left_is_passed_over(tmp_path, torn):
    note_seconds(tmp_path, "a", "d", 1.0)
    with (tmp_path / TIMINGS).open("a") as file:
        file.write("\n" + torn)
    assert read_seconds([tmp_path]) == {("a", "d"): 1.0}
    note_seconds(tmp_path, "c", "d", 2.0)
    assert read_seconds([tmp_path]) == {("a", "d"): 1.0, ("c", "d"): 2.0}


def test_nothing_is_added_to_a_strangers_file(tmp_path):
    check_timings(tmp_path)
    path = tmp_path / TIMINGS
    for ours in (
        "",
        "\n",
        '\n{"case": "a", "made',
        '\n{"case": "a", "made_from": "d", "seconds": 1}',
    ):
        path.write_text(ours)
        check_timings(tmp_path)
    for other in ("my notes", "my notes\n", '{"case": "a"}\n'):
        path.write_text(other)
        with pytest.raises(RequestError, match=r"timings\.jsonl: was not written by this program"):
            check_timings(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(RequestError):
        check_timings(tmp_path)


def test_no_time_is_beyond_all_numbers(tmp_path):
    (tmp_path / TIMINGS).write_text(
        f'\n{{"case": "a", "made_from": "d", "seconds": 1{"0" * 400}}}\n'
    )
    assert read_seconds([tmp_path]) == {}


def test_a_file_of_a_shard_that_is_somebody_elses_is_refused_at_once(tmp_path):
    path = tmp_path / "shards" / "1-of-2" / TIMINGS
    path.mkdir(parents=True)
    with pytest.raises(RequestError, match=r"1-of-2/timings\.jsonl: was not written"):
        check_timings(tmp_path)
