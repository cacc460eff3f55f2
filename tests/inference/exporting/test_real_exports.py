"""Real series and their real outlines: written back, and read by others, they are the same."""

import json

import numpy as np
import pytest

from interactivenet.datasets.task import Case
from interactivenet.imaging.channels import read_channels
from interactivenet.imaging.dicom.reading import find_series
from interactivenet.imaging.io import ReadOptions, read_image, read_label
from interactivenet.inference.case_keys import case_key, input_hashes
from interactivenet.inference.exporting.exporter import Exporter, export_case
from interactivenet.inference.model_record import describe_made_by
from interactivenet.inference.outputs import Output
from interactivenet.inference.sources import sources_of
from interactivenet.postprocessing.merging import PromptProbability, merge
from interactivenet.prompts.prompt import Prompt
from tests.imaging.structures.writing.outlined import complaints, run_dcmqi
from tests.inference.exporting.segmented_cases import OPTIONS, make_weights


@pytest.fixture
def shared(shared_data):
    return shared_data("dicom/sarcoma_STS_008")


def outline(tmp_path, case, mask, model):
    """Write the results of a case that was outlined as in a mask (X, Y, Z), along RAS+."""
    scan = read_channels(case.images, case.reading)
    point = scan.source.ras.voxel_to_world(np.argwhere(mask).mean(axis=0)[None])
    prompt = Prompt(1, point, "tumour")
    claim = PromptProbability(prompt, mask.astype(np.float16), (0, 0, 0), 1.0)
    output = Output(tmp_path / "out", (0,))
    output.write(
        case.name, case_key(input_hashes(case), model, (0,), OPTIONS, case.reading), [claim],
        merge([claim], scan.source), sources_of(case, scan.tags),
        describe_made_by(model, (0,), [prompt]),
    )  # fmt: skip
    return output


def by_dcmqi(seg, folder):
    """The only segment of a SEG, as dcmqi reads it: (X, Y, Z) along RAS+."""
    (path,) = run_dcmqi(seg, folder, "nii").glob("*.nii*")
    return read_label(path)


@pytest.mark.parametrize("name", ["CT", "MR_T1", "PET"])
def test_outlines_go_back_to_their_series(shared, name, tmp_path):
    mask = read_label(shared / "nifti_mask" / f"{name}_mask.nii.gz")
    folder = shared / name / "image"
    image = read_image(folder)
    assert mask.source.is_same_lattice(image.source)
    output = outline(tmp_path, Case("a", (folder,)), mask.array[0] > 0, make_weights(tmp_path))
    exported = export_case(output, "a", Exporter(("dcm-seg", "rtstruct", "seg.nrrd")))
    assert not exported.failures and len(exported.written) == 3
    assert [complaints(path) for path in exported.written[:2]] == [[], []]
    seg, planned, slicer = exported.written
    there = by_dcmqi(seg, tmp_path / "dcmqi")
    assert there.source.is_same_lattice(image.source)
    assert np.array_equal(there.array > 0, mask.array > 0)
    for path in (planned, slicer, seg):
        back = read_label(path, image=(folder, image.source), names={1: "tumour"})
        assert np.array_equal(back.array > 0, mask.array > 0), path


def test_resampled_modalities_go_back_to_the_grid_that_counts(shared, tmp_path):
    """Of three series, the second one's grid counts: the files refer to that one."""
    mask = read_label(shared / "nifti_mask" / "MR_T1_mask.nii.gz")
    folders = tuple(shared / name / "image" for name in ("CT", "MR_T1", "PET"))
    uids = tuple(find_series(folder).file.series for folder in folders)
    reading = ReadOptions(channel_series=uids, resample_to=1)
    case = Case("a", folders, reading=reading)
    output = outline(tmp_path, case, mask.array[0] > 0, make_weights(tmp_path))
    assert json.loads(output.record("a").read_text(encoding="utf-8"))["sources"]["reference"] == 1
    exported = export_case(output, "a", Exporter(("dcm-seg", "rtstruct")))
    assert not exported.failures
    record = json.loads(output.record("a").read_text(encoding="utf-8"))
    assert {each["series"] for each in record["exports"].values()} == {uids[1]}
    image = read_image(folders[1])
    for path in exported.written:
        back = read_label(path, image=(folders[1], image.source), names={1: "tumour"})
        assert np.array_equal(back.array > 0, mask.array > 0)
