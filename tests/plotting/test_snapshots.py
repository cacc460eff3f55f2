"""Snapshots: a column per channel, outlines where there is a label map, their source."""

import numpy as np
import pytest
from PIL import Image

from interactivenet.datasets.case import Scan
from interactivenet.plotting.planes import COLOURS
from interactivenet.plotting.snapshots import save_snapshot, snapshot_made_from
from interactivenet.preprocessing.region import make_region
from tests.sample_cases import make_plan, make_scan, stored_grid


def draw(path, labelled=True):
    plan = make_plan((1.0, 1.0, 2.0))
    scan = make_scan(stored_grid((40, 36, 20), (1.0, 1.0, 2.0), flips=(-1, -1, 1)))
    if not labelled:
        scan = Scan(scan.name, scan.image, None, scan.prompts)
    save_snapshot(path, scan, make_region(scan, scan.prompts[0], plan), plan, "digest of inputs")
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def count(picture, name):
    colour = [int(COLOURS[name][i : i + 2], 16) for i in (1, 3, 5)]
    return int((abs(picture - colour).sum(axis=-1) < 60).sum())


@pytest.mark.parametrize("labelled", [True, False])
def test_outlines_and_points(tmp_path, labelled):
    picture = draw(tmp_path / "a.png", labelled)
    assert picture.shape[:2] == (740, 690)  # three planes; scan, sample and map of the points
    assert count(picture, "points") > 100
    assert (count(picture, "label") > 500) == labelled


def test_what_it_was_made_from_is_kept_in_the_file(tmp_path):
    draw(tmp_path / "a.png")
    assert snapshot_made_from(tmp_path / "a.png") == "digest of inputs"
    assert snapshot_made_from(tmp_path / "missing.png") == ""
    (tmp_path / "b.png").write_bytes(b"no picture")
    assert snapshot_made_from(tmp_path / "b.png") == ""
