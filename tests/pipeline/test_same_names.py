"""Two modalities whose files have the same folder and name: a change of either is noticed."""

import numpy as np
import pytest

from interactivenet.datasets.roots import Roots
from interactivenet.imaging.io import write_volume
from interactivenet.inference.options import InferenceOptions
from interactivenet.pipeline.infer import infer
from tests.random_model import make_bundle
from tests.raw_task import GRID, POINTS, image_array, read, write_points
from tests.sample_cases import UNCHANGED, make_plan

PLAN = make_plan((0.9, 1.1, 2.0), modalities=("MR", "CT"), normalisation=(UNCHANGED,) * 2)
OPTIONS = InferenceOptions(mirrored=False, device="cpu", precision="fp32")


@pytest.mark.parametrize("changed", [0, 1])
def test_a_result_of_another_image_is_not_kept(tmp_path, changed):
    images = [tmp_path / part / "scan" / "img.nii.gz" for part in "xy"]
    for number, path in enumerate(images):
        write_volume(path, image_array(number), GRID)
    points = tmp_path / "points" / "img.nii.gz"
    write_points(points, POINTS)
    bundle, out = make_bundle(tmp_path, PLAN, folds=(0,)), tmp_path / "out"
    roots = Roots(tmp_path, tmp_path, tmp_path / "results")

    def segment():
        infer("Task001_A", images, points, out, model=bundle, options=OPTIONS, roots=roots)
        (record,) = [read(path) for path in out.glob("[!rf]*.json")]
        return record["made_from"]["inputs"]

    before = segment()
    assert list(before) == ["image 0", "image 1", "points"]
    kept = {path: path.stat().st_mtime_ns for path in out.glob("*.nii.gz")}
    assert segment() == before
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    write_volume(images[changed], image_array(7), GRID)
    after = segment()
    assert [name for name in before if after[name] != before[name]] == [f"image {changed}"]
    assert all(path.stat().st_mtime_ns > when for path, when in kept.items())
    assert np.isfinite(read(out / "run.json")["seconds"]["all"])
