"""What is doubtful about an image is found once, for training and for new cases alike."""

import numpy as np
import pytest

from interactivenet.datasets.case import read_scan
from interactivenet.datasets.image_checks import check_tags, dicom_modality, image_notes
from interactivenet.datasets.integrity import TaskCheck
from interactivenet.datasets.task import Case
from interactivenet.errors import DataError
from interactivenet.imaging.io import write_volume
from interactivenet.imaging.volume import Volume
from interactivenet.prompts.prompt import LabelNames
from tests.raw_task import GRID, SHAPE, image_array, write_case


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CT", "CT"), ("ct", "CT"), ("CTA", "CT"), ("CT_venous", "CT"), ("MR", "MR"), ("MRI", "MR"),
        ("T1", "MR"), ("T2-FLAIR", "MR"), ("PET", "PT"), ("SUV", "PT"), ("US", "US"),
        ("PET/CT", ""), ("scan", ""), ("CT2", ""), ("", ""),
    ],
)  # fmt: skip
def test_what_a_modality_s_name_means(name, meant):
    assert dicom_modality(name) == meant


@pytest.mark.parametrize(
    ("said", "modalities", "message"),
    [
        (["MR"], ["CT"], r"a: its DICOM tag Modality is MR: expected CT \(CT\).*a model of MR"),
        (["PT"], ["T1"], r"Modality is PT: expected MR \(T1\)"),
        (["MR", "CT"], ["CT", "MR"],
         r"a: .* is MR.*in the order CT, MR: by their tags they are MR, CT"),
        (["CT", "CT"], ["CT", "MR"], r"b: .* is CT: expected MR"),
    ],
)  # fmt: skip
def test_a_tag_that_contradicts_is_refused(said, modalities, message):
    tags = [{"Modality": tag} for tag in said]
    with pytest.raises(DataError, match=message):
        check_tags(tags, ["a", "b"][: len(said)], modalities)


@pytest.mark.parametrize(
    ("said", "modality"),
    [("CT", "CT"), ("MR", "FLAIR"), ("OT", "CT"), ("", "CT"), ("MR", "scan"), ("SC", "MR")],
)
def test_what_does_not_contradict_passes(said, modality):
    check_tags([{"Modality": said} if said else {}], ["a"], [modality])


def volume(array, spacing=(1.0, 1.0, 2.0), **more):
    return Volume.from_stored(array, np.diag([*spacing, 1.0]), **more)


def test_doubts_follow_the_name_of_their_channel():
    values = np.arange(-4, 4).reshape(1, 2, 2, 2)
    array = np.concatenate([values, values + 1024, values * 0 + 7, values / 8 + 0.5])
    notes = image_notes(volume(array), ["a", "b", "c", "d"], ["CT", "CT", "MR", "CT"])
    assert notes == (
        "b: named CT, but no value is below 0 (not in Hounsfield units?)",
        "c: every voxel is 7",
        "d: named CT, but no value is below 0 (not in Hounsfield units?)",
    )
    one = image_notes(volume(values[:, :, :, :1], notes=["is odd"]), ["a"], ["CT"])
    assert one == ("a: is odd", "a: is one voxel thick, hardly a 3D image")
    (unit,) = image_notes(volume(values, (1e-3, 1e-3, 2e-3)), ["a"], ["MR"])
    assert "voxels of 0.001 x 0.001 x 0.002 mm" in unit


def test_dataset_and_inference_say_the_same(tmp_path):
    """Of two modalities: one without orientation in its header, both not what they are called."""
    import nibabel as nib

    task = tmp_path / "Task001_A"
    write_case(task, "a", modalities=2, prompt=True)
    images = sorted((task / "imagesTr").iterdir())
    write_volume(images[0], np.abs(image_array()), GRID)
    bare = nib.Nifti1Image(np.full(SHAPE, 3, np.int16), None)
    for path in (*images, task / "labelsTr" / "a.nii.gz"):
        content = nib.load(path)
        data = np.asarray(content.dataobj) if path != images[1] else np.asarray(bare.dataobj)
        plain = nib.Nifti1Image(data, None)
        plain.header.set_zooms((1, 1, 2))
        plain.to_filename(path)
    for points in (task / "interactionsTr").iterdir():
        points.unlink()
    check = TaskCheck(task, ("CT", "MR"), LabelNames({1: "tumour"}))
    for _ in check.run():
        pass
    told = [one.message for one in check.findings if one.message.startswith("a_000")]
    scan = read_scan(Case("a", tuple(images)), 2)
    notes = image_notes(scan.image, scan.channel_names(("CT", "MR")), ("CT", "MR"))
    assert sorted(told) == sorted(notes) and len(notes) == 4
    assert sum("left and right are a guess" in note for note in notes) == 2
