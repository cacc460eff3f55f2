"""Which points correct which object, by the names of points, lists and files."""

import pytest

from interactivenet.errors import DataError, NoPoints
from interactivenet.prompts.named_points import from_named_points
from interactivenet.prompts.point_names import NamedPoint, part_name
from interactivenet.prompts.prompt import LabelNames
from tests.prompts.test_named_points import NODES, TUMOUR, TWO, lists, numbered

HER2 = LabelNames({1: "HER2", 2: "HER2+"})
OPEN = LabelNames({}, open=True)


def described(names, description, start=0):
    """Points of one list, of which those from ``start`` on have a description."""
    return [
        NamedPoint(
            name, (float(number), 0.0, 0.0), positive=None if number < start else description
        )
        for number, name in enumerate(names)
    ]


def summary(prompts):
    """Of each object its label, how many points it has, and the signs of its corrections."""
    return [
        (each.label, len(each.points), "".join("-+"[one.positive] for one in each.corrections))
        for each in prompts
    ]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("tumour", ("tumour", "", None)),
        ("tumour-1", ("tumour-1", "", None)),
        ("tumour+", ("tumour", "", True)),
        ("tumour -", ("tumour", "", False)),
        ("tumour+-1", ("tumour", "", True)),
        ("tumour--12", ("tumour", "", False)),
        ("tumour+_1-3", ("tumour_1", "", True)),
        ("tumour_1--3", ("tumour_1", "", False)),
        ("tumour+_3", ("tumour", "", True)),  # a running number, as of P_3
        ("tumour+#2", ("tumour", "2", True)),
        ("tumour#2-", ("tumour", "2", False)),
        ("tumour#2--1", ("tumour", "2", False)),
        ("tumour#2-1", ("tumour", "2", None)),
        ("+", ("", "", True)),
        ("--7", ("", "", False)),
        ("F+-1", ("F", "", True)),
        ("-1", ("-1", "", None)),
        ("2-", ("2", "", False)),
        ("2#2+", ("2", "2", True)),
        ("tumour#x", ("tumour", "x", None)),
    ],
)
def test_the_parts_of_a_point_s_name(name, parts):
    parted = part_name(name, TUMOUR)
    assert (parted.base, parted.number, parted.positive) == parts
    assert part_name(name, None) == parted


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("tumour+", ("tumour", "", True)),
        ("tumour+_1", ("tumour_1", "", True)),  # 3D Slicer's second list of this name
        ("tumour_1-", ("tumour_1", "", False)),
        ("tumour-#2", ("tumour", "2", False)),
        ("case-1", ("case-1", "", None)),
    ],
)
def test_the_parts_of_a_list_s_name(name, parts):
    parted = part_name(name, TWO, of_list=True)
    assert (parted.base, parted.number, parted.positive) == parts


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("her2+", ("her2+", "", None)),
        ("HER2+-4", ("HER2+-4", "", None)),
        ("HER2+_1-4", ("HER2+_1-4", "", None)),
        ("HER2++", ("HER2+", "", True)),
        ("HER2+--1", ("HER2+", "", False)),
        ("HER2-", ("HER2", "", False)),
        ("HER2#1+", ("HER2", "1", True)),
    ],
)
def test_a_label_s_name_may_end_in_a_sign(name, parts):
    parted = part_name(name, HER2)
    assert (parted.base, parted.number, parted.positive) == parts


