"""Headers with two positions, or none: which counts is asked, never guessed."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from interactivenet.errors import RequestError
from interactivenet.imaging.in_memory import as_volume, label_to_nibabel
from interactivenet.imaging.io import ReadOptions, read_image, write_label_array
from tests.imaging.grids import LPS, voxels
from tests.imaging.test_nifti_headers import PLACING
from tests.imaging.two_forms import QFORM, SFORM, moved, save

BY = {form: ReadOptions(use_form=form) for form in ("sform", "qform")}


def itk_affine(path):
    """Where ITK, and so 3D Slicer, places a file's voxels: (4, 4), RAS+ mm."""
    image = sitk.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return np.diag([*LPS, 1]) @ affine


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_two_positions_are_a_doubt_until_one_is_chosen(tmp_path, kind):
    path = save(tmp_path / "image.nii.gz", voxels(), kind=kind)
    image = read_image(path)
    np.testing.assert_allclose(image.source.affine, SFORM, atol=1e-5)
    assert "its sform and its qform place it up to" in image.source.doubt.reason
    assert "the sform is used" in image.notes[0]
    for form, affine in (("sform", SFORM), ("qform", QFORM)):
        np.testing.assert_allclose(image.source.doubt.affines[form], affine, atol=1e-5)
        chosen = read_image(path, BY[form])
        np.testing.assert_allclose(chosen.source.affine, affine, atol=1e-5)
        assert chosen.source.doubt is None
        assert f"the {form} is used, as asked for" in chosen.notes[0]


def test_the_qform_is_where_itk_places_the_image(tmp_path):
    path = save(tmp_path / "image.nii", voxels(), codes=(2, 1))
    placed = read_image(path, BY["qform"]).source.affine
    np.testing.assert_allclose(placed, itk_affine(path), atol=1e-4)


@pytest.mark.parametrize(("voxel", "doubtful"), [(0.3, False), (-0.45, False), (0.55, True)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_more_than_half_a_voxel_is_a_doubt(tmp_path, voxel, doubtful, axis):
    path = save(tmp_path / "image.nii", voxels(), qform=moved(voxel, axis))
    image = read_image(path)
    assert (image.source.doubt is not None) == doubtful
    assert "the sform is used" in image.notes[0]  # said either way: it is more than 0.1 mm


@pytest.mark.parametrize(("codes", "affine"), [((1, 0), SFORM), ((0, 1), QFORM), ((0, 4), QFORM)])
@pytest.mark.parametrize("form", ["sform", "qform"])
def test_the_only_position_counts_whichever_is_asked_for(tmp_path, codes, affine, form):
    path = save(tmp_path / "image.nii", voxels(), codes=codes)
    for image in (read_image(path), read_image(path, BY[form])):
        np.testing.assert_allclose(image.source.affine, affine, atol=1e-5)
        assert image.source.doubt is None and image.notes == ()


def test_without_a_position_either_guess_can_be_asked_for(tmp_path):
    path = save(tmp_path / "image.nii", voxels(), codes=(0, 0))
    image = read_image(path)
    assert "no orientation" in image.source.doubt.reason
    assert "left and right are a guess" in image.notes[0]
    nibabel, itk = read_image(path, BY["sform"]), read_image(path, BY["qform"])
    np.testing.assert_allclose(nibabel.source.affine, nib.load(path).affine, atol=1e-6)
    np.testing.assert_allclose(itk.source.affine, itk_affine(path), atol=1e-6)
    assert nibabel.source.doubt is None and itk.source.doubt is None
    assert "as nibabel guesses" in nibabel.notes[0]
    assert "as ITK and 3D Slicer guess" in itk.notes[0]


@pytest.mark.parametrize("codes", [(2, 1), (1, 2), (0, 0)])
@pytest.mark.parametrize("suffix", [".nii.gz", ".mha", ".nrrd"])
def test_the_result_lies_on_its_image_in_every_program(tmp_path, codes, suffix):
    path, result = save(tmp_path / "image.nii.gz", voxels(), codes=codes), tmp_path / f"r{suffix}"
    volume = read_image(path, BY["qform"])
    write_label_array(result, np.ones(volume.shape), volume.source)
    if suffix != ".nii.gz":  # one position only: the one that was asked for
        np.testing.assert_allclose(itk_affine(result), volume.source.affine, atol=1e-4)
        return
    before, after = nib.load(path), nib.load(result)
    for name in PLACING:
        assert after.header[name].tobytes() == before.header[name].tobytes(), name
    assert after.header["pixdim"][:4].tobytes() == before.header["pixdim"][:4].tobytes()
    np.testing.assert_array_equal(after.affine, before.affine)
    np.testing.assert_array_equal(itk_affine(result), itk_affine(path))
    np.testing.assert_array_equal(
        read_image(result, BY["qform"]).source.affine, volume.source.affine
    )


def test_an_image_in_memory_has_the_same_doubt(tmp_path):
    image = nib.load(save(tmp_path / "image.nii", voxels()))
    assert as_volume(image).source.doubt is not None
    volume = as_volume(image, BY["qform"])
    np.testing.assert_allclose(volume.source.affine, QFORM, atol=1e-5)
    assert volume.source.doubt is None
    back = label_to_nibabel(np.ones(volume.shape), volume.source)
    for name in PLACING:
        assert back.header[name].tobytes() == image.header[name].tobytes(), name
    elsewhere = nib.Nifti1Image(voxels(), moved(3), image.header)  # its affine is what counts
    assert as_volume(elsewhere).source.doubt is None


def test_another_form_is_refused():
    with pytest.raises(RequestError, match="`use_form='form'`: expected 'sform' or 'qform'"):
        ReadOptions(use_form="form")
