"""Images and points of every kind give the same voxels, on the image's own grid."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from interactivenet.datasets import case as case_module
from interactivenet.datasets.case import Scan
from interactivenet.datasets.task import Case
from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.io import write_volume
from interactivenet.imaging.volume import Volume
from interactivenet.inference import inputs as inputs_module
from interactivenet.planning.plan import Legacy, Normalisation
from interactivenet.postprocessing.merging import average
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt
from tests.inference.predictors import knowing, predictor, random_weights
from tests.sample_cases import make_plan, make_scan, stored_grid

GRIDS = {
    "ras": {},
    "flipped": {"flips": (-1, 1, -1)},
    "permuted": {"order": (2, 0, 1)},
    "oblique": {"order": (1, 2, 0), "flips": (-1, -1, 1), "angles": (0.2, -0.1, 0.3)},
}
every_grid = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def labelled(grid):
    """A scan whose object a network can read off the image."""
    source = stored_grid((24, 22, 20), (1.0, 1.2, 1.5), **grid)
    label = make_scan(source).label.array
    noise = np.random.default_rng(0).uniform(0.5, 1.5, label.shape)
    return make_scan(source, image=np.where(label > 0, noise, -noise).astype(np.float32))


@pytest.fixture
def knower(tmp_path):
    return knowing(make_plan((1.0, 1.2, 1.5)), tmp_path)


@every_grid
def test_a_nibabel_image_keeps_its_grid(knower, grid):
    scan = labelled(grid)
    stored, expected = scan.image.stored[0], scan.label.stored[0]
    image = nib.Nifti1Image(stored, scan.image.source.affine)
    image.header.set_xyzt_units("mm", "msec")
    result = knower.segment(image, scan.prompts[0].points)
    made = result.to_nibabel()
    assert made.shape == image.shape and np.array_equal(made.affine, image.affine)
    for field in ("sform_code", "qform_code", "srow_x", "quatern_b", "xyzt_units"):
        np.testing.assert_array_equal(made.header[field], image.header[field])
    assert made.get_data_dtype() == np.uint8 and expected.any()
    np.testing.assert_array_equal(np.asanyarray(made.dataobj), expected)


@every_grid
def test_a_simpleitk_image_keeps_its_grid(knower, grid):
    scan = labelled(grid)
    stored, affine = scan.image.stored[0], LPS @ scan.image.source.affine
    image = sitk.GetImageFromArray(stored.transpose(2, 1, 0))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    made = knower.segment(image, scan.prompts[0].points).to_sitk()
    assert made.GetSize() == image.GetSize() and made.GetSpacing() == image.GetSpacing()
    assert made.GetOrigin() == image.GetOrigin() and made.GetDirection() == image.GetDirection()
    found = sitk.GetArrayFromImage(made).transpose(2, 1, 0)
    np.testing.assert_array_equal(found, scan.label.stored[0])


@every_grid
@pytest.mark.parametrize("suffix", [".nii.gz", ".mha"])
def test_files_and_images_in_memory_are_the_same(tmp_path, grid, suffix):
    """With random weights, where every voxel depends on all: to the bit."""
    scan = make_scan(stored_grid((24, 22, 20), (1.0, 1.2, 1.5), **grid))
    plan = make_plan((1.3, 1.2, 1.5))
    paths = [random_weights(tmp_path / f"{seed}.safetensors", plan, seed) for seed in (0, 1)]
    made = predictor(plan, *paths, mirrored=False)
    path, points = tmp_path / f"scan{suffix}", tmp_path / "points.mrk.json"
    write_volume(path, scan.image.array[0], scan.image.source)
    write_prompts(points, scan.prompts)
    case = Case("scan", (path,), interaction=points)
    prepared = made.prepare(case)  # as `infer` does
    claims = made.claims(prepared, made.answer(prepared))
    expected = made.merged(prepared, [average(claim) for claim in claims])
    assert 0 < (expected.label > 0).sum() < expected.label.size
    in_memory = nib.load(path) if suffix == ".nii.gz" else sitk.ReadImage(str(path))
    ways = [
        (case, None), (path, points), (str(path), str(points)), ([path], points),
        (in_memory, points), (prepared.scan, None), (prepared.scan.image, points),
        (path, prepared.scan.prompts), (path, prepared.scan.prompts[0]),
        (path, prepared.scan.prompts[0].points), (path, prepared.scan.prompts[0].points.tolist()),
    ]  # fmt: skip
    for image, given in ways:
        result = made.segment(image, given)
        np.testing.assert_array_equal(result.label, expected.label)
        assert result.objects[0].as_json() == expected.objects[0].as_json()
    saved = result.save(str(tmp_path / f"out{suffix}"))
    np.testing.assert_array_equal(
        result.to_nibabel().get_fdata(), made.segment(in_memory, points).source.from_ras(
            expected.label
        )
    )  # fmt: skip
    back = sitk.GetArrayFromImage(sitk.ReadImage(str(saved)))
    np.testing.assert_array_equal(back, sitk.GetArrayFromImage(result.to_sitk()))


def test_a_dicom_folder(knower, tmp_path):
    scan = labelled({"flips": (-1, -1, 1)})  # the axes of DICOM's patient
    image = scan.image.stored[0]
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    affine = LPS @ scan.image.source.affine
    for z in range(image.shape[2]):
        pixels = sitk.GetImageFromArray((100 * image[:, :, z].T).astype(np.int16))
        pixels.SetSpacing([1.0, 1.2])
        position = affine @ [0, 0, z, 1]
        for key, value in {
            "0008|0060": "CT", "0020|000e": "1.2.3.4", "0020|000d": "1.2.3", "0020|0013": str(z),
            "0008|0018": f"1.2.3.4.{z}",
            "0020|0032": "\\".join(f"{p:.6f}" for p in position[:3]),
            "0020|0037": "1\\0\\0\\0\\1\\0",
        }.items():  # fmt: skip
            pixels.SetMetaData(key, value)
        writer.SetFileName(str(tmp_path / f"{z}.dcm"))
        writer.Execute(pixels)
    (tmp_path / "series").mkdir()
    for path in tmp_path.glob("*.dcm"):
        path.rename(tmp_path / "series" / path.name)
    result = knower.segment(tmp_path / "series", scan.prompts)
    np.testing.assert_array_equal(result.label, scan.label.array[0])


def test_an_image_is_read_once(knower, tmp_path, monkeypatch):
    scan = labelled(GRIDS["oblique"])
    path = tmp_path / "scan.nii.gz"
    write_volume(path, scan.image.array[0], scan.image.source)
    read, reader = [], inputs_module.read_image
    monkeypatch.setattr(inputs_module, "read_image", lambda p, *o: read.append(p) or reader(p, *o))
    session = knower.open(path)
    first = session.segment(scan.prompts[0].points)
    twice = session.segment([Prompt(1, scan.prompts[0].points), scan.prompts[0]])
    assert read == [path] and session.scan.name == "scan"
    np.testing.assert_array_equal(first.label, scan.label.array[0])
    np.testing.assert_array_equal(twice.label, first.label)
    assert twice.shares_labels and twice.objects[1].volume_ml == 0


def test_a_session_of_converted_weights_resamples_once(tmp_path, monkeypatch):
    from interactivenet.legacy import sample as legacy_sample

    plan = make_plan((1.3, 1.2, 1.5), legacy=Legacy(0.1), normalisation=(Normalisation("zscore"),))
    made = predictor(plan, random_weights(tmp_path / "w.safetensors", plan), mirrored=False)
    calls, resample = [], legacy_sample.resample_whole
    monkeypatch.setattr(
        legacy_sample, "resample_whole", lambda *a, **k: calls.append(1) or resample(*a, **k)
    )
    session = made.open(labelled({}))
    labels = [session.segment().label for _ in range(2)]
    assert len(calls) == 1 and np.array_equal(*labels)


def test_several_modalities(tmp_path):
    scan = labelled(GRIDS["permuted"])
    plan = make_plan((1.0, 1.2, 1.5))
    plan = replace(plan, modalities=("T1", "T2"), normalisation=plan.normalisation * 2)
    made = knowing(plan, tmp_path)
    stored, affine = scan.image.stored[0], scan.image.source.affine
    first, second = nib.Nifti1Image(stored, affine), nib.Nifti1Image(stored * 0 + 1, affine)
    for images in ([first, second], (first, Volume.from_stored(stored * 0, affine))):
        result = made.segment(images, scan.prompts)
        np.testing.assert_array_equal(result.label, scan.label.array[0])
    swapped = made.segment([second, first], scan.prompts)
    assert not np.array_equal(swapped.label, scan.label.array[0])
    with pytest.raises(DataError, match="image: has 1 channels, expected 2: T1, T2"):
        made.open(first)
    moved = affine.copy()
    moved[0, 3] += 0.1
    with pytest.raises(
        DataError, match=r"image 2: grid differs: it is shifted by \(0.1, 0, 0\) mm"
    ):
        made.open([first, nib.Nifti1Image(stored, moved)])


def test_points_outside_are_named(knower, tmp_path):
    scan = labelled({})
    points = scan.prompts[0].points.copy()
    points[2] = (500.25, 0, 7)
    message = r"case: point 3 at \(500\.25, 0, 7\) mm \(RAS\) lies [\d.]+ mm outside the image; the"
    with pytest.raises(DataError, match=message):
        knower.segment(scan, points)
    write_prompts(tmp_path / "points.json", [Prompt(1, points)])
    with pytest.raises(DataError, match=r"image: point 3 at \(500\.25, 0, 7\)"):
        knower.segment(scan.image, tmp_path / "points.json")


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros(3), r"`points`: they have shape \(3,\): expected an array \(N, 3\)"),
        ([[1, 2], [3, 4]], r"shape \(2, 2\)"),
        ([["a", "b", "c"]], r"`points`: expected an array \(N, 3\)"),
        (object(), r"`points`: expected an array"),
    ],
)
def test_points_of_another_shape_are_refused(knower, points, message):
    with pytest.raises(RequestError, match=message):
        knower.segment(labelled({}), points)


def test_points_of_models_with_several_labels_say_which(tmp_path):
    scan = labelled({})
    made = knowing(make_plan((1.0, 1.2, 1.5), labels={1: "a", 2: "b"}), tmp_path)
    with pytest.raises(RequestError, match=r"several labels \(1=a, 2=b\): give .*Prompt\("):
        made.segment(scan, scan.prompts[0].points)
    assert made.segment(scan, Prompt(2, scan.prompts[0].points)).label.max() == 2


@pytest.mark.parametrize("several", [False, True])
def test_a_label_that_the_model_does_not_have_is_refused(tmp_path, several):
    scan = labelled({})
    made = knowing(make_plan((1.0, 1.2, 1.5), labels={1: "a", 2: "b"}), tmp_path)
    points = scan.prompts[0].points
    odd = Prompt(7, points)
    message = r"`points`: a prompt has label 7: expected a label of the model \(1=a, 2=b\)"
    with pytest.raises(RequestError, match=message):
        made.segment(scan, [Prompt(1, points), odd] if several else odd)


def test_images_without_prompts_need_points(knower):
    with pytest.raises(DataError, match="image: has no prompts"):
        knower.segment(labelled({}).image)


@pytest.mark.parametrize("image", [np.zeros((4, 4, 4)), 7, []])
def test_what_is_no_image_is_refused(knower, image):
    message = {0: "no image is given"}.get(len(image) if isinstance(image, list) else 1)
    with pytest.raises(RequestError, match=message or "alone does not say|a int is not an image"):
        knower.open(image)


def test_scans_of_other_modalities_are_refused(knower):
    scan = labelled({})
    both = np.concatenate([scan.image.stored] * 2)
    image = Volume.from_stored(both, scan.image.source)
    with pytest.raises(DataError, match="case: has 2 channels, expected 1: CT"):
        knower.segment(Scan("case", image, None, scan.prompts))
    assert case_module.Scan is Scan
