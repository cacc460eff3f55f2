"""Folds: every case validates once, patients stay together, subtypes are shared out."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactivenet.datasets.splits import leave_one_out, make_splits, read_groups
from interactivenet.datasets.task import record_failures
from interactivenet.errors import DataError, RequestError
from interactivenet.system.files import write_json

CASES = [f"case_{i:02d}" for i in range(23)]
ALONE = {name: name for name in CASES}
NO_SUBTYPES = dict.fromkeys(CASES)


def splits_of(cases=CASES, *, folds=5, seed=0, groups=ALONE, subtypes=NO_SUBTYPES, **more):
    return make_splits(cases, folds=folds, seed=seed, groups=groups, subtypes=subtypes, **more)


def assert_partition(splits, cases):
    validated = [name for split in splits for name in split.validation]
    assert sorted(validated) == sorted(cases)
    for split in splits:
        assert sorted([*split.training, *split.validation]) == sorted(cases)


@given(st.integers(2, 23), st.integers(0, 5))
def test_every_case_validates_once(folds, seed):
    splits = splits_of(folds=folds, seed=seed)
    assert len(splits) == folds
    assert_partition(splits, CASES)
    sizes = [len(split.validation) for split in splits]
    assert max(sizes) - min(sizes) <= 1


def test_the_seed_decides_and_the_order_of_cases_does_not():
    assert splits_of(seed=1) == splits_of(list(reversed(CASES)), seed=1)
    assert splits_of(seed=1) != splits_of(seed=2)


def test_subtypes_are_shared_out():
    subtypes = {name: "rare" if i < 5 else "common" for i, name in enumerate(CASES)}
    splits = splits_of(subtypes=subtypes)
    assert_partition(splits, CASES)
    for split in splits:
        assert Counter(subtypes[name] for name in split.validation)["rare"] == 1
    free = [
        [Counter(subtypes[n] for n in split.validation)["rare"] for split in splits]
        for splits in (splits_of(subtypes=subtypes, stratified=False, seed=s) for s in range(5))
    ]
    assert any(counts != [1] * 5 for counts in free)


def test_subtypes_rarer_than_folds_do_not_stop_anything():
    subtypes = {name: f"type {i}" for i, name in enumerate(CASES)}
    assert_partition(splits_of(subtypes=subtypes), CASES)
    assert_partition(splits_of(subtypes={**NO_SUBTYPES, CASES[0]: "only"}), CASES)


@pytest.mark.parametrize("stratified", [True, False])
def test_a_patients_cases_stay_together(stratified):
    groups = {name: f"patient {i // 2}" for i, name in enumerate(CASES)}
    subtypes = {name: "ab"[i // 2 % 2] for i, name in enumerate(CASES)}
    splits = splits_of(groups=groups, subtypes=subtypes, stratified=stratified)
    assert_partition(splits, CASES)
    for split in splits:
        assert not {groups[n] for n in split.training} & {groups[n] for n in split.validation}


def test_one_fold_trains_and_validates_on_all():
    (split,) = splits_of(folds=1)
    assert split.training == split.validation == tuple(CASES)


def test_more_folds_than_cases_or_patients():
    with pytest.raises(RequestError, match=r"24`: expected at most 23, the number of cases"):
        splits_of(folds=24)
    groups = {name: f"patient {i % 3}" for i, name in enumerate(CASES)}
    with pytest.raises(RequestError, match=r"5`: expected at most 3, the number of patients"):
        splits_of(groups=groups)


def test_leave_one_out_by_subtype():
    subtypes = {name: "abc"[i % 3] for i, name in enumerate(CASES)}
    groups = {**ALONE, CASES[0]: "p", CASES[1]: "p"}  # of subtypes a and b
    splits = leave_one_out(CASES, groups=groups, subtypes=subtypes)
    assert [split.left_out for split in splits] == ["a", "b", "c"]
    for split in splits:
        assert {subtypes[name] for name in split.validation} == {split.left_out}
        assert split.left_out not in {subtypes[name] for name in split.training}
    assert CASES[1] not in splits[0].training and CASES[0] not in splits[1].training
    assert CASES[0] in splits[2].training


@pytest.mark.parametrize(
    ("subtypes", "message"),
    [
        (dict.fromkeys(CASES, "a"), "'a' is the only subtype"),
        (
            {**dict.fromkeys(CASES, "a"), CASES[3]: None, CASES[4]: "b"},
            f"cases without a subtype: 1 of {len(CASES)}",
        ),
    ],
)
def test_leave_one_out_needs_subtypes(subtypes, message):
    with pytest.raises(RequestError, match=message):
        leave_one_out(CASES, groups=ALONE, subtypes=subtypes)


def test_groups_file(tmp_path):
    assert read_groups(tmp_path, ["a", "b"]) == {"a": "a", "b": "b"}
    write_json(tmp_path / "groups.json", {"a": "b"})
    assert read_groups(tmp_path, ["a", "b"]) == {"a": "patient b", "b": "b"}
    write_json(tmp_path / "groups.json", {"x": "b"})
    with pytest.raises(DataError, match=r"groups.json: names x, which is not a case of the task"):
        read_groups(tmp_path, ["a", "b"])
    record_failures(tmp_path, "dataset", {"x": "is broken"})
    assert read_groups(tmp_path, ["a", "b"]) == {"a": "a", "b": "b"}
