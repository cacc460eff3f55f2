"""Images come back as they were written, and as other programs read them."""

import gzip
import time

import nibabel as nib
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk

from interactivenet.errors import DataError
from interactivenet.io.images import (
    read_channels,
    read_label,
    read_volume,
    write_label,
    write_volume,
)
from interactivenet.volume import Geometry

SUFFIXES = (".nii.gz", ".nii", ".mha", ".nrrd")
SHAPE = (4, 5, 6)
LPS = np.array([-1.0, -1.0, 1.0])


def turned(degrees, axis):
    """(3, 3) rotation about one of the patient's axes."""
    a, b = [other for other in range(3) if other != axis]
    rotation = np.eye(3)
    rotation[a, a] = rotation[b, b] = np.cos(np.radians(degrees))
    rotation[a, b] = -np.sin(np.radians(degrees))
    rotation[b, a] = np.sin(np.radians(degrees))
    return rotation


def affine_of(directions, spacing, origin=(-91.3, 120.7, -1033.1)):
    affine = np.eye(4)
    affine[:3, :3] = directions * np.asarray(spacing)
    affine[:3, 3] = origin
    return affine


PIR = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
OBLIQUE = turned(17.3, 0) @ turned(-8.1, 1) @ turned(31.7, 2)
AFFINES = {
    "ras": affine_of(np.eye(3), (1, 1, 1)),
    "lps": affine_of(np.diag(LPS), (0.7, 0.7, 2.5)),
    "left_handed": affine_of(np.diag([1, 1, -1]), (0.7, 0.8, 0.9)),
    "pir": affine_of(PIR, (1.5, 0.3, 1.1)),
    "oblique": affine_of(OBLIQUE, (1, 1, 1)),
    "oblique_permuted_flipped_anisotropic": affine_of(OBLIQUE @ PIR, (0.2, 10, 1 / 3)),
}
every_grid = pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
every_format = pytest.mark.parametrize("suffix", SUFFIXES)


def voxels(dtype=np.int16, shape=SHAPE):
    """Distinct values, negative ones where the type has them, in stored order."""
    array = np.arange(np.prod(shape)).reshape(shape)
    return (array - (0 if np.dtype(dtype).kind == "u" else 50)).astype(dtype)


def write(path, stored, affine):
    grid = Geometry(stored.shape, affine)
    write_volume(path, grid.to_ras(stored), grid)


def stored_voxels(volume):
    return volume.source.from_ras(volume.array[0])


@every_format
@every_grid
def test_image_comes_back_as_it_was_written(tmp_path, suffix, affine):
    path = tmp_path / f"image{suffix}"
    write(path, voxels(), affine)
    volume = read_volume(path)
    np.testing.assert_array_equal(stored_voxels(volume), voxels())
    assert volume.array.dtype == np.int16
    assert volume.notes == ()
    assert volume.source.orientation == Geometry(SHAPE, affine).orientation
    assert volume.source.is_same_lattice(Geometry(SHAPE, affine))


@every_grid
def test_nrrd_keeps_the_affine_exactly(tmp_path, affine):
    path = tmp_path / "image.nrrd"
    write(path, voxels(), affine)
    np.testing.assert_array_equal(read_volume(path).source.affine, affine)


@every_format
@every_grid
def test_result_has_exactly_the_affine_of_its_image(tmp_path, suffix, affine):
    image, result = tmp_path / f"image{suffix}", tmp_path / f"result{suffix}"
    write(image, voxels(), affine)
    volume = read_volume(image)
    write_volume(result, volume.array[0], volume.source)
    np.testing.assert_array_equal(read_volume(result).source.affine, volume.source.affine)


@every_format
@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.float32, np.float64]
)
def test_number_type_is_kept(tmp_path, suffix, dtype):
    path = tmp_path / f"image{suffix}"
    write(path, voxels(dtype), AFFINES["pir"])
    volume = read_volume(path)
    assert volume.array.dtype == dtype
    np.testing.assert_array_equal(stored_voxels(volume), voxels(dtype))


