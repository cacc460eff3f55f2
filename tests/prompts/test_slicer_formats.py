"""Files of 3D Slicer: only points whose position is defined count, and others are named."""

import json

import numpy as np
import pytest

from interactivenet.errors import DataError, NoPoints
from interactivenet.prompts.io import read_prompts
from interactivenet.prompts.prompt import LabelNames

LABELS = LabelNames({1: "tumour"})
HEADER = (
    "# Markups fiducial file version = 5.4\n# CoordinateSystem = {}\n"
    "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
)


def fcsv(path, statuses, system="LPS"):
    rows = [
        f"{n},{n}.5,{2 * n},3,0,0,0,1,1,1,0,F-{n},,{status}\n"
        for n, status in enumerate(statuses, start=1)
    ]
    path.write_text(HEADER.format(system) + "".join(rows))
    return path


def markups(path, statuses, system="LPS", **more):
    controls = [
        {"label": f"F-{n}", "position": [n + 0.5, 2.0 * n, 3.0], "positionStatus": status}
        for n, status in enumerate(statuses, start=1)
    ]
    content = {"coordinateSystem": system, "controlPoints": controls, **more}
    path.write_text(json.dumps({"markups": [content]}))
    return path


@pytest.mark.parametrize("system", ["LPS", "RAS"])
def test_fcsv_and_json_of_the_same_points_give_the_same(tmp_path, system):
    words = ["defined", "undefined", "preview", "defined", "missing"]
    codes = [",2,0", ",0,0", ",1,0", ",2,0", ",3,0"]
    (one,) = read_prompts(fcsv(tmp_path / "a.fcsv", codes, system), LABELS)
    (other,) = read_prompts(markups(tmp_path / "a.mrk.json", words, system), LABELS)
    np.testing.assert_array_equal(one.points, other.points)
    assert one.point_names == other.point_names == ("F-1", "F-4")
    assert one.notes == other.notes == (
        "F-2 (undefined), F-3 (preview), F-5 (missing) were left out: only points whose position"
        " is defined count",
    )  # fmt: skip


def test_the_shared_case_has_five_points_in_either_format(shared_cases):
    folder = shared_cases("b02_fcsv_status")
    (one,) = read_prompts(folder / "six.fcsv", LABELS)
    (other,) = read_prompts(folder / "six.mrk.json", LABELS)
    assert len(one.points) == 5 and one.point_names[-1] == "F-5"
    np.testing.assert_array_equal(one.points, other.points)
    assert one.notes == other.notes and "F-6 (undefined) was left out" in one.notes[0]


@pytest.mark.parametrize("status", ["", ",", ",,"])
def test_without_a_status_a_point_of_fcsv_is_defined(tmp_path, status):
    (prompt,) = read_prompts(fcsv(tmp_path / "a.fcsv", [status] * 6), LABELS)
    assert len(prompt.points) == 6 and not prompt.notes


@pytest.mark.parametrize("status", ["4", "-1", "defined"])
def test_an_unknown_status_is_refused(tmp_path, status):
    path = fcsv(tmp_path / "a.fcsv", [",2,0", f",{status},0"])
    with pytest.raises(DataError, match=f"line 5 has the status '{status}', expected 0"):
        read_prompts(path, LABELS)


def test_where_no_point_is_defined_the_reason_is_said(tmp_path):
    with pytest.raises(NoPoints, match=r"holds no points: F-1 \(undefined\) was left out"):
        read_prompts(fcsv(tmp_path / "a.fcsv", [",0,0"]), LABELS)


@pytest.mark.parametrize(("columns", "signs"), [("l,p,s", (-1, -1, 1)), ("r,a,s", (1, 1, 1))])
@pytest.mark.parametrize("more", [",defined,selected,visible,locked,description", ""])
def test_a_table_of_control_points(tmp_path, columns, signs, more):
    path = tmp_path / "table.csv"
    flags = ",1,1,1,0," if more else ""
    path.write_text(f"label,{columns}{more}\nF-1,1.5,2,3{flags}\nF-2,4,5,6{flags}\n")
    (prompt,) = read_prompts(path, LABELS)
    np.testing.assert_array_equal(prompt.points, np.array([[1.5, 2, 3], [4, 5, 6]]) * signs)
    assert prompt.point_names == ("F-1", "F-2")


def test_points_of_a_table_that_are_not_defined_are_left_out(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("label,r,a,s,defined\nF-1,1,2,3,1\nF-2,0,0,0,0\n")
    (prompt,) = read_prompts(path, LABELS)
    assert len(prompt.points) == 1 and "F-2 (not defined) was left out" in prompt.notes[0]
    path.write_text("label,r,a,s,defined\nF-1,1,2,3,maybe\n")
    with pytest.raises(DataError, match="'maybe' in the column 'defined', expected 1 or 0"):
        read_prompts(path, LABELS)
    path.write_text("label,r,p,s\nF-1,1,2,3\n")
    with pytest.raises(DataError, match="or the columns of a table of 3D Slicer: label,r,a,s or"):
        read_prompts(path, LABELS)


def test_the_shared_table(shared_cases):
    (prompt,) = read_prompts(shared_cases("b12_other_refused") / "table.csv", LABELS)
    np.testing.assert_allclose(prompt.points[0], [19.9067, -13.9347, 29.443])
    assert prompt.point_names == ("F-1", "F-2", "F-3")


def test_the_name_of_a_list_may_be_its_label(tmp_path):
    two = LabelNames({1: "tumour", 2: "oedema"})
    path = markups(tmp_path / "a.mrk.json", ["defined"] * 2, name="Oedema")
    assert [prompt.label for prompt in read_prompts(path, two)] == [2]
    (tmp_path / "tumour.mrk.json").write_bytes(
        markups(tmp_path / "b.mrk.json", ["defined"]).read_bytes()
    )
    with pytest.raises(DataError, match="named 'F', expected one of the labels"):
        read_prompts(tmp_path / "tumour.mrk.json", two)  # a case's name, where it is the only file


def test_two_lists_with_coordinate_systems_of_their_own(tmp_path):
    path = tmp_path / "a.mrk.json"
    content = [
        {
            "coordinateSystem": system,
            "controlPoints": [{"label": f"{name}-1", "position": [1, 2, 3]}],
        }
        for system, name in (("LPS", "F"), ("RAS", "F_1"))
    ]
    path.write_text(json.dumps({"markups": content}))
    one, other = read_prompts(path, LABELS)
    assert one.points.tolist() == [[-1, -2, 3]] and other.points.tolist() == [[1, 2, 3]]


def test_the_shared_lists_are_two_objects_of_the_only_label(shared_cases):
    path = shared_cases("a15_two_lists_of_slicer") / "scan.mrk.json"
    one, other = read_prompts(path, LABELS)
    assert one.label == other.label == 1 and len(one.points) == len(other.points) == 6
    assert one.point_names[0] == "F-1" and other.point_names[0] == "F_1-1"
    np.testing.assert_allclose(other.points - one.points, [[-3, -3, 2]] * 6, atol=1e-9)


def test_a_position_of_truth_values_is_none(tmp_path):
    point = {"label": "F-1", "position": [True, False, True], "positionStatus": "defined"}
    content = {"markups": [{"coordinateSystem": "LPS", "controlPoints": [point]}]}
    path = tmp_path / "a.mrk.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="expected three numbers"):
        read_prompts(path)
