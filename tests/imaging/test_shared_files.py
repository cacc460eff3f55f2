"""Every real file is read as nibabel, SimpleITK and pynrrd read it: shape, place, values, type."""

import nibabel as nib
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk

from interactivenet.imaging.io import read_image
from tests.conftest import SHARED_DATA
from tests.imaging.grids import LPS

FILES = sorted(
    path
    for suffix in ("*.nii", "*.nii.gz", "*.nrrd", "*.nhdr", "*.mha", "*.mhd", "*.hdr")
    for path in SHARED_DATA.rglob(suffix)
)
FOLDERS = sorted({path.parent for path in FILES})


def facts(volume):
    """Shape, spacing, and values as stored."""
    stored = volume.stored[0]
    return stored.shape, volume.source.spacing, stored


def by_nibabel(path):
    image = nib.load(path)
    return image.shape, image.affine, image.header.get_zooms()[:3], np.asanyarray(image.dataobj)


def by_simpleitk(path):
    image = sitk.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    values = sitk.GetArrayFromImage(image).T
    return image.GetSize(), np.diag([*LPS, 1]) @ affine, image.GetSpacing(), values


def by_pynrrd(path):
    values, header = nrrd.read(str(path))
    signs = {"left-posterior-superior": LPS, "right-anterior-superior": np.ones(3)}[header["space"]]
    affine = np.eye(4)
    affine[:3, :3] = header["space directions"].T * signs[:, None]
    affine[:3, 3] = header["space origin"] * signs
    spacing = np.linalg.norm(header["space directions"], axis=1)
    return values.shape, affine, spacing, values


def differences(path):
    """Say in what a file is read otherwise than other programs read it, unless a note says so."""
    try:
        volume = read_image(path)
    except Exception as error:
        return [f"{path}: {error}"]
    shape, spacing, values = facts(volume)
    found = []
    readers = {"SimpleITK": by_simpleitk}
    if path.suffix == ".nrrd":
        readers["pynrrd"] = by_pynrrd
    elif path.name.endswith((".nii", ".nii.gz", ".hdr")):
        readers["nibabel"] = by_nibabel
    for name, reader in readers.items():
        shape2, affine2, spacing2, values2 = reader(path)
        same = {
            "shape": tuple(shape) == tuple(shape2),
            "spacing": np.allclose(spacing, spacing2, rtol=1e-5),
            "values": np.array_equal(values, values2)
            or np.allclose(values, values2, rtol=1e-6, atol=0),
            "type": values.dtype.kind == values2.dtype.kind,
        }
        corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(shape) - 1)
        places = corners @ affine2[:3, :3].T + affine2[:3, 3]
        apart = np.abs(volume.source.voxel_to_world(corners) - places).max()
        same["place"] = apart < 2e-3 or any("sform" in note for note in volume.notes)
        found += [
            f"{path}: {what} differs from {name}" for what, is_so in same.items() if not is_so
        ]
    return found


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(SHARED_DATA)))
def test_every_file_is_read_as_other_programs_read_it(folder):
    files = [path for path in FILES if path.parent == folder]
    assert [line for path in files for line in differences(path)] == []


@pytest.mark.skipif(not SHARED_DATA.exists(), reason="needs shared/data beside the repository")
def test_there_are_files():
    assert len(FILES) > 400
