"""Files that people have besides .nii.gz, .mha and .nrrd: read, or refused with the true reason."""

import bz2
import zlib

import nibabel as nib
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk

from interactivenet.imaging.image_files import files_of
from interactivenet.imaging.io import read_image, read_label
from tests.imaging.grids import AFFINES, every_grid, stored_voxels, voxels
from tests.imaging.spoiled_files import (
    AFFINE,
    SHAPE,
    header_with,
    mha_with,
    nrrd_with,
    refusal,
)


def equal(path, array=None, affine=None):
    volume = read_image(path)
    np.testing.assert_array_equal(stored_voxels(volume), voxels() if array is None else array)
    if affine is not None:
        np.testing.assert_allclose(volume.source.affine, affine, rtol=0, atol=1e-4)
    return volume


# --- pairs of a header and its voxels


@every_grid
@pytest.mark.parametrize("kind", [nib.Nifti1Pair, nib.Nifti2Pair])
def test_a_pair_is_read_as_one_image(tmp_path, affine, kind):
    nib.save(kind(voxels(), affine), tmp_path / "a.hdr")
    equal(tmp_path / "a.hdr", affine=affine)
    assert [path.name for path in files_of(tmp_path / "a.hdr").values()] == ["a.hdr", "a.img"]


def test_half_a_pair_is_refused_with_what_is_missing(tmp_path):
    nib.save(nib.Nifti1Pair(voxels(), AFFINE), tmp_path / "a.hdr")
    assert refusal(tmp_path / "a.img") == "holds the voxels of a .hdr file: expected the .hdr file"
    (tmp_path / "a.img").write_bytes((tmp_path / "a.img").read_bytes()[:-20])
    assert refusal(tmp_path / "a.hdr") == "is truncated: 220 bytes of voxels, expected 240"
    (tmp_path / "a.img").unlink()
    assert refusal(tmp_path / "a.hdr") == "lacks its voxels: a.img does not exist beside it"


def test_analyze_does_not_tell_left_from_right(tmp_path):
    nib.save(nib.AnalyzeImage(voxels(), None), tmp_path / "a.hdr")
    assert "Analyze 7.5 header, which does not tell left from right" in refusal(tmp_path / "a.hdr")


def test_a_whole_nifti_named_as_a_header_is_refused(tmp_path):
    nib.save(nib.Nifti1Image(voxels(), AFFINE), tmp_path / "a.nii")
    (tmp_path / "a.nii").rename(tmp_path / "a.hdr")
    assert "expected the name .nii" in refusal(tmp_path / "a.hdr")


# --- FreeSurfer


@pytest.mark.parametrize(
    ("dim", "vertices"),
    [([3, 27307, 1, 6, 1, 1, 1, 1], 163842), ([3, -1, 1, 1, 1, 1, 1, 1], 40962)],
)
def test_values_on_a_surface_are_no_image(tmp_path, dim, vertices):
    path = header_with(tmp_path / "a.nii", dim=dim, glmin=40962)
    assert f"the {vertices} vertices of a FreeSurfer surface" in refusal(path)


# --- NRRD


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "ascii"])
@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("order", ["<i2", ">i2", "<f4"])
def test_every_encoding_of_nrrd_is_read(tmp_path, encoding, detached, order):
    path = tmp_path / ("a.nhdr" if detached else "a.nrrd")
    header = {"space": "left-posterior-superior", "space directions": np.diag([1.0, 2, 3]),
              "space origin": np.array([5.0, 6, 7]), "encoding": encoding}  # fmt: skip
    array = voxels().astype(order)
    nrrd.write(str(path), array, header, detached_header=detached)
    equal(path, array, np.array([[-1, 0, 0, -5], [0, -2, 0, -6], [0, 0, 3, 7], [0, 0, 0, 1]]))
    assert len(files_of(path)) == 1 + detached


def test_slices_in_files_of_their_own(tmp_path):
    for number in range(SHAPE[2]):
        (tmp_path / f"s{number}.raw").write_bytes(voxels()[..., number].tobytes(order="F"))
    (tmp_path / "a.nhdr").write_text(
        "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 4 5 6\n"
        "space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\nendian: little\n"
        "encoding: raw\ndata file: LIST\n" + "".join(f"s{n}.raw\n" for n in range(SHAPE[2]))
    )
    equal(tmp_path / "a.nhdr")
    assert len(files_of(tmp_path / "a.nhdr")) == 1 + SHAPE[2]


