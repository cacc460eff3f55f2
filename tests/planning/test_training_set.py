"""What a training set looks like, and what is not like it: no false alarms, and no silence."""

import json
from dataclasses import replace

import numpy as np
import pytest

from interactivenet.datasets.case import Scan
from interactivenet.imaging.channels import read_channels
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import read_label
from interactivenet.imaging.volume import Volume
from interactivenet.models.model import parse_training_set
from interactivenet.planning.appearance import Appearance
from interactivenet.planning.fingerprint import measure_case
from interactivenet.planning.training_set import ChannelRanges, TrainingSet, widened
from interactivenet.prompts.prompt import Prompt
from interactivenet.prompts.simulation import find_objects, margin_points
from tests.sample_cases import make_scan, stored_grid

MODALITIES = ("MR", "CT")
GRID = stored_grid((30, 30, 20), (1.0, 1.0, 2.0))


def two_channels(seed, grid=GRID, radius=6, ct=lambda hu: hu):
    """An object of about 60 HU in fat and air, bright in MR, of radius about ``radius``."""
    rng = np.random.default_rng(seed)
    radii = np.array([radius, radius, radius // 2]) + rng.integers(0, 2, 3)
    scan = make_scan(grid, radii=radii)
    inside = scan.label.array[0] > 0
    noise = rng.normal(0, 1, (2, *inside.shape))
    hounsfield = np.where(inside, 60, -100) + 20 * noise[0]
    hounsfield[:, :6] = -1000
    scale = rng.uniform(1, 1000)  # MR has none of its own
    mr = scale * np.abs(np.where(inside, 3, 1.5) + 0.3 * noise[1])
    image = np.stack([mr, ct(hounsfield)]).astype(np.float32)
    return replace(scan, image=Volume.from_ras(image, grid.ras))


@pytest.fixture(scope="module")
def seen():
    return TrainingSet.of([measure_case(two_channels(seed)) for seed in range(12)], MODALITIES)


def unlike(seen, scan):
    return seen.unlike(scan.image, scan.prompts[0])


def test_it_survives_json_and_names_no_case(seen):
    content = json.loads(json.dumps(seen.as_json()))
    assert parse_training_set(content) == seen and parse_training_set(None) is None
    assert '"case"' not in json.dumps(content)
    for broken in ({"cases": 0}, {"box_ml": [2.0, 1.0]}, {"more": 1}, {"spacing_mm": "x"}):
        with pytest.raises(ValueError, match="field"):
            parse_training_set({**content, **broken})


def test_new_cases_of_the_same_kind_are_like_it(seen):
    assert [unlike(seen, two_channels(seed)) for seed in range(100, 130)] == [()] * 30


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ct": lambda hu: hu + 1024}, "CT has a median of"),
        ({"ct": lambda hu: (hu + 1000) / 4000}, "CT reaches over"),
        ({"ct": lambda hu: hu * 0}, "CT has one value only, 0"),
        ({"grid": stored_grid((30, 30, 40), (1.0, 1.0, 0.5))}, "voxels of 1 x 1 x 0.5"),
        ({"grid": stored_grid((90, 90, 60), (1.0, 1.0, 2.0)), "radius": 30}, "the points' box is"),
    ],
)  # fmt: skip
def test_what_is_not_like_it_is_told(seen, change, reason):
    reasons = unlike(seen, two_channels(50, **change))
    assert any(text.startswith(reason) for text in reasons), reasons


def test_a_single_point_is_not_like_six(seen):
    scan = two_channels(50)
    prompt = Prompt(1, scan.prompts[0].points[:1])
    assert seen.unlike(scan.image, prompt)[0] == "1 point, there 6"


def test_channels_in_another_order_are_told_apart(seen):
    scan = two_channels(50)
    swapped = replace(scan, image=Volume.from_ras(scan.image.array[::-1], scan.image.grid))
    assert seen.likely_order(scan.image, scan.prompts) == ()
    assert seen.likely_order(swapped.image, swapped.prompts) == ("CT", "MR")
    assert [text.split()[0] for text in unlike(seen, swapped)] == ["MR", "CT"]
    twice = TrainingSet.of([measure_case(two_channels(0))], MODALITIES)
    alike = replace(twice, channels=(twice.channels[0],) * 2)  # two of MR: nobody can tell
    assert alike.likely_order(swapped.image, swapped.prompts) == ()


