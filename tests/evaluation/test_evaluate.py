"""Evaluations of stored predictions: rows, what belongs together, failures, files."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from interactivenet.errors import RequestError
from interactivenet.evaluation import evaluate_masks
from interactivenet.evaluation.evaluate import evaluate_cases
from interactivenet.evaluation.matching import Pair, build_pairs
from interactivenet.evaluation.measures import measure_pair, measure_with_notes
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import read_label, write_label_array
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.system.signals import Interrupted, Signals
from tests.raw_task import GRID, POINTS, SHAPE, label_array, read, write_case, write_points

NAMES = LabelNames({1: "tumour", 2: "oedema"})
_ANGLE = np.radians(25)
_TURN = np.array([
    [np.cos(_ANGLE), -np.sin(_ANGLE), 0, 5], [np.sin(_ANGLE), np.cos(_ANGLE), 0, 3], [0, 0, 1, 0],
    [0, 0, 0, 1],
])  # fmt: skip
#: grids, straight and oblique, and the same lattices with axes in another order and direction
STORED = [
    (
        Geometry(SHAPE, turn @ GRID.affine),
        Geometry(
            (16, 20, 18),
            Geometry(SHAPE, turn @ GRID.affine).ras.affine
            @ [[0, -1, 0, 19], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]],
        ),
    )
    for turn in (np.eye(4), _TURN)
]


def predicted():
    prediction = np.roll(label_array(), 2, axis=0)
    prediction[1:3, 1:3, 1:3] = 2
    return prediction


@pytest.fixture
def task(tmp_path):
    folder = tmp_path / "task"
    for name in ("a", "b"):
        write_case(folder, name, prompt=True)
        write_label_array(folder / "found" / f"{name}.nii.gz", predicted(), GRID)
    return folder


def pairs_of(task, **options):
    return build_pairs(task / "found", task / "labelsTr", **options).pairs


def stored_spacing(pair):
    return read_label(pair.label).spacing  # of float32 headers


def record(path, *objects):
    path.write_text(json.dumps({"case": path.stem, "objects": list(objects)}))


def test_rows_hold_what_evaluate_masks_measures(task):
    [pair, _] = pairs_of(task, subtypes={"a": "x"})
    first, second = measure_pair(pair, NAMES, 3.0)
    expected = evaluate_masks(predicted() == 1, label_array() == 1, stored_spacing(pair), 3.0)
    assert {name: first[name] for name in expected} == expected
    assert 0 < first["dice"] < 1
    assert (first["case"], first["subtype"], first["name"], first["prompt"]) == (
        "a", "x", "tumour", None,
    )  # fmt: skip
    # predicted where there is none
    assert (second["label"], second["name"], second["dice"]) == (2, "oedema", 0.0)
    assert second["hd95"] is None and second["volume_difference_ml"] > 0


@pytest.mark.parametrize(("grid", "turned"), STORED)
def test_stored_order_does_not_matter(task, grid, turned):
    assert turned.is_same_lattice(grid) and turned.orientation != grid.orientation
    write_label_array(task / "labelsTr" / "a.nii.gz", label_array(), grid)
    write_label_array(task / "found" / "a.nii.gz", predicted(), turned)
    assert read_label(task / "found" / "a.nii.gz").source.shape == turned.shape
    pair = pairs_of(task)[0]
    row = measure_pair(pair)[0]
    expected = evaluate_masks(predicted() == 1, label_array() == 1, stored_spacing(pair))
    assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_two_empty_maps_are_a_row(task):
    for folder in ("found", "labelsTr"):
        write_label_array(task / folder / "a.nii.gz", np.zeros(SHAPE, np.uint8), GRID)
    [pair, _] = pairs_of(task)
    assert [row["label"] for row in measure_pair(pair)] == [1]
    assert [(row["name"], row["dice"]) for row in measure_pair(pair, NAMES)] == [
        ("tumour", 1.0), ("oedema", 1.0),
    ]  # fmt: skip


def test_odd_cases_cost_only_themselves(task, tmp_path):
    shifted = Geometry(SHAPE, np.add(GRID.affine, np.eye(4, k=3)))
    for name in ("shifted", "broken", "rotten"):
        shutil.copy(task / "labelsTr" / "a.nii.gz", task / "labelsTr" / f"{name}.nii.gz")
    write_label_array(task / "found" / "shifted.nii.gz", predicted(), shifted)
    (task / "found" / "broken.nii.gz").write_bytes(b"no image")
    write_label_array(task / "found" / "rotten.nii.gz", predicted(), GRID)
    (task / "found" / "rotten.json").write_text('{"objects": [3]}')
    done = evaluate_cases(pairs_of(task), tmp_path / "out", missing={"c": "was never predicted"})
    assert {row["case"] for row in done.rows} == {"a", "b"}
    assert set(done.failures) == {"shifted", "broken", "rotten", "c"}
    assert "found/shifted.nii.gz: grid differs" in done.failures["shifted"]
    assert "rotten.json" in done.failures["rotten"] and "please report" not in str(done.failures)
    assert done.failures["c"] == "was never predicted"
    assert read(tmp_path / "out" / "metrics.json")["failures"] == done.failures
    assert done.summary["all"]["cases"] == 2


def test_an_unexpected_error_is_a_case_s_own(task, tmp_path, monkeypatch):
    from interactivenet.evaluation import evaluate

    def odd(pair, *rest):
        if pair.case == "a":
            raise ZeroDivisionError("by nought")
        return measure_with_notes(pair, *rest)

    monkeypatch.setattr(evaluate, "measure_with_notes", odd)
    done = evaluate_cases(pairs_of(task), tmp_path / "out")
    reason = "unexpected ZeroDivisionError: by nought (please report it)"
    assert done.failures == {"a": reason} and {row["case"] for row in done.rows} == {"b"}


def two_objects(task):
    """Two components of label 1, with a prompt each, found in part."""
    truth = np.zeros(SHAPE, np.uint8)
    truth[2:6, 3:9, 3:9] = truth[12:18, 3:9, 3:9] = 1
    instance_map = np.zeros(SHAPE, np.uint8)
    instance_map[2:6, 3:9, 3:9] = 1
    instance_map[12:15, 3:9, 3:9] = 2
    write_label_array(task / "labelsTr" / "a.nii.gz", truth, GRID)
    write_label_array(task / "found" / "a.nii.gz", (instance_map > 0).astype(np.uint8), GRID)
    write_label_array(task / "found" / "objects" / "a.nii.gz", instance_map, GRID)
    points = [[[3, 5, 5], [4, 6, 6]], [[13, 5, 5], [16, 6, 6]]]
    prompts = [Prompt(1, GRID.ras.voxel_to_world(np.array(p, float)), "tumour") for p in points]
    (task / "interactionsTr" / "a.nii.gz").unlink()
    write_prompts(task / "interactionsTr" / "a.json", prompts)
    record(
        task / "found" / "a.json",
        {"label": 1, "agreement": 0.9, "expected_dice": 0.8, "look": False},
        {"label": 1, "agreement": 0.5, "expected_dice": None, "look": True},
    )
    return truth, instance_map


def test_objects_that_share_a_label(task):
    truth, instance_map = two_objects(task)
    pair = pairs_of(task, prompts=task / "interactionsTr")[0]
    rows = measure_pair(pair, NAMES)
    assert [(row["prompt"], row["label"]) for row in rows] == [(0, 1), (1, 1)]
    assert rows[0]["dice"] == 1.0
    right = np.arange(SHAPE[0])[:, None, None] > 9
    second = evaluate_masks(instance_map == 2, (truth == 1) & right, stored_spacing(pair))
    assert {name: rows[1][name] for name in second} == second and second["dice"] < 0.7
    assert [(row["agreement"], row["expected_dice"], row["look"]) for row in rows] == [
        (0.9, 0.8, False), (0.5, None, True),
    ]  # fmt: skip
    # without the points, a row for the label, which has no record of its own
    [row] = measure_pair(pairs_of(task)[0], NAMES)
    assert row["prompt"] is None and row["agreement"] is None and 0.7 < row["dice"] < 1


def test_more_objects_than_prompts_and_labels_without_prompt(task):
    truth, instance_map = two_objects(task)
    truth[9:11, 12:16, 3:9] = 2
    write_label_array(task / "labelsTr" / "a.nii.gz", truth, GRID)
    pair = pairs_of(task, prompts=task / "interactionsTr")[0]
    last = measure_pair(pair, NAMES)[-1]
    assert (last["label"], last["prompt"], last["dice"]) == (2, None, 0.0)
    instance_map[0, 0, 0] = 3
    write_label_array(task / "found" / "objects" / "a.nii.gz", instance_map, GRID)
    done = evaluate_cases([pair], task / "out", pictures=False)
    assert "holds object 3" in done.failures["a"]


def test_what_was_expected_is_joined(task, tmp_path):
    record(
        task / "found" / "a.json",
        {"label": 2, "name": "oedema", "agreement": 0.4, "expected_dice": None, "look": True},
        {"label": 1, "name": "mass", "agreement": 0.93, "expected_dice": 0.87, "look": False},
    )
    done = evaluate_cases(pairs_of(task), tmp_path / "out")
    noted = {(r["case"], r["label"]): (r["agreement"], r["expected_dice"]) for r in done.rows}
    assert noted["a", 1] == (0.93, 0.87) and noted["a", 2] == (0.4, None)
    assert noted["b", 1] == (None, None)
    assert done.rows[0]["name"] == "mass"
    assert done.summary["all"]["metrics"]["expected_dice"]["n"] == 1


def test_files_and_pictures(task, tmp_path):
    out = tmp_path / "out"
    stale = out / "figures" / "cases" / "old.png"
    [first, _] = pairs_of(task, images=task / "imagesTr")
    evaluate_cases([replace(first, case="old")], out, labels=NAMES)
    assert stale.exists()
    # of b, the image does not fit
    write_case(task, "b", label=False, grid=Geometry(SHAPE, GRID.affine @ np.diag([1, 1, 2, 1])))
    pairs = pairs_of(task, images=task / "imagesTr", prompts=task / "interactionsTr")
    done = evaluate_cases(pairs, out, labels=NAMES, modalities=("CT",), title="Some test", jobs=2)
    content = read(out / "metrics.json")
    assert content["rows"] == list(done.rows) and content["summary"] == done.summary
    assert (content["title"], content["tolerance_mm"]) == ("Some test", 2.0)
    table = list(csv.DictReader((out / "metrics.csv").open()))
    assert [float(row["dice"]) for row in table] == [row["dice"] for row in done.rows]
    assert [path.name for path in stale.parent.iterdir()] == ["a.png"]
    assert content["failures"] == done.failures and list(done.failures) == ["b"]
    assert done.failures["b"].startswith("no picture: ")
    assert "b_0000.nii.gz: grid differs" in done.failures["b"]
    assert {row["case"] for row in done.rows} == {"a", "b"}
    assert done.report == out / "report.html" and "Some test" in done.report.read_text(
        encoding="utf-8"
    )


def test_many_pictures_in_processes(task, tmp_path):
    [pair, _] = pairs_of(task, images=task / "imagesTr")
    pairs = [Pair(f"c{i}", pair.prediction, pair.label, pair.images) for i in range(9)]
    done = evaluate_cases(pairs, tmp_path / "out", labels=NAMES, jobs=2)
    assert not done.failures
    assert len(list((tmp_path / "out" / "figures" / "cases").iterdir())) == 9


def test_names_are_matched(task):
    predictions = task / "found"
    write_label_array(predictions / "c.nii.gz", predicted(), GRID)  # no label
    write_label_array(task / "labelsTr" / "d.nii.gz", label_array(), GRID)  # no prediction
    write_label_array(task / "labelsTr" / "b.nrrd", label_array(), GRID)  # two labels
    (predictions / "evaluation").mkdir()
    (predictions / "a.json").write_text('{"points": []}')  # no record
    write_case(task, "a", modalities=2, label=False)
    write_points(task / "interactionsTr" / "a.nii.gz", POINTS)
    matched = build_pairs(
        predictions, task / "labelsTr", images=task / "imagesTr", prompts=task / "interactionsTr"
    )
    [pair] = matched.pairs
    assert [path.name for path in pair.images] == ["a_0000.nii.gz", "a_0001.nii.gz"]
    assert pair.prompts.name == "a.nii.gz" and pair.record is None and pair.objects is None
    assert set(matched.missing) == {"b", "d"} and set(matched.warnings) == {"c"}
    assert "2 label files" in matched.missing["b"]
    single = build_pairs(predictions / "a.nii.gz", task / "labelsTr", images=task / "imagesTr")
    assert single.pairs[0].label == pair.label and single.pairs[0].images == pair.images


def test_refused(task, tmp_path):
    with pytest.raises(RequestError, match="does not exist"):
        build_pairs(task / "nowhere", task / "labelsTr")
    with pytest.raises(RequestError, match="nothing to compare"):
        build_pairs(task / "found", task / "imagesTr")
    with pytest.raises(RequestError, match="expected two files"):
        build_pairs(task / "found", task / "labelsTr" / "a.nii.gz")
    pairs = pairs_of(task)
    with pytest.raises(RequestError, match="several cases"):
        evaluate_cases([pairs[0], pairs[0]], tmp_path / "out")


def test_a_signal_ends_it_between_cases(task, tmp_path):
    signals = Signals()
    signals.received = 15
    with pytest.raises(Interrupted):
        evaluate_cases(pairs_of(task), tmp_path / "out", signals=signals)
    assert not (tmp_path / "out").exists()