@pytest.mark.parametrize("skip", ["byte skip: 7\n", "line skip: 2\n", "byte skip: -1\n"])
def test_what_precedes_detached_voxels_is_skipped(tmp_path, skip):
    before = b"1234567" if skip == "byte skip: 7\n" else b"one\ntwo\n"
    (tmp_path / "a.raw").write_bytes(before + voxels().tobytes(order="F"))
    (tmp_path / "a.nhdr").write_text(
        "NRRD0004\ntype: int16\ndimension: 3\nspace: LPS\nsizes: 4 5 6\nspace directions: (1,0,0)"
        f" (0,1,0) (0,0,1)\nendian: little\nencoding: raw\n{skip}data file: a.raw\n"
    )
    equal(tmp_path / "a.nhdr")


@pytest.mark.parametrize("field", ["space_units", "units"])
@pytest.mark.parametrize("unit", ["um", "cm", "m", "inches", "pixels"])
def test_another_unit_is_refused_by_its_name(tmp_path, unit, field):
    path = nrrd_with(tmp_path / "a.nrrd", voxels(), **{field: [unit] * 3})
    assert refusal(path).startswith(f"gives its geometry in {unit}, expected mm")
    nrrd_with(path, voxels(), **{field: ["mm"] * 3})
    equal(path)


@pytest.mark.parametrize("letter", [b"\xc2\xb5", b"\xce\xbc", b"\xb5"])
def test_micrometres_keep_their_letter(tmp_path, letter):
    path = nrrd_with(tmp_path / "a.nrrd", voxels(), space_units=["um"] * 3)
    path.write_bytes(path.read_bytes().replace(b'"um"', b'"' + letter + b'm"'))
    assert refusal(path).startswith("gives its geometry in um, expected mm")


def test_a_measurement_frame_does_not_move_the_voxels(tmp_path):
    path = nrrd_with(tmp_path / "a.nrrd", voxels(), measurement_frame=np.diag([-1.0, 1, 1]))
    equal(path, affine=np.diag([-1.0, -1, 1, 1]))


@pytest.mark.parametrize("first", [True, False])
def test_a_list_of_one_volume_is_that_volume(tmp_path, first):
    none, rows = np.full((1, 3), np.nan), np.diag([1.0, 2, 3])
    path = nrrd_with(
        tmp_path / "a.nrrd", voxels()[None] if first else voxels()[..., None],
        kinds=["list", *["domain"] * 3] if first else [*["domain"] * 3, "list"],
        space_directions=np.vstack([none, rows] if first else [rows, none]),
    )  # fmt: skip
    equal(path, affine=np.diag([-1.0, -2, 3, 1]))
    nrrd_with(
        path, np.stack([voxels()] * 2), kinds=["list", *["domain"] * 3],
        space_directions=np.vstack([none, rows]),
    )  # fmt: skip
    assert refusal(path) == "has 4 axes 2x4x5x6, expected 3 (one file per modality)"


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("raw", "is truncated: 140 bytes of voxels, expected 240"),
        ("gzip", "is truncated: "),
        ("bzip2", "is truncated: "),
        ("ascii", "is truncated: "),
    ],
)
def test_a_cut_nrrd_is_called_so(tmp_path, encoding, message):
    path = nrrd_with(tmp_path / "a.nrrd", encoding=encoding)
    path.write_bytes(path.read_bytes()[:-100])
    assert refusal(path).startswith(message)


def test_a_detached_header_without_its_voxels_is_refused(tmp_path):
    nrrd.write(str(tmp_path / "a.nhdr"), voxels(), GZIP, detached_header=True)
    for file in tmp_path.glob("a.raw*"):
        file.unlink()
    assert refusal(tmp_path / "a.nhdr").startswith("lacks its voxels: a.raw")


def test_damaged_compressed_voxels_are_called_so(tmp_path):
    path = nrrd_with(tmp_path / "a.nrrd", encoding="gzip")
    data = bytearray(path.read_bytes())
    data[-60] ^= 255
    path.write_bytes(data)
    assert refusal(path).startswith(("is a damaged or truncated NRRD file", "is truncated"))


# --- MetaImage


def mhd_with(tmp_path, data, **fields):
    path = mha_with(tmp_path / "a.mhd", voxels(), **fields)
    header = path.read_bytes().partition(b"ElementDataFile")[0]
    if "ElementByteOrderMSB" in fields:
        header = header.replace(b"BinaryDataByteOrderMSB = False\n", b"")
    path.write_bytes(header + b"ElementDataFile = a.raw\n")
    (tmp_path / "a.raw").write_bytes(data)
    return path