SIX, TWO_TUMOURS = ["tumour"] * 6, ["tumour"] * 6 + ["tumour#2"] * 6
ONE_LABEL = [
    (lists([*SIX, "tumour+", "tumour-", "Tumour+"]), [(1, 6, "+-+")]),
    (lists(["tumour-", "tumour+", *SIX]), [(1, 6, "-+")]),
    (lists([*SIX, "1+", "1-"]), [(1, 6, "+-")]),
    (lists([*SIX, "+", "-", "F+", "tumor-"]), [(1, 6, "+-+-")]),
    (lists(numbered("F", 6), numbered("+"), numbered("-", 2)), [(1, 6, "+++--")]),
    (lists(numbered("F", 6), numbered("F+")), [(1, 6, "+++")]),
    (lists(numbered("F", 6), numbered("tumour-", 2)), [(1, 6, "--")]),
    (lists(numbered("tumour", 6), numbered("tumour+", 1)), [(1, 6, "+")]),
    # as 3D Slicer leaves points whose list was renamed after they were placed
    (lists(numbered("F", 6), numbered("F", 2), names=["tumour", "tumour+"]), [(1, 6, "++")]),
    (lists(numbered("F", 6), numbered("F", 2), names=["F", "+"]), [(1, 6, "++")]),
    (lists(numbered("tumour", 6), numbered("tumour", 2), names=["tumour", "tumour-"]),
     [(1, 6, "--")]),
    # second objects
    (lists([*TWO_TUMOURS, "tumour+", "tumour-#2", "tumour#2+"]), [(1, 6, "+"), (1, 6, "-+")]),
    (lists([*TWO_TUMOURS, "tumour#1-"]), [(1, 6, "-"), (1, 6, "")]),
    (lists(["tumour#2"] * 6 + SIX + ["tumour+", "tumour-#2"]), [(1, 6, "-"), (1, 6, "+")]),
    (lists(numbered("F"), numbered("F_1"), numbered("F+", 1), numbered("F_1-", 2)),
     [(1, 3, "+"), (1, 3, "--")]),
    (lists(numbered("tumour"), numbered("tumour_1"), numbered("tumour+", 1),
           numbered("tumour+_1", 2), numbered("tumour_1-", 1)), [(1, 3, "+"), (1, 3, "++-")]),
    (lists(numbered("F"), numbered("F"), numbered("F", 1), numbered("F", 2),
           names=["tumour", "tumour_1", "tumour_1+", "tumour-"]), [(1, 3, "--"), (1, 3, "+")]),
    (lists(numbered("F"), numbered("F"), numbered("F", 1), names=["tumour", "tumour", "tumour+#2"]),
     [(1, 3, ""), (1, 3, "+")]),
    (lists(numbered("tumour#2", 6), numbered("tumour#2+", 2)), [(1, 6, "++")]),
    # in the list of their own object
    (described([*numbered("F", 8)], True, 6), [(1, 6, "++")]),
    (described([*numbered("tumour", 8)], False, 6), [(1, 6, "--")]),
]  # fmt: skip


@pytest.mark.parametrize(("points", "expected"), ONE_LABEL)
def test_corrections_find_their_object(points, expected):
    assert summary(from_named_points(points, TUMOUR)) == expected


