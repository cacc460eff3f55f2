"""What cannot be used is refused in one line that names the file and what was found."""

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk

from interactivenet.errors import DataError
from interactivenet.io.images import read_label, read_volume, write_label, write_volume
from interactivenet.volume import Geometry

SHAPE = (4, 5, 6)
AFFINE = np.array([[-0.7, 0, 0, 10], [0, -0.8, 0, 20], [0, 0, 2.5, -30], [0, 0, 0, 1]])
SHEARED = AFFINE + np.array([[0, 0.2, 0, 0], *np.zeros((3, 4))])
SUFFIXES = (".nii.gz", ".nii", ".mha", ".nrrd")
every_format = pytest.mark.parametrize("suffix", SUFFIXES)


def voxels(dtype=np.int16, shape=SHAPE):
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


def write(path, array, affine=AFFINE):
    grid = Geometry(array.shape, affine)
    write_volume(path, grid.to_ras(array), grid)


def refusal(path, read=read_volume):
    """The message that reading ``path`` gives: one line, which names it."""
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def header_with(path, array=None, **fields):
    """Save a NIfTI file whose header holds just these values, however wrong."""
    image = nib.Nifti1Image(voxels() if array is None else array, AFFINE)
    data = image.to_bytes()
    header = nib.Nifti1Header(data[:348], check=False)
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.binaryblock + data[348:])
    return path


def mha_with(path, array=None, **fields):
    """Save an uncompressed MetaImage with these lines of its header changed."""
    array = voxels() if array is None else array
    lines = {
        "ObjectType": "Image",
        "NDims": 3,
        "BinaryData": True,
        "BinaryDataByteOrderMSB": False,
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "0 0 0",
        "ElementSpacing": "1 1 1",
        "DimSize": "4 5 6",
        "ElementType": "MET_SHORT",
        **fields,
        "ElementDataFile": "LOCAL",
    }
    text = "".join(f"{key} = {value}\n" for key, value in lines.items())
    path.write_bytes(text.encode() + array.tobytes(order="F"))
    return path


def nrrd_with(path, array=None, **fields):
    header = {
        "space": "left-posterior-superior",
        "space directions": np.eye(3),
        "space origin": np.zeros(3),
        **{name.replace("_", " "): value for name, value in fields.items()},
    }
    nrrd.write(str(path), voxels() if array is None else array, header)
    return path


# files that are not what their names say


@every_format
@pytest.mark.parametrize("part", [0.9, 0.5, 0.02])
def test_truncated_file_is_refused(tmp_path, suffix, part):
    path = tmp_path / f"image{suffix}"
    write(path, voxels(shape=(20, 20, 20)))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    assert refusal(path).startswith(("is not a", "is a damaged or truncated", "is truncated"))


def test_truncated_uncompressed_metaimage_is_refused(tmp_path):
    path = mha_with(tmp_path / "image.mha")
    path.write_bytes(path.read_bytes()[:-20])
    assert "not a readable image" in refusal(path)


def test_truncated_gzip_is_called_so(tmp_path):
    path = tmp_path / "image.nii.gz"
    write(path, voxels(shape=(20, 20, 20)))
    path.write_bytes(path.read_bytes()[:-100])
    assert "damaged or truncated gzip file" in refusal(path)


def test_damaged_gzip_is_refused(tmp_path):
    path = tmp_path / "image.nii.gz"
    write(path, voxels(shape=(20, 20, 20)))
    data = bytearray(path.read_bytes())
    data[-8] ^= 1  # the checksum
    path.write_bytes(data)
    assert "damaged or truncated gzip file" in refusal(path)


@every_format
@pytest.mark.parametrize("content", [b"", b"not an image\n", b"not an image\n" * 100])
def test_text_named_as_an_image_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"image{suffix}"
    path.write_bytes(content)
    assert "is not a" in refusal(path)