GZIP = {"space": "LPS", "space directions": np.eye(3), "encoding": "gzip"}
RAW = voxels().tobytes(order="F")
PACKED = zlib.compress(RAW)


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (RAW, {}),
        (voxels().astype(">i2").tobytes(order="F"), {"BinaryDataByteOrderMSB": True}),
        (voxels().astype(">i2").tobytes(order="F"), {"ElementByteOrderMSB": True}),
        (PACKED, {"CompressedData": True}),
        (PACKED, {"CompressedData": True, "CompressedDataSize": len(PACKED)}),
        (b"header " + RAW, {"HeaderSize": 7}),
        (b"any header" + RAW, {"HeaderSize": -1}),
        (RAW, {"DistanceUnits": "mm", "0008|0060": "MR", "Comment": "a = b"}),
    ],
    ids=["plain", "big-endian", "big-endian, old", "zlib", "zlib with size", "skip", "end", "mm"],
)  # fmt: skip
def test_every_way_of_metaimage_is_read(tmp_path, data, fields):
    path = mhd_with(tmp_path, data, **fields)
    equal(path, affine=np.diag([-1.0, -1, 1, 1]))
    assert [file.name for file in files_of(path).values()] == ["a.mhd", "a.raw"]
    if "HeaderSize" not in fields:  # as ITK reads it
        image = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).T
        np.testing.assert_array_equal(image, voxels())


def test_metaimage_in_text_is_read(tmp_path):
    path = mha_with(tmp_path / "a.mha", BinaryData=False)
    header = path.read_bytes().partition(b"LOCAL\n")[0]
    text = " ".join(map(str, voxels().ravel(order="F"))).encode()
    path.write_bytes(header + b"LOCAL\n" + text + b"\n")
    equal(path)


@pytest.mark.parametrize("unit", ["um", "cm"])
def test_another_unit_of_metaimage_is_refused(tmp_path, unit):
    path = mha_with(tmp_path / "a.mha", DistanceUnits=unit)
    assert refusal(path) == f"gives its geometry in {unit}, expected mm"


def test_a_cut_metaimage_is_called_so_and_nothing_else_is_printed(tmp_path, capfd):
    path = tmp_path / "a.mha"
    image = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 999, (20, 20, 20)))
    sitk.WriteImage(sitk.Cast(image, sitk.sitkInt16), str(path), True)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1000])
    size = len(whole) - whole.index(b"LOCAL\n") - 6
    assert (
        refusal(path) == f"is truncated: {size - 1000} bytes of compressed voxels, expected {size}"
    )
    without = b"\n".join(line for line in whole[:-1000].split(b"\n", 12)
                         if not line.startswith(b"CompressedDataSize"))  # fmt: skip
    path.write_bytes(without)
    assert refusal(path).startswith("is truncated: ") and "of voxels, expected 16000" in refusal(
        path
    )
    assert mhd_with(tmp_path, RAW[:-40]) and refusal(tmp_path / "a.mhd") == (
        "is truncated: 200 bytes of voxels, expected 240"
    )
    (tmp_path / "a.raw").unlink()
    assert refusal(tmp_path / "a.mhd") == "lacks its voxels: a.raw does not exist beside it"
    damaged = bytearray(whole)
    damaged[-size // 2] ^= 255
    path.write_bytes(damaged)
    assert refusal(path).startswith(("has damaged compressed voxels", "is truncated"))
    captured = capfd.readouterr()
    assert captured.err == "" and captured.out == ""


# --- headers that are broken


@pytest.mark.parametrize("value", [1e30, 3e38, 1e7, 1e-9])
@pytest.mark.parametrize("where", ["spacing", "origin"])
def test_a_header_near_infinity_is_broken(tmp_path, value, where):
    if where == "origin" and value < 1e9:
        pytest.skip("far away, but a number")
    affine = np.eye(4)
    affine[(0, 0) if where == "spacing" else (0, 3)] = value
    path = header_with(
        tmp_path / "a.nii", sform_code=1, srow_x=affine[0], srow_y=affine[1], srow_z=affine[2],
        qform_code=0,
    )  # fmt: skip
    assert refusal(path).startswith("no scan has a spacing of")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"DimSize": "4 5"}, "has DimSize '4 5', expected 3 numbers"),
        ({"DimSize": "4 5 nan"}, "has DimSize '4 5 nan', expected 3 numbers"),
        ({"DimSize": "4 5 -6"}, "expected positive numbers"),
        ({"DimSize": ""}, "lacks 'DimSize'"),
        ({"NDims": "three"}, "has NDims 'three', expected a number"),
        ({"ElementSpacing": "1 1 wide"}, "has ElementSpacing '1 1 wide', expected 3 numbers"),
        ({"TransformMatrix": "1 0 0"}, "has TransformMatrix '1 0 0', expected 9 numbers"),
        ({"ElementType": "MET_STRING"}, "has voxels of type MET_STRING"),
        ({"ElementType": ""}, "lacks 'ElementType'"),
        ({"ObjectType": "Tube"}, "holds a MetaImage 'Tube', expected an Image"),
        ({"ElementNumberOfChannels": 3}, "has 3 values per voxel, expected 1"),
        ({"DimSize": "400000 500000 600000"}, "its header says 400000x500000x600000 voxels"),
    ],
)
def test_a_broken_metaimage_header_is_named_and_nothing_printed(tmp_path, capfd, fields, message):
    assert message in refusal(mha_with(tmp_path / "a.mha", **fields))
    assert capfd.readouterr().err == ""


