"""``infer`` with points of every kind: no patient disappears, and nothing is left unsaid."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.imaging.io import write_volume
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt
from tests.random_model import make_bundle
from tests.sample_cases import make_plan, make_scan, stored_grid

GRID = stored_grid((24, 22, 20), (1.0, 1.2, 1.5), flips=(-1, -1, 1))
SCAN = make_scan(GRID)
POINTS = SCAN.prompts[0].points


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    plan = replace(make_plan((1.5, 1.5, 1.5)), labels={1: "tumour"})
    return make_bundle(tmp_path_factory.mktemp("model"), plan, folds=(0,))


@pytest.fixture
def infer(bundle, tmp_path):
    def run(*words):
        given = ["infer", "-t", "Task001_A", "--model", bundle, "--no-tta", "--device", "cpu"]
        given += ["-o", tmp_path / "out", *words]
        return CliRunner().invoke(main, [str(word) for word in given])

    return run


def image(path):
    write_volume(path, SCAN.image.array[0], GRID)
    return path


def slicer(path, *lists, shift=0.0):
    """A file of 3D Slicer with a list of six points for each name."""
    markups = [
        {
            "coordinateSystem": "RAS",
            "controlPoints": [
                {"label": f"{name}-{row + 1}", "position": (point + number * shift).tolist()}
                for row, point in enumerate(POINTS)
            ],
        }
        for number, name in enumerate(lists)
    ]
    path.write_text(json.dumps({"markups": markups}))
    return path


def failures(tmp_path):
    return json.loads((tmp_path / "out/failures.json").read_text())["infer"]


def test_no_patient_disappears(infer, tmp_path):
    for folder in ("images", "points"):
        (tmp_path / folder).mkdir()
    image(tmp_path / "images/good.nii.gz")
    image(tmp_path / "images/case_1.nii.gz")
    (tmp_path / "images/odd.xyz").write_text("-")
    (tmp_path / "images/link.nii.gz").symlink_to("/mnt/gone.nii.gz")
    (tmp_path / "images/README.txt").write_text("-")
    for name in ("good", "case_01", "odd", "link", "lost"):
        slicer(tmp_path / f"points/{name}.mrk.json", "F")
    done = infer("-i", tmp_path / "images", "-in", tmp_path / "points")
    assert done.exit_code == 1, done.output
    assert set(failures(tmp_path)) == {"case_1", "case_01", "odd", "link", "lost"}
    for name, reason in failures(tmp_path).items():
        assert name in done.output and reason, reason
    assert "infer: 6 of 6 cases" in done.output and "5 cases failed" in done.output
    assert (tmp_path / "out/good.nii.gz").exists()


def test_two_lists_are_two_objects_of_the_only_label(infer, tmp_path):
    path, points = image(tmp_path / "scan.nii.gz"), tmp_path / "scan.mrk.json"
    done = infer("-i", path, "-in", slicer(points, "F", "F_1", shift=1.0))
    assert done.exit_code == 0, done.output
    objects = json.loads((tmp_path / "out/scan.json").read_text())["objects"]
    assert [segmented["label"] for segmented in objects] == [1, 1]
    np.testing.assert_allclose(objects[1]["points"], POINTS + 1)


def test_several_files_are_several_objects(infer, tmp_path):
    path = image(tmp_path / "scan.nii.gz")
    left, right = (slicer(tmp_path / f"{name}.mrk.json", name) for name in ("left", "right"))
    write_prompts(right, [Prompt(1, POINTS + 1, "tumour")])
    done = infer("-i", path, "-in", left, "-in", right)
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "out/scan.json").read_text())
    assert len(record["objects"]) == 2 and len(record["made_from"]["inputs"]) == 3
    write_prompts(right, [Prompt(1, POINTS + 0.5, "tumour")])  # the second one counts, too
    again = infer("-i", path, "-in", left, "-in", right)
    assert "kept" not in again.output
    record = json.loads((tmp_path / "out/scan.json").read_text())
    np.testing.assert_allclose(record["objects"][1]["points"], POINTS + 0.5)


def test_corrections_are_kept_with_the_result(infer, tmp_path):
    path, points = image(tmp_path / "scan.nii.gz"), tmp_path / "scan.json"
    write_prompts(points, [Prompt(1, POINTS, "tumour")])
    assert infer("-i", path, "-in", points).exit_code == 0
    first = json.loads((tmp_path / "out/scan.json").read_text())
    assert "corrections" not in first["objects"][0]
    clicks = [Correction(POINTS[0] + 2, False, "background"), Correction(POINTS[1] + 2.25, True),
              Correction(POINTS[1] + 2.4, True)]  # fmt: skip
    write_prompts(points, [Prompt(1, POINTS, "tumour", corrections=clicks)])
    done = infer("-i", path, "-in", points)
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "out/scan.json").read_text())
    (segmented,) = record["objects"]
    assert segmented["corrections"] == [
        {"positive": click.positive, "point": list(click.position)} for click in clicks
    ]
    assert "background" not in segmented
    assert "no first results: scan (1 case)" in done.output
    run = json.loads((tmp_path / "out/run.json").read_text())
    assert run["corrected"] == ["scan"]
    note = "correction +2 and correction +3 lie in one voxel: was one placed twice?"
    assert note in record["notes"] and note in done.output


def test_a_slip_of_the_hand_is_told_and_to_be_looked_at_first(infer, tmp_path):
    path, points = image(tmp_path / "scan.nii.gz"), tmp_path / "scan.mrk.json"
    content = json.loads(slicer(points, "F").read_text())
    controls = content["markups"][0]["controlPoints"]
    controls[3]["position"] = controls[1]["position"]
    controls.append({"label": "F-7", "position": [0, 0, 0], "positionStatus": "undefined"})
    points.write_text(json.dumps(content))
    done = infer("-i", path, "-in", points)
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "out/scan.json").read_text())
    (segmented,) = record["objects"]
    assert segmented["look"] is True and "F-2 and F-4 lie within" in " ".join(segmented["reasons"])
    assert "F-7 (undefined) was left out" in " ".join(record["notes"])
    for said in ("review first: scan", "F-2 and F-4 lie within", "F-7 (undefined)"):
        assert said in " ".join(done.output.split()), done.output


def test_what_was_left_out_explains_missing_points(infer, tmp_path):
    path, given = image(tmp_path / "scan.nii.gz"), tmp_path / "scan.mrk.json"
    content = json.loads(slicer(given, "F").read_text())
    content["markups"][0]["controlPoints"][5]["positionStatus"] = "undefined"
    given.write_text(json.dumps(content))
    assert infer("-i", path, "-in", given).exit_code == 1
    reason = failures(tmp_path)["scan"]
    assert "has 5 points, expected 6" in reason and "F-6 (undefined) was left out" in reason


def test_the_remedy_is_spelled_as_the_option(infer, tmp_path):
    path, points = image(tmp_path / "scan.nii.gz"), tmp_path / "scan.json"
    flat = POINTS.copy()
    flat[:, 2] = POINTS[0, 2]
    write_prompts(points, [Prompt(1, flat, "tumour")])
    done = infer("-i", path, "-in", points)
    assert done.exit_code == 1 and "in one plane" in failures(tmp_path)["scan"]
    assert failures(tmp_path)["scan"].endswith("--any-points takes them as they are")
    assert infer("-i", path, "-in", points, "--any-points").exit_code == 0


def test_the_shared_lesion_in_one_slice(infer, tmp_path, shared_cases):
    folder = shared_cases("a11_lesion_in_one_slice")
    done = infer("-i", folder / "scan.nii.gz", "-in", folder / "scan.mrk.json")
    assert done.exit_code == 1 and "--any-points" in failures(tmp_path)["scan"]


def test_the_shared_folder_with_points_without_images(infer, tmp_path, shared_cases):
    folder = shared_cases("a04_points_without_image")
    done = infer("-i", folder / "images", "-in", folder / "points")
    assert done.exit_code == 1, done.output
    assert set(failures(tmp_path)) == {"patient_2", "patient_3"}
    assert "images/patient_3.mgz has no readable format" in failures(tmp_path)["patient_3"]
    assert [path.name for path in (tmp_path / "out").glob("*.nii.gz")] == ["patient_1.nii.gz"]


def test_the_shared_lists_of_slicer(infer, tmp_path, shared_cases):
    folder = shared_cases("a15_two_lists_of_slicer")
    done = infer("-i", folder / "scan.nii.gz", "-in", folder / "scan.mrk.json")
    assert done.exit_code == 0, done.output
    objects = json.loads((tmp_path / "out/scan.json").read_text())["objects"]
    assert [segmented["label"] for segmented in objects] == [1, 1]


def test_a_repeated_output_is_refused_before_anything_is_done(infer, tmp_path):
    path, points = image(tmp_path / "scan.nii.gz"), tmp_path / "scan.json"
    done = infer("-i", path, "-in", points, "-o", tmp_path / "other")
    assert done.exit_code == 2
    assert "-o / --output: is given 2 times, expected once" in done.stderr
    assert not (tmp_path / "out").exists() and not (tmp_path / "other").exists()
