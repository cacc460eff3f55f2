"""Done before, from the same inputs: what counts as the same, and what differs."""

import hashlib

import pytest

from interactivenet.system.cache_key import CacheKey

KEY = CacheKey({"version": 2, "spacing": (1.0, 2.0), "files": {"a": "0", "b": "1"}})
RECORD = {"made_from": {"files": {"b": "1", "a": "0"}, "spacing": [1.0, 2.0], "version": 2}}


def test_tuples_and_the_order_of_fields_do_not_count():
    assert KEY.matches(RECORD)
    assert KEY.content["spacing"] == [1.0, 2.0]
    assert CacheKey(RECORD["made_from"]).digest == KEY.digest
    text = '{"files": {"a": "0", "b": "1"}, "spacing": [1.0, 2.0], "version": 2}'
    assert KEY.digest == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("record", [None, {}, {"made_from": {}}, {"made_from": {"version": 2}}])
def test_other_records_do_not_match(record):
    assert not KEY.matches(record)


def test_what_differs_is_named():
    assert KEY.differences(RECORD["made_from"]) == []
    assert KEY.differences({"version": 1, "files": {"a": "0", "b": "1"}, "seed": 3}) == [
        "seed", "spacing", "version",
    ]  # fmt: skip
