"""Which points make up which object, by the names that 3D Slicer and people give."""

import numpy as np
import pytest

from interactivenet.errors import DataError, NoPoints
from interactivenet.prompts.named_points import from_named_points
from interactivenet.prompts.point_names import NamedPoint
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.prompts.written_points import to_named_points
from tests.prompts.prompt_files import of_background

TUMOUR = LabelNames({1: "tumour"})
TWO = LabelNames({1: "tumour", 2: "oedema"})
NODES = LabelNames({1: "node", 2: "node_1", 3: "node_2"})


def lists(*named, names=None):
    """Points of several lists of a file, each a list of names."""
    return [
        NamedPoint(name, (float(number), float(group), 0.0), group,
                   (names[group],) if names and names[group] else ())
        for group, points in enumerate(named)
        for number, name in enumerate(points)
    ]  # fmt: skip


def numbered(name, count=3):
    return [f"{name}-{number + 1}" for number in range(count)]


@pytest.mark.parametrize(
    ("points", "labels", "expected"),
    [
        (lists(numbered("F"), numbered("F_1")), TUMOUR, [(1, 3), (1, 3)]),
        (lists(numbered("F"), numbered("F_1"), numbered("F_2")), TUMOUR, [(1, 3)] * 3),
        (lists(numbered("F") + numbered("F_1")), TUMOUR, [(1, 3), (1, 3)]),  # saved as one table
        (lists(numbered("tumour"), numbered("tumour_1")), TUMOUR, [(1, 3), (1, 3)]),
        (lists(numbered("tumour"), numbered("tumour_1")), TWO, [(1, 3), (1, 3)]),
        (lists(numbered("tumour"), numbered("Oedema"), numbered("tumour_1")), TWO,
         [(1, 3), (2, 3), (1, 3)]),
        (lists(numbered("tumour") + numbered("tumour_1")), TWO, [(1, 3), (1, 3)]),
        (lists(["tumour#2"] * 3 + ["tumour"] * 3), TWO, [(1, 3), (1, 3)]),
        (lists(numbered("F"), numbered("F_1")), None, [(1, 3), (1, 3)]),
        (lists([f"P_{n}" for n in range(1, 7)]), TUMOUR, [(1, 6)]),  # a numbering, not six lists
        (lists(numbered("node_1"), numbered("node_2")), NODES, [(2, 3), (3, 3)]),
        (lists(numbered("F"), names=["oedema"]), TWO, [(2, 3)]),
        (lists(numbered("F"), numbered("F"), names=["tumour", "tumour_1"]), TWO, [(1, 3), (1, 3)]),
        (lists(numbered("F"), names=["2"]), TUMOUR, [(1, 3)]),  # a list's number is no label
    ],
)  # fmt: skip
def test_lists_of_slicer_are_objects(points, labels, expected):
    prompts = from_named_points(points, labels)
    assert [(prompt.label, len(prompt.points)) for prompt in prompts] == expected


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [
        (lists(numbered("F"), numbered("G")), TUMOUR, "named 'F', expected one of the labels"),
        (lists(numbered("F"), numbered("F_1")), TWO, "named 'F', expected one of the labels"),
        (lists(numbered("tumour"), numbered("F_1")), TUMOUR, "named 'F_1', expected one of"),
        (lists(numbered("node_3")), NODES, "named 'node_3', expected one of"),
        (lists(numbered("tumour"), names=["oedema"]), TWO, "'tumour-1' in the list 'oedema'"),
        (lists(numbered("tumour"), names=["background"]), TWO, "in the list 'background'"),
        (lists(numbered("F"), names=["2"]), TWO, "named 'F', expected one of"),
        (lists(["tumour_1"] * 2), TUMOUR, "several points named 'tumour_1': name them tumour#1"),
        (lists(numbered("F"), numbered("G")), None, "named 'F-1', .*'G-3': which label value"),
        (lists(["0"]), TUMOUR, "expected a foreground label"),
    ],
)  # fmt: skip
def test_a_point_is_never_given_to_a_label_by_guessing(points, labels, message):
    with pytest.raises(DataError, match=message):
        from_named_points(points, labels)


