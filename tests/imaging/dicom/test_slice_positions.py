"""Where the slices of a DICOM series lie: rounded, missing, tilted, in several frames."""

import pytest

from interactivenet.imaging.io import read_image
from tests.imaging.dicom.folder_reading import is_plain, refused
from tests.imaging.written_dicom import UID, place, stored, write_series, write_slice


def test_positions_rounded_to_tenths_are_taken(tmp_path):
    write_series(tmp_path / "exact", stored((20, 4, 6)), step=0.625)
    for number, pixels in enumerate(stored((20, 4, 6))):
        position = [round(value, 1) for value in place(number, step=0.625)]
        write_slice(
            tmp_path / "rounded" / f"{number}.dcm", pixels, number, ImagePositionPatient=position
        )
    exact, rounded = read_image(tmp_path / "exact"), read_image(tmp_path / "rounded")
    assert exact.source.difference_mm(rounded.source) < 0.05
    assert "positions are rounded" in rounded.notes[0] and not exact.notes


@pytest.mark.parametrize("digits", [1, 0])
def test_rounded_positions_of_an_oblique_stack(tmp_path, digits):
    """All three coordinates are rounded; to whole mm they say too little."""
    axes = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)
    for number, pixels in enumerate(stored((20, 4, 6))):
        position = [round(value, digits) for value in place(number, step=0.625, axes=axes)]
        for folder, placed in (("rounded", {"ImagePositionPatient": position}), ("exact", {})):
            write_slice(
                tmp_path / folder / f"{number}.dcm", pixels, number, axes=axes, step=0.625, **placed
            )
    if digits == 0:
        assert "lie at one place" in refused(tmp_path / "rounded")
        return
    exact, rounded = read_image(tmp_path / "exact"), read_image(tmp_path / "rounded")
    assert exact.source.difference_mm(rounded.source) < 0.1
    assert "positions are rounded" in rounded.notes[0]


def test_positions_that_jitter_more_than_rounding_are_refused(tmp_path):
    for number, pixels in enumerate(stored((20, 4, 6))):
        position = place(number, step=0.625)
        position[2] = round(position[2] + (0.2 if number == 7 else 0), 1)
        write_slice(tmp_path / f"{number:02d}.dcm", pixels, number, ImagePositionPatient=position)
    assert "07.dcm" in refused(tmp_path)


@pytest.mark.parametrize("missing", [[1], [2, 3], [1, 5]])
def test_missing_slices_are_counted_and_placed(tmp_path, missing):
    files = write_series(tmp_path, stored((9, 4, 6)))
    for number in missing:
        files[number].unlink()
    message = refused(tmp_path)
    assert f"has {9 - len(missing)} DICOM slices that are not evenly spaced" in message
    assert f": {len(missing)} missing, " in message
    first = missing[0]
    low, high = 30 + 2.5 * (first - 1), 30 + 2.5 * (3 + 1 if missing == [2, 3] else first + 1)
    assert f"(z = {low:.2f} and {high:.2f} mm)" in message
    assert f"between {first - 1:03d}.dcm and" in message


def test_a_series_without_a_last_slice_says_nothing(tmp_path):
    """Nobody could know: its file is not there."""
    write_series(tmp_path)[-1].unlink()
    assert read_image(tmp_path).shape[2] == 4


def test_a_tilted_gantry_stays_refused(tmp_path):
    for number, pixels in enumerate(stored()):
        position = place(number)
        position[1] += number * 0.5
        write_slice(tmp_path / f"{number}.dcm", pixels, number, ImagePositionPatient=position)
    assert "tilted gantry" in refused(tmp_path)


def test_one_pixel_spacing_of_several_is_named(tmp_path):
    for number, pixels in enumerate(stored()):
        write_slice(
            tmp_path / f"{number}.dcm", pixels, number, spacing=(1, 1) if number == 3 else (0.8, 1)
        )
    assert "differ in pixel spacing: 3.dcm has 1x1 mm, others 0.8x1 mm" in refused(tmp_path)


def test_several_frames_of_reference_are_noted(tmp_path):
    for number, pixels in enumerate(stored()):
        write_slice(
            tmp_path / f"{number}", pixels, number, FrameOfReferenceUID=f"{UID}.{number // 3}"
        )
    volume = read_image(tmp_path)
    assert is_plain(volume)
    assert volume.notes == ("its slices are of several frames of reference: did the patient move?",)
