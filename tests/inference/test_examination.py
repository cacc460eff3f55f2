"""What is known of a scan before it is segmented reaches whoever asked, in Python as well."""

from dataclasses import replace

import numpy as np
import pytest

from interactivenet.errors import DataError
from interactivenet.imaging.volume import Volume
from interactivenet.inference.examination import UNKNOWN, examine
from interactivenet.inference.predictor import Predictor
from interactivenet.planning.fingerprint import measure_case
from interactivenet.planning.training_set import TrainingSet
from interactivenet.postprocessing.calibration import calibrate
from interactivenet.prompts.io import read_prompts
from interactivenet.prompts.prompt import LabelNames
from tests.inference.predictors import Threshold
from tests.random_model import make_model
from tests.sample_cases import make_plan, make_scan, stored_grid

GRID = stored_grid((22, 24, 20), (1.0, 1.0, 1.5), (2, 0, 1), (-1, 1, -1), (0.1, 0.0, 0.2))
PLAN = make_plan((1.0, 1.0, 1.5))


def ct_scan(seed, grid=GRID):
    """An object of 60 HU in fat."""
    scan = make_scan(grid, seed=seed)
    values = np.where(scan.label.array > 0, 60, -100) + 10 * scan.image.array
    return replace(scan, image=Volume.from_ras(values.astype(np.float32), grid.ras))


def training_set(plan, scans):
    return TrainingSet.of([measure_case(scan) for scan in scans], plan.modalities)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    agreements = np.linspace(0.9, 0.99999, 40).tolist()
    calibration = calibrate(agreements, agreements, list(map(str, range(40))))
    return make_model(
        tmp_path_factory.mktemp("model"), PLAN, (0,), calibrations={"single": calibration},
        training=training_set(PLAN, [ct_scan(seed) for seed in range(8)]),
    )  # fmt: skip


@pytest.fixture(scope="module")
def predictor(model):
    """Takes what is above 0 HU to be the object."""
    made = Predictor(model, device="cpu", precision="fp32", mirrored=False)
    made._networks.networks = [Threshold()]
    return made


def test_a_scan_like_those_of_training_gets_a_number(predictor):
    scan = ct_scan(99)
    result = predictor.segment(scan)
    (found,) = result.objects
    assert result.notes == () and found.reasons == ()
    assert found.expected_dice > 0.9 and found.needs_review is False
    assert (found.points_inside, found.components, found.untouched_components) == (6, 1, 0)


def test_python_gets_notes_and_reasons(predictor):
    scan = ct_scan(99)
    shifted = Volume.from_ras(scan.image.array + 1024, GRID.ras, notes=["is odd"])
    result = predictor.segment(shifted, scan.prompts)
    assert result.notes == (
        "image: is odd", "image: named CT, but no value is below 0 (not in Hounsfield units?)",
    )  # fmt: skip
    (found,) = result.objects
    assert found.expected_dice is None and found.needs_review is True
    assert any("CT has a median of" in reason for reason in found.reasons)
    assert found.as_json()["reasons"] == list(found.reasons)


def test_nothing_found_is_said(predictor, monkeypatch):
    scan = ct_scan(99)
    cold = Volume.from_ras(np.minimum(scan.image.array, -1), GRID.ras)
    (found,) = predictor.segment(cold, scan.prompts).objects
    assert found.volume_ml == 0 and found.points_inside == 0
    assert found.expected_dice is None and found.needs_review is True
    assert found.reasons[0] == "nothing was found: its mask is empty"


def test_a_scan_of_one_voxel_has_no_expected_dice(predictor):
    one = Volume.from_ras(np.full((1, 1, 1), -5, np.int16), np.diag([1, 1, 2, 1]))
    result = predictor.segment(one, [[0.0, 0.0, 0.0]])
    assert any("one voxel thick" in note for note in result.notes)
    assert result.objects[0].expected_dice is None and result.objects[0].needs_review is True


def test_a_mask_without_most_of_its_points_is_looked_at_first(predictor):
    scan = ct_scan(99)
    values = scan.image.array.copy()
    centre = np.array(values.shape[1:]) // 2
    values[0, : centre[0] + 1] = -100  # half of the object is cold
    (found,) = predictor.segment(Volume.from_ras(values, GRID.ras), scan.prompts).objects
    assert found.points_inside < 5 and found.needs_review is True
    assert f"its mask holds {found.points_inside} of its 6 points" in found.reasons


@pytest.mark.parametrize("tag", ["MR", "PT"])
def test_a_contradicting_tag_is_refused(predictor, tag):
    scan = ct_scan(99)
    tagged = Volume.from_stored(GRID.from_ras(scan.image.array), GRID, tags=[{"Modality": tag}])
    with pytest.raises(DataError, match=f"DICOM tag Modality is {tag}: expected CT"):
        predictor.segment(tagged, scan.prompts)
    right = Volume.from_stored(GRID.from_ras(scan.image.array), GRID, tags=[{"Modality": "CT"}])
    assert predictor.segment(right, scan.prompts).notes == ()


def test_swapped_channels_are_told_with_the_right_order(model):
    """CT is warned of, and of DICOM refused, wherever it is given for MR."""
    plan = replace(PLAN, modalities=("CT", "MR"), normalisation=PLAN.normalisation * 2)

    def two(seed):
        scan = ct_scan(seed)
        mr = np.abs(scan.image.array + 1000)
        both = np.concatenate([scan.image.array, mr])
        return replace(scan, image=Volume.from_ras(both, GRID.ras), files=("x", "y"))

    known = replace(model, plan=plan, training=training_set(plan, [two(n) for n in range(8)]))
    scan = two(99)
    assert examine(scan, known).notes == () and examine(scan, known).unlike == ((),)
    turned = scan.image.array[::-1]
    swapped = replace(scan, image=Volume.from_ras(turned, GRID.ras))
    examined = examine(swapped, known)
    assert any("look like MR, CT, expected in the order CT, MR" in n for n in examined.notes)
    assert len(examined.unlike[0]) == 2
    tags = [{"Modality": "MR"}, {"Modality": "CT"}]
    stored = Volume.from_stored(GRID.from_ras(turned), GRID, tags=tags)
    with pytest.raises(DataError, match=r"^x: its DICOM tag .*in the order CT, MR: by their tags"):
        examine(replace(scan, image=stored), known)


def test_a_model_that_does_not_know_says_so(model):
    examined = examine(ct_scan(1), replace(model, training=None))
    assert examined.notes == (UNKNOWN,) and examined.unlike is None


def test_cts_that_are_not_in_hounsfield_units(predictor, shared_cases):
    folder = shared_cases("a02_ct_not_in_hounsfield_units")
    expected = {
        "plus1024": "no value is below 0", "scaled_0_1": "no value is below 0",
        "constant": "every voxel is 0",
    }  # fmt: skip
    for name, note in expected.items():
        image = folder / "images" / f"{name}.nii.gz"
        session = predictor.open(image)
        points = folder / "points" / f"{name}.mrk.json"
        prompts = read_prompts(
            points, LabelNames({1: "tumour"}), image=(image, session.scan.image.source)
        )
        result = session.segment(prompts)
        assert any(one.startswith(f"{name}.nii.gz: ") and note in one for one in result.notes)
        assert result.objects[0].expected_dice is None and result.objects[0].needs_review
