"""Objects as the page sends them are read, or refused in a sentence."""

import json

import pytest

from interactivenet.errors import RequestError
from interactivenet.prompts.prompt import LabelNames
from interactivenet.viewer.sessions.annotation import (
    ObjectState,
    parse_objects,
    prompts_of,
    values_of,
)
from interactivenet.viewer.settings import ViewerSettings

SETTINGS = ViewerSettings(objects=3, points=8, corrections=4)
POINT = [1.0, 2.0, 3.0]
OPEN = LabelNames({}, open=True)


def test_what_is_sent_is_read():
    (state,) = parse_objects(
        [{"id": "a", "label": " tumour ", "points": [POINT, [1, 2, 4]],
          "corrections": [{"position": POINT, "positive": False}]}], SETTINGS,
    )  # fmt: skip
    assert (state.id, state.label, state.points) == ("a", "tumour", ((1, 2, 3), (1, 2, 4)))
    (click,) = state.corrections
    assert click.position == (1, 2, 3) and not click.positive and not state.is_ready


def an_object(**changes):
    return {"id": "a", "label": "tumour", "points": [POINT], "corrections": [], **changes}


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (None, "no list of objects"),
        ({}, "no list of objects"),
        (["a"], "object 1 is not an object"),
        ([an_object(id="")], "object 1 has no id"),
        ([an_object(id=7)], "object 1 has no id"),
        ([an_object(id="x" * 65)], "object 1 has no id"),
        ([an_object(), an_object()], "same id"),
        ([an_object(id=str(number)) for number in range(4)], "4 objects: expected at most 3"),
        ([an_object(label="")], "object 1 has no label"),
        ([an_object(label=["a"])], "object 1 has no label"),
        ([an_object(label="x" * 101)], "object 1 has no label"),
        ([an_object(points="123")], "the points of object 1 are no list"),
        ([an_object(points=[POINT] * 9)], "object 1 has 9 points: expected at most 8"),
        ([an_object(points=[[1, 2]])], "point 1 of object 1 is not a position"),
        ([an_object(points=[POINT, ["1", 2, 3]])], "point 2 of object 1 is not a position"),
        ([an_object(points=[[True, 2, 3]])], "point 1 of object 1 is not a position"),
        ([an_object(points=[[float("nan"), 2, 3]])], "point 1 of object 1 is not a position"),
        ([an_object(points=[[1e300, 2, 3]])], "point 1 of object 1 is not a position"),
        ([an_object(points=[[10**400, 2, 3]])], "point 1 of object 1 is not a position"),
        ([an_object(points=[[[1], 2, 3]])], "point 1 of object 1 is not a position"),
        ([an_object(corrections=[POINT])], "correction 1 of object 1 does not say"),
        ([an_object(corrections=[{"position": POINT, "positive": 1}])], "does not say"),
        ([an_object(corrections=[{"positive": True}])], "correction 1 of object 1 is not a"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(content, refusal):
    with pytest.raises(RequestError, match=refusal):
        parse_objects(content, SETTINGS)


def test_any_name_is_a_label_of_an_open_model():
    called = ["liver", "tumour", "Liver", "7", "spleen"]
    assert values_of(called, OPEN) == [
        (1, "liver"), (2, "tumour"), (1, "liver"), (7, "object 7"), (3, "spleen"),
    ]  # fmt: skip
    known = LabelNames({2: "tumour"}, open=True)
    assert values_of(called[:2], known) == [(1, "liver"), (2, "tumour")]


@pytest.mark.parametrize("name", ["../../etc", "a#2", "\x1b[31m", "~"])
def test_a_name_that_cannot_be_a_label_is_refused(name):
    with pytest.raises(RequestError, match="label name"):
        values_of([name], OPEN)


def test_a_closed_model_has_its_own_labels():
    labels = LabelNames({1: "anterior", 2: "posterior"})
    assert values_of(["posterior", "1"], labels) == [(2, "posterior"), (1, "anterior")]
    with pytest.raises(RequestError, match="'liver' is no label: expected one of 1=anterior"):
        values_of(["liver"], labels)


def test_positions_are_kept_to_the_last_digit():
    text = json.dumps([an_object(points=[[0.1, -2.7182818284590455, 1e-17]])])
    (state,) = parse_objects(json.loads(text), SETTINGS)
    (prompt,) = prompts_of([state], OPEN)
    assert prompt.points.tolist() == [[0.1, -2.7182818284590455, 1e-17]]
    assert isinstance(state, ObjectState)
