"""Real scans in odd orientations and formats: results lie where SimpleITK finds the scan."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from click.testing import CliRunner

from interactivenet.bundle import write_bundle
from interactivenet.cli import main
from interactivenet.io.images import read_volume
from interactivenet.io.prompt_files import write_prompts
from interactivenet.model import Model
from interactivenet.network import build_network, save_weights
from interactivenet.plan import Normalisation
from interactivenet.prompts import Prompt
from tests.sample_cases import make_plan

SCANS = {
    "vertebra_pir/ct": "vertebra_pir/images/ct_vertebra.nii.gz",
    "vertebra_pir/t2": "vertebra_pir/images/t2_vertebra.nii.gz",
    "oblique dicom": "dicom/brain_mr_oblique/T1post",
    "mha": "tumour_singles/images/brain2.nrrd",
}


def bundle(folder):
    """A deployed model with random weights."""
    plan = make_plan(
        (1.5, 1.5, 2.0), task="Task001_A", normalisation=(Normalisation("zscore"),),
        modalities=("MR",),
    )  # fmt: skip
    torch.manual_seed(0)
    network = build_network(plan.network, plan.channels)
    save_weights(folder / "w.safetensors", network, {"plan": plan.digest})
    write_bundle(Model(plan, (folder / "w.safetensors",), (0,)), folder / "bundle")
    return folder / "bundle"


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
    grid = read_volume(path).grid
    centre = np.array(grid.shape) / 2
    offsets = np.concatenate([np.diag([8, 8, 3]), -np.diag([8, 8, 3])])
    points = grid.voxel_to_world(np.rint(centre + offsets))
    write_prompts(tmp_path / "points.json", [Prompt(1, points, "a")])
    out = tmp_path / "out"
    words = ["infer", "-t", "Task001_A", "-i", path, "-in", tmp_path / "points.json", "-o", out,
             "--model", bundle(tmp_path), "--no-tta", "--device", "cpu"]  # fmt: skip
    for suffix in ("nii.gz", "mha"):
        done = CliRunner().invoke(main, [str(word) for word in (*words, "--format", suffix)])
        assert done.exit_code == 0, done.output
        (written,) = out.glob(f"*.{suffix}")
        found = sitk.ReadImage(str(written))
        assert found.GetSize() == scan.GetSize()
        np.testing.assert_allclose(found.GetSpacing(), scan.GetSpacing(), rtol=1e-5)
        np.testing.assert_allclose(found.GetDirection(), scan.GetDirection(), atol=1e-5)
        np.testing.assert_allclose(found.GetOrigin(), scan.GetOrigin(), atol=1e-3)
    # what was segmented lies around the points, in the patient
    mask = sitk.GetArrayFromImage(found)
    assert mask.any()
    voxels = np.argwhere(mask)[:, ::-1]
    lps = np.array([scan.TransformContinuousIndexToPhysicalPoint(v.tolist()) for v in voxels[::50]])
    middle = grid.voxel_to_world(centre[None])[0] * (-1, -1, 1)
    assert np.abs(lps - middle).max() < 60
