"""Files of points that cannot be used, each refused in a line."""

import json

import numpy as np
import pytest

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import write_label_array, write_volume
from interactivenet.prompts.io import read_prompts, write_prompts
from interactivenet.prompts.prompt import Prompt
from tests.prompts.prompt_files import LABELS

MULTIPLE = {"version": {"major": 1, "minor": 0}, "type": "Multiple points"}
BAD = {
    "not json.json": ("{", "is not valid JSON"),
    "no points.json": ({"points": []}, "holds no points"),
    "typeless.json": (
        {"points": [{"name": "1", "point": [1, 2, 3]}]},
        "expected 'Multiple points'",
    ),
    "version.json": (
        {**MULTIPLE, "version": {"major": 2}, "points": [{"name": "1", "point": [1, 2, 3]}]},
        "expected major version 1",
    ),
    "two numbers.json": (
        {**MULTIPLE, "points": [{"name": "1", "point": [1, 2]}]},
        "expected three numbers",
    ),
    "nan.json": (
        '{"version": {"major": 1}, "type": "Multiple points",'
        ' "points": [{"name": "1", "point": [1, 2, NaN]}]}',
        "expected finite numbers",
    ),
    "list.json": ([1, 2], "holds no list of points"),
    "none.mrk.json": ({"markups": []}, "holds no points"),
    "system.mrk.json": (
        {"markups": [{"coordinateSystem": "IJK", "controlPoints": [{"position": [1, 2, 3]}]}]},
        "coordinate system 'IJK', expected RAS or LPS",
    ),
    "units.mrk.json": (
        {"markups": [{"coordinateUnits": "um", "controlPoints": [{"position": [1, 2, 3]}]}]},
        "expected mm",
    ),
    "null.mrk.json": ({"markups": [None]}, "expected lists of control points"),
    "controls.mrk.json": (
        {"markups": [{"controlPoints": None}]},
        "expected lists of control points",
    ),
    "other.mrk.json": ({"a": 1}, "no list 'markups'"),
    "unsaid.fcsv": ("0,1,2,3,0,0,0,1,1,1,0,1,,\n", "no coordinate system"),
    "ijk.fcsv": ("# CoordinateSystem = 2\n0,1,2,3,0,0,0,1,1,1,0,1,,\n", "expected RAS or LPS"),
    "columns.csv": ("name,x,y,z\n1,1,2,3\n", "lacks the columns system"),
    "empty.csv": ("", "lacks the columns"),
    "text.csv": ("name,x,y,z,system\n1,a,2,3,RAS\n", "expected three numbers"),
    "points.txt": ("1 2 3", "is not a prompt file"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_prompt_files_are_refused_in_one_line(tmp_path, name):
    content, message = BAD[name]
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(DataError, match=message) as caught:
        read_prompts(path, LABELS)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_missing_prompt_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no\.csv: cannot be read"):
        read_prompts(tmp_path / "no.csv")


def test_a_mask_on_another_grid_is_refused_with_both_geometries(tmp_path):
    grid = Geometry((8, 8, 8), np.eye(4))
    other = Geometry((8, 8, 8), np.diag([1, 1, 2, 1.0]))
    write_label_array(tmp_path / "mask.nii.gz", np.ones((8, 8, 8)), other)
    with pytest.raises(DataError, match=r"spacing \(1, 1, 2\) mm.*spacing \(1, 1, 1\) mm"):
        read_prompts(tmp_path / "mask.nii.gz", LABELS, image=(tmp_path / "image.nii.gz", grid))


def test_a_mask_with_an_unlisted_label_or_none_is_refused(tmp_path):
    grid = Geometry((8, 8, 8), np.eye(4))
    write_label_array(tmp_path / "seven.nii.gz", np.full((8, 8, 8), 7), grid)
    write_volume(tmp_path / "zero.nii.gz", np.zeros((8, 8, 8), np.uint8), grid)
    with pytest.raises(DataError, match="label 7, expected one of 1=tumour, 2=oedema"):
        read_prompts(tmp_path / "seven.nii.gz", LABELS)
    with pytest.raises(DataError, match="holds no points"):
        read_prompts(tmp_path / "zero.nii.gz", LABELS)


def test_a_mask_never_loses_a_prompt_silently(tmp_path):
    grid = Geometry((8, 8, 8), np.eye(4))
    path = tmp_path / "mask.nii.gz"
    point = Prompt(1, np.array([[1.0, 1, 1], [1.2, 1, 1]]))
    assert "2 points fall into 1 voxels" in write_prompts(path, [point], image=grid)[0]
    with pytest.raises(DataError, match="two objects share label 1"):
        write_prompts(path, [point, point], image=grid)
    with pytest.raises(DataError, match="points in one voxel"):
        write_prompts(path, [point, Prompt(2, point.points)], image=grid)
    with pytest.raises(DataError, match="points outside the image"):
        write_prompts(path, [Prompt(1, np.array([[9.0, 1, 1]]))], image=grid)
    with pytest.raises(DataError, match="voxels need a grid"):
        write_prompts(tmp_path / "other.nii.gz", [point])
