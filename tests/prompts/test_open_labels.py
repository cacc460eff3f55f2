"""Points of any object: their own names are labels, in order of appearance."""

import json

import numpy as np
import pytest

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.prompts.io import read_prompts, write_prompts
from interactivenet.prompts.named_points import from_named_points
from interactivenet.prompts.point_names import NamedPoint
from interactivenet.prompts.prompt import LabelNames, Prompt
from tests.prompts.test_named_points import lists, numbered

OPEN = LabelNames({}, open=True)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (lists(numbered("tumour")), [(1, "tumour", 3)]),
        (lists(["tumour"] * 6 + ["node"] * 6), [(1, "tumour", 6), (2, "node", 6)]),
        (lists(["node"] * 6 + ["tumour"] * 6), [(1, "node", 6), (2, "tumour", 6)]),
        (lists(numbered("F")), [(1, "object", 3)]),
        (lists([""] * 6), [(1, "object", 6)]),
        (lists(["tumor"] * 6), [(1, "tumor", 6)]),
        (lists(["Tumour"] * 3 + ["tumour"] * 3), [(1, "Tumour", 6)]),
        (lists(["background"] * 2 + ["tumour"] * 6), [(1, "tumour", 6)]),
        # lists of 3D Slicer: a second one of a name is a second object, others are other labels
        (lists(numbered("F"), numbered("F_1")), [(1, "object", 3)] * 2),
        (lists(numbered("tumour"), numbered("tumour_1")), [(1, "tumour", 3)] * 2),
        (lists(numbered("F"), numbered("F"), names=["liver", "node"]),
         [(1, "liver", 3), (2, "node", 3)]),
        (lists(numbered("F"), numbered("F"), names=["node", "node_1"]), [(1, "node", 3)] * 2),
        (lists(numbered("F"), numbered("node")), [(1, "object", 3), (2, "node", 3)]),
        (lists(["tumour"] * 6 + ["tumour#2"] * 6), [(1, "tumour", 6)] * 2),
        # names that end in a number, of labels and not of points
        (lists(["rib_3"] * 6 + ["rib_4"] * 6), [(1, "rib_3", 6), (2, "rib_4", 6)]),
        (lists(["rib"] * 6 + ["rib_3"] * 6), [(1, "rib", 6), (2, "rib_3", 6)]),
        # no object has a single point: these are names of points
        (lists(["left", "right", "front", "back", "top", "bottom"]), [(1, "object", 6)]),
        (lists(["1", "2", "3", "4", "5", "6"]), [(1, "object", 6)]),
        (lists(["left", "right", "front", "back", "top", "bottom"], names=["node"]),
         [(1, "node", 6)]),
        # a number is a value
        (lists(["3"] * 6 + ["tumour"] * 6), [(3, "object 3", 6), (1, "tumour", 6)]),
        (lists(["tumour"] * 6 + ["1"] * 6), [(2, "tumour", 6), (1, "object 1", 6)]),
    ],
)  # fmt: skip
def test_names_get_values_in_order(points, expected):
    prompts = from_named_points(points, OPEN)
    assert [(one.label, one.name, len(one.points)) for one in prompts] == expected


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (lists(["0"] * 6), "expected a foreground label"),
        (lists(["tumour-1", "tumour-2"] * 2), "name them tumour#1, tumour#2"),
        (lists(["../x"] * 6), "cannot be that of an object"),
        (lists(["background"] * 6), "6 background points, but none of an object"),
    ],
)
def test_what_cannot_be_told(points, message):
    with pytest.raises(DataError, match=message):
        from_named_points(points, OPEN)


def write(path, *names):
    points = [{"name": name, "point": [float(number), 2.0, 3.0]}
              for number, name in enumerate(names)]  # fmt: skip
    path.write_text(
        json.dumps(
            {"type": "Multiple points", "points": points, "version": {"major": 1, "minor": 0}}
        )
    )
    return path


def test_several_files_share_the_values(tmp_path):
    one = write(tmp_path / "one.json", *["tumour"] * 6)
    two = write(tmp_path / "two.json", *["node"] * 6, *["tumour"] * 6)
    liver = write(tmp_path / "liver.json", *[f"F-{n}" for n in range(6)])
    prompts = read_prompts([one, two, liver], OPEN)
    assert [(prompt.label, prompt.name) for prompt in prompts] == [
        (1, "tumour"), (2, "node"), (1, "tumour"), (3, "liver"),
    ]  # fmt: skip


def test_the_values_of_a_mask_are_kept(tmp_path):
    grid = Geometry((8, 8, 8), np.eye(4))
    points = np.array([[1.0, 1, 1], [3, 3, 3]])
    write_prompts(tmp_path / "m.nii.gz", [Prompt(5, points), Prompt(2, points + 1)], image=grid)
    prompts = read_prompts(tmp_path / "m.nii.gz", OPEN, image=(tmp_path / "m.nii.gz", grid))
    assert [(one.label, one.name) for one in prompts] == [(2, "object 2"), (5, "object 5")]


def test_the_labels_of_a_task_stay_what_they_are():
    points = [NamedPoint("node", (0.0, 0.0, 0.0))] * 6
    with pytest.raises(DataError, match="expected one of the labels 1=a, 2=b"):
        from_named_points(points, LabelNames({1: "a", 2: "b"}))
