"""Which shard a case belongs to, what a user may ask for, and which reasons of failures count."""

import unicodedata

import pytest

from interactivenet.errors import RequestError
from interactivenet.pipeline.sharding import (
    Part,
    Shard,
    say_missing,
    shard_number,
    shard_reasons,
)
from interactivenet.system.files import write_json
from tests.pipeline.recording_reporter import RecordingReporter

#: of the names below, of 16
NUMBERS = [3, 1, 5, 10]


def test_the_shard_of_a_name_never_changes():
    """Jobs of other machines and versions must agree on it."""
    names = ["hippocampus_001", "hippocampus_003", "case", "Köln"]
    assert [shard_number(name, 16) for name in names] == NUMBERS
    assert shard_number(unicodedata.normalize("NFD", "Köln"), 16) == NUMBERS[-1]
    assert shard_number("Caf\udce9", 4) in range(1, 5)  # bytes that are not UTF-8


@pytest.mark.parametrize("of", [1, 3, 16])
def test_every_case_is_in_just_one_shard(of):
    shards = [Shard(number, of) for number in range(1, of + 1)]
    names = [f"case_{number}" for number in range(800)]
    counts = [sum(shard.has(name) for name in names) for shard in shards]
    assert all(sum(shard.has(name) for shard in shards) == 1 for name in names)
    assert sum(counts) == 800 and min(counts) > 0.6 * 800 / of


@pytest.mark.parametrize("given", ["3/16", " 3 / 16 ", (3, 16), Shard(3, 16)])
def test_what_is_a_shard(given):
    shard = Shard.parse(given)
    assert shard == Shard(3, 16) and str(shard) == "3/16"


@pytest.mark.parametrize(
    "given",
    ["0/4", "5/4", "a/b", "3", "", "1/10001", "-1/4", "1/0", "1.0/2", "1/2/3", (0, 4), (1, 2, 3),
     (True, 2), ("1", "2"), "³/4"],
)  # fmt: skip
def test_what_is_none(given):
    with pytest.raises(RequestError) as refused:
        Shard.parse(given)
    assert str(refused.value).startswith("`shard=")
    assert "expected I/N, such as 3/16: I from 1 to N, N at most 10000" in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("1/2", True, False), "`shard='1/2'`: a shard cannot gather"),
        ((None, True, True), "`overwrite=True`: a gather segments nothing"),
    ],
)
def test_what_contradicts_itself(arguments, message):
    with pytest.raises(RequestError) as refused:
        Part.chosen(*arguments[:2], overwrite=arguments[2])
    assert str(refused.value).startswith(message)


def noted(output, shard, started, key, reason, stage="infer"):
    place = Shard.parse(shard).folder(output)
    write_json(place / "run.json", {"started": started, "failed_keys": {"a": key}})
    write_json(place / "failures.json", {stage: {"a": reason}})
    return place


def test_a_reason_counts_for_just_what_was_tried(tmp_path):
    noted(tmp_path, "1/1", "2026-01-02", "x", "of before")
    noted(tmp_path, "2/3", "2026-01-03", "x", "the last")
    noted(tmp_path, "1/4", "2026-01-01", "y", "other points")
    noted(tmp_path, "2/4", "2026-01-04", "x", "another stage", "test")
    (noted(tmp_path, "3/4", "2026-01-05", "x", "killed") / "run.json").unlink()
    (noted(tmp_path, "4/4", "2026-01-06", "x", "damaged") / "failures.json").write_text("{")
    assert shard_reasons(tmp_path, "infer") == {("a", "x"): "the last", ("a", "y"): "other points"}
    assert shard_reasons(tmp_path / "nothing", "infer") == {}


def test_the_shards_that_are_missing_are_those_of_the_last_number(tmp_path):
    reporter = RecordingReporter()
    names = ["hippocampus_001", "hippocampus_003"]
    say_missing(tmp_path, names, reporter)
    noted(tmp_path, "1/3", "2026-01-02", "x", "")
    noted(tmp_path, "1/16", "2026-01-03", "x", "")
    say_missing(tmp_path, names, reporter)
    say_missing(tmp_path, [], reporter)
    numbers = sorted(NUMBERS[:2])
    assert reporter.lines == [
        "2 cases not done yet: run the shards again, or all cases without `shard`",
        f"2 cases not done yet: run shard {numbers[0]}/16, {numbers[1]}/16 again, or all cases"
        " without `shard`",
    ]
