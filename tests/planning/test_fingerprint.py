"""Facts of cases and datasets, against plain computations over everything at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactivenet.datasets.case import Scan
from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.volume import Volume
from interactivenet.planning.fingerprint import Fingerprint, Histogram, measure_case
from interactivenet.prompts.prompt import Prompt

#: stored as LPS with another axis order; 1 x 2 x 4 mm along R, A, S
GRID = Geometry((8, 20, 16), [[0, -1.0, 0, 30], [0, 0, -2.0, 10], [4.0, 0, 0, -5], [0, 0, 0, 1]])


def scan(name="a", seed=0, label=None, prompts=None):
    rng = np.random.default_rng(seed)
    image = rng.normal(100, 20, (2, *GRID.ras.shape)).astype(np.float32)
    if label is None:
        label = np.zeros(GRID.ras.shape, np.uint8)
        label[4:14, 3:12, 2:6] = 1
        label[18, 14, 7] = 1  # a stray voxel
    if prompts is None:
        voxels = [[6, 5, 3], [11, 5, 3], [6, 10, 4], [8, 8, 5], [7, 7, 3], [1, 7, 3]]
        prompts = (Prompt(1, GRID.ras.voxel_to_world(np.array(voxels, float)), "tumour"),)
    volumes = (Volume.from_stored(GRID.from_ras(array), GRID) for array in (image, label))
    return Scan(name, *volumes, prompts)


def test_lengths_are_millimetres_along_the_patient():
    facts = measure_case(scan(), subtype="x")
    assert facts.shape == (20, 16, 8) and facts.spacing == (1.0, 2.0, 4.0)
    assert facts.orientation == GRID.orientation and facts.subtype == "x"
    assert facts.coarse == (False, False, True)
    (prompt,) = facts.prompts
    assert prompt.box_mm == (11.0, 12.0, 12.0)  # voxels 1-11, 5-10, 3-5
    assert prompt.object_mm == (10.0, 18.0, 16.0)  # the touched component alone
    assert prompt.overhang_mm == ((0.0, 2.0), (4.0, 2.0), (4.0, 0.0))
    assert prompt.voxels == 361 and prompt.volume_ml == pytest.approx(361 * 8 / 1000)
    assert (prompt.points, prompt.outside, prompt.components) == (6, 1, 2)


def test_moments_and_percentiles_equal_those_of_all_voxels_at_once():
    scans = [scan(f"case{i}", seed=i) for i in range(5)]
    facts = tuple(measure_case(one) for one in scans)
    histogram = Histogram()
    values = []
    for one in scans:
        inside = one.image.array[1][one.label.array[0] > 0]
        histogram = histogram + Histogram.of(inside)
        values.append(inside)
    everything = np.concatenate(values).astype(np.float64)
    fingerprint = Fingerprint(("MR", "CT"), facts, {"CT": histogram})
    mean, std = fingerprint.moments(1)
    assert mean == pytest.approx(everything.mean()) and std == pytest.approx(everything.std())
    for percent in (0.5, 37.0, 99.5):
        expected = np.percentile(everything, percent)
        assert histogram.percentile(percent) == pytest.approx(expected, rel=2e-4)
    assert facts[0].intensities[1].percentiles[2] == pytest.approx(np.median(values[0]))


@given(st.lists(st.lists(st.integers(-4096, 8000), min_size=1), min_size=1, max_size=4))
def test_percentiles_of_whole_numbers_are_exact(parts):
    total = Histogram()
    for part in parts:
        total = total + Histogram.of(np.array(part, dtype=np.float32))
    everything = np.concatenate([np.array(part) for part in parts])
    for percent in (0.0, 0.5, 50.0, 99.5, 100.0):
        assert total.percentile(percent) == pytest.approx(np.percentile(everything, percent))


def test_histograms_are_bounded():
    values = np.random.default_rng(0).normal(0, 1000, 1_000_000)
    assert len(Histogram.of(values).values) < 200_000


def test_a_summary_is_plain_json():
    import json

    content = Fingerprint(("MR", "CT"), (measure_case(scan()),)).summary()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["anisotropic_cases"] == {"R": 0, "A": 0, "S": 1}
    assert content["points_outside_objects"] == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"label": np.zeros(GRID.ras.shape, np.uint8)}, "a: the label map is empty"),
        ({"prompts": ()}, "a: has no prompts"),
        ({"prompts": (Prompt(3, np.array([[12.0, 8.0, 5.0]])),)}, "label 3 has points but no vox"),
    ],
)
def test_cases_that_cannot_be_used(changed, message):
    with pytest.raises(DataError, match=message):
        measure_case(scan(**changed))


def test_a_case_without_a_label_map():
    one = scan()
    with pytest.raises(DataError, match="has no label map"):
        measure_case(Scan("a", one.image, None, one.prompts))