MIXED = ["tumour"] * 6 + ["oedema"] * 6
SEVERAL_LABELS = [
    (lists([*MIXED, "oedema+", "tumour-", "2-"]), TWO, [(1, 6, "-"), (2, 6, "+-")]),
    (lists([*MIXED, "oedema+", "background", "tumour-", "2-"]), TWO, [(1, 6, "--"), (2, 6, "+--")]),
    (lists([*SIX, "+", "F-"]), TWO, [(1, 6, "+-")]),  # there is only one that may be meant
    (lists(numbered("F"), numbered("F"), numbered("F"), names=["oedema", "tumour", "oedema+"]),
     TWO, [(2, 3, "+++"), (1, 3, "")]),
    (lists(numbered("F"), numbered("+", 1), names=["oedema", "oedema+"]), TWO, [(2, 3, "+")]),
    (lists(numbered("node_1"), numbered("node_2"), ["node_2+", "node_1-"]), NODES,
     [(2, 3, "-"), (3, 3, "+")]),
    (lists(["HER2"] * 3 + ["HER2+"] * 3 + ["HER2++", "HER2-", "HER2#1+"]), HER2,
     [(1, 3, "-+"), (2, 3, "+")]),
    (lists(numbered("HER2+"), numbered("HER2++", 2)), HER2, [(2, 3, "++")]),
    (lists(numbered("HER2+"), numbered("HER2+_1"), numbered("HER2++_1", 1)), HER2,
     [(2, 3, ""), (2, 3, "+")]),
    # without labels, numbers are values and a single name has none yet
    (lists(["3"] * 3 + ["7"] * 3 + ["3+", "7-", "3-"]), None, [(3, 3, "+-"), (7, 3, "-")]),
    (lists([*SIX, "tumour+", "+"]), None, [(1, 6, "++")]),
    (lists(numbered("F", 6), numbered("F+", 2)), None, [(1, 6, "++")]),
    (lists(numbered("F"), numbered("F_1"), numbered("F+_1", 1)), None, [(1, 3, ""), (1, 3, "+")]),
    # of any object
    (lists([*SIX, "tumour+"]), OPEN, [(1, 6, "+")]),
    (lists(["node"] * 6 + SIX + ["tumour+", "node-", "node#1+"]), OPEN,
     [(1, 6, "-+"), (2, 6, "+")]),
    (lists(numbered("F", 6), numbered("+", 2), numbered("F-", 1)), OPEN, [(1, 6, "++-")]),
    (lists(["tumor"] * 6 + ["tumor+", "background"]), OPEN, [(1, 6, "+-")]),
    (lists([""] * 6 + ["object-", "-"]), OPEN, [(1, 6, "--")]),
    (lists(numbered("F"), numbered("F"), numbered("F", 1), names=["liver", "node", "node-"]), OPEN,
     [(1, 3, ""), (2, 3, "-")]),
    (lists(numbered("node"), numbered("node_1"), numbered("node+_1", 2)), OPEN,
     [(1, 3, ""), (1, 3, "++")]),
    (lists(["left", "right", "front", "back", "top", "bottom", "+"]), OPEN, [(1, 6, "+")]),
    (lists(["rib_3"] * 6 + ["rib_4"] * 6 + ["rib_4-", "rib_3+"]), OPEN, [(1, 6, "+"), (2, 6, "-")]),
    (lists([*TWO_TUMOURS, "tumour+#2"]), OPEN, [(1, 6, ""), (1, 6, "+")]),
    (lists(["liver+"] * 6 + ["liver++"]), LabelNames({4: "liver+"}, open=True), [(4, 6, "+")]),
]  # fmt: skip


@pytest.mark.parametrize(("points", "labels", "expected"), SEVERAL_LABELS)
def test_corrections_of_several_labels_or_none(points, labels, expected):
    assert summary(from_named_points(points, labels)) == expected


