import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import read_label, write_label_array, write_volume
from interactivenet.prompts.io import read_prompts, write_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt
from tests.prompts.test_named_points import of_background

LABELS = LabelNames({1: "tumour", 2: "oedema"})
TEXT = [".json", ".mrk.json", ".fcsv", ".csv"]


def oblique_grid():
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [10, -20, 100], degrees=True).as_matrix()
    affine[:3, :3] *= [0.9, 0.8, 3.1]
    affine[:3, 3] = [-17.3, 40.2, -300.7]
    return Geometry((31, 29, 11), affine)


def some_prompts(grid, seed=0, labels=(1, 2)):
    rng = np.random.default_rng(seed)
    return [
        Prompt(
            label,
            grid.voxel_to_world(rng.uniform(0, np.array(grid.shape) - 1, (6, 3))),
            LABELS.names[label],
        )
        for label in labels
    ]


def assert_same(prompts, expected, atol=0.0):
    assert [p.label for p in prompts] == [p.label for p in expected]
    assert [p.name for p in prompts] == [p.name for p in expected]
    for a, b in zip(prompts, expected, strict=True):
        np.testing.assert_allclose(b.points, a.points, rtol=0, atol=atol)


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


@pytest.mark.parametrize("suffix", TEXT)
def test_background_points_go_round(tmp_path, suffix):
    rng = np.random.default_rng(1)
    background = rng.normal(size=(3, 3))
    prompts = [
        Prompt(p.label, p.points, p.name, corrections=of_background(background))
        for p in some_prompts(oblique_grid(), labels=(1, 2, 1))
    ]
    assert write_prompts(tmp_path / f"case{suffix}", prompts) == []
    back = read_prompts(tmp_path / f"case{suffix}", LABELS)
    assert_same(prompts, back)
    for prompt in back:
        np.testing.assert_allclose(prompt.negative, background, rtol=0, atol=0)
    assert not back[0].notes


def test_background_points_go_round_as_voxels(tmp_path):
    grid = oblique_grid()
    voxels = np.array([[3, 4, 5], [6, 7, 8]])
    prompt = Prompt(
        1, grid.voxel_to_world(voxels), "tumour",
        corrections=of_background(grid.voxel_to_world(voxels + 1)),
    )  # fmt: skip
    write_prompts(tmp_path / "case.json", [prompt], image=grid, voxels=True)
    image = (tmp_path / "image.nii.gz", grid)
    (back,) = read_prompts(tmp_path / "case.json", LABELS, image=image, voxels=True)
    np.testing.assert_allclose(grid.world_to_voxel(back.negative), voxels + 1, atol=1e-9)


def click_files(folder, tumour, background):
    """The two forms of autoPET's clicks."""
    points = [{"point": p, "name": "tumor"} for p in tumour]
    points += [{"point": p, "name": "background"} for p in background]
    sent = {"version": {"major": 1, "minor": 0}, "type": "Multiple points", "points": points}
    (folder / "lesion-clicks.json").write_text(json.dumps(sent))
    kept = {"tumor": tumour, "background": background}
    (folder / "training.json").write_text(json.dumps(kept))
    return folder / "lesion-clicks.json", folder / "training.json"


def test_clicks_of_autopet_are_voxel_indices(tmp_path):
    grid = oblique_grid()
    image = (tmp_path / "image.nii.gz", grid)
    tumour, background = [[3, 20, 7], [4, 5, 6]], [[1, 2, 3]]
    for path in click_files(tmp_path, tumour, background):
        (prompt,) = read_prompts(path, LabelNames({5: "tumour"}), image=image, voxels=True)
        assert prompt.label == 5 and not prompt.notes
        np.testing.assert_allclose(prompt.points, grid.voxel_to_world(tumour))
        np.testing.assert_allclose(prompt.negative, grid.voxel_to_world(background))


def test_clicks_of_autopet_are_not_silently_taken_for_millimetres(tmp_path):
    sent, kept = click_files(tmp_path, [[3, 20, 7]], [[1, 2, 3]])
    with pytest.raises(DataError, match=r"clicks as autoPET has them, in voxel indices.*`voxels="):
        read_prompts(kept, LabelNames({1: "tumour"}))
    (prompt,) = read_prompts(sent, LabelNames({1: "tumour"}))
    assert "all points are whole numbers" in prompt.notes[0] and "as LPS mm" in prompt.notes[0]
    write_prompts(tmp_path / "own.json", [prompt])
    assert not read_prompts(tmp_path / "own.json", LABELS)[0].notes
    for content, message in (
        ({"tumor": [[1, 2]]}, "three numbers"),
        ({"tumor": []}, "no points"),
        ({"background": [[1, 2, 3]]}, "1 background points, but none"),
    ):
        kept.write_text(json.dumps(content))
        with pytest.raises(DataError, match=message):
            read_prompts(kept, image=(kept, oblique_grid()), voxels=True)


def test_the_shared_clicks_are_the_same_in_both_forms(shared_cases):
    folder = shared_cases("b12_other_refused")
    image = (folder, Geometry((300, 300, 500), np.diag([-2.0, 2, 3, 1])))
    one, other = (
        read_prompts(folder / name, LabelNames({1: "tumour"}), image=image, voxels=True)[0]
        for name in ("lesion-clicks.json", "autopet_training_clicks.json")
    )
    np.testing.assert_array_equal(one.points, other.points)
    np.testing.assert_array_equal(one.negative, other.negative)
    assert one.points[0].tolist() == [-218, 206, 1059] and len(one.negative) == 10


def slicer(path, name, system="LPS", count=3):
    controls = [{"label": f"{name}-{n}", "position": [n, 2, 3.5]} for n in range(1, count + 1)]
    path.write_text(
        json.dumps({"markups": [{"coordinateSystem": system, "controlPoints": controls}]})
    )
    return path


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
