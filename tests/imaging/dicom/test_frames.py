"""Enhanced multi-frame files, and values that ITK does not keep."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRBigEndian, RLELossless, UltrasoundMultiFrameImageStorage

from interactivenet.errors import DataError
from interactivenet.imaging.dicom.files import read_file
from interactivenet.imaging.dicom.pixels import read_values
from interactivenet.imaging.dicom.stack import Slice
from interactivenet.imaging.io import ReadOptions, read_image
from tests.imaging.dicom.test_facts import compress
from tests.imaging.spoiled_files import refusal
from tests.imaging.written_dicom import (
    header,
    place,
    save,
    stored,
    values_of,
    with_pixels,
    write_frames,
    write_series,
)

OBLIQUE = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)


def test_a_multi_frame_file_is_the_series_of_its_frames(tmp_path):
    write_series(tmp_path / "classic", axes=OBLIQUE)
    write_frames(tmp_path / "enhanced" / "IM1", stored(), axes=OBLIQUE)
    classic, enhanced = read_image(tmp_path / "classic"), read_image(tmp_path / "enhanced")
    np.testing.assert_array_equal(enhanced.array, classic.array)
    assert enhanced.array.dtype == classic.array.dtype
    np.testing.assert_allclose(enhanced.source.affine, classic.source.affine, atol=1e-9)
    assert enhanced.tags[0]["RescaleType"] == "HU"


def test_frames_are_ordered_by_their_places(tmp_path):
    order = [3, 0, 4, 1, 2]
    voxels = stored()
    write_frames(tmp_path / "IM1", voxels[order], positions=[place(number) for number in order])
    np.testing.assert_array_equal(values_of(read_image(tmp_path)), voxels - 1000)


def test_each_frame_has_its_own_scale(tmp_path):
    scales = [(0.5 + number, -number) for number in range(5)]
    write_frames(tmp_path / "IM1", stored(), scales=scales, modality="MR")
    expected = np.stack(
        [
            frame * slope + intercept
            for frame, (slope, intercept) in zip(stored(), scales, strict=True)
        ]
    )
    volume = read_image(tmp_path)
    assert volume.array.dtype == np.float32
    np.testing.assert_allclose(values_of(volume), expected, rtol=1e-6)


def test_echoes_in_one_file_are_told_apart(tmp_path):
    voxels = stored((10, 4, 6))
    traits = [{"MREchoSequence": {"EffectiveEchoTime": echo}} for echo in (4.6, 9.2)] * 5
    positions = [place(number // 2) for number in range(10)]
    write_frames(tmp_path / "IM1", voxels, positions=positions, traits=traits, modality="MR")
    message = refusal(tmp_path)
    assert "1:EffectiveEchoTime=4.6 (MR, 5 slices of 6x4)" in message
    volume = read_image(tmp_path, ReadOptions(series="1:EffectiveEchoTime=9.2"))
    np.testing.assert_array_equal(values_of(volume), voxels[1::2] - 1000)


def test_one_file_for_each_half_of_a_volume(tmp_path):
    voxels = stored((6, 4, 6))
    for part, numbers in enumerate(([0, 1, 2], [3, 4, 5])):
        write_frames(
            tmp_path / f"IM{part}", voxels[numbers], number=part,
            positions=[place(number) for number in numbers],
        )  # fmt: skip
    np.testing.assert_array_equal(values_of(read_image(tmp_path)), voxels - 1000)


def test_a_missing_frame_is_placed(tmp_path):
    positions = [place(number) for number in (0, 1, 3, 4, 5)]
    write_frames(tmp_path / "IM1", stored(), positions=positions)
    message = refusal(tmp_path)
    assert "1 missing, 1 between IM1, frame 2 and IM1, frame 3" in message


def test_frames_without_places_are_refused(tmp_path):
    path = write_frames(tmp_path / "IM1", stored())
    dataset = pydicom.dcmread(path)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        del frame.PlanePositionSequence
    dataset.save_as(path)
    assert "IM1, which has no ImagePositionPatient" in refusal(tmp_path)
    del dataset.PerFrameFunctionalGroupsSequence
    dataset.save_as(path)
    assert "IM1, which has 5 frames without positions" in refusal(tmp_path)


def test_a_film_is_no_volume(tmp_path):
    film = header(sop_class=UltrasoundMultiFrameImageStorage, Modality="US", NumberOfFrames="5")
    save(with_pixels(film, stored()), tmp_path / "film.dcm")
    message = refusal(tmp_path)
    assert "film.dcm (Ultrasound Multi-frame Image: has 5 frames without positions)" in message


def test_compressed_frames(tmp_path):
    """As RLE, which pydicom decodes, and as JPEG-LS, which ITK does, frame by frame."""
    expected = stored((5, 32, 32), np.uint16)
    rle = write_frames(tmp_path / "rle" / "IM1", expected)
    dataset = pydicom.dcmread(rle)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(rle)
    np.testing.assert_array_equal(values_of(read_image(tmp_path / "rle")), expected - 1000.0)

    frames = []
    for path in write_series(tmp_path / "plain", expected):
        compress(path, tmp_path / "one.dcm", "JPEGLS")
        one = pydicom.dcmread(tmp_path / "one.dcm")
        frames += list(pydicom.encaps.generate_frames(one.PixelData, number_of_frames=1))
    jpeg = write_frames(tmp_path / "jpeg" / "IM1", expected)
    dataset = pydicom.dcmread(jpeg)
    dataset.PixelData = pydicom.encaps.encapsulate(frames)
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
    save(dataset, jpeg, one.file_meta.TransferSyntaxUID)
    np.testing.assert_array_equal(values_of(read_image(tmp_path / "jpeg")), expected - 1000.0)


# --- MONOCHROME1 ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "bits", "slope", "intercept"),
    [
        (np.int16, None, 1, -1000),
        (np.uint16, 12, 1, -1024),
        (np.uint16, None, 1, 0),
        (np.uint16, 12, 2, 0),
        (np.uint16, None, 0.25, 3),
        (np.uint8, None, 1, 0),
        (np.uint8, None, 1, -20),
    ],
)
def test_monochrome1_keeps_its_values(tmp_path, dtype, bits, slope, intercept):
    """It says how to show them, black on white, not what they are."""
    voxels = (stored() % 256 if dtype == np.uint8 else stored()).astype(dtype)
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        write_series(
            tmp_path / photometric, voxels, photometric=photometric, bits_stored=bits, slope=slope,
            intercept=intercept,
        )  # fmt: skip
    one, two = (read_image(tmp_path / name) for name in ("MONOCHROME1", "MONOCHROME2"))
    np.testing.assert_array_equal(one.array, two.array)
    assert one.array.dtype == two.array.dtype
    expected = voxels.astype(np.float64) * slope + intercept
    np.testing.assert_allclose(values_of(one), expected, rtol=1e-6)


def test_monochrome1_of_other_orders_of_bytes_and_compressed(tmp_path):
    write_series(tmp_path / "big", photometric="MONOCHROME1", syntax=ExplicitVRBigEndian)
    np.testing.assert_array_equal(values_of(read_image(tmp_path / "big")), stored() - 1000)
    voxels = stored((5, 32, 32), np.uint16)
    (tmp_path / "packed").mkdir()
    for path in write_series(tmp_path / "plain", voxels):
        compress(path, tmp_path / "packed" / path.name, "JPEGLS")
        dataset = pydicom.dcmread(tmp_path / "packed" / path.name)
        dataset.PhotometricInterpretation = "MONOCHROME1"
        dataset.save_as(tmp_path / "packed" / path.name)
    np.testing.assert_array_equal(values_of(read_image(tmp_path / "packed")), voxels - 1000.0)


def test_one_slice_of_monochrome1_among_others(tmp_path):
    files = write_series(tmp_path)
    dataset = pydicom.dcmread(files[2])
    dataset.PhotometricInterpretation = "MONOCHROME1"
    dataset.save_as(files[2])
    np.testing.assert_array_equal(values_of(read_image(tmp_path)), stored() - 1000)


def test_fewer_frames_than_the_header_says_are_refused(tmp_path):
    path = write_frames(tmp_path / "scan.dcm", stored())
    file = read_file(path, tmp_path)
    with pytest.raises(DataError, match=r"scan\.dcm, which has 120 pixels, expected 6 of 6x4"):
        read_values([Slice(replace(file, frames=6), plane) for plane in file.planes])