@pytest.mark.parametrize(
    "named",
    [
        lists(["tumour"] * 2 + ["background"] * 3),
        lists(["background", "tumour", "Background", "tumour", "background#2"]),
        lists(["tumour"] * 2, numbered("background")),
        lists(["tumour"] * 2, numbered("background_1")),
        lists(numbered("F", 2), numbered("F"), names=["tumour", "background"]),
    ],
)
@pytest.mark.parametrize("labels", [TUMOUR, TWO])
def test_background_points_are_negative_points_of_every_object(named, labels):
    (prompt,) = from_named_points(named, labels)
    assert prompt.label == 1 and prompt.points.shape == (2, 3)
    assert prompt.negative.shape == (3, 3)
    everywhere = {tuple(p) for p in (*prompt.points.tolist(), *prompt.negative.tolist())}
    assert everywhere == {point.position for point in named}


def test_background_points_alone_are_no_object():
    with pytest.raises(NoPoints, match="holds 2 background points, but none of an object"):
        from_named_points(lists(["background"] * 2), TUMOUR)


def test_points_have_the_names_of_their_file_or_its_numbers():
    two = from_named_points(lists(numbered("F"), numbered("F_1")), TUMOUR)
    assert [prompt.point_names for prompt in two] == [("F-1", "F-2", "F-3"),
                                                      ("F_1-1", "F_1-2", "F_1-3")]  # fmt: skip
    assert two[1].call(2) == "F_1-3"
    same = from_named_points(lists(["tumour", "oedema", "tumour"]), TWO)
    assert [prompt.point_names for prompt in same] == [("1", "3"), ("oedema",)]
    assert same[0].call(1) == "point 3"


def test_objects_and_background_survive_being_flattened():
    rng = np.random.default_rng(0)
    background = rng.normal(size=(4, 3))
    prompts = [Prompt(label, rng.normal(size=(6, 3)), TWO.names[label],
                      corrections=of_background(background))
               for label in (1, 2, 1)]  # fmt: skip
    flat = to_named_points(prompts)
    assert sum(point.name == "background" for point in flat) == 4
    back = from_named_points(flat, TWO)
    assert [prompt.label for prompt in back] == [1, 2, 1]
    for prompt, expected in zip(back, prompts, strict=True):
        np.testing.assert_array_equal(prompt.points, expected.points)
        np.testing.assert_array_equal(prompt.negative, background)


def test_objects_of_unknown_labels_are_counted_by_name():
    prompts = [Prompt(1, np.zeros((1, 3)), name) for name in ("F", "G", "F")]
    assert [point.name for point in to_named_points(prompts)] == ["F", "G", "F#2"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"points": [[0, 0]]}, r"points must have shape \(N, 3\)"),
        ({"points": [[0, 0, np.inf]]}, "finite"),
        ({"point_names": ("a",)}, "2 points, but 1 names"),
    ],
)
def test_bad_prompts_are_refused(more, message):
    with pytest.raises(DataError, match=message):
        Prompt(**{"label": 1, "points": np.zeros((2, 3)), **more})


def test_a_prompt_with_other_points_keeps_its_background():
    background = of_background(np.ones((1, 3)))
    prompt = Prompt(2, np.zeros((2, 3)), "a", ("F-1", "F-2"), background)
    other = prompt.with_points(np.ones((3, 3)))
    assert (other.label, other.name, other.point_names) == (2, "a", ("1", "2", "3"))
    np.testing.assert_array_equal(other.negative, prompt.negative)
    assert prompt.with_points(prompt.points.copy()) is prompt
    assert Prompt(1, np.zeros((1, 3))).negative.shape == (0, 3)


@pytest.mark.parametrize(
    ("name", "said"), [("lesion", True), ("kidney-1", True), ("F-1", False), ("Point 1", False)]
)
def test_a_name_that_is_taken_for_the_only_label_is_said(name, said):
    (prompt,) = from_named_points([NamedPoint(name, (1.0, 2.0, 3.0))], LabelNames({1: "tumour"}))
    told = [note for note in prompt.notes if "are taken for tumour, the only label" in note]
    assert prompt.label == 1 and bool(told) == said