def test_real_files_that_were_refused(shared_cases, capfd):
    folder = shared_cases("b12_other_refused")
    packed = read_image(folder / "BallBinary30x30x30_bz2.nrrd")
    beside = read_image(folder / "BallBinary30x30x30.nhdr")
    np.testing.assert_array_equal(packed.array, beside.array)
    np.testing.assert_array_equal(
        packed.stored[0], nrrd.read(str(folder / "BallBinary30x30x30.nhdr"))[0]
    )
    pair = read_image(folder / "ras.hdr")
    np.testing.assert_array_equal(pair.stored[0], np.asarray(nib.load(folder / "ras.hdr").dataobj))
    np.testing.assert_allclose(pair.source.affine, nib.load(folder / "ras.hdr").affine)
    assert refusal(folder / "cut.mha") == (
        "is truncated: 64573 bytes of compressed voxels, expected 131270"
    )
    assert "FreeSurfer surface" in refusal(folder / "freesurfer_dims.nii.gz")
    assert capfd.readouterr().err == ""


# --- labels off by rounding


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha", ".nrrd"])
@pytest.mark.parametrize("value", [0.9999999, 1.00002, 2.0004, 1e-7])
def test_labels_off_by_rounding_are_whole_and_that_is_said(tmp_path, suffix, value):
    path = tmp_path / f"label{suffix}"
    array = np.zeros(SHAPE, np.float32)
    array[1:3, 1:3] = value
    image = sitk.GetImageFromArray(array.T)
    sitk.WriteImage(image, str(path))
    label = read_label(path)
    np.testing.assert_array_equal(label.stored[0], np.rint(array))
    assert label.array.dtype == np.uint8
    assert "stored as float32, off by up to" in label.notes[-1]


@pytest.mark.parametrize("value", [0.5, 0.99, 1.01, 0.002, 12.2])
def test_a_true_fraction_is_none(tmp_path, value):
    array = np.ones(SHAPE, np.float32)
    array[1, 2, 3] = value
    path = tmp_path / "label.nii"
    nib.save(nib.Nifti1Image(array, AFFINES["pir"]), path)
    assert refusal(path, read_label) == (
        f"holds label values that are not whole numbers, such as {value:g}"
    )


@pytest.mark.parametrize("name", ["almost_one", "saved_with_the_images_header"])
def test_real_labels_off_by_rounding(shared_cases, name):
    folder = shared_cases("a08_labels_scaled_by_nibabel/Task503_SCALED/labelsTr")
    label = read_label(folder / f"{name}.nii.gz")
    expected = np.rint(nib.load(folder / f"{name}.nii.gz").get_fdata())
    np.testing.assert_array_equal(label.stored[0], expected)
    assert "labels are stored as float32, off by up to" in label.notes[-1]


def test_bz2_is_in_this_python():
    assert bz2.decompress(bz2.compress(b"x")) == b"x"


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd"])
def test_a_header_without_the_size_of_its_voxels_is_refused(tmp_path, name):
    """ITK takes 1 mm: a scan of other voxels would be measured and segmented wrongly."""
    path = tmp_path / name
    voxels = np.zeros(8, np.uint8).tobytes()
    if name == "a.mha":
        header = "NDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    else:
        header = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n\n"
    path.write_bytes(header.encode() + voxels)
    assert "says nothing of the size of its voxels" in refusal(path)
