"""What lies beside the slices of a DICOM folder: other objects, secondary captures, localisers."""

import numpy as np
import pytest
from pydicom.uid import (
    BasicTextSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    RTDoseStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from interactivenet.imaging.io import read_image
from tests.imaging.dicom.folder_reading import CORONAL, SAGITTAL, is_plain, refused
from tests.imaging.written_dicom import (
    UID,
    header,
    place,
    save,
    stored,
    with_pixels,
    write_series,
    write_slice,
)


def beside(sop_class, modality, **elements):
    return header(series=9, number=50, sop_class=sop_class, Modality=modality, **elements)


@pytest.mark.parametrize(
    ("sop_class", "modality", "kind"),
    [
        (RTStructureSetStorage, "RTSTRUCT", "RT Structure Set"),
        (BasicTextSRStorage, "SR", "Basic Text SR"),
        (GrayscaleSoftcopyPresentationStateStorage, "PR", "Grayscale Softcopy Presentation State"),
    ],
)
def test_objects_without_pixels_are_left_out(tmp_path, sop_class, modality, kind):
    write_series(tmp_path)
    save(beside(sop_class, modality), tmp_path / "other.dcm")
    volume = read_image(tmp_path)
    assert is_plain(volume)
    assert volume.notes == (f"left out what is no slice: other.dcm ({kind})",)


@pytest.mark.parametrize(
    ("sop_class", "modality"), [(RTDoseStorage, "RTDOSE"), (SegmentationStorage, "SEG")]
)
def test_objects_with_frames_are_left_out(tmp_path, sop_class, modality):
    """Though they have a place, and even where they are of the slices' own series."""
    write_series(tmp_path)
    dataset = beside(
        sop_class, modality, NumberOfFrames="2", ImagePositionPatient=place(0),
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0], PixelSpacing=[0.8, 0.7],
        SeriesInstanceUID=f"{UID}.1.1",
    )  # fmt: skip
    save(with_pixels(dataset, stored((2, 4, 6))), tmp_path / "other.dcm")
    volume = read_image(tmp_path)
    assert is_plain(volume) and "other.dcm" in volume.notes[0]


@pytest.mark.parametrize("placed", [True, False])
def test_secondary_captures_are_left_out(tmp_path, placed):
    write_series(tmp_path)
    position = {
        "ImagePositionPatient": place(9), "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [0.8, 0.7],
    }  # fmt: skip
    dataset = header(
        number=50, sop_class=SecondaryCaptureImageStorage, **(position if placed else {})
    )
    save(with_pixels(dataset, stored()[0]), tmp_path / "screen.dcm")
    volume = read_image(tmp_path)
    assert is_plain(volume) and "screen.dcm" in volume.notes[0]


def test_a_folder_of_nothing_but_foreign_objects_says_so(tmp_path):
    save(beside(RTStructureSetStorage, "RTSTRUCT"), tmp_path / "RS.dcm")
    message = refused(tmp_path)
    assert message == "holds no DICOM images of a volume, but RS.dcm (RT Structure Set)"


@pytest.mark.parametrize("named", [True, False])
def test_localisers_in_the_series_are_left_out(tmp_path, named):
    """By what they call themselves, or by their orientation."""
    write_series(tmp_path)
    kind = ["ORIGINAL", "PRIMARY", "LOCALIZER"] if named else ["ORIGINAL", "PRIMARY"]
    for number, axes in enumerate([CORONAL, SAGITTAL]):
        write_slice(
            tmp_path / f"scout{number}.dcm", stored((9, 9), np.int16), 50 + number, axes=axes,
            ImageType=kind, spacing=(2, 2),
        )  # fmt: skip
    volume = read_image(tmp_path)
    notes = " ".join(volume.notes)
    assert is_plain(volume) and "localisers" in notes
    assert "scout0.dcm" in notes and "scout1.dcm" in notes


def test_a_slice_that_is_slightly_turned_is_no_localiser(tmp_path):
    turned = (1.0, 0.0, 0.0, 0.0, np.cos(0.02), np.sin(0.02))
    for number, pixels in enumerate(stored()):
        settings = {"axes": turned} if number == 4 else {}
        position = place(number)
        write_slice(
            tmp_path / f"{number}.dcm", pixels, number, ImagePositionPatient=position, **settings
        )
    message = refused(tmp_path)
    assert "differ in orientation" in message and "4.dcm" in message


def test_a_localiser_alone_is_read_with_a_note(tmp_path):
    write_series(tmp_path, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    volume = read_image(tmp_path)
    assert is_plain(volume) and volume.notes == ("its images call themselves localisers",)


def test_three_stacks_of_a_localiser_are_passed_over(tmp_path):
    """Not all call themselves localisers: three orientations in one series are no volume."""
    number = 0
    for axes in ((1, 0, 0, 0, 1, 0), CORONAL, SAGITTAL):
        for _ in range(4):
            write_slice(tmp_path / "loc" / f"{number}.dcm", stored()[0], number, axes=axes)
            number += 1
    message = refused(tmp_path)
    assert "differ in orientation" in message and "4 as loc/0.dcm, 4 as" in message
    write_series(tmp_path / "scan", series=2)
    volume = read_image(tmp_path)
    assert is_plain(volume)
    assert volume.notes == ("left out series that are no volumes: 1 (CT, 12 slices of 6x4)",)