def test_few_cases_give_wider_ranges():
    widths = [np.ptp(widened((1.0, 2.0), 0.1, cases)) for cases in (1, 2, 5, 20, 1000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == pytest.approx(2, rel=0.01)  # half of their distance on either side
    low, high = widened((1.0, 1.0), 0.5, 10**9)
    assert (low, high) == pytest.approx((0.5, 1.5))


def real_facts(images, label):
    """Facts of a real scan with six simulated margin points of all of its labels."""
    image, mask = read_channels(images), read_label(label).array[0] > 0
    (one,) = find_objects(mask, per_component=False, largest_only=True)[:1]
    points = image.grid.voxel_to_world(margin_points(one, image.spacing, np.random.default_rng(0)))
    label = Volume.from_ras(mask.astype(np.uint8), Geometry(image.shape, image.affine))
    image = Volume.from_ras(image.array, Geometry(image.shape, image.affine))
    return measure_case(Scan("x", image, label, (Prompt(1, points, "x"),)))


def differences(seen, case, channels=slice(None)):
    (prompt,) = case.prompts
    return seen.differences(prompt.points, case.spacing, prompt.box_mm, prompt.appearance[channels])


@pytest.fixture(scope="module")
def real():
    from tests.conftest import SHARED_DATA

    hippocampi, sarcomas = SHARED_DATA / "hippocampus_mr", SHARED_DATA / "sarcoma_mr_ct"
    if not (hippocampi.exists() and sarcomas.exists()):
        pytest.skip("needs the real images of shared/data beside the repository")
    small = [
        real_facts([path], hippocampi / "labels" / path.name)
        for path in sorted((hippocampi / "images").glob("*.nii.gz"))[::6]
    ]
    large = [
        real_facts(
            [path, path.with_name(path.name.replace("_0000", "_0001"))],
            sarcomas / "labels" / path.name.replace("_0000", ""),
        )
        for path in sorted((sarcomas / "images").glob("*_0000.nii.gz"))
    ]
    return small, large


def test_real_cases_left_out_are_like_the_others(real):
    for cases, modalities in zip(real, (("MR",), MODALITIES), strict=True):
        odd = [
            reasons
            for number, case in enumerate(cases)
            if (reasons := differences(
                TrainingSet.of(cases[:number] + cases[number + 1 :], modalities), case
            ))
        ]  # fmt: skip
        assert len(odd) <= 0.05 * len(cases), odd


def test_no_sarcoma_is_like_a_hippocampus(real):
    hippocampi, sarcomas = real
    seen = TrainingSet.of(hippocampi, ("MR",))
    assert all(differences(seen, case, slice(1)) for case in sarcomas)


def test_real_channels_in_the_wrong_order_are_noticed_in_every_case(real):
    _, sarcomas = real
    seen = TrainingSet.of(sarcomas, MODALITIES)
    for case in sarcomas:
        told = differences(seen, case, slice(None, None, -1))
        assert [text.split()[0] for text in told] == ["MR", "CT"]


def test_a_ct_without_values_below_zero_is_unlike_one_that_has_them():
    """Windowed to 0..255, its values and their spread may well be those of another CT."""
    scan = Appearance((20.0, 40.0, 80.0), (-90.0, 30.0, 160.0), 30.0, 60.0)
    windowed = Appearance((60.0, 70.0, 90.0), (0.0, 66.0, 110.0), 60.0, 40.0)
    ranges = ChannelRanges.of("CT", [scan] * 5)
    assert ranges.unlike(scan, 5) == ""
    assert "hardly a value below 0" in ranges.unlike(windowed, 5)
    # where training had none either, that says nothing
    assert ChannelRanges.of("CT", [windowed] * 5).unlike(windowed, 5) == ""
