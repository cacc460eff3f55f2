"""Real scans in odd orientations and formats: results lie where SimpleITK finds the scan."""

import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.grand_challenge.algorithm import run_algorithm
from interactivenet.imaging.io import read_image
from interactivenet.planning.plan import Normalisation
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt
from tests.random_model import make_bundle
from tests.sample_cases import make_plan

SCANS = {
    "vertebra_pir/ct": "vertebra_pir/images/ct_vertebra.nii.gz",
    "vertebra_pir/t2": "vertebra_pir/images/t2_vertebra.nii.gz",
    "oblique dicom": "dicom/brain_mr_oblique/T1post",
    "mha": "tumour_singles/images/brain2.nrrd",
}


PLAN = make_plan(
    (1.5, 1.5, 2.0), task="Task001_A", normalisation=(Normalisation("zscore"),), modalities=("MR",)
)


@pytest.mark.parametrize("name", list(SCANS))
def test_geometry_is_that_of_the_scan(name, shared_data, tmp_path):
    path = shared_data(SCANS[name])
    if path.is_dir():
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(path)))
        scan = reader.Execute()
    else:
        scan = sitk.ReadImage(str(path))
    if name == "mha":
        path = tmp_path / "brain2.mha"
        sitk.WriteImage(scan, str(path))
    grid = read_image(path).grid
    centre = np.array(grid.shape) / 2
    offsets = np.concatenate([np.diag([8, 8, 3]), -np.diag([8, 8, 3])])
    points = grid.voxel_to_world(np.rint(centre + offsets))
    write_prompts(tmp_path / "points.json", [Prompt(1, points, "a")])
    out, bundle = tmp_path / "out", make_bundle(tmp_path, PLAN, folds=(0,))
    words = ["infer", "-t", "Task001_A", "-i", path, "-in", tmp_path / "points.json", "-o", out,
             "--model", bundle, "--no-tta", "--device", "cpu"]  # fmt: skip
    for suffix in ("nii.gz", "mha"):
        done = CliRunner().invoke(main, [str(word) for word in (*words, "--format", suffix)])
        assert done.exit_code == 0, done.output
        (written,) = out.glob(f"*.{suffix}")
        found = sitk.ReadImage(str(written))
        assert found.GetSize() == scan.GetSize()
        np.testing.assert_allclose(found.GetSpacing(), scan.GetSpacing(), rtol=1e-5)
        np.testing.assert_allclose(found.GetDirection(), scan.GetDirection(), atol=1e-5)
        np.testing.assert_allclose(found.GetOrigin(), scan.GetOrigin(), atol=1e-3)
    # grand-challenge's algorithm writes the same voxels in the same place
    inputs = tmp_path / "input"
    (inputs / "images" / "mr-image").mkdir(parents=True)
    sitk.WriteImage(scan, str(inputs / "images" / "mr-image" / "a.mha"))
    shutil.copy(tmp_path / "points.json", inputs / "interior-margin-points.json")
    (bundle / "algorithm.json").write_text('{"mirrored": false}')
    (path,) = run_algorithm(inputs, tmp_path / "output", bundle)
    same = sitk.ReadImage(str(path))
    for what in ("GetSize", "GetSpacing", "GetDirection", "GetOrigin"):
        assert getattr(same, what)() == getattr(scan, what)()
    assert np.array_equal(sitk.GetArrayFromImage(same), sitk.GetArrayFromImage(found))
    # what was segmented lies around the points, in the patient
    mask = sitk.GetArrayFromImage(found)
    assert mask.any()
    voxels = np.argwhere(mask)[:, ::-1]
    lps = np.array([scan.TransformContinuousIndexToPhysicalPoint(v.tolist()) for v in voxels[::50]])
    middle = grid.voxel_to_world(centre[None])[0] * (-1, -1, 1)
    assert np.abs(lps - middle).max() < 60
