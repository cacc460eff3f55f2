"""MetaImage as other programs write it: read in every form, or refused with the true reason."""

import zlib

import numpy as np
import pytest
import SimpleITK as sitk

from interactivenet.imaging.image_files import files_of
from tests.imaging.grids import equal, voxels
from tests.imaging.spoiled_files import mha_with, refusal


def mhd_with(tmp_path, data, **fields):
    path = mha_with(tmp_path / "a.mhd", voxels(), **fields)
    header = path.read_bytes().partition(b"ElementDataFile")[0]
    if "ElementByteOrderMSB" in fields:
        header = header.replace(b"BinaryDataByteOrderMSB = False\n", b"")
    path.write_bytes(header + b"ElementDataFile = a.raw\n")
    (tmp_path / "a.raw").write_bytes(data)
    return path


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