@every_format
@pytest.mark.parametrize("shape", [(1, 5, 6), (4, 1, 6), (4, 5, 1), (1, 1, 1)])
def test_axis_of_one_voxel_is_kept(tmp_path, suffix, shape):
    path = tmp_path / f"image{suffix}"
    write(path, voxels(shape=shape), AFFINES["pir"])
    volume = read_volume(path)
    assert volume.source.shape == shape
    np.testing.assert_array_equal(stored_voxels(volume), voxels(shape=shape))


@every_format
@every_grid
def test_simpleitk_finds_the_same_values_at_the_same_places(tmp_path, suffix, affine):
    path = tmp_path / f"image{suffix}"
    write(path, voxels(), affine)
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).transpose(2, 1, 0), voxels())
    for index in ((0, 0, 0), (3, 4, 5), (1, 0, 4)):
        world = affine[:3, :3] @ index + affine[:3, 3]
        found = image.TransformIndexToPhysicalPoint(index) * LPS
        np.testing.assert_allclose(found, world, rtol=0, atol=1e-3)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@every_grid
def test_nibabel_finds_the_same_values_at_the_same_places(tmp_path, suffix, affine):
    path = tmp_path / f"image{suffix}"
    write(path, voxels(), affine)
    image = nib.load(path)
    np.testing.assert_array_equal(np.asarray(image.dataobj), voxels())
    np.testing.assert_allclose(image.get_sform(), affine, rtol=0, atol=1e-4)
    np.testing.assert_allclose(image.get_qform(), affine, rtol=0, atol=1e-3)
    assert image.header.get_xyzt_units()[0] == "mm"


@pytest.mark.parametrize("suffix", [".mha", ".nrrd", ".nii"])
@every_grid
def test_image_written_by_simpleitk_is_read_alike(tmp_path, suffix, affine):
    path = tmp_path / f"image{suffix}"
    image = sitk.GetImageFromArray(voxels().transpose(2, 1, 0))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin((affine[:3, 3] * LPS).tolist())
    image.SetDirection((affine[:3, :3] / spacing * LPS[:, None]).ravel().tolist())
    sitk.WriteImage(image, str(path))
    volume = read_volume(path)
    np.testing.assert_array_equal(stored_voxels(volume), voxels())
    np.testing.assert_allclose(volume.source.affine, affine, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (-1, -1, 1)),
        ("right-anterior-superior", (1, 1, 1)),
        ("left-anterior-superior", (-1, 1, 1)),
        ("LPS", (-1, -1, 1)),
    ],
)
def test_nrrd_is_placed_by_the_space_it_names(tmp_path, space, signs):
    path = tmp_path / "image.nrrd"
    directions = np.array([[1.5, 0, 0], [0, 0, 2.5], [0, 0.5, 0]])
    header = {"space": space, "space directions": directions, "space origin": np.array([1, 2, 3.0])}
    nrrd.write(str(path), voxels(), header)
    affine = read_volume(path).source.affine
    np.testing.assert_array_equal(affine[:3, :3], directions.T * np.array(signs)[:, None])
    np.testing.assert_array_equal(affine[:3, 3], np.array([1, 2, 3]) * signs)


def test_nrrd_without_a_space_is_noted(tmp_path):
    path = tmp_path / "image.nrrd"
    nrrd.write(str(path), voxels(), {"spacings": [1.0, 2.0, 3.0]})
    volume = read_volume(path)
    assert volume.source.spacing == (1, 2, 3)
    assert "left and right are a guess" in volume.notes[0]


# NIfTI headers

PLACING = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d"),
    *("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z"),
)