def test_compressed_text_named_as_nifti_is_refused(tmp_path):
    path = tmp_path / "image.nii.gz"
    path.write_bytes(gzip.compress(b"not an image\n" * 100))
    assert "is not a NIfTI file" in refusal(path)


def test_nifti_header_without_its_voxels_is_refused(tmp_path):
    path = header_with(tmp_path / "image.nii", magic=b"ni1")
    assert "header without voxels (.hdr/.img pair)" in refusal(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.nii.gz", "does not exist"),
        ("none.mha", "does not exist"),
        ("none", "does not exist"),
    ],
)
def test_missing_file_is_refused(tmp_path, name, message):
    assert refusal(tmp_path / name) == message


@pytest.mark.parametrize("name", ["image.png", "image", "image.gz", "image.nii.zip"])
def test_unknown_suffix_is_refused_with_the_known_ones(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    message = refusal(tmp_path / name)
    assert "no readable format" in message and ".nii.gz" in message and "DICOM folder" in message


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read every file")
@every_format
def test_file_that_may_not_be_read_is_refused_with_the_reason(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    write(path, voxels())
    path.chmod(0)
    assert refusal(path) == "cannot be read: Permission denied"


# volumes of another kind


@pytest.mark.parametrize(
    ("shape", "found"), [((4, 5), "2 axes 4x5"), ((4, 5, 6, 2), "4 axes 4x5x6x2")]
)
@every_format
def test_image_that_is_not_3d_is_refused(tmp_path, suffix, shape, found):
    path = tmp_path / f"image{suffix}"
    if suffix == ".nrrd":
        nrrd.write(str(path), voxels(shape=shape))
    elif suffix == ".mha":
        sitk.WriteImage(sitk.GetImageFromArray(voxels(shape=shape).T, isVector=False), str(path))
    else:
        nib.save(nib.Nifti1Image(voxels(shape=shape), AFFINE), path)
    message = refusal(path)
    assert f"has {found}, expected 3" in message
    assert ("one file per modality" in message) == (len(shape) == 4)


def test_colour_nifti_is_refused(tmp_path):
    path = tmp_path / "image.nii"
    colour = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colour, AFFINE), path)
    assert "expected one number per voxel" in refusal(path)


