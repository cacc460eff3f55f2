"""Headers and gzip bodies that claim, or hold, more than there is memory for."""

import gzip
import resource

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from isal import igzip

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.io import ReadOptions, read_image, write_volume
from interactivenet.imaging.size_limits import check_size, size_limit
from interactivenet.system import memory
from tests.imaging.grids import AFFINES
from tests.special_files import KINDS, at_most, make_special

HUGE = (10000, 10000, 10000)
META = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = {compressed}
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = 0 0 0
ElementSpacing = 1 1 1
DimSize = {shape}
ElementType = MET_SHORT
ElementDataFile = {file}
"""
NRRD = """NRRD0004
type: short
dimension: 3
space: left-posterior-superior
sizes: {shape}
space directions: (1,0,0) (0,1,0) (0,0,1)
kinds: domain domain domain
endian: little
encoding: {encoding}
space origin: (0,0,0)
{more}
"""


def nifti_header(shape, kind=nib.Nifti1Header):
    header = kind()
    header.set_data_dtype(np.int16)
    header["dim"][: len(shape) + 1] = [len(shape), *shape]
    header["pixdim"][:4] = 1
    header["vox_offset"] = 352 if kind is nib.Nifti1Header else 544
    header.set_sform(np.eye(4), 1)
    return header.binaryblock + b"\0\0\0\0"


def claiming(folder, suffix, shape=HUGE):
    """Write a file of less than a kilobyte that claims a shape."""
    path, words = folder / f"image{suffix}", " ".join(map(str, shape))
    if suffix.startswith(".nii"):
        data = nifti_header(shape)
        path.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    elif suffix == ".mha":
        path.write_text(META.format(compressed=True, shape=words, file="LOCAL"))
    elif suffix == ".mhd":
        (folder / "image.raw").write_bytes(b"\0")
        path.write_text(META.format(compressed=False, shape=words, file="image.raw"))
    else:
        path.write_text(NRRD.format(shape=words, encoding="gzip", more=""))
    assert path.stat().st_size < 1000
    return path


def refusal(path, options=ReadOptions()):
    with at_most(10), pytest.raises(DataError) as refused:
        read_image(path, options)
    assert str(refused.value).startswith(str(path))
    return str(refused.value)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha", ".mhd", ".nrrd"])
def test_a_small_file_that_claims_terabytes_is_refused_at_once(tmp_path, suffix):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = refusal(claiming(tmp_path, suffix))
    # what it claims, whether it cannot hold it or nobody could
    assert "2000000000000" in said or "10000x10000x10000 voxels, 2000 GB" in said
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_nifti_2_and_numbers_beyond_any_type(tmp_path):
    path = tmp_path / "image.nii.gz"
    path.write_bytes(gzip.compress(nifti_header((2**40, 2**40, 2**40), nib.Nifti2Header)))
    assert "is truncated" in refusal(path)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".mha", ".nrrd"])
def test_a_whole_file_that_is_too_large_is_refused_unless_allowed(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr("interactivenet.imaging.size_limits.SMALL", 1000)
    array = np.zeros((40, 50, 60), np.int16)
    path = tmp_path / f"image{suffix}"
    from interactivenet.imaging.geometry import Geometry

    write_volume(path, array, Geometry(array.shape, AFFINES["lps"]))
    monkeypatch.setattr(memory, "available_memory", lambda: 300_000)
    said = refusal(path)
    assert "its header says 40x50x60 voxels" in said and "`max_gb`" in said
    assert "the variable interactivenet_max_gb" in said
    assert read_image(path, ReadOptions(max_gb=1)).shape == (40, 50, 60)
    monkeypatch.setenv(memory.VARIABLE, "0.001")
    assert read_image(path).shape == (40, 50, 60)
    assert "expected at most 0.00 GB" in refusal(path, ReadOptions(max_gb=1e-6))
    monkeypatch.setenv(memory.VARIABLE, "much")
    with pytest.raises(RequestError, match="interactivenet_max_gb is 'much'"):
        read_image(path)


def test_gigabytes_of_zeros_are_not_decompressed(tmp_path):
    """The header of a few voxels, or of as many as there are zeros: 2 GB in 7 MB."""
    zeros = bytes(10**8)
    for name, shape in (("few", (10, 10, 10)), ("all", (1000, 1000, 1000))):
        path = tmp_path / f"{name}.nii.gz"
        with igzip.open(path, "wb", 0) as file:
            file.write(nifti_header(shape))
            for _ in range(3 if name == "few" else 20):
                file.write(zeros)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "has more bytes than the 2352 that its header says" in refusal(tmp_path / "few.nii.gz")
    said = refusal(tmp_path / "all.nii.gz", ReadOptions(max_gb=1))
    assert "1000x1000x1000 voxels, 2.00 GB: expected at most 1.00 GB" in said
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_a_sparse_file_is_read_as_far_as_its_header_says(tmp_path):
    path = tmp_path / "image.nii"
    path.write_bytes(nifti_header((10, 10, 10)))
    with path.open("r+b") as file:
        file.truncate(2**36)
    assert "has more bytes" in refusal(path)


def test_a_series_counts_as_a_whole(monkeypatch):
    monkeypatch.setattr("interactivenet.imaging.size_limits.SMALL", 10)
    with size_limit(1e-6):
        assert check_size((10, 10), 2, 5) == 1000
        with pytest.raises(DataError, match=r"10x10x2 voxels of 6 values"):
            check_size((10, 10, 2), 1, 6)


def test_in_several_parts_of_gzip(tmp_path):
    array = np.arange(1000, dtype=np.int16)
    data = nifti_header((10, 10, 10)) + array.tobytes()
    path = tmp_path / "image.nii.gz"
    path.write_bytes(b"".join(gzip.compress(data[n : n + 100]) for n in range(0, len(data), 100)))
    found = read_image(path)
    assert np.array_equal(found.source.from_ras(found.array)[0].ravel("F"), array)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha", ".mhd", ".nrrd"])
def test_special_files_are_no_images(tmp_path, suffix, kind):
    assert KINDS[kind] in refusal(make_special(tmp_path / f"image{suffix}", kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "named", ["{name}", "LIST\n{name}\n{name}", "part%02d.raw 1 6 1"], ids=["one", "list", "many"]
)
def test_special_files_behind_a_metaimage_header(tmp_path, kind, named):
    make_special(tmp_path / "part01.raw", kind)
    path = tmp_path / "image.mhd"
    text = named.format(name="part01.raw") if "{" in named else named
    path.write_text(META.format(compressed=False, shape="4 5 6", file=text))
    said = refusal(path)
    assert "part01.raw" in said and KINDS[kind] in said


@pytest.mark.parametrize("kind", KINDS)
def test_special_files_behind_an_nrrd_header(tmp_path, kind):
    make_special(tmp_path / "voxels.raw", kind)
    path = tmp_path / "image.nrrd"
    path.write_text(NRRD.format(shape="4 5 6", encoding="raw", more="data file: voxels.raw"))
    said = refusal(path)
    assert "voxels.raw" in said and KINDS[kind] in said


@pytest.mark.parametrize("kind", KINDS)
def test_special_files_among_the_slices_of_a_series(tmp_path, kind):
    make_special(tmp_path / "series" / "slice", kind)
    said = refusal(tmp_path / "series")
    assert "slice" in said and KINDS[kind] in said


@pytest.mark.parametrize("compressed", [False, True])
def test_libraries_are_silent_about_a_file_cut_off(tmp_path, capfd, compressed):
    path = tmp_path / "image.mha"
    image = sitk.GetImageFromArray(np.arange(27000, dtype=np.int16).reshape(30, 30, 30))
    sitk.WriteImage(image, str(path), compressed)
    path.write_bytes(path.read_bytes()[:15000])
    refusal(path)
    assert capfd.readouterr() == ("", "")
