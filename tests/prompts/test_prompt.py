import numpy as np
import pytest

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.geometry import Geometry
from interactivenet.prompts.named_points import from_named_points
from interactivenet.prompts.point_names import NamedPoint
from interactivenet.prompts.prompt import LabelNames, Prompt, is_flat
from interactivenet.prompts.written_points import to_named_points

TUMOUR = LabelNames({1: "tumour"})
TWO = LabelNames({1: "tumour", 2: "oedema"})


def named(*names):
    return [NamedPoint(name, (float(i), 0.0, 0.0)) for i, name in enumerate(names)]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["tumour"], {1: "tumour"}),
        (["tumour", "oedema"], {1: "tumour", 2: "oedema"}),
        (["background", "tumour"], {1: "tumour"}),
        (["0=background", "21=L1", "L2"], {21: "L1", 22: "L2"}),
    ],
)
def test_labels_are_parsed(options, names):
    assert LabelNames.parse(options).names == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["tumour", "Tumour"], "given twice"),
        (["1=a", "1=b"], "label value 1 is given twice"),
        (["x=a"], "expected NAME or VALUE=NAME"),
        (["0=a"], "0 is the background"),
        (["a#2"], "without '#'"),
        (["12"], "not a number"),
    ],
)
def test_bad_labels_are_refused(options, message):
    with pytest.raises(RequestError, match=message):
        LabelNames.parse(options)


@pytest.mark.parametrize(
    ("points", "labels", "expected"),
    [
        (named("tumour", "tumour"), TUMOUR, [(1, 2)]),
        (named("TUMOUR", "1"), TUMOUR, [(1, 2)]),
        (named("tumour", "oedema", "tumour"), TWO, [(1, 2), (2, 1)]),
        (named("tumour", "tumour#2", "tumour"), TUMOUR, [(1, 2), (1, 1)]),
        (named("tumour-1", "tumour-2", "oedema-1"), TWO, [(1, 2), (2, 1)]),
        (named("F-1", "F-2", "F-3"), TUMOUR, [(1, 3)]),
        (named("tumour#1", "tumour#2"), TUMOUR, [(1, 1), (1, 1)]),
        (named("L1", "T12"), LabelNames({1: "L1", 2: "T", 5: "T12"}), [(1, 1), (5, 1)]),
        (named("F-1", "F-2", "F-3"), None, [(1, 3)]),
        (named("01", "1", "1#2"), None, [(1, 2), (1, 1)]),
        (named("", ""), TUMOUR, [(1, 2)]),
        (named("3", "7", "3"), None, [(3, 2), (7, 1)]),
        (named("lesion", "lesion"), None, [(1, 2)]),
    ],
)
def test_points_are_gathered_into_prompts_by_name(points, labels, expected):
    prompts = from_named_points(points, labels)
    assert [(prompt.label, len(prompt.points)) for prompt in prompts] == expected


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [
        ([], TUMOUR, "no points"),
        (named("background"), TUMOUR, "1 background points, but none of an object"),
        (named("0"), TUMOUR, "expected a foreground label"),
        (named("F-1", "G-1"), TUMOUR, "expected one of the labels 1=tumour"),
        (named("F-1", "F-2"), TWO, "expected one of the labels 1=tumour, 2=oedema"),
        (named("7"), TWO, "named '7'"),
        (named("7"), TUMOUR, "named '7'"),
        (named("tumour#x"), TUMOUR, "expected a number after '#'"),
        (named("²", "liver"), TUMOUR, "expected one of the labels"),
        (named("liver", "spleen"), None, "which label value does each mean"),
        (named("L1", "L2", "L3"), None, "which label value does each mean"),
        (named("tumour1", "tumour2"), TUMOUR, "expected one of the labels 1=tumour"),
        (named("tumour-1", "tumour-1"), TUMOUR, "several points named 'tumour-1'"),
    ],
)
def test_names_are_never_guessed(points, labels, message):
    with pytest.raises(DataError, match=message):
        from_named_points(points, labels)


def test_prompts_survive_flattening():
    rng = np.random.default_rng(0)
    prompts = [
        Prompt(1, rng.normal(size=(6, 3)), "tumour"),
        Prompt(2, rng.normal(size=(5, 3)), "oedema"),
        Prompt(1, rng.normal(size=(6, 3)), "tumour"),
    ]
    back = from_named_points(to_named_points(prompts), TWO)
    assert [prompt.label for prompt in back] == [1, 2, 1]
    for prompt, expected in zip(prompts, back, strict=True):
        np.testing.assert_array_equal(prompt.points, expected.points)


@pytest.mark.parametrize(
    ("label", "points", "message"),
    [
        (0, [[0, 0, 0]], "1 or more"),
        (1, [[0, 0]], r"shape \(N, 3\), got \(1, 2\)"),
        (1, np.empty((0, 3)), r"shape \(N, 3\)"),
        (1, [[0, 0, np.nan]], "finite"),
    ],
)
def test_bad_prompts_are_refused(label, points, message):
    with pytest.raises(DataError, match=message):
        Prompt(label, np.array(points, dtype=float))


GRID = Geometry((10, 10, 10), np.diag([1.0, 1.0, 3.0, 1.0]))


def test_flat_prompts_are_recognised():
    rng = np.random.default_rng(1)
    solid = rng.uniform(0, 9, (6, 3))
    in_slice = solid * [1, 1, 0] + [0, 0, 6]
    oblique = solid.copy()
    oblique[:, 2] = oblique[:, 0] + oblique[:, 1]
    assert not is_flat(Prompt(1, solid), GRID)
    assert is_flat(Prompt(1, in_slice), GRID)
    assert is_flat(Prompt(1, oblique), GRID)
