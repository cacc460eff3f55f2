"""New cases: ``infer`` with a task's own folds, or a deployed model."""

import json
import shutil

import numpy as np
import pytest
import SimpleITK as sitk

from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.imaging.io import read_image
from interactivenet.models.bundle import write_bundle
from interactivenet.models.model import own_model
from interactivenet.prompts.io import read_prompts, write_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt
from tests.cli.trained_command import case_of, copied, copied_root, infer
from tests.training.trained_task import NAME


def test_new_cases_get_the_same_voxels(trained, tested, tmp_path):
    _, results = tested
    raw = trained / "raw" / NAME
    out = tmp_path / "out"
    words = ["-i", raw / "imagesTs", "-in", raw / "interactionsTs", "-o", out]
    done = infer(trained, *words, "-l", raw / "labelsTs", results=results)
    assert done.exit_code == 0, done.output
    assert "own folds 0, 1" in done.output
    for case in Task.load(raw).test:
        mine = out / f"{case.name}.nii.gz"
        same = results / NAME / "predictions" / "ensemble" / mine.name
        assert mine.read_bytes() == same.read_bytes()
    assert (out / "evaluation" / "report.html").exists()
    again = infer(trained, *words, results=results)
    assert again.exit_code == 0 and "2 cases already done" in again.output