NO_POINTS = "of which there are no points: expected points of the object, too, named without a sign"


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [
        (lists(["tumour+"] * 6), TUMOUR, f"named 'tumour\\+' of 'tumour', {NO_POINTS}$"),
        (lists([*SIX, "oedema-"]), TWO, f"'oedema-' of 'oedema', {NO_POINTS}"),
        (lists([*SIX, "node-"]), TWO, f"'node-' of 'node', {NO_POINTS}"),
        (lists([*SIX, "tumour+#2"]), TUMOUR, f"'tumour\\+#2' of 'tumour#2', {NO_POINTS}"),
        (lists(["tumour#2"] * 6 + ["tumour+"]), TUMOUR, f"'tumour\\+' of 'tumour', {NO_POINTS}"),
        (lists(numbered("tumour"), numbered("tumour+_1")), TUMOUR, f"of 'tumour_1', {NO_POINTS}"),
        (lists(["+"] * 6), TUMOUR, "a correction named '\\+' of an object without points"),
        (lists(["HER2+"] * 6), None, f"'HER2', {NO_POINTS} \\(where a label is called so, give"),
        (lists(["HER2+"] * 6), OPEN, f"'HER2', {NO_POINTS}$"),
        (lists(["liver"] * 6 + ["tumor+"]), OPEN, f"'tumor\\+' of 'tumor', {NO_POINTS}"),
        (lists(numbered("F"), numbered("F"), names=["tumour", "oedema+"]), TWO, NO_POINTS),
        (lists(numbered("node"), numbered("node_3+")), NODES, f"of 'node_3', {NO_POINTS}"),
        (described(numbered("tumour", 6), True), TUMOUR, f"of 'tumour', {NO_POINTS}"),
        (lists(["f+", "g"]), LabelNames({1: "f", 2: "g"}), f"'f\\+' of 'f', {NO_POINTS}"),
        (lists(["background"] * 6 + ["tumour-"]), TUMOUR, NO_POINTS),
        # two that may be meant
        (lists([*TWO_TUMOURS, "+"]), TUMOUR, r"of 2 objects: .* Name it tumour\+#1 or tumour\+#2"),
        (lists(["tumour", "oedema", "F-"]), TWO, r"2 objects: .* Name it tumour- or oedema-$"),
        (lists(numbered("F"), numbered("F"), ["tumour+"], names=["tumour", "tumour", ""]), TUMOUR,
         r"tumour\+#1 or tumour\+#2"),
        # names that contradict each other
        (lists(SIX, ["tumour+"], names=["tumour", "tumour-"]), TUMOUR,
         r"named 'tumour\+' and in the list 'tumour-': is it a positive correction or a negative"),
        (described([*SIX, "tumour-"], True, 6), TUMOUR, "as positive and named 'tumour-'"),
        (lists(["tumour", "oedema"], ["tumour+"], names=["", "oedema"]), TWO, NO_POINTS),
        (lists([*SIX, "background+"]), TUMOUR, r"positive point 'background\+' of the background"),
        (described([*SIX, "background"], True, 6), TUMOUR, "positive point 'background' of the"),
        (lists([*SIX, "tumour#x+"]), TUMOUR, "expected a number after '#'"),
        (lists([*SIX, "tumour+#0"]), TUMOUR, "expected a number after '#'"),
    ],
)  # fmt: skip
def test_a_correction_is_never_given_to_an_object_by_guessing(points, labels, message):
    with pytest.raises(DataError, match=message) as caught:
        from_named_points(points, labels)
    assert not isinstance(caught.value, NoPoints) and "\n" not in str(caught.value)


def test_the_background_s_points_may_have_a_sign_and_stand_in_between():
    points = lists([*MIXED, "tumour+", "background-", "oedema-", "tumour-", "Background"])
    one, other = from_named_points(points, TWO)
    names = [[each.name for each in prompt.corrections] for prompt in (one, other)]
    assert names == [["tumour+", "background", "tumour-", "background"],
                     ["background", "oedema-", "background"]]  # fmt: skip
    assert [each.position[0] for each in one.corrections] == [12, 13, 15, 16]
    assert one.call_correction(1) == "background point 1"
    assert one.call_correction(3) == "background point 2"


def test_corrections_are_called_as_in_their_file_or_by_sign_and_number():
    (prompt,) = from_named_points(lists(numbered("F", 6), numbered("F+", 2)), TUMOUR)
    assert [prompt.call_correction(number) for number in (0, 1)] == ["F+-1", "F+-2"]
    (prompt,) = from_named_points(lists([*SIX, "tumour+", "tumour-", "tumour+"]), TUMOUR)
    assert [prompt.call_correction(number) for number in range(3)] == [
        "correction +1", "correction -2", "correction +3",
    ]  # fmt: skip


def test_points_of_an_object_keep_their_names_beside_corrections():
    (prompt,) = from_named_points(lists([*numbered("F", 6), "+", "F--1"]), TUMOUR)
    assert prompt.point_names == tuple(numbered("F", 6)) and not prompt.notes
