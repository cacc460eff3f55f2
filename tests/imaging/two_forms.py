"""NIfTI files whose header places the voxels in two ways, or in none, for the tests."""

import nibabel as nib
import numpy as np

#: LPS, anisotropic
SFORM = np.array([[-1.0, 0, 0, 10], [0, -1.0, 0, 20], [0, 0, 2.0, -30], [0, 0, 0, 1]])
#: as after a co-registration: turned and moved
QFORM = SFORM.copy()
QFORM[:3, :3] = np.array([[1, 0, 0], [0, 0.6, -0.8], [0, 0.8, 0.6]]) @ SFORM[:3, :3]
QFORM[:3, 3] += (4, -5, 6)


def moved(voxels, axis=0):
    """SFORM, moved by some voxels along a stored axis."""
    affine = SFORM.copy()
    affine[:3, 3] += voxels * affine[:3, axis]
    return affine


def save(path, array, *, sform=SFORM, qform=QFORM, codes=(2, 1), pixdim=(1, 1, 2), kind=None):
    image = (kind or nib.Nifti1Image)(array, None)
    image.header["pixdim"][1:4] = pixdim
    image.set_sform(sform, code=codes[0])
    image.set_qform(qform, code=codes[1])
    nib.save(image, path)
    return path
