"""DICOM folders as they are exported: trees of studies, copies, and what lies beside the slices."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    BasicTextSRStorage,
    ComputedRadiographyImageStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    MediaStorageDirectoryStorage,
    RTDoseStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from interactivenet.imaging.channels import read_channels
from interactivenet.imaging.dicom.reading import find_series
from interactivenet.imaging.io import ReadOptions, read_image
from tests.imaging.spoiled_files import refusal, voxels, write
from tests.imaging.written_dicom import (
    UID,
    header,
    place,
    save,
    stored,
    values_of,
    with_pixels,
    write_frames,
    write_series,
    write_slice,
)

CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
TREE = "STUDY01/SER0{}/IM{{:04d}}"  # as on a CD: no suffixes


def chosen(folder, series):
    return read_image(folder, ReadOptions(series=series))


def refused(folder, series=""):
    return refusal(folder, lambda path: chosen(path, series))


def is_plain(volume):
    """Whether it is the series that ``write_series`` writes by itself."""
    return np.array_equal(values_of(volume), stored() - 1000)


# --- the shared cases ---------------------------------------------------------------------------

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


# --- trees ---------------------------------------------------------------------------------------


def test_the_only_volume_of_a_tree_is_taken(tmp_path):
    write_series(tmp_path, name=TREE.format(2), series=2)
    for number, axes in enumerate([CORONAL, SAGITTAL]):  # a scout, as scanners make it
        write_slice(
            tmp_path / "STUDY01/SER01" / f"IM{number}", stored()[0], number, series=1, axes=axes
        )
    radiograph = header(series=3, sop_class=ComputedRadiographyImageStorage, Modality="CR")
    save(with_pixels(radiograph, stored()[0]), tmp_path / "STUDY02" / "CR")
    (tmp_path / "DICOMDIR").write_bytes(b"")
    (tmp_path / "AUTORUN.INF").write_text("viewer")
    (tmp_path / ".DS_Store").write_bytes(b"\0" * 10)
    volume = read_image(tmp_path)
    assert is_plain(volume)
    assert volume.tags[0]["SeriesNumber"] == "2"
    notes = " ".join(volume.notes)
    assert "left out series that are no volumes: 1 (CT, 2 slices of 6x4" in notes
    assert "CR (Computed Radiography Image: has no ImageOrientationPatient" in notes


def test_a_list_of_the_files_on_a_disk_is_not_an_image(tmp_path):
    write_series(tmp_path / "series")
    listing = Dataset()
    listing.SOPClassUID = MediaStorageDirectoryStorage
    listing.SOPInstanceUID = f"{UID}.9"
    listing.FileSetID = "DISK"
    save(listing, tmp_path / "DICOMDIR")
    volume = read_image(tmp_path)
    assert is_plain(volume) and not volume.notes


def test_what_a_list_of_files_names_and_is_not_there_is_noted(tmp_path):
    """The last slices of a series, which nothing else tells of; other folders do not matter."""
    write_series(tmp_path, name="dicom/se1/im{:03d}")  # as disks show it
    listing = Dataset()
    listing.SOPClassUID, listing.SOPInstanceUID = MediaStorageDirectoryStorage, f"{UID}.9"
    records = [["DICOM", "SE1", f"IM{number:03d}"] for number in range(7)]
    records += [["DICOM", "SE2", "IM000"]]
    listing.DirectoryRecordSequence = [Dataset() for _ in records]
    for item, name in zip(listing.DirectoryRecordSequence, records, strict=True):
        item.ReferencedFileID = name
    save(listing, tmp_path / "DICOMDIR")
    volume = read_image(tmp_path)
    assert is_plain(volume)
    assert volume.notes == (
        "DICOMDIR lists 2 files beside its own that are not there: IM005, IM006",
    )


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


def test_links_in_circles_end(tmp_path):
    write_series(tmp_path / "series")
    (tmp_path / "series" / "again").symlink_to(tmp_path)
    assert is_plain(read_image(tmp_path))


def test_the_link_to_a_folder_is_followed(tmp_path):
    write_series(tmp_path / "elsewhere")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "series").symlink_to(tmp_path / "elsewhere")
    assert is_plain(read_image(tmp_path / "tree"))


def test_a_link_to_nothing_is_named(tmp_path):
    """As of files that were not fetched."""
    files = write_series(tmp_path)
    files[4].unlink()
    files[4].symlink_to(tmp_path / "annex" / "object")
    message = refused(tmp_path)
    assert "004.dcm cannot be read: No such file or directory" in message


def test_a_mosaic_is_named(tmp_path):
    write_series(tmp_path, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])
    assert "000.dcm, which is a mosaic of several slices" in refused(tmp_path)


# --- copies --------------------------------------------------------------------------------------


def test_copies_are_taken_once(tmp_path):
    files = write_series(tmp_path / "SE1")
    shutil.copytree(tmp_path / "SE1", tmp_path / "SE1 (copy)")
    volume = read_image(tmp_path)
    assert is_plain(volume)
    assert volume.notes == (
        f"{len(files)} of its files are copies of others, taken once: SE1 (copy)/000.dcm,"
        " SE1 (copy)/001.dcm, SE1 (copy)/002.dcm, SE1 (copy)/003.dcm and 1 more",
    )


def test_copies_that_differ_in_what_does_not_matter(tmp_path):
    first = write_series(tmp_path)[2]
    dataset = pydicom.dcmread(first)
    dataset.StationName = "EXPORT2"
    dataset.save_as(tmp_path / "again.dcm")
    volume = read_image(tmp_path)
    assert is_plain(volume) and "again.dcm" in volume.notes[0]


@pytest.mark.parametrize("change", ["pixels", "position", "scale"])
def test_images_that_claim_to_be_one_are_refused(tmp_path, change):
    first = write_series(tmp_path)[2]
    dataset = pydicom.dcmread(first)
    if change == "pixels":
        dataset.PixelData = bytes(len(dataset.PixelData))
    elif change == "position":
        dataset.ImagePositionPatient = [0, 0, 99]
    else:
        dataset.RescaleIntercept = "0"
    dataset.save_as(tmp_path / "again.dcm")
    message = refused(tmp_path)
    assert "holds 002.dcm and again.dcm, which have one SOPInstanceUID but differ" in message


# --- what lies beside the slices -----------------------------------------------------------------


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


def test_series_none_of_which_is_a_volume(tmp_path):
    for series in (1, 2):
        write_slice(tmp_path / f"{series}.dcm", stored()[0], 0, series=series)
    assert refused(tmp_path) == (
        "holds 2 DICOM series, none of which is a volume: 1 (CT, 1 slice of 6x4), 2 (CT, 1 slice of"
        " 6x4)"
    )


# --- several images at one place -----------------------------------------------------------------


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


# --- places --------------------------------------------------------------------------------------


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


# --- what the headers say of the series ----------------------------------------------------------


def test_finding_a_series_reads_no_pixels(tmp_path, monkeypatch):
    write_series(tmp_path, SeriesDescription="ax")
    import interactivenet.imaging.dicom.reading as module

    monkeypatch.setattr(module, "read_values", None)
    series = find_series(tmp_path)
    assert series.file.tags["SeriesDescription"] == "ax" and len(series.slices) == 5


def test_channels_of_two_patients_are_noted(tmp_path):
    for patient in ("P1", "P2"):
        write_series(tmp_path / patient, patient=patient)
    volume = read_channels([tmp_path / "P1", tmp_path / "P2"])
    assert volume.notes == ("its channels are of several patients: P1, P2",)
    assert [tags["PatientID"] for tags in volume.tags] == ["P1", "P2"]
    assert not read_channels([tmp_path / "P1", tmp_path / "P1"]).notes


def test_other_formats_do_without_pydicom(tmp_path):
    """Of this program; nibabel loads it by itself where it is installed."""
    write(tmp_path / "scan.mha", voxels())
    code = (
        "import sys; from interactivenet.imaging.io import read_image;"
        f"read_image({str(tmp_path / 'scan.mha')!r}); import interactivenet.cli.infer;"
        "print('pydicom' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_single_file_is_refused_unless_it_is_a_volume(tmp_path):
    file = write_series(tmp_path)[0]
    message = refusal(file)
    assert "is a single DICOM file (one slice): expected the folder of its series" in message
    frames = write_frames(tmp_path / "enhanced", stored())  # no suffix
    assert is_plain(read_image(frames))
    assert is_plain(read_image(str(frames)))
    assert Path(frames).suffix == ""