def test_complex_nifti_is_refused(tmp_path):
    path = tmp_path / "image.nii"
    nib.save(nib.Nifti1Image(voxels(np.complex64), AFFINE), path)
    assert "has voxels of type complex64" in refusal(path)


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_image_of_vectors_is_refused(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    image = sitk.GetImageFromArray(voxels(shape=(6, 5, 4, 3)), isVector=True)
    sitk.WriteImage(image, str(path))
    assert refusal(path) == "has 3 values per voxel, expected 1"


@every_format
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_finite_are_refused_and_counted(tmp_path, suffix, value):
    path = tmp_path / f"image{suffix}"
    array = voxels(np.float32)
    array[0, 1, 2:4] = value
    write(path, array)
    assert refusal(path) == "has 2 voxels that are NaN or infinite, expected none"


# grids that cannot be


@pytest.mark.parametrize(
    ("pixdim", "found"), [(0, "0"), (-1.5, "-1.5"), (np.nan, "nan"), (np.inf, "inf")]
)
def test_nifti_with_impossible_spacing_is_refused(tmp_path, pixdim, found):
    path = header_with(tmp_path / "image.nii", pixdim=[1, 0.7, pixdim, 2.5, 0, 0, 0, 0])
    assert f"spacing must be positive, got (0.7, {found}, 2.5) mm" in refusal(path)


def test_metaimage_with_impossible_spacing_is_refused(tmp_path):
    refusal(mha_with(tmp_path / "image.mha", ElementSpacing="1 0 1"))


def test_metaimage_with_negative_spacing_has_that_axis_reversed(tmp_path):
    path = mha_with(tmp_path / "image.mha", ElementSpacing="1 -1.5 1")
    np.testing.assert_array_equal(read_volume(path).source.affine, np.diag([-1, 1.5, 1, 1]))


def test_nrrd_with_impossible_spacing_is_refused(tmp_path):
    refusal(nrrd_with(tmp_path / "image.nrrd", space_directions=np.diag([1.0, 0, 1])))


def test_sheared_nifti_is_refused(tmp_path):
    path = tmp_path / "image.nii"
    nib.save(nib.Nifti1Image(voxels(), SHEARED), path)
    assert "sheared: two voxel axes meet at 76.0 degrees, expected 90" in refusal(path)


def test_sheared_metaimage_is_refused(tmp_path):
    path = mha_with(tmp_path / "image.mha", TransformMatrix="1 0 0 0.25 1 0 0 0 1")
    assert "sheared: two voxel axes meet at 76.0 degrees, expected 90" in refusal(path)


def test_sheared_nrrd_is_refused_though_itk_straightens_it(tmp_path):
    directions = np.array([[1, 0, 0], [0.25, 1, 0], [0, 0, 1]])
    path = nrrd_with(tmp_path / "image.nrrd", space_directions=directions)
    assert "sheared: two voxel axes meet at 76.0 degrees, expected 90" in refusal(path)


def test_nrrd_of_another_space_is_refused(tmp_path):
    path = nrrd_with(tmp_path / "image.nrrd", space="scanner-xyz")
    assert "has space 'scanner-xyz', expected a patient space" in refusal(path)


def test_nifti_with_singular_affine_is_refused(tmp_path):
    refusal(header_with(tmp_path / "image.nii", sform_code=1, srow_y=[0, 0, 0, 0]))


def test_nifti_with_an_affine_that_is_not_finite_is_refused(tmp_path):
    path = header_with(tmp_path / "image.nii", sform_code=1, srow_y=[0, np.nan, 0, 0])
    assert "affine has values that are not finite" in refusal(path)


@pytest.mark.parametrize("dim", [[3, 4, 0, 6, 1, 1, 1, 1], [3, 4, -5, 6, 1, 1, 1, 1]])
def test_nifti_with_impossible_shape_is_refused(tmp_path, dim):
    path = header_with(tmp_path / "image.nii", dim=dim)
    assert f"three positive numbers, got (4, {dim[2]}, 6)" in refusal(path)


@pytest.mark.parametrize("count", [0, 8, -1])
def test_nifti_with_impossible_number_of_axes_is_refused(tmp_path, count):
    path = header_with(tmp_path / "image.nii", dim=[count, 4, 5, 6, 1, 1, 1, 1])
    assert f"{count} axes in its header" in refusal(path)


def test_nifti_that_promises_more_voxels_than_it_has_is_refused(tmp_path):
    path = header_with(tmp_path / "image.nii", dim=[3, 30000, 30000, 30000, 1, 1, 1, 1])
    assert "is truncated" in refusal(path)


def test_nifti2_that_promises_more_voxels_than_can_be_is_refused(tmp_path):
    path = tmp_path / "image.nii"
    data = bytearray(nib.Nifti2Image(voxels(), AFFINE).to_bytes())
    data[16:48] = np.array([3, 2**40, 2**40, 2**40], "<i8").tobytes()  # dim
    path.write_bytes(data)
    assert "voxels" in refusal(path)


@pytest.mark.parametrize(("units", "name"), [(1, "metre"), (3, "micrometre")])
def test_nifti_in_other_units_is_refused(tmp_path, units, name):
    path = header_with(tmp_path / "image.nii", xyzt_units=units)
    assert refusal(path) == f"states its geometry in {name}, expected millimetre"


def test_nifti_with_no_valid_orientation_is_refused(tmp_path):
    path = header_with(tmp_path / "image.nii", sform_code=0, qform_code=1, quatern_b=2)
    assert "has no valid orientation" in refusal(path)


# what is read, with a note


def test_nifti_without_orientation_codes_is_noted(tmp_path):
    path = header_with(tmp_path / "image.nii", sform_code=0, qform_code=0)
    volume = read_volume(path)
    assert len(volume.notes) == 1
    assert "left and right are a guess" in volume.notes[0]
    np.testing.assert_array_equal(volume.source.affine, nib.load(path).affine)


@pytest.mark.parametrize("turn", [np.diag([-1, 1, 1, 1]), np.eye(4) + 5 * np.eye(4, k=3)])
def test_disagreement_of_sform_and_qform_is_noted(tmp_path, turn):
    path = tmp_path / "image.nii"
    image = nib.Nifti1Image(voxels(), AFFINE)
    image.set_sform(AFFINE, 1)
    image.set_qform(turn @ AFFINE, 1)
    nib.save(image, path)
    volume = read_volume(path)
    assert len(volume.notes) == 1
    assert "sform and qform place its corners" in volume.notes[0]
    np.testing.assert_allclose(volume.source.affine, AFFINE, rtol=1e-6)


def test_broken_qform_beside_a_sound_sform_does_no_harm(tmp_path):
    path = header_with(tmp_path / "image.nii", sform_code=1, qform_code=1, quatern_b=2)
    np.testing.assert_allclose(read_volume(path).source.affine, AFFINE, rtol=1e-6)


def test_pixdim_that_contradicts_the_sform_is_noted(tmp_path):
    pixdim = [1, 1, 1, 1, 0, 0, 0, 0]
    path = header_with(tmp_path / "image.nii", sform_code=1, qform_code=0, pixdim=pixdim)
    volume = read_volume(path)
    assert volume.source.spacing == pytest.approx((0.7, 0.8, 2.5))
    assert "contradicts the spacing of its sform" in volume.notes[0]


def test_sound_image_has_no_notes(tmp_path):
    write(tmp_path / "image.nii.gz", voxels())
    assert read_volume(tmp_path / "image.nii.gz").notes == ()


# label maps


@every_format
def test_fractional_labels_are_refused(tmp_path, suffix):
    path = tmp_path / f"label{suffix}"
    array = voxels(np.float32)
    array[1, 2, 3] = 1.5
    write(path, array)
    assert refusal(path, read_label) == "holds label values that are not whole, such as 1.5"


@every_format
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_negative_labels_are_refused(tmp_path, suffix, dtype):
    path = tmp_path / f"label{suffix}"
    array = voxels(dtype)
    array[1, 2, 3] = -2
    write(path, array)
    assert refusal(path, read_label) == "holds the negative label value -2, expected 0 or more"


@every_format
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_whole_labels_stored_as_fractions_are_read_and_noted(tmp_path, suffix, dtype):
    path = tmp_path / f"label{suffix}"
    write(path, voxels(dtype))
    label = read_label(path)
    assert label.array.dtype == np.uint8
    np.testing.assert_array_equal(label.source.from_ras(label.array[0]), voxels())
    assert f"labels are stored as {np.dtype(dtype)}, read as whole numbers" in label.notes


def test_label_beyond_every_whole_number_type_is_refused(tmp_path):
    path = tmp_path / "label.nii"
    array = voxels(np.float32)
    array[1, 2, 3] = 1e30
    write(path, array)
    assert "1e+30" in refusal(path, read_label)


# DICOM folders

SERIES = "dicom/sarcoma_STS_008/MR_T1/image"


def copied(source, target):
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    return target


def by_place(folder):
    """The files of a series in the order of their slices."""
    return [Path(name) for name in sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))]


