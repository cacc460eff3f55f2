"""Corrections in files beside those of their objects, and which object each is of."""

import json
from collections import Counter

import pytest

from interactivenet.errors import DataError, NoPoints
from interactivenet.prompts.io import check_points, read_prompts, write_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt
from tests.prompts.corrected_prompts import OPEN, clicks
from tests.prompts.prompt_files import LABELS, oblique_grid, slicer


def test_files_may_hold_the_corrections_of_others(tmp_path):
    margin = {
        "F": slicer(tmp_path / "left.mrk.json", "F"), "G": slicer(tmp_path / "right.mrk.json", "F"),
    }  # fmt: skip
    files = [
        slicer(tmp_path / "right-.mrk.json", "F", count=2), margin["F"], margin["G"],
        slicer(tmp_path / "left+.mrk.json", "F", count=1),
        slicer(tmp_path / "right+.fcsv.mrk.json", "right+", count=1),
        slicer(tmp_path / "background.mrk.json", "F", count=1),
    ]  # fmt: skip
    left, right = read_prompts(files, LabelNames({4: "node"}))
    assert [each.positive for each in left.corrections] == [True, False]
    assert [each.positive for each in right.corrections] == [False, False, True, False]
    assert right.call_correction(3) == "background point 1"
    with pytest.raises(
        DataError, match=r"named 'F-1' that may be of 2 objects: .* node\+#1 or node"
    ):
        read_prompts([*margin.values(), slicer(tmp_path / "+.mrk.json", "F", count=1)],
                     LabelNames({4: "node"}))  # fmt: skip
    with pytest.raises(DataError, match="of 'left', of which there are no points"):
        read_prompts([files[3], margin["G"]], LabelNames({4: "node"}))


@pytest.mark.parametrize("labels", [LABELS, OPEN])
def test_files_named_after_labels(tmp_path, labels):
    names = ("tumour", "oedema", "tumour_1", "oedema-", "tumour+_1", "tumour+#1", "oedema#1+")
    files = [slicer(tmp_path / f"{name}.mrk.json", "F") for name in names]
    prompts = read_prompts(files, labels)
    assert [(each.name, len(each.points)) for each in prompts][:2] == [("tumour", 3), ("oedema", 3)]
    signs = [Counter(each.positive for each in prompt.corrections) for prompt in prompts]
    assert signs == [{True: 3}, {False: 3, True: 3}, {True: 3}]


def test_a_number_counts_objects_of_all_files(tmp_path):
    files = [slicer(tmp_path / f"{name}.mrk.json", "tumour") for name in ("a", "b")]
    third = slicer(tmp_path / "c.mrk.json", "tumour+#2", count=1)
    prompts = read_prompts([*files, third], LABELS)
    assert [len(each.corrections) for each in prompts] == [0, 1]
    # corrections in the file of their object need no number
    content = json.loads(files[1].read_text())
    content["markups"].append({"controlPoints": [{"label": "tumour--1", "position": [1, 2, 3]}]})
    files[1].write_text(json.dumps(content))
    prompts = read_prompts([*files, third], LABELS)
    assert [clicks(each) for each in prompts] == [
        [], [(False, (-1, -2, 3)), (True, (-1, -2, 3.5))],
    ]  # fmt: skip


def test_a_mask_may_stand_beside_a_file_of_corrections(tmp_path):
    grid = oblique_grid()
    points = grid.voxel_to_world([[3, 4, 5], [6, 7, 8]])
    for name in ("left", "tumour-", "background"):
        write_prompts(tmp_path / f"{name}.nii.gz", [Prompt(1, points)], image=grid)
    for name in ("tumour+", "left+", "1+", "+"):
        path = slicer(tmp_path / "c.mrk.json", name, count=1)
        (prompt,) = read_prompts([tmp_path / "left.nii.gz", path], LABELS)
        assert [each.positive for each in prompt.corrections] == [True]
    for name in ("tumour-", "background"):
        with pytest.raises(DataError, match=rf"{name}\.nii\.gz: is a mask, which cannot hold corr"):
            read_prompts([tmp_path / "left.nii.gz", tmp_path / f"{name}.nii.gz"], LABELS)


def test_names_are_given_to_others_with_their_signs(tmp_path):
    path = tmp_path / "points.json"
    given_names = ["lesion", "lesion+", "lesion-#2", "lesion#2", "fp", "fp#2", "background", "skip",
                   "skip+", "other", "other-", "oedema-"]  # fmt: skip
    content = {"points": [{"name": n, "point": [i, 0, 0]} for i, n in enumerate(given_names)],
               "type": "Multiple points", "version": {"major": 1, "minor": 0}}  # fmt: skip
    path.write_text(json.dumps(content))
    names = {"Lesion": "tumour", "fp": "tumour-", "skip": "", "*": "oedema"}
    prompts = read_prompts(path, LABELS, names=names)
    found = [[-each.position[0] for each in prompt.corrections] for prompt in prompts]
    assert found == [[1, 4, 6], [2, 5, 6], [6, 10, 11]]
    assert [each.label for each in prompts] == [1, 1, 2]
    her2 = LabelNames({1: "HER2", 2: "HER2+"})
    content["points"] = [{"name": name, "point": [1, 2, 3.5]} for name in ("a", "a+")]
    path.write_text(json.dumps(content))
    (prompt,) = read_prompts(path, her2, names={"a": "HER2"})
    assert prompt.label == 1 and [each.positive for each in prompt.corrections] == [True]


def test_a_file_of_corrections_alone_has_no_object(tmp_path):
    path = slicer(tmp_path / "a.mrk.json", "tumour+")
    with pytest.raises(
        DataError, match=r"a\.mrk\.json: has a correction named 'tumour\+-1' of 'tumour'"
    ):
        read_prompts(path, LABELS)
    check_points(path)  # points it does hold
    path = slicer(tmp_path / "b.mrk.json", "background")
    with pytest.raises(NoPoints, match="3 background points, but none of an object"):
        read_prompts(path, LABELS)
