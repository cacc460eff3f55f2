"""Points in mm on an image whose header has two positions: refused, until one is chosen."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.case import read_scan
from interactivenet.datasets.task import Task
from interactivenet.errors import DataError
from interactivenet.grand_challenge.algorithm import run_algorithm
from interactivenet.imaging.io import ReadOptions, read_image
from interactivenet.inference.predictor import Predictor
from interactivenet.prompts.io import read_prompts, write_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt
from tests.cli.dataset_command import dataset
from tests.imaging.test_nifti_headers import PLACING
from tests.imaging.two_forms import SFORM, save
from tests.random_model import make_bundle
from tests.sample_cases import dice, make_plan

SHAPE = (24, 24, 16)
QFORM = SFORM.copy()
QFORM[:3, 3] += (7, -3, 4)
#: voxels as stored, inside an object at the middle
VOXELS = np.array([[8, 12, 8], [16, 12, 8], [12, 8, 8], [12, 16, 8], [12, 12, 5], [12, 12, 11]])
TWICE = ("may lie in two places: its sform and its qform place it up to 8.6 mm apart",
         "is in voxel", "by the sform and", "by the qform")  # fmt: skip


def mm(affine):
    return VOXELS @ affine[:3, :3].T + affine[:3, 3]


def write(folder, *, points=QFORM, codes=(2, 1), name="scan", suffix=".json", image="scan.nii.gz"):
    """An image with two positions, its label, and points where one of them puts the object."""
    array = np.random.default_rng(0).normal(0, 1, SHAPE).astype(np.float32)
    label = np.zeros(SHAPE, np.uint8)
    label[7:18, 7:18, 4:13] = 1
    forms = {"sform": SFORM, "qform": QFORM, "codes": codes}
    folder.mkdir(parents=True, exist_ok=True)
    save(folder / image, array, **forms)
    save(folder / "label.nii.gz", label, **forms)
    write_prompts(folder / f"{name}{suffix}", [Prompt(1, mm(points), "a")])
    return folder


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("model"), make_plan((1.0, 1.0, 2.0)), folds=(0,))


def infer(bundle, folder, out, *words, points="scan.json"):
    return run("infer", "-t", "Task001_A", "--model", bundle, "-i", folder / "scan.nii.gz", "-in",
               folder / points, "-o", out, "--no-tta", "--device", "cpu", "--precision", "fp32",
               *words)  # fmt: skip


@pytest.mark.parametrize("suffix", [".json", ".mrk.json", ".fcsv", ".csv"])
def test_infer_refuses_points_in_mm_and_says_both_places(tmp_path, bundle, suffix):
    case = write(tmp_path / "in", suffix=suffix)
    done = infer(bundle, case, tmp_path / "out", points=f"scan{suffix}")
    assert done.exit_code == 1, done.output
    (line,) = [line for line in done.output.splitlines() if line.startswith("error")]
    assert all(part in line for part in TWICE), line
    assert "--use-form sform or --use-form qform" in line
    assert "(8, 12, 8) by the qform" in line and "(1, 15, 10) by the sform" in line
    assert not (tmp_path / "out" / "scan.nii.gz").exists()


def test_the_form_that_is_chosen_decides_and_is_recorded(tmp_path, bundle):
    case, found = write(tmp_path / "in"), {}
    for form in ("qform", "sform"):
        out = tmp_path / form
        done = infer(bundle, case, out, "--use-form", form)
        assert done.exit_code == 0, done.output
        record = json.loads((out / "scan.json").read_text())
        assert record["made_from"]["reading"] == {"use_form": form}
        assert json.loads((out / "run.json").read_text())["arguments"]["use_form"] == form
        image, label = nib.load(case / "scan.nii.gz").header, nib.load(out / "scan.nii.gz").header
        for name in PLACING:
            assert label[name].tobytes() == image[name].tobytes(), name
        found[form] = np.asarray(nib.load(out / "scan.nii.gz").dataobj)
        again = infer(bundle, case, out, "--use-form", form)
        assert "1 case already done" in again.output
    # the other form is another result, not the one that is there
    other = infer(bundle, case, tmp_path / "qform", "--use-form", "sform")
    assert other.exit_code == 0 and "already done" not in other.output
    np.testing.assert_array_equal(
        np.asarray(nib.load(tmp_path / "qform/scan.nii.gz").dataobj), found["sform"]
    )
    # where the points are by the qform, as a mask of the same voxels says
    mask = np.zeros(SHAPE, np.uint8)
    mask[tuple(VOXELS.T)] = 1
    save(case / "mask.nii.gz", mask, sform=SFORM, qform=QFORM, codes=(2, 1))
    done = infer(bundle, case, tmp_path / "mask", points="mask.nii.gz")
    assert done.exit_code == 0, done.output  # voxels are certain
    by_voxels = np.asarray(nib.load(tmp_path / "mask/scan.nii.gz").dataobj)
    np.testing.assert_array_equal(by_voxels, found["qform"])
    assert dice(found["qform"], found["sform"]) < 1


def test_a_mask_that_fits_by_the_qform_alone_says_so(tmp_path, bundle):
    case = write(tmp_path / "in")
    mask = np.zeros(SHAPE, np.uint8)
    mask[tuple(VOXELS.T)] = 1
    save(case / "mask.nii.gz", mask, sform=QFORM, qform=QFORM, codes=(1, 1))
    done = infer(bundle, case, tmp_path / "out", points="mask.nii.gz")
    assert done.exit_code == 1 and "grid differs: it is shifted by (7, -3, 4) mm" in done.output
    assert "by the qform of its header they are one: --use-form qform" in done.output
    done = infer(bundle, case, tmp_path / "out", "--use-form", "qform", points="mask.nii.gz")
    assert done.exit_code == 0, done.output


def task_of(tmp_path, **options):
    folder = tmp_path / "raw" / "Task101_TEST"
    for name in ("one", "two"):
        case = write(tmp_path / name, name=name, **options)
        for kind, file in (
            ("images", "scan.nii.gz"), ("labels", "label.nii.gz"), ("interactions", f"{name}.json"),
        ):  # fmt: skip
            (folder / f"{kind}Tr").mkdir(parents=True, exist_ok=True)
            suffix = ".json" if kind == "interactions" else ".nii.gz"
            shutil.copy(case / file, folder / f"{kind}Tr" / f"{name}{suffix}")
    return folder


def test_a_task_says_once_which_form_counts(tmp_path):
    task = task_of(tmp_path)
    refused = dataset(task, "-l", "a")
    assert refused.exit_code == 1
    assert refused.output.count("may lie in two places") == 2
    assert "--use-form sform or --use-form qform" in refused.output
    assert list(json.loads((task / "failures.json").read_text())["dataset"]) == ["one", "two"]
    taken = dataset(task, "-l", "a", "--use-form", "qform")
    assert taken.exit_code == 0, taken.output
    assert "its qform counts" in taken.output
    assert json.loads((task / "dataset.json").read_text())["use_form"] == "qform"
    read = Task.load(task)
    assert {case.reading for case in read.training} == {ReadOptions(use_form="qform")}
    scan = read_scan(read.training[0], 1, LabelNames({1: "a"}))
    np.testing.assert_allclose(scan.image.source.affine, QFORM, atol=1e-5)
    hit = scan.label.array[0][tuple(scan.image.grid.nearest_voxel(scan.prompts[0].points).T)]
    assert hit.all()
    again = dataset(task, "-l", "a")  # as dataset.json says
    assert again.exit_code == 0 and "its qform counts" in again.output
    read.save()
    assert Task.load(task).reading == ReadOptions(use_form="qform")
    (task / "dataset.json").write_text(
        json.dumps({**json.loads((task / "dataset.json").read_text()), "use_form": "best"})
    )
    with pytest.raises(DataError, match="use_form 'best', expected 'sform' or 'qform'"):
        Task.load(task)


def test_points_simulated_in_mm_need_it_too(tmp_path):
    task = task_of(tmp_path)
    shutil.rmtree(task / "interactionsTr")
    words = ("simulate", "-t", task.name, "--raw", task.parent, "--format", "json")
    done = run(*words)
    assert done.exit_code == 1 and done.output.count("may lie in two places") == 2
    assert "--use-form sform" in done.output and "interactivenet dataset" in done.output
    assert dataset(task, "-l", "a", "--use-form", "qform").exit_code == 0
    assert run(*words).exit_code == 0
    points = read_prompts(task / "interactionsTr" / "one.json", LabelNames({1: "a"}))[0].points
    image = read_image(task / "imagesTr" / "one.nii.gz", ReadOptions(use_form="qform"))
    label = np.asarray(nib.load(task / "labelsTr" / "one.nii.gz").dataobj)
    assert label[tuple(image.source.nearest_voxel(points).T)].all()


def test_converting_points_needs_it_where_mm_meet_voxels(tmp_path):
    case = write(tmp_path / "in")
    image, mm_points = case / "scan.nii.gz", case / "scan.json"
    convert = ("prompts", "convert")
    assert run(*convert, mm_points, case / "p.fcsv").exit_code == 0  # mm stay mm
    refused = run(*convert, mm_points, case / "mask.nii.gz", "--image", image, "-l", "a")
    assert refused.exit_code == 2 and all(part in refused.stderr for part in TWICE)
    form = ("--use-form", "qform")
    done = run(*convert, mm_points, case / "mask.nii.gz", "--image", image, "-l", "a", *form)
    assert done.exit_code == 0, done.output
    mask = np.asarray(nib.load(case / "mask.nii.gz").dataobj)
    np.testing.assert_array_equal(np.sort(np.argwhere(mask), 0), np.sort(VOXELS, 0))
    for more in ((), ("--image", image)):
        refused = run(*convert, case / "mask.nii.gz", case / "back.csv", *more, "--overwrite")
        assert refused.exit_code == 2 and all(part in refused.stderr for part in TWICE)
        back = run(*convert, case / "mask.nii.gz", case / "back.csv", *more, *form, "--overwrite")
        assert back.exit_code == 0, back.output
        points = read_prompts(case / "back.csv")[0].points
        np.testing.assert_allclose(np.sort(points, 0), np.sort(mm(QFORM), 0), atol=1e-4)
    voxels = run(*convert, case / "mask.nii.gz", case / "v.json", "--image", image, "--voxels-out")
    assert voxels.exit_code == 0, voxels.output


def test_evaluation_with_points_in_mm_needs_it(tmp_path):
    case = write(tmp_path / "in")
    (case / "objects").mkdir()
    shutil.copy(case / "label.nii.gz", case / "objects/label.nii.gz")  # one object, of points
    words = ("evaluate", "-p", case / "label.nii.gz", "-l", case / "label.nii.gz", "-in",
             case / "scan.json", "-o", tmp_path / "out")  # fmt: skip
    assert TWICE[0] in run(*words).output
    done = run(*words, "--use-form", "qform")
    assert done.exit_code == 0, done.output


def test_a_session_refuses_arrays_prompts_and_files(tmp_path, bundle):
    case = write(tmp_path / "in")
    predictor = Predictor(bundle, mirrored=False, device="cpu", precision="fp32")
    inputs = [mm(QFORM), Prompt(1, mm(QFORM), "a"), case / "scan.json"]
    images = [case / "scan.nii.gz", nib.load(case / "scan.nii.gz")]
    for image in images:
        session = predictor.open(image)
        for points in inputs:
            with pytest.raises(DataError, match="may lie in two places") as caught:
                session.segment(points)
            assert "`use_form='qform'`" in str(caught.value)
        chosen = predictor.open(image, use_form="qform")
        labels = [chosen.segment(points).label for points in inputs]
        assert np.array_equal(labels[0], labels[1]) and np.array_equal(labels[0], labels[2])
        made = chosen.segment(inputs[0]).to_nibabel()
        assert np.array_equal(made.affine, nib.load(case / "scan.nii.gz").affine)
    direct = predictor.segment(images[0], inputs[0], use_form="qform").label
    assert np.array_equal(direct, labels[0])


def test_an_algorithm_says_it_in_its_settings(tmp_path, bundle):
    case = write(tmp_path / "made", name="interior-margin-points")
    folder = tmp_path / "input" / "images" / "ct-image"
    folder.mkdir(parents=True)
    shutil.copy(case / "scan.nii.gz", folder / "scan.nii.gz")
    shutil.copy(case / "interior-margin-points.json", tmp_path / "input")
    model = tmp_path / "model"
    shutil.copytree(bundle, model)
    with pytest.raises(DataError, match="may lie in two places"):
        run_algorithm(tmp_path / "input", tmp_path / "output", model)
    (model / "algorithm.json").write_text(json.dumps({"use_form": "qform", "mirrored": False}))
    (path,) = run_algorithm(tmp_path / "input", tmp_path / "output", model)
    np.testing.assert_allclose(read_image(path).source.affine, QFORM, atol=1e-5)


def test_without_orientation_points_in_mm_are_refused_too(tmp_path, bundle):
    case = write(tmp_path / "in", codes=(0, 0), points=np.diag([-1.0, -1, 2, 1]))
    done = infer(bundle, case, tmp_path / "out")
    assert done.exit_code == 1
    assert "gives no orientation (sform_code and qform_code are 0)" in done.output
    assert "(8, 12, 8) by the qform" in done.output
    done = infer(bundle, case, tmp_path / "out", "--use-form", "qform")  # as 3D Slicer has it
    assert done.exit_code == 0, done.output


def test_one_certain_position_needs_no_choice(tmp_path, bundle):
    case = write(tmp_path / "in", codes=(0, 1))
    done = infer(bundle, case, tmp_path / "out")
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "out" / "scan.json").read_text())
    assert "reading" not in record["made_from"]


@pytest.mark.parametrize(
    ("folder", "file", "apart"),
    [
        ("a01_sform_and_qform_differ", "scan", "12.7 mm"),
        ("b01_no_orientation", "minimal", "299 mm"),
    ],
)
def test_real_images_with_two_places(tmp_path, bundle, shared_cases, folder, file, apart):
    case = shared_cases(folder)
    words = (
        *("infer", "-t", "Task001_A", "--model", bundle, "-o", tmp_path / "out", "--no-tta"),
        *("-i", case / f"{file}.nii.gz", "-in", case / f"{file}.mrk.json", "--device", "cpu"),
    )
    done = run(*words)
    assert done.exit_code == 1 and apart in done.output and "--use-form qform" in done.output
    done = run(*words, "--use-form", "qform")
    assert done.exit_code == 0, done.output