def nifti(array, affine, *, kind=nib.Nifti1Image, sform=1, qform=1):
    image = kind(array, affine)
    image.set_sform(affine, sform)
    image.set_qform(affine, qform)
    image.header.set_xyzt_units("mm")
    return image


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize(("sform", "qform"), [(1, 1), (2, 0), (0, 3), (4, 1), (0, 0)])
@every_grid
def test_result_repeats_the_nifti_header_bit_for_bit(tmp_path, suffix, kind, sform, qform, affine):
    path, result = tmp_path / f"image{suffix}", tmp_path / f"result{suffix}"
    nib.save(nifti(voxels(), affine, kind=kind, sform=sform, qform=qform), path)
    volume = read_volume(path)
    write_label(result, np.ones(volume.shape), volume.source)
    before, after = nib.load(path).header, nib.load(result).header
    assert type(after) is type(before)
    for name in PLACING:
        assert after[name].tobytes() == before[name].tobytes(), name
    assert after["pixdim"][:4].tobytes() == before["pixdim"][:4].tobytes()
    assert after["xyzt_units"] == before["xyzt_units"]
    assert after["dim"].tolist() == before["dim"].tolist()


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["i2", "f4"])
def test_either_byte_order_of_either_nifti_is_read(tmp_path, kind, order, dtype):
    path = tmp_path / "image.nii"
    header = kind.header_class(endianness=order)
    header.set_data_dtype(order + dtype)
    image = kind(voxels(dtype), AFFINES["pir"], header)
    nib.save(image, path)
    assert nib.load(path).header.endianness == order
    volume = read_volume(path)
    assert volume.array.dtype == np.dtype(dtype)
    assert volume.array.dtype.isnative
    np.testing.assert_array_equal(stored_voxels(volume), voxels(dtype))
    np.testing.assert_allclose(volume.source.affine, AFFINES["pir"], rtol=1e-6)


def test_result_of_a_big_endian_image_is_placed_alike(tmp_path):
    path, result = tmp_path / "image.nii", tmp_path / "result.nii"
    header = nib.Nifti1Header(endianness=">")
    nib.save(nib.Nifti1Image(voxels(), AFFINES["oblique"], header), path)
    volume = read_volume(path)
    write_label(result, np.ones(volume.shape), volume.source)
    np.testing.assert_array_equal(nib.load(result).affine, nib.load(path).affine)


@pytest.mark.parametrize(
    ("stored", "slope", "inter", "expected"),
    [
        (np.int16, 0.5, 0.25, np.float32),
        (np.uint8, 2, -10, np.float32),
        (np.int16, 1, -1024, np.float32),
        (np.float64, 0.1, 0, np.float64),
    ],
)
def test_values_are_scaled_as_the_header_says(tmp_path, stored, slope, inter, expected):
    path = tmp_path / "image.nii.gz"
    image = nib.Nifti1Image(voxels(stored), AFFINES["pir"])
    data = bytearray(image.to_bytes())
    data[112:120] = np.array([slope, inter], "<f4").tobytes()  # scl_slope, scl_inter
    path.write_bytes(gzip.compress(bytes(data)))
    volume = read_volume(path)
    assert volume.array.dtype == expected
    np.testing.assert_allclose(
        stored_voxels(volume), voxels(stored).astype(float) * np.float32(slope) + inter, rtol=1e-6
    )
    np.testing.assert_allclose(stored_voxels(volume), nib.load(path).get_fdata(), rtol=1e-6)


@pytest.mark.parametrize("slope", [0, np.nan, 1])
def test_scaling_that_changes_nothing_keeps_the_stored_type(tmp_path, slope):
    path = tmp_path / "image.nii"
    data = bytearray(nib.Nifti1Image(voxels(), AFFINES["pir"]).to_bytes())
    data[112:120] = np.array([slope, 0], "<f4").tobytes()
    path.write_bytes(data)
    assert read_volume(path).array.dtype == np.int16


