import pickle
from pathlib import Path

import numpy as np
import pytest

from interactivenet.errors import (
    DataError,
    InteractiveNetError,
    NoPoints,
    RequestError,
    describe_failure,
    naming,
    one_line,
    sanitize_text,
)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RequestError("no tasks here"), "no tasks here"),
        (
            RequestError(field="memory_gb", value=0, expected="a number above 0"),
            "`memory_gb=0`: expected a number above 0",
        ),
        (
            RequestError("is a file", field="output", value=Path("a/b"), expected="a folder"),
            "`output='a/b'`: is a file: expected a folder",
        ),
        (RequestError(field="fold", expected="a number"), "`fold`: expected a number"),
        (RequestError(field="fold", value=None, expected="one"), "`fold=None`: expected one"),
        (
            DataError("plans.json does not exist", remedy="run `plan(task='T')` first"),
            "plans.json does not exist: run `plan(task='T')` first",
        ),
        (
            RequestError(field="folds", value=9, expected="5", remedy="choose fewer"),
            "`folds=9`: expected 5; choose fewer",
        ),
        (RequestError(remedy="try again"), "try again"),
        (InteractiveNetError(), ""),
    ],
)
def test_the_parts_join_into_one_line(error, line):
    assert str(error) == line


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ((1.0, Path("a")), "(1.0, 'a')"),
        ((1,), "(1,)"),
        ([Path("a"), Path("b")], "['a', 'b']"),
        (np.float64(0.5), "0.5"),
        (np.int64(3), "3"),
        ("two\nlines", r"'two\nlines'"),
        ("a`b", r"'a\x60b'"),
        (True, "True"),
    ],
)
def test_a_value_is_written_as_one_types_it(value, shown):
    assert str(RequestError(field="x", value=value)) == f"`x={shown}`"


def test_errors_travel_between_processes():
    for error in (
        RequestError(field="fold", expected="a number"),
        DataError("is empty", field="fold", value=(1, 2), remedy="fill it"),
    ):
        back = pickle.loads(pickle.dumps(error))
        assert type(back) is type(error)
        assert str(back) == str(error)
        assert (back.field, back.value, back.remedy) == (error.field, error.value, error.remedy)


def test_one_line_is_short_and_plain():
    assert one_line("  a\n\tb  c ") == "a b c"
    assert one_line("\x1b[31mred\x07") == "?[31mred?"
    assert len(one_line("x" * 10_000)) == 2004
    assert one_line(ValueError("a\nb")) == "a b"


def test_sanitize_text_keeps_what_it_is_told_to():
    assert sanitize_text("a\nb\x00é") == "a?b?é"
    assert sanitize_text("a\nb\x00é", keep="\n") == "a\nb?é"


def test_our_errors_speak_for_themselves_and_others_are_faults():
    assert describe_failure(DataError("image.nii:\nis empty")) == "image.nii: is empty"
    failure = describe_failure(KeyError("spacing"))
    assert failure == "unexpected KeyError: 'spacing' (please report it)"


def test_naming_puts_the_file_before_the_message_once():
    with pytest.raises(NoPoints) as info, naming("b.json"), naming("a.json"), naming("a.json"):
        raise NoPoints("holds no points", remedy="mark some")
    assert str(info.value) == "b.json: a.json: holds no points: mark some"
    assert info.value.remedy == "mark some"


def test_naming_leaves_other_errors_alone():
    with pytest.raises(RequestError, match=r"^no$"), naming("a.json"):
        raise RequestError("no")