def test_one_file_of_another_format(trained, tested, tmp_path):
    """Points as LPS JSON, an image as MHA in another orientation: the same object."""
    _, results = tested
    case = case_of(trained)
    nifti = sitk.ReadImage(str(case.images[0]))
    turned = sitk.PermuteAxes(nifti, (2, 0, 1))[::-1, :, ::-1]
    path = tmp_path / "scan.mha"
    sitk.WriteImage(turned, str(path))
    image = read_image(case.images[0]).source
    prompts = read_prompts(case.interaction, LabelNames({1: "tumour"}), image=(path, image))
    write_prompts(tmp_path / "points.json", prompts)
    out = tmp_path / "out"
    done = infer(
        trained, "-i", path, "-in", tmp_path / "points.json", "-o", out, "--format", "mha",
        results=results,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    found = sitk.ReadImage(str(out / "scan.mha"))
    assert found.GetSize() == turned.GetSize()
    np.testing.assert_allclose(found.GetOrigin(), turned.GetOrigin(), atol=1e-5)
    np.testing.assert_allclose(found.GetSpacing(), turned.GetSpacing(), atol=1e-6)
    np.testing.assert_allclose(found.GetDirection(), turned.GetDirection(), atol=1e-6)
    # the same voxels in the patient, by SimpleITK alone
    ensemble = results / NAME / "predictions" / "ensemble" / f"{case.name}.nii.gz"
    expected = sitk.Resample(
        sitk.ReadImage(str(ensemble)), found, sitk.Transform(), sitk.sitkNearestNeighbor
    )
    one, other = (sitk.GetArrayFromImage(image) > 0 for image in (found, expected))
    assert other.any() and (one != other).mean() < 1e-3


@pytest.mark.parametrize("fault", ["points", "five", "outside", "modality", "flat"])
def test_an_odd_case_costs_itself(trained, tested, tmp_path, fault):
    _, results = tested
    raw = trained / "raw" / NAME
    images, points = tmp_path / "images", tmp_path / "points"
    shutil.copytree(raw / "imagesTs", images)
    shutil.copytree(raw / "interactionsTs", points)
    case = case_of(trained)
    image = read_image(case.images[0]).source
    (prompt,) = read_prompts(case.interaction, image=(case.images[0], image))
    mine = points / case.interaction.name
    mine.unlink()
    expected = {
        "points": "has no points", "five": "has 5 points, expected 6",
        "outside": "mm outside the image", "flat": "points lie in one plane",
        "modality": "modality 0001, but 1 were named",
    }[fault]  # fmt: skip
    changed = np.array(prompt.points)
    if fault == "five":
        changed = changed[:5]
    elif fault == "outside":
        changed[0] += 500
    elif fault == "flat":
        changed[:, 2] = changed[0, 2]
    if fault != "points":
        write_prompts(points / f"{case.name}.json", [Prompt(1, changed, "tumour")])
    if fault == "modality":
        (path,) = images.glob(f"{case.name}*")
        shutil.copy(path, images / f"{case.name}_0001.nii.gz")
        path.rename(images / f"{case.name}_0000.nii.gz")
    out = tmp_path / "out"
    done = infer(trained, "-i", images, "-in", points, "-o", out, results=results)
    assert done.exit_code == 1 and expected in done.output, done.output
    assert len(list(out.glob("*.nii.gz"))) == 1
    assert list(json.loads((out / "failures.json").read_text())["infer"]) == [case.name]
    again = infer(trained, "-i", images, "-in", points, "-o", out, "--any-points", results=results)
    any_points_help = fault in ("five", "flat")
    assert (again.exit_code, len(list(out.glob("*.nii.gz")))) == (
        (0, 2) if any_points_help else (1, 1)
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-i", "nowhere", "-in", "points", "-o", "out"], "nowhere: does not exist"),
        (["-i", "points", "-in", "points"], "Missing option '-o / --output'"),
        (["-in", "points", "-o", "out"], "Missing option '-i / --images'"),
        (["-i", "a.nii.gz", "-i", "b.nii.gz", "-in", "points", "-o", "o"], "2 given for one case"),
        (["-i", "empty", "-in", "points", "-o", "out"], "holds no images"),
        (["-i", "empty", "-in", "points/x.json", "-o", "out"], "is one file, but"),
    ],
)  # fmt: skip
def test_wrong_requests(trained, tested, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    for folder in ("points", "empty"):
        (tmp_path / folder).mkdir()
    for file in ("a.nii.gz", "b.nii.gz", "points/x.json"):
        (tmp_path / file).write_bytes(b"")
    done = infer(trained, *words, results=tested[1])
    assert done.exit_code == 2 and message in done.output, done.output


def test_a_deployed_model_needs_no_task(trained, tested, tmp_path):
    _, results = tested
    roots = Roots(trained / "raw", trained / "processed", results)
    place = tmp_path / "results" / "models" / NAME
    write_bundle(own_model(roots, NAME), place)
    raw = trained / "raw" / NAME
    words = ["-i", raw / "imagesTs", "-in", raw / "interactionsTs", "-o", tmp_path / "out"]
    nothing = tmp_path / "nothing"
    done = infer(nothing, *words, results=tmp_path / "results")
    assert done.exit_code == 0, done.output
    assert "deployed, folds 0, 1" in done.output
    written = sorted((tmp_path / "out").glob("*.nii.gz"))
    assert len(written) == 2
    for path in written:
        same = results / NAME / "predictions" / "ensemble" / path.name
        assert same.read_bytes() == path.read_bytes()


def test_without_any_model_it_says_how_to_get_one(trained, tmp_path):
    raw = trained / "raw" / NAME
    words = ["-i", raw / "imagesTs", "-in", raw / "interactionsTs", "-o", tmp_path / "out"]
    done = infer(tmp_path, *words, results=tmp_path / "results")
    assert done.exit_code == 2 and "does not exist in" in done.output
    assert f"'interactivenet plan -t {NAME}'" in done.output
    for command in ("'interactivenet models download ...'", "'interactivenet models install ...'"):
        assert command in done.output, done.output


def test_of_two_models_none_wins_silently(trained, tested, tmp_path):
    results = copied(trained, tmp_path)
    shutil.copy(tested[1] / NAME / "postprocessing.json", results / NAME)
    roots = Roots(trained / "raw", trained / "processed", results)
    whole = own_model(roots, NAME)
    raw = trained / "raw" / NAME
    words = ["-i", raw / "imagesTs", "-in", raw / "interactionsTs", "-o", tmp_path / "out"]
    write_bundle(whole, results / "models" / NAME)
    same = infer(trained, *words, results=results)
    assert same.exit_code == 0 and "deployed, folds 0, 1" in same.output
    shutil.rmtree(results / "models")
    write_bundle(whole.fold(0), results / "models" / NAME)
    done = infer(trained, *words, results=results)
    assert done.exit_code == 2 and "--model deployed or --model own" in done.output
    for wish, said in (("deployed", "deployed, folds 0,"), ("own", "own folds 0, 1"),
                       (results / "models" / NAME, "deployed, folds 0,")):  # fmt: skip
        done = infer(trained, *words, "--model", wish, results=results)
        assert done.exit_code == 0 and said in done.output, done.output


@pytest.mark.parametrize("which", ["imagesTs", "interactionsTs", "labelsTs"])
def test_nothing_is_written_among_what_is_read(trained, tested, tmp_path, which):
    raw = copied_root(trained, tmp_path) / "raw" / NAME
    before = {path: path.read_bytes() for path in raw.rglob("*.nii.gz")}
    words = ["-i", raw / "imagesTs", "-in", raw / "interactionsTs", "-l", raw / "labelsTs"]
    done = infer(trained, *words, "-o", raw / which, results=tested[1])
    assert done.exit_code == 2 and "contains input files" in done.output
    one = case_of(tmp_path).images[0]
    done = infer(trained, "-i", one, *words[2:4], "-o", raw / "imagesTs", results=tested[1])
    assert done.exit_code == 2 and "contains input files" in done.output
    assert before == {path: path.read_bytes() for path in raw.rglob("*.nii.gz")}
