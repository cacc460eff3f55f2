"""The algorithm that ``deploy --grand-challenge`` writes, built and run as that platform does."""

import shutil

import numpy as np
import SimpleITK as sitk

from tests.container.conftest import TASK, USER, given_away


def test_the_algorithm_segments_as_infer_does(tested, engine, image):
    folder = tested.root / "results" / "algorithm"
    engine.script(folder / "do_build.sh", "--build-arg", f"IMAGE={image}")
    # without the build, which would take the default's name for the base
    engine.script("env", "SKIP_BUILD=1", folder / "do_test_run.sh")
    (found,) = (folder / "test" / "output").rglob("*.mha")

    (scan,) = (folder / "test" / "input" / "images").rglob("*.mha")
    (points,) = (one for one in (folder / "test" / "input").glob("*.json") if one.stem != "inputs")
    case = given_away(tested.root / "data" / "case", USER)
    shutil.copy(scan, case / "example.mha")
    shutil.copy(points, case / "example.json")
    tested.run(
        "infer", "-t", TASK, "--model", "deployed", "-i", "/data/case/example.mha",
        "-in", "/data/case/example.json", "-o", "/results/inferred", "--format", "mha",
    )  # fmt: skip
    expected = sitk.ReadImage(str(tested.root / "results" / "inferred" / "example.mha"))
    result = sitk.ReadImage(str(found))
    for what in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(result, what)() == getattr(expected, what)()
    voxels = sitk.GetArrayFromImage(result)
    assert voxels.any()
    np.testing.assert_array_equal(voxels, sitk.GetArrayFromImage(expected))
