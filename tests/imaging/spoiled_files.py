"""Files that are wrong in one way each, for the tests."""

import nibabel as nib
import nrrd
import numpy as np
import pytest

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import read_image, write_volume

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


def refusal(path, read=read_image):
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
