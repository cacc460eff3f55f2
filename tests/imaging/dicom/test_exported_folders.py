"""Real DICOM folders, as hospitals and programs export them."""

import numpy as np
import pytest

from interactivenet.imaging.io import read_image
from tests.imaging.dicom.folder_reading import refused

A12 = "a12_dicom_folders_as_exported/images"


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("every_file_twice", "20 of its files are copies of others, taken once"),
        ("localiser", "left out localisers: 0000.dcm"),
        ("secondary_capture", "SC.dcm (Secondary Capture Image in colour)"),
        ("study_folders", ""),
        ("multi_frame", ""),
    ],
)
def test_exported_folders_are_read(shared_cases, name, note):
    volume = read_image(shared_cases(f"{A12}/{name}"))
    plain = read_image(shared_cases(f"{A12}/study_folders"))
    np.testing.assert_array_equal(volume.array, plain.array)
    np.testing.assert_allclose(volume.affine, plain.affine, atol=1e-6)
    assert note in " ".join(volume.notes) and bool(note) == bool(volume.notes)


def test_exported_slice_of_another_matrix_is_named(shared_cases):
    message = refused(shared_cases(f"{A12}/slice_of_another_matrix"))
    assert message.startswith("has DICOM slices of several sizes: 0099.dcm of 20x20 pixels")


def test_exported_positions_that_are_rounded_are_taken(shared_cases):
    volume = read_image(shared_cases(f"{A12}/positions_rounded_to_0.1_mm"))
    assert volume.spacing == pytest.approx((1.0, 1.0, 0.625), abs=1e-3)
    (note,) = volume.notes
    assert "up to 0.039 mm (0002.dcm) from even steps of 0.6252 mm" in note and "rounded" in note


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("b05_rtdose_beside_ct", "left out what is no slice: RD.dcm (RT Dose)"),
        ("b06_seg_rle_beside_ct", "left out what is no slice: SEG.dcm (Segmentation)"),
    ],
)
def test_foreign_objects_beside_a_real_ct_are_left_out(shared_cases, name, note):
    volume = read_image(shared_cases(name))
    assert volume.source.shape == (24, 38, 3)
    assert volume.notes == (note,)


def test_the_real_multi_frame_ct_is_the_ct_of_single_files(shared_cases):
    folder = shared_cases("b11_multiframe")
    expected = read_image(shared_cases("b05_rtdose_beside_ct"))
    for path in (folder, folder / "ct_mf.dcm"):
        volume = read_image(path)
        np.testing.assert_array_equal(volume.array, expected.array)
        assert volume.array.dtype == expected.array.dtype
        np.testing.assert_array_equal(volume.source.affine, expected.source.affine)
        assert volume.tags[0]["Modality"] == "CT" and not volume.notes