@pytest.mark.parametrize("suffix", [".nii", ".mha"])
def test_fourth_axis_of_one_voxel_is_dropped(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    if suffix == ".nii":
        nib.save(nib.Nifti1Image(voxels()[..., None], AFFINES["ras"]), path)
    else:
        sitk.WriteImage(sitk.GetImageFromArray(voxels().T[None], isVector=False), str(path))
    volume = read_volume(path)
    assert volume.shape == SHAPE
    np.testing.assert_array_equal(stored_voxels(volume), voxels())


@pytest.mark.parametrize(
    "name",
    [
        "image.NII.GZ",
        "image.NII",
        "image.NRRD",
        "image.MHA",
    ],
)
def test_suffix_in_capitals_is_the_same_format(tmp_path, name):
    path, plain = tmp_path / name, tmp_path / f"plain{name[5:].lower()}"
    write(path, voxels(), AFFINES["pir"])
    write(plain, voxels(), AFFINES["pir"])
    assert path.read_bytes() == plain.read_bytes()
    np.testing.assert_array_equal(stored_voxels(read_volume(path)), voxels())


# label maps


@every_format
@pytest.mark.parametrize(
    ("largest", "dtype"),
    [(0, "u1"), (1, "u1"), (255, "u1"), (256, "u2"), (65535, "u2"), (65536, "u4")],
)
@pytest.mark.parametrize("given", [np.int64, np.float32])
def test_label_map_takes_the_smallest_unsigned_type(tmp_path, suffix, largest, dtype, given):
    path = tmp_path / f"label{suffix}"
    label = np.zeros(SHAPE, given)
    label[1, 2, 3] = largest
    write_label(path, label, Geometry(SHAPE, AFFINES["ras"]))
    image = sitk.ReadImage(str(path))  # as another program finds it
    assert sitk.GetArrayFromImage(image).dtype == dtype
    assert image.GetPixel(1, 2, 3) == largest
    read = read_label(path)
    assert read.array.dtype == dtype
    assert read.notes == ()
    np.testing.assert_array_equal(read.array[0], label)


def test_mask_of_truth_values_is_a_label_map(tmp_path):
    path = tmp_path / "label.nii.gz"
    mask = voxels() > 0
    write_label(path, mask, Geometry(SHAPE, AFFINES["ras"]))
    np.testing.assert_array_equal(read_label(path).array[0], mask)


@every_format
def test_signed_label_file_is_read_as_the_smallest_unsigned_type(tmp_path, suffix):
    path = tmp_path / f"label{suffix}"
    write(path, np.full(SHAPE, 300, np.int32), AFFINES["pir"])
    assert read_label(path).array.dtype == np.uint16


@every_format
def test_same_input_gives_the_same_bytes_at_any_time(tmp_path, suffix, monkeypatch):
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    write(first, voxels(), AFFINES["oblique"])
    later = time.time() + 1e6
    monkeypatch.setattr(time, "time", lambda: later)
    write(second, voxels(), AFFINES["oblique"])
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_file_holds_no_date(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    write(path, voxels(), AFFINES["oblique"])
    assert time.strftime("%Y-").encode() not in path.read_bytes()


def test_writing_replaces_the_file_that_was_there(tmp_path):
    path = tmp_path / "image.nii.gz"
    path.write_text("old")
    write(path, voxels(), AFFINES["ras"])
    assert read_volume(path).shape == SHAPE
    assert list(tmp_path.iterdir()) == [path]


# several channels


def test_channels_of_other_formats_and_orders_on_one_grid_are_stacked(tmp_path):
    ras = Geometry(SHAPE, AFFINES["lps"]).to_ras(voxels())
    grid = Geometry(SHAPE, AFFINES["lps"])
    write_volume(tmp_path / "a.nii.gz", ras, grid)
    write_volume(tmp_path / "b.mha", ras, grid.ras)
    both = read_channels([tmp_path / "a.nii.gz", tmp_path / "b.mha"])
    np.testing.assert_array_equal(both.array, [ras, ras])
    assert both.source.orientation == "LPS"


def test_channels_on_two_grids_are_refused_with_both(tmp_path):
    write(tmp_path / "a.nii.gz", voxels(), affine_of(np.eye(3), (1, 1, 1)))
    write(tmp_path / "b.nii.gz", voxels(), affine_of(np.eye(3), (1, 1, 2)))
    with pytest.raises(DataError) as caught:
        read_channels([tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"])
    message = str(caught.value)
    assert "a.nii.gz" in message and "b.nii.gz" in message
    assert "spacing (1, 1, 1) mm" in message and "spacing (1, 1, 2) mm" in message


# real images

PIR_FILES = [
    f"vertebra_pir/{part}/{name}_vertebra.nii.gz"
    for part in ("images", "labels")
    for name in ("ct", "t2")
]
SERIES = {
    "dicom/brain_mr_oblique/T1post": ((280, 320, 22), np.uint16),
    "dicom/sarcoma_STS_008/CT/image": ((141, 137, 51), np.int16),
    "dicom/sarcoma_STS_008/MR_T1/image": ((77, 79, 28), np.int16),
    "dicom/sarcoma_STS_008/PET/image": ((30, 29, 51), np.float32),
    "dicom/dicom_seg/ct": ((512, 512, 3), np.int16),
}


def read_by_simpleitk(path):
    if not path.is_dir():
        return sitk.ReadImage(str(path))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(path)))
    return reader.Execute()


@pytest.mark.parametrize("name", [*PIR_FILES, *SERIES])
def test_real_image_is_read_as_simpleitk_reads_it(shared_data, name):
    path = shared_data(name)
    volume, image = read_volume(path), read_by_simpleitk(path)
    expected = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
    np.testing.assert_allclose(stored_voxels(volume), expected, rtol=1e-6)
    corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(image.GetSize()) - 1)
    places = [image.TransformIndexToPhysicalPoint(corner.tolist()) * LPS for corner in corners]
    np.testing.assert_allclose(volume.source.voxel_to_world(corners), places, rtol=0, atol=2e-3)


@pytest.mark.parametrize("name", SERIES)
def test_real_series_keeps_its_size_and_number_type(shared_data, name):
    volume = read_volume(shared_data(name))
    assert (volume.source.shape, volume.array.dtype) == SERIES[name]


@pytest.mark.parametrize("name", PIR_FILES)
def test_real_pir_image_is_turned_to_ras_as_nibabel_turns_it(shared_data, name):
    path = shared_data(name)
    volume, canonical = read_volume(path), nib.as_closest_canonical(nib.load(path))
    assert volume.source.orientation == "PIR"
    np.testing.assert_array_equal(volume.array[0], np.asarray(canonical.dataobj))
    np.testing.assert_allclose(volume.affine, canonical.affine, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", PIR_FILES)
def test_real_pir_image_is_written_back_on_its_grid(shared_data, tmp_path, name):
    path, result = shared_data(name), tmp_path / "result.nii.gz"
    volume = read_volume(path)
    write_volume(result, volume.array[0], volume.source)
    before, after = nib.load(path), nib.load(result)
    np.testing.assert_array_equal(np.asarray(after.dataobj), np.asarray(before.dataobj))
    for field in PLACING:
        assert after.header[field].tobytes() == before.header[field].tobytes(), field
    assert after.header["pixdim"][:4].tobytes() == before.header["pixdim"][:4].tobytes()


def test_real_pir_labels_are_the_documented_vertebrae(shared_data):
    label = read_label(shared_data("vertebra_pir/labels/ct_vertebra.nii.gz")).array
    assert np.unique(label).tolist() == [0, 21, 22, 23]
    assert np.count_nonzero(label) == 36348


def test_real_slice_distance_comes_from_the_positions_not_the_thickness(shared_data):
    volume = read_volume(shared_data("dicom/dicom_seg/ct"))
    assert volume.spacing == pytest.approx((0.810547, 0.810547, 1.0), abs=1e-6)


def test_real_oblique_series_is_turned_by_its_documented_angle(shared_data):
    source = read_volume(shared_data("dicom/brain_mr_oblique/T1post")).source
    cosine = abs(source.affine[2, 2]) / source.spacing[2]
    assert np.degrees(np.arccos(cosine)) == pytest.approx(10.8, abs=0.1)


@every_format
def test_real_oblique_series_can_be_written_in_every_format(shared_data, tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    volume = read_volume(shared_data("dicom/brain_mr_oblique/T1post"))
    write_volume(path, volume.array[0], volume.source)
    back = read_volume(path)
    np.testing.assert_array_equal(back.array, volume.array)
    assert back.source.is_same_lattice(volume.source)


def test_real_dicom_files_named_against_their_order_are_sorted_by_position(shared_data, tmp_path):
    folder = shared_data("dicom/sarcoma_STS_008/MR_T1/image")
    files = sorted(folder.glob("*.dcm"))
    for number, file in enumerate(files):
        (tmp_path / f"{(number * 11) % len(files):03d}.dcm").write_bytes(file.read_bytes())
    mixed, plain = read_volume(tmp_path), read_volume(folder)
    np.testing.assert_array_equal(mixed.array, plain.array)
    assert mixed.source.is_same_lattice(plain.source)
