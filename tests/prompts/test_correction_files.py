"""Corrections in files of every format: what is written is read again, in the same order."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from interactivenet.errors import DataError
from interactivenet.prompts.corrections import BACKGROUND, Correction
from interactivenet.prompts.io import read_prompts, write_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt
from tests.prompts.corrected_prompts import (
    OPEN,
    assert_same,
    cases,
    clicks,
    markups,
    names_of,
    prompt_of,
)
from tests.prompts.prompt_files import LABELS, TEXT, oblique_grid


@pytest.mark.parametrize("suffix", TEXT)
@settings(max_examples=60)
@given(prompts=cases(st.sampled_from(sorted(LABELS.names.items()))))
def test_every_object_keeps_its_corrections_in_their_order(tmp_path_factory, suffix, prompts):
    path = tmp_path_factory.mktemp("case") / f"case{suffix}"
    assert write_prompts(path, prompts) == []
    back = read_prompts(path, LABELS)
    assert not back[0].notes
    # objects of a label come in the order of their numbers, which is that of the prompts
    assert_same(back, prompts, names=True)
    open_labels = read_prompts(path, OPEN)
    assert [clicks(each, True) for each in open_labels] == [clicks(each, True) for each in prompts]
    written = path.read_bytes()
    write_prompts(path, back)
    assert path.read_bytes() == written


@settings(max_examples=40)
@given(st.permutations(TEXT), cases(st.just((1, "tumour"))))
def test_a_chain_of_formats_without_labels_loses_nothing(tmp_path_factory, chain, prompts):
    folder = tmp_path_factory.mktemp("chain")
    converted = prompts
    for suffix in chain:
        write_prompts(folder / f"case{suffix}", converted)
        converted = read_prompts(folder / f"case{suffix}")
    assert_same(converted, prompts, names=True)


endings = st.lists(st.sampled_from(["+", "-", "_1", "-1", " 2", "_"]), max_size=3).map("".join)
words = st.tuples(st.sampled_from(["a", "F", "tumor"]), endings).map("".join)
#: labels that end in signs and numbers, as those of 3D Slicer's lists do
odd_labels = st.lists(words, min_size=1, max_size=4, unique_by=str.lower).map(
    lambda names: LabelNames(dict(enumerate(names, start=1)))
)


@pytest.mark.parametrize("suffix", [".mrk.json", ".csv"])
@settings(max_examples=60)
@example(labels=LabelNames({1: "a", 2: "a+", 3: "a-", 4: "a++"}), data=None)
@example(labels=LabelNames({1: "a", 2: "a+-1", 3: "a_1", 4: "a_1+"}), data=None)
@given(labels=odd_labels, data=st.data())
def test_labels_may_end_in_signs(tmp_path_factory, suffix, labels, data):
    values = sorted(labels.names.items())
    if data is None:
        both = (Correction((1, 2, 3), True), Correction((1, 2, 4), False))
        prompts = [
            Prompt(value, np.full((6, 3), float(number)), name, corrections=both)
            for number, (value, name) in enumerate(values * 2)
        ]
    else:
        prompts = data.draw(cases(st.sampled_from(values)))
    path = tmp_path_factory.mktemp("case") / f"case{suffix}"
    write_prompts(path, prompts, labels=labels)
    assert_same(read_prompts(path, labels), prompts)


def test_how_corrections_are_named():
    assert names_of([prompt_of("a", "+", "-", "+")]) == ["a+", "a-", "a+"]
    assert names_of([prompt_of("", "-", label=7)]) == ["7-"]
    assert names_of([prompt_of("a", "+"), prompt_of("a", "-", "+")]) == ["a+", "a-#2", "a+#2"]
    # of the background are those that all objects share in one order
    shared = [prompt_of("a", "b", "+", "b"), prompt_of("c", "b", "-", "b", label=2)]
    assert names_of(shared) == ["background", "a+", "c-", "background"]
    assert names_of([prompt_of("a", "b"), prompt_of("c", label=2)]) == ["a-"]
    moved = [prompt_of("a", "b", "b"), prompt_of("c", "b", "b", start=1, label=2)]
    assert names_of(moved) == ["a-", "a-", "c-", "c-"]
    # HER2+ is another label, of the case or of the task
    her2 = [prompt_of("HER2", "+", "-"), prompt_of("her2+", "+", label=2)]
    assert names_of(her2) == ["HER2#1+", "HER2-", "her2++"]
    assert names_of(her2[:1], LabelNames({1: "HER2", 2: "HER2+"})) == ["HER2#1+", "HER2-"]


def test_slicer_s_formats_describe_corrections_and_csv_does_not(tmp_path):
    prompts = [prompt_of("tumour", "+", "-", "b")]
    for suffix in TEXT:
        write_prompts(tmp_path / f"a{suffix}", prompts)
    controls = json.loads((tmp_path / "a.mrk.json").read_text())["markups"][0]["controlPoints"]
    said = [(control["label"], control["description"]) for control in controls[5:]]
    assert said == [
        ("tumour", ""), ("tumour+", "positive"), ("tumour-", "negative"), ("background", ""),
    ]  # fmt: skip
    rows = list(csv.reader((tmp_path / "a.fcsv").read_text().splitlines()[3:]))
    assert [(row[11], row[12]) for row in rows[5:]] == said
    assert (tmp_path / "a.csv").read_text().splitlines()[0] == "name,x,y,z,system"
    points = json.loads((tmp_path / "a.json").read_text())["points"]
    assert [set(point) for point in points] == [{"name", "point"}] * 9


@pytest.mark.parametrize(
    ("said", "sign"),
    [("+", True), ("-", False), (" Positive", True), ("NEGATIVE ", False), ("", None),
     ("the left one", None), ("positive margin", None), (None, None), (1, None)],
)  # fmt: skip
def test_a_description_makes_a_point_a_correction(tmp_path, said, sign):
    points = [(f"F-{number}", "") for number in range(1, 7)]
    path = markups(tmp_path / "a.mrk.json", ("F", [*points, ("F-7", said)]))
    (prompt,) = read_prompts(path, LabelNames({1: "tumour"}))
    assert len(prompt.points) == 6 + (sign is None)
    assert [each.positive for each in prompt.corrections] == ([] if sign is None else [sign])
    assert [each.name for each in prompt.corrections] == ([] if sign is None else ["F-7"])
    if not isinstance(said, str):
        return
    table = [f"{name},{n},0,0.5,{what}" for n, (name, what) in enumerate([*points, ("F-7", said)])]
    (tmp_path / "a.csv").write_text("\n".join(["label,r,a,s,description", *table]))
    rows = [f"{n},{n},0,0.5,0,0,0,1,1,1,0,{name},{what},,2,0"
            for n, (name, what) in enumerate([*points, ("F-7", said)])]  # fmt: skip
    (tmp_path / "a.fcsv").write_text("\n".join(["# CoordinateSystem = RAS", *rows]))
    for suffix in (".csv", ".fcsv"):
        (other,) = read_prompts(tmp_path / f"a{suffix}", LabelNames({1: "tumour"}))
        assert clicks(other) == clicks(prompt)
        np.testing.assert_array_equal(other.points, prompt.points)


def test_described_points_are_of_the_object_of_their_list(tmp_path):
    both = [("F-1", ""), ("F-2", ""), ("F-3", "-"), ("F-4", "+")]
    path = markups(tmp_path / "a.mrk.json", ("tumour", both), ("oedema", both), ("tumour_1", both))
    prompts = read_prompts(path, LABELS)
    assert [(each.label, len(each.points)) for each in prompts] == [(1, 2), (2, 2), (1, 2)]
    for group, prompt in enumerate(prompts):
        assert clicks(prompt) == [(False, (2, group, 0.5)), (True, (3, group, 0.5))]


def test_lists_of_slicer_are_read_one_after_the_other(tmp_path):
    path = markups(
        tmp_path / "a.mrk.json",
        ("tumour-", [("tumour--1", ""), ("tumour--2", "")]),
        ("tumour", [(f"tumour-{number}", "") for number in range(1, 7)]),
        ("tumour+", [("tumour+-1", "")]),
    )
    (prompt,) = read_prompts(path, LABELS)
    assert clicks(prompt) == [(False, (0, 0, 0.5)), (False, (1, 0, 0.5)), (True, (0, 2, 0.5))]
    assert [prompt.call_correction(number) for number in range(3)] == [
        "tumour--1", "tumour--2", "tumour+-1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "said"),
    [("correction", ("+", "-", "", None)), (" Correction ", ("positive", "Negative", "", None))],
)
def test_a_column_of_csv(tmp_path, column, said):
    path = tmp_path / "a.csv"
    rows = [f"tumour,{n},2,3,RAS,{text}" for n, text in enumerate(said) if text is not None]
    path.write_text("\n".join([f"name,x,y,z,system,{column}", *rows, "tumour,9,2,3,RAS"]))
    (prompt,) = read_prompts(path, LABELS)
    assert prompt.points[:, 0].tolist() == [2, 9]
    assert clicks(prompt) == [(True, (0, 2, 3)), (False, (1, 2, 3))]
    path.write_text("name,x,y,z,system,correction\ntumour,1,2,3,RAS,yes\n")
    with pytest.raises(DataError, match=r"a\.csv: has 'yes' in the column 'correction', expected"):
        read_prompts(path, LABELS)


@pytest.mark.parametrize(
    "content",
    [
        {"tumor": [[3, 2, 1]] * 6, "background": [[1, 2, 3]]},
        {"background": [[1, 2, 3]], "tumor": [[3, 2, 1]] * 6},
        {"tumor": [[3, 2, 1]] * 6, "tumor-": [[1, 2, 3]]},
    ],
)
def test_clicks_of_autopet_in_voxel_indices(tmp_path, content):
    grid, path = oblique_grid(), tmp_path / "clicks.json"
    path.write_text(json.dumps(content))
    for labels in (LabelNames({4: "lesion"}), OPEN, None):
        (prompt,) = read_prompts(path, labels, image=(path, grid), voxels=True)
        assert len(prompt.points) == 6 and [each.positive for each in prompt.corrections] == [False]
        np.testing.assert_allclose(grid.world_to_voxel(prompt.negative), [[1, 2, 3]], atol=1e-9)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from("+-b"), st.tuples(*[st.integers(0, 10)] * 3))))
def test_voxel_indices_keep_order_and_sign(tmp_path_factory, drawn):
    grid = oblique_grid()
    path = tmp_path_factory.mktemp("voxels") / "case.json"
    corrections = [
        Correction(grid.voxel_to_world([voxel])[0], sign == "+", BACKGROUND if sign == "b" else "")
        for sign, voxel in drawn
    ]
    points = grid.voxel_to_world([[3, 4, 5], [6, 7, 8]])
    write_prompts(path, [Prompt(1, points, "tumour", corrections=corrections)], image=grid,
                  voxels=True)  # fmt: skip
    (back,) = read_prompts(path, LABELS, image=(path, grid), voxels=True)
    assert [each.positive for each in back.corrections] == [sign == "+" for sign, _ in drawn]
    expected = np.array([voxel for _, voxel in drawn], float).reshape(-1, 3)
    found = np.array([each.position for each in back.corrections]).reshape(-1, 3)
    np.testing.assert_allclose(grid.world_to_voxel(found), expected, atol=1e-9)


def test_a_mask_says_how_many_corrections_it_leaves_out(tmp_path):
    grid = oblique_grid()
    points = grid.voxel_to_world([[3, 4, 5], [6, 7, 8]])
    background = Correction(points[0], False, BACKGROUND)
    two = (background, Correction(points[1], True))
    path = tmp_path / "case.nii.gz"
    one = Prompt(1, points, "tumour", corrections=two)
    (note,) = write_prompts(path, [one], image=grid)
    assert note == "2 corrections are left out, which a mask cannot hold: use a .json file"
    other = Prompt(2, points[::-1] + 3, "oedema", corrections=(background,))
    (note,) = write_prompts(path, [one, other], image=grid)  # the background's counts once
    assert note.startswith("2 corrections are left out")
    (note,) = write_prompts(path, [Prompt(1, points, corrections=two[1:])], image=grid)
    assert note.startswith("1 correction is left out")


def test_the_examples_of_the_documentation_are_read(tmp_path):
    page = Path(__file__).parents[2] / "docs" / "how-to" / "prompts.md"
    section = page.read_text().partition("## Corrections\n")[2].partition("\n## ")[0]
    examples = re.findall(r"`(\.[a-z.]+)`[^\n]*:\n\n```\w+\n(.*?)```", section, re.DOTALL)
    assert [suffix for suffix, _ in examples] == [".json", ".mrk.json", ".fcsv", ".csv", ".csv"]
    for suffix, text in examples:
        (tmp_path / f"a{suffix}").write_text(text)
        (prompt,) = read_prompts(tmp_path / f"a{suffix}", LABELS)
        assert prompt.points.tolist() == [[-10.5, 20, 30]]
        assert {tuple(each) for each in prompt.positive.tolist()} == {(-12, 24.5, 31)}
        assert len(prompt.negative) == (suffix != ".fcsv" and "label,l" not in text)
