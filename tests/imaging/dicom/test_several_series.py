"""Folders of several series, and series of several images at one place: listed, and chosen from."""

import numpy as np
import pytest

from tests.imaging.dicom.folder_reading import TREE, chosen, is_plain, refused
from tests.imaging.written_dicom import UID, stored, values_of, write_series, write_slice


def two_series(folder):
    write_series(folder, name=TREE.format(2), series=2, SeriesDescription="ax thin")
    write_series(
        folder, 2 * stored((7, 4, 6)), name=TREE.format(3), series=3, Modality="PT",
        SeriesDescription="Late, corrected",
    )  # fmt: skip


def test_several_series_are_listed(tmp_path):
    two_series(tmp_path)
    message = refused(tmp_path)
    assert message == (
        "holds 2 DICOM series: 2 'ax thin' (CT, 5 slices of 6x4), 3 'Late, corrected' (PT, 7 slices"
        " of 6x4); choose one by its number, UID or description, as `series='2'`, or give its own"
        " folder"
    )


@pytest.mark.parametrize("name", ["3", f"{UID}.1.3", "Late, corrected", "late, CORRECTED", " 3 "])
def test_one_of_several_series_is_chosen(tmp_path, name):
    two_series(tmp_path)
    volume = chosen(tmp_path, name)
    assert volume.shape[2] == 7 and volume.tags[0]["Modality"] == "PT"
    assert not volume.notes


def test_a_series_that_is_not_there(tmp_path):
    two_series(tmp_path)
    message = refused(tmp_path, "4")
    assert message.startswith("holds no DICOM series '4'; it holds 2 'ax thin' (CT, 5 slices")


def test_a_number_that_two_series_have(tmp_path):
    write_series(tmp_path / "a", study=1)
    write_series(tmp_path / "b", study=2)
    message = refused(tmp_path, "1")
    assert message == (
        f"holds 2 DICOM series '1': 1 (CT, 5 slices of 6x4) {UID}.1.1, 1 (CT, 5 slices of 6x4)"
        f" {UID}.2.1; choose one by its UID, as `series='{UID}.1.1'`"
    )
    assert f"6x4) {UID}.2.1" in refused(tmp_path)
    assert f"`series='{UID}.1.1'`" in refused(tmp_path)
    assert is_plain(chosen(tmp_path, f"{UID}.2.1"))


def test_a_damaged_series_beside_a_good_one_is_not_passed_over(tmp_path):
    """It may be the one that is meant."""
    write_series(tmp_path / "good", series=1)
    write_series(tmp_path / "gap", series=2)[2].unlink()
    message = refused(tmp_path)
    assert "2 (CT, 4 slices of 6x4, unusable: it has 4 DICOM slices that are not evenly" in message
    assert is_plain(chosen(tmp_path, "1"))
    assert "1 missing" in refused(tmp_path, "2")


def test_many_series_make_one_line(tmp_path):
    for series in range(1, 21):
        write_series(tmp_path / str(series), stored((2, 4, 6)), series=series)
    message = refused(tmp_path)
    assert "holds 20 DICOM series" in message and "and 8 more" in message


def test_series_none_of_which_is_a_volume(tmp_path):
    for series in (1, 2):
        write_slice(tmp_path / f"{series}.dcm", stored()[0], 0, series=series)
    assert refused(tmp_path) == (
        "holds 2 DICOM series, none of which is a volume: 1 (CT, 1 slice of 6x4), 2 (CT, 1 slice of"
        " 6x4)"
    )


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("AcquisitionNumber", ["1", "2"]),
        ("TemporalPositionIdentifier", ["1", "2"]),
        ("EchoTime", ["4.6", "9.2"]),
        ("DiffusionBValue", [0.0, 800.0]),
    ],
)
def test_phases_are_told_apart_and_chosen(tmp_path, keyword, values):
    for phase, value in enumerate(values):
        for number, pixels in enumerate(stored(seed=phase)):
            write_slice(
                tmp_path / f"{phase}_{number}.dcm", pixels, number, **{keyword: value},
                SOPInstanceUID=f"{UID}.{phase}.7.{number}",
            )  # fmt: skip
    if keyword == "DiffusionBValue":
        return _check_diffusion(tmp_path)
    message = refused(tmp_path)
    assert f"1:{keyword}={values[0]} (CT, 5 slices of 6x4)" in message
    assert f"`series='1:{keyword}={values[0]}'`" in message
    for phase, value in enumerate(values):
        volume = chosen(tmp_path, f"1:{keyword}={value}")
        np.testing.assert_array_equal(values_of(volume), stored(seed=phase) - 1000)


def _check_diffusion(folder):
    listed = refused(folder)
    assert "DiffusionBValue=" in listed
    for phase, value in enumerate(["0", "800"]):
        volume = chosen(folder, f"1:DiffusionBValue={value}")
        np.testing.assert_array_equal(values_of(volume), stored(seed=phase) - 1000)


def test_echoes_of_several_phases(tmp_path):
    count = 0
    for echo in ("4.6", "9.2"):
        for phase in ("1", "2"):
            for number, pixels in enumerate(stored(seed=count)):
                write_slice(
                    tmp_path / f"{count}_{number}.dcm", pixels, number, EchoTime=echo,
                    AcquisitionNumber=phase, SOPInstanceUID=f"{UID}.{count}.7.{number}",
                )  # fmt: skip
            count += 1
    volume = chosen(tmp_path, "1:AcquisitionNumber=2,EchoTime=9.2")
    np.testing.assert_array_equal(values_of(volume), stored(seed=3) - 1000)


def test_images_of_one_place_that_nothing_tells_apart(tmp_path):
    write_series(tmp_path)
    write_slice(tmp_path / "extra.dcm", stored()[0], 2, SOPInstanceUID=f"{UID}.99")
    message = refused(tmp_path)
    assert "002.dcm" in message and "extra.dcm" in message
    assert "lie at one place, and nothing says which belongs to the scan" in message
