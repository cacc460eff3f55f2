"""Images that are in memory already, nibabel's and SimpleITK's, as Volumes, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.io import AS_IT_IS, ReadOptions, check_finite
from interactivenet.imaging.label_values import label_type
from interactivenet.imaging.volume import Volume

if TYPE_CHECKING:
    import SimpleITK
    from nibabel.nifti1 import Nifti1Image


def as_volume(image: Any, options: ReadOptions = AS_IT_IS) -> Volume:
    """View a nibabel or SimpleITK image, or a Volume, as a Volume (1, X, Y, Z) along RAS+.

    The stored grid is the image's own, exactly; of a NIfTI header that has two positions, the one
    that the options ask for. Raises DataError where the image is not a whole,
    finite, orthogonal 3D volume of one value per voxel; RequestError for anything else than an
    image.
    """
    if isinstance(image, Volume):
        return image
    if hasattr(image, "dataobj") and hasattr(image, "affine"):
        return _from_nibabel(image, options)
    if type(image).__module__.partition(".")[0] == "SimpleITK":
        return _from_sitk(image)
    if isinstance(image, np.ndarray):
        raise RequestError(
            "an array alone does not say where its voxels lie: give"
            " `Volume.from_stored(array, affine)`, or a nibabel or SimpleITK image"
        )
    raise RequestError(
        f"a {type(image).__name__} is not an image: expected a path, a nibabel or SimpleITK image,"
        " or a `Volume`"
    )


def label_to_nibabel(label: Array, source: Geometry) -> Nifti1Image:
    """Make a NIfTI image, on a stored grid, of a label map (X, Y, Z) along RAS+."""
    import nibabel

    from interactivenet.imaging.nifti_geometry import header_like

    header = header_like(source)
    stored = np.asfortranarray(source.from_ras(label).astype(label_type(label)))
    header.set_data_dtype(stored.dtype)
    two = isinstance(header, nibabel.Nifti2Header)
    # a header that nibabel would place elsewhere, as its qform was meant, stays as it is
    affine = np.array(source.affine)
    if isinstance(source.native, nibabel.Nifti1Header):
        best = header.get_best_affine()
        affine = affine if np.allclose(best, affine, rtol=1e-5, atol=1e-4) else best
    return (nibabel.Nifti2Image if two else nibabel.Nifti1Image)(stored, affine, header)


def label_to_sitk(label: Array, source: Geometry) -> SimpleITK.Image:
    """Make a SimpleITK image, on a stored grid, of a label map (X, Y, Z) along RAS+."""
    from interactivenet.imaging.itk import make_itk_image

    return make_itk_image(source.from_ras(label).astype(label_type(label)), source)


def _from_nibabel(image: Any, options: ReadOptions) -> Volume:
    from nibabel.nifti1 import Nifti1Header

    from interactivenet.imaging.nifti_geometry import read_geometry

    header, affine = image.header, image.affine
    notes: tuple[str, ...] = ()
    shape = tuple(image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3:
        raise DataError(
            f"has {len(shape)} axes {'x'.join(map(str, shape))}, expected 3: one image per modality"
        )
    source = None
    if isinstance(header, Nifti1Header):
        source, notes = read_geometry(header, 3)
    if affine is not None and (source is None or not np.array_equal(source.affine, affine)):
        # as it is in memory, in double precision; the header only where it says the same
        near = source is not None and np.allclose(source.affine, affine, rtol=1e-5, atol=1e-4)
        said = source if near else None
        source = Geometry(
            shape, affine, native=said and said.native, doubt=said.doubt if said else None
        )
    if source is not None and source.doubt and options.use_form:
        source, notes = read_geometry(header, 3, options.use_form)
    if source is None:
        raise DataError("has no affine, expected (4, 4): where its voxels lie is unknown")
    array = np.asanyarray(image.dataobj)
    stored = image.get_data_dtype()
    _check_type(array)
    if array.dtype == np.float64 and np.dtype(stored).itemsize <= 4:
        array = array.astype(np.float32)  # scaled by its header, as when the file is read
    array = array.reshape(shape)
    check_finite(array)
    return Volume.from_stored(array, source, notes=notes)


def _from_sitk(image: Any) -> Volume:
    from interactivenet.imaging.itk import ItkGeometry, _array

    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3:
        size = "x".join(map(str, image.GetSize()))
        raise DataError(
            f"has {image.GetDimension()} axes {size}, expected 3: one image per modality"
        )
    native = ItkGeometry(image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    source = Geometry(image.GetSize(), native.affine(), native=native)
    array = _array(image)
    _check_type(array)
    check_finite(array)
    return Volume.from_stored(array, source)


def _check_type(array: Array) -> None:
    """Raise DataError for colours, complex numbers and whatever else is not a number."""
    if array.dtype.kind not in "iuf":
        raise DataError(f"has voxels of type {array.dtype}, expected one real number per voxel")
