"""Files of points: every format keeps what it can, and says which system its places are in."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import read_label, write_label_array
from interactivenet.prompts.io import read_prompts, write_prompts
from interactivenet.prompts.prompt import LabelNames
from tests.prompts.prompt_files import LABELS, TEXT, assert_same, oblique_grid, slicer, some_prompts


@pytest.mark.parametrize("suffix", TEXT)
def test_text_formats_lose_nothing(tmp_path, suffix):
    prompts = some_prompts(oblique_grid(), labels=(1, 2, 1))
    write_prompts(tmp_path / f"case{suffix}", prompts)
    assert_same(prompts, read_prompts(tmp_path / f"case{suffix}", LABELS))


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.permutations(TEXT), st.integers(0, 1000))
def test_a_chain_of_text_formats_loses_nothing(tmp_path_factory, chain, seed):
    folder = tmp_path_factory.mktemp("chain")
    prompts = some_prompts(oblique_grid(), seed, labels=(2, 1, 1))
    converted = prompts
    for suffix in chain:
        write_prompts(folder / f"case{suffix}", converted)
        converted = read_prompts(folder / f"case{suffix}", LABELS)
    assert_same(prompts, converted)


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha", ".nrrd"])
def test_a_mask_loses_no_more_than_the_rounding_to_voxels(tmp_path, suffix):
    grid = oblique_grid()
    prompts = some_prompts(grid)
    write_prompts(tmp_path / f"case{suffix}", prompts, image=grid)
    back = read_prompts(tmp_path / f"case{suffix}", LABELS)
    assert [(p.label, p.name) for p in back] == [(1, "tumour"), (2, "oedema")]
    for prompt, rounded in zip(prompts, back, strict=True):
        asked = np.rint(grid.world_to_voxel(prompt.points))
        got = grid.world_to_voxel(rounded.points)
        order = lambda v: v[np.lexsort(np.rint(v).T)]  # noqa: E731
        np.testing.assert_allclose(order(got), order(asked), atol=1e-3)
    assert read_label(tmp_path / f"case{suffix}").array.sum() == 6 * 1 + 6 * 2


def test_voxel_indices_are_those_of_the_stored_array(tmp_path):
    grid = oblique_grid()
    path = tmp_path / "clicks.json"
    path.write_text(json.dumps({"points": [{"name": "tumour", "point": [3, 20, 7]}]}))
    (prompt,) = read_prompts(path, LABELS, image=(path, grid), voxels=True)
    np.testing.assert_allclose(prompt.points, (grid.affine @ [3, 20, 7, 1])[None, :3])
    write_prompts(tmp_path / "again.json", [prompt], image=grid, voxels=True)
    again = json.loads((tmp_path / "again.json").read_text())
    assert again["points"] == [{"name": "tumour", "point": [3, 20, 7]}]
    with pytest.raises(DataError, match="expected 'Multiple points'"):
        read_prompts(tmp_path / "again.json", LABELS)  # never taken for millimetres


def test_grand_challenge_points_are_lps(tmp_path):
    path = tmp_path / "points.json"
    content = {
        "version": {"major": 1, "minor": 0},
        "type": "Multiple points",
        "points": [{"name": "tumour", "point": [10.0, -20.0, 30.0], "probability": None}],
    }
    path.write_text(json.dumps(content))
    (prompt,) = read_prompts(path, LABELS)
    assert prompt.points.tolist() == [[-10.0, 20.0, 30.0]]


@pytest.mark.parametrize(("system", "sign"), [("LPS", -1), ("RAS", 1)])
def test_slicer_says_its_coordinate_system(tmp_path, system, sign):
    path = tmp_path / "case.mrk.json"
    controls = [
        {"label": "F-1", "position": [1.0, 2.0, 3.0], "positionStatus": "defined"},
        {"label": "F-2", "position": "", "positionStatus": "undefined"},
        {"label": "F-3", "position": [4.0, 5.0, 6.0]},
    ]
    markup = {"type": "Fiducial", "coordinateSystem": system, "controlPoints": controls}
    path.write_text(json.dumps({"markups": [markup]}))
    (prompt,) = read_prompts(path, LabelNames({1: "tumour"}))
    assert prompt.points.tolist() == [[sign * 1, sign * 2, 3], [sign * 4, sign * 5, 6]]
    plain = tmp_path / "renamed.json"  # Slicer's content is recognised under .json, too
    plain.write_text(path.read_text())
    assert read_prompts(plain, LabelNames({1: "tumour"}))[0].points.tolist() == (
        prompt.points.tolist()
    )


def test_slicer_lists_keep_names_that_end_in_digits(tmp_path):
    path = tmp_path / "case.mrk.json"
    lists = [{"controlPoints": [{"label": n, "position": [0, 0, 0]}]} for n in ("L1", "T12")]
    path.write_text(json.dumps({"markups": lists}))
    labels = LabelNames({5: "T", 21: "L1", 22: "T12"})
    assert [p.label for p in read_prompts(path, labels)] == [21, 22]


def test_each_slicer_list_is_an_object(tmp_path):
    path = tmp_path / "case.mrk.json"
    lists = [
        {"coordinateSystem": "LPS", "controlPoints": [{"label": "F-1", "position": [i, 0, 0]}]}
        for i in range(2)
    ]
    path.write_text(json.dumps({"markups": lists}))
    assert [p.label for p in read_prompts(path, LabelNames({4: "node"}))] == [4, 4]


@pytest.mark.parametrize(("code", "sign"), [("0", 1), ("1", -1), ("LPS", -1), ("RAS", 1)])
def test_fcsv_says_its_coordinate_system(tmp_path, code, sign):
    path = tmp_path / "case.fcsv"
    path.write_text(
        f"# Markups fiducial file version = 4.13\n# CoordinateSystem = {code}\n"
        "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
        "0,1.5,2,3,0,0,0,1,1,1,0,tumour-1,,\n"
    )
    assert read_prompts(path, LABELS)[0].points.tolist() == [[sign * 1.5, sign * 2, 3]]


def test_points_are_renamed_and_objects_kept_apart(tmp_path):
    labels = LabelNames({1: "tumour", 2: "node"})
    names = {"Lesion": "tumour", "background": "", "*": "node"}
    given = ["lesion#1", "lesion#2", "background", "TUMOUR#3", "2", "thing"]
    path = tmp_path / "points.json"
    content = {"points": [{"name": n, "point": [i, 0, 0]} for i, n in enumerate(given)],
               "type": "Multiple points", "version": {"major": 1, "minor": 0}}  # fmt: skip
    path.write_text(json.dumps(content))
    back = read_prompts(path, labels, names=names)
    where = [(prompt.label, prompt.points[:, 0].tolist()) for prompt in back]
    assert where == [(1, [0]), (1, [-1]), (1, [-3]), (2, [-4, -5])]


@pytest.mark.parametrize("form", ["Point {}", "F-{}", "P_{}"])
def test_numbered_names_of_a_viewer_are_the_only_label(tmp_path, form):
    path = tmp_path / "points.json"
    content = {"points": [{"name": form.format(i), "point": [i, 0, 0]} for i in range(1, 7)],
               "type": "Multiple points", "version": {"major": 1, "minor": 0}}  # fmt: skip
    path.write_text(json.dumps(content))
    (prompt,) = read_prompts(path, LabelNames({1: "tumour"}))
    assert len(prompt.points) == 6 and prompt.label == 1


def test_several_files_are_several_objects(tmp_path):
    one = slicer(tmp_path / "left.mrk.json", "left")
    other = slicer(tmp_path / "right.mrk.json", "right", "RAS")
    background = slicer(tmp_path / "background.mrk.json", "F", count=2)
    prompts = read_prompts([one, other, background], LabelNames({4: "node"}))
    assert [(p.label, len(p.points), len(p.negative)) for p in prompts] == [(4, 3, 2)] * 2
    assert prompts[0].points[0].tolist() == [-1, -2, 3.5]
    assert prompts[1].points[0].tolist() == [1, 2, 3.5]
    with pytest.raises(DataError, match=r"background\.mrk\.json: holds 2 .*none of an object"):
        read_prompts([background], LabelNames({4: "node"}))


def test_files_may_be_named_after_their_labels(tmp_path):
    files = [
        slicer(tmp_path / f"{name}.mrk.json", "F") for name in ("Oedema", "tumour_1", "tumour")
    ]
    assert [p.label for p in read_prompts(files, LABELS)] == [2, 1, 1]
    wrong = slicer(tmp_path / "oedema.mrk.json", "tumour")
    with pytest.raises(DataError, match=r"oedema\.mrk\.json: has a point named 'tumour-1' in the"):
        read_prompts([files[2], wrong], LABELS)
    other = slicer(tmp_path / "2.mrk.json", "F")
    with pytest.raises(DataError, match=r"2\.mrk\.json: has points named 'F', expected one of"):
        read_prompts([files[2], other], LABELS)
    with pytest.raises(DataError, match="is given twice"):
        read_prompts([files[2], files[2]], LABELS)


def test_points_of_a_mask_are_called_by_their_stored_voxels(tmp_path):
    grid = Geometry((8, 9, 10), np.diag([-1.0, -1, 2, 1]))
    mask = np.zeros((8, 9, 10), np.uint8)
    mask[1, 2, 3] = 1
    write_label_array(tmp_path / "mask.nii.gz", mask, grid)
    (prompt,) = read_prompts(tmp_path / "mask.nii.gz", LABELS)
    assert prompt.call(0) == "voxel (6, 6, 3)"
