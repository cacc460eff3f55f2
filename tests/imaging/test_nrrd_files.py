"""NRRD as other programs write it: read in every encoding, or refused with the true reason."""

import bz2

import nrrd
import numpy as np
import pytest

from interactivenet.imaging.image_files import files_of
from tests.imaging.grids import equal, voxels
from tests.imaging.spoiled_files import SHAPE, nrrd_with, refusal


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


GZIP = {"space": "LPS", "space directions": np.eye(3), "encoding": "gzip"}


def test_bz2_is_in_this_python():
    assert bz2.decompress(bz2.compress(b"x")) == b"x"
