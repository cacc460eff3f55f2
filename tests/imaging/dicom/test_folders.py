"""DICOM folders as they are exported: trees of studies, links, and copies."""

import shutil
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ComputedRadiographyImageStorage, MediaStorageDirectoryStorage

from interactivenet.imaging.channels import read_channels
from interactivenet.imaging.dicom.reading import find_series
from interactivenet.imaging.io import read_image
from tests.imaging.dicom.folder_reading import CORONAL, SAGITTAL, TREE, is_plain, refused
from tests.imaging.spoiled_files import refusal, voxels, write
from tests.imaging.written_dicom import (
    UID,
    header,
    save,
    stored,
    with_pixels,
    write_frames,
    write_series,
    write_slice,
)


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