def test_single_dicom_file_is_refused_with_advice(tmp_path):
    (tmp_path / "slice.dcm").write_bytes(b"x")
    assert "give the folder of its series" in refusal(tmp_path / "slice.dcm")


def test_empty_folder_is_refused(tmp_path):
    assert refusal(tmp_path) == "holds no DICOM series"


def test_folder_of_other_files_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("not an image")
    assert refusal(tmp_path) == "holds no DICOM series"


@pytest.mark.parametrize("missing", [1, 14, -2])
def test_series_without_one_slice_is_refused(shared_data, tmp_path, missing):
    folder = copied(shared_data(SERIES), tmp_path / "series")
    by_place(folder)[missing].unlink()
    message = refusal(folder)
    assert "27 DICOM slices are not evenly spaced (3.27 to 6.54 mm apart)" in message
    assert "missing" in message


def test_series_with_a_doubled_slice_is_refused(shared_data, tmp_path):
    folder = copied(shared_data(SERIES), tmp_path / "series")
    shutil.copyfile(by_place(folder)[5], folder / "again.dcm")
    message = refusal(folder)
    assert "29 DICOM slices are not evenly spaced" in message and "doubled" in message


def test_single_slice_is_refused(shared_data, tmp_path):
    shutil.copyfile(by_place(shared_data(SERIES))[0], tmp_path / "slice.dcm")
    assert refusal(tmp_path) == "holds a single DICOM slice, expected a 3D series"


def test_truncated_slice_is_refused(shared_data, tmp_path):
    folder = copied(shared_data(SERIES), tmp_path / "series")
    file = by_place(folder)[5]
    file.write_bytes(file.read_bytes()[:-1000])
    refusal(folder)


def test_folder_of_two_series_is_refused(shared_data, tmp_path):
    folder = copied(shared_data(SERIES), tmp_path / "series")
    for file in by_place(shared_data("dicom/dicom_seg/ct")):
        shutil.copyfile(file, folder / f"ct_{file.name}")
    message = refusal(folder)
    assert "holds 2 DICOM series" in message and "expected one per folder" in message


# writing that fails


def unwritten(path, write=write_volume):
    """The message that writing an image of noise to ``path`` gives, which names it."""
    noise = np.random.default_rng(0).integers(0, 30000, (40, 40, 40)).astype(np.int16)
    with pytest.raises(DataError) as caught:
        write(path, noise, Geometry(noise.shape, AFFINE))
    message = str(caught.value)
    assert message.startswith(f"{path}: cannot be written")
    assert "\n" not in message
    return message


@every_format
@pytest.mark.parametrize("write", [write_volume, write_label])
def test_path_below_a_regular_file_cannot_be_written(tmp_path, suffix, write):
    (tmp_path / "file").write_text("kept")
    unwritten(tmp_path / "file" / f"image{suffix}", write)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("name", ["image.png", "image", "image.mhd", "image.dcm"])
def test_format_that_is_not_written_is_refused_with_those_that_are(tmp_path, name):
    assert "expected one of .nii.gz, .nii, .mha, .nrrd" in unwritten(tmp_path / name)
    assert not any(tmp_path.iterdir())


@every_format
def test_name_of_a_folder_cannot_be_written(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    path.mkdir()
    unwritten(path)
    assert list(tmp_path.rglob("*")) == [path]


@every_format
def test_failed_rename_leaves_the_old_file_and_no_other(tmp_path, suffix, monkeypatch):
    path = tmp_path / f"image{suffix}"
    path.write_text("old")

    def refuse(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "replace", refuse)
    assert "Input/output error" in unwritten(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def file_size_limit():
    """Let no file grow beyond 16 KiB: every write stops half way, as on a full disk."""
    resource = pytest.importorskip("resource", reason="file size limits are a matter of POSIX")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16384, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("file_size_limit")
@every_format
def test_write_that_stops_half_way_leaves_nothing(tmp_path, suffix):
    unwritten(tmp_path / f"image{suffix}")
    assert not any(tmp_path.iterdir())


@pytest.mark.usefixtures("file_size_limit")
@every_format
def test_write_that_stops_half_way_keeps_the_old_file(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    path.write_text("old")
    unwritten(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 KiB."""
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("needs root to mount a small disk")
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount a small disk")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@every_format
def test_full_disk_leaves_nothing(small_disk, suffix):
    unwritten(small_disk / f"image{suffix}")
    assert not any(small_disk.iterdir())
