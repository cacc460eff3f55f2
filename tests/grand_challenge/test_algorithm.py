"""The algorithm segments what infer would, wherever grand-challenge puts the inputs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.grand_challenge.algorithm import run_algorithm
from interactivenet.imaging.io import read_label
from interactivenet.inference.predictor import Predictor
from tests.grand_challenge.laid_out_cases import GRIDS, PLAN, lay_out, no_points, settings

ENTRY = Path(__file__).parents[2] / "entrypoints" / "grand_challenge.py"


def infer(images, points, bundle, output):
    words = ["infer", "-t", PLAN.task, "-in", points, "-o", output, "--model", bundle,
             "--device", "cpu", "--results", output / "none"]  # fmt: skip
    words += [word for path in images for word in ("-i", path)]
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    (found,) = output.glob("*.nii.gz")
    return read_label(found).array[0]


@pytest.mark.parametrize(
    ("name", "listed"), [("oblique", "interface"), ("turned", "socket"), ("turned", None)]
)
def test_the_entry_writes_what_infer_does_on_the_input_s_grid(name, listed, bundle, tmp_path):
    grid = GRIDS[name]
    images, points = lay_out(tmp_path / "in", grid, listed=bool(listed), word=listed or "")
    places = {"interactivenet_input": "in", "interactivenet_output": "out"}
    done = subprocess.run(
        [sys.executable, ENTRY], capture_output=True, text=True, cwd="/",
        env=os.environ | {"interactivenet_model": str(bundle), "HOME": "/proc/1/none"}
        | {key: str(tmp_path / value) for key, value in places.items()},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    path = tmp_path / "out" / "images" / "segmentation" / "0000-ct-image.mha"
    assert [file for file in (tmp_path / "out").rglob("*") if file.is_file()] == [path]
    written, source = sitk.ReadImage(str(path)), sitk.ReadImage(str(images[0]))
    for what in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(written, what)() == getattr(source, what)()
    assert written.GetPixelID() == sitk.sitkUInt8
    found = read_label(path).array[0]
    assert set(np.unique(found)) == {0, 1, 2}
    assert np.array_equal(found, infer(images, points, bundle, tmp_path / "inferred"))
    assert b"CompressedData = True" in path.read_bytes()[:600]


def test_one_image_per_label(bundle, tmp_path):
    lay_out(tmp_path / "in", GRIDS["turned"])
    (whole,) = run_algorithm(tmp_path / "in", tmp_path / "whole", bundle)
    model = settings(bundle, tmp_path / "model", outputs={"tumour": "gtv", "node": "nodes"})
    parts = run_algorithm(tmp_path / "in", tmp_path / "parts", model)
    expected = read_label(whole).array
    for value, slug, path in zip((1, 2), ("gtv", "nodes"), parts, strict=True):
        assert path.parent == tmp_path / "parts" / "images" / slug
        assert np.array_equal(read_label(path).array, expected == value)


def test_clicks_in_voxels_with_names_of_their_own(bundle, tmp_path):
    lay_out(tmp_path / "mm", GRIDS["turned"])
    (expected,) = run_algorithm(tmp_path / "mm", tmp_path / "a", bundle)
    lay_out(tmp_path / "in", GRIDS["turned"], listed=False, ct="ct", pet="pet",
            points="lesion-clicks", voxels=True, names=("tumor", "something"))  # fmt: skip
    path = tmp_path / "in" / "lesion-clicks.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content))
    names = {"tumor": "tumour", "*": "node"}
    model = settings(bundle, tmp_path / "model", coordinates="voxels", names=names,
                     output="tumor-lesion-segmentation")  # fmt: skip
    (found,) = run_algorithm(tmp_path / "in", tmp_path / "b", model)
    assert found == tmp_path / "b" / "images" / "tumor-lesion-segmentation" / "0000-ct.mha"
    assert np.array_equal(read_label(found).array, read_label(expected).array)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"tumor": "tumour", "*": "node"}, ["-+", "-"]),
        ({"tumor": "tumour", "*": "node", "background": ""}, ["+", ""]),
        ({"tumor": "tumour", "*": "node", "background": "node-"}, ["+", "-"]),
    ],
)
def test_clicks_on_the_background_are_corrections(
    names, expected, bundle, tmp_path, monkeypatch, capsys
):
    lay_out(tmp_path / "in", GRIDS["turned"], points="lesion-clicks", voxels=True,
            names=("tumor", "something"))  # fmt: skip
    path = tmp_path / "in" / "lesion-clicks.json"
    content = json.loads(path.read_text())
    content["points"] += [{"name": "background", "point": [1, 2, 3]},
                          {"name": "tumor+", "point": [5, 6, 7]}]  # fmt: skip
    path.write_text(json.dumps(content))
    seen = []
    segment = Predictor.segment

    def noting(self, scan, *more, **options):
        seen.append(scan)
        return segment(self, scan, *more, **options)

    monkeypatch.setattr(Predictor, "segment", noting)
    model = settings(bundle, tmp_path / "model", coordinates="voxels", names=names)
    run_algorithm(tmp_path / "in", tmp_path / "out", model)
    (scan,) = seen
    signs = ["".join("-+"[each.positive] for each in prompt.corrections) for prompt in scan.prompts]
    assert signs == expected and [len(prompt.points) for prompt in scan.prompts] == [6, 6]
    voxels = [scan.image.source.world_to_voxel(prompt.negative) for prompt in scan.prompts]
    for found, sign in zip(voxels, expected, strict=True):
        np.testing.assert_allclose(
            found, [[1, 2, 3]][: sign.count("-")] or np.empty((0, 3)), atol=1e-6
        )
    said = capsys.readouterr().out
    for name, sign in zip(("tumour", "node"), expected, strict=True):
        (line,) = [
            line for line in said.splitlines() if line.startswith(f"{name}: ") and " ml" in line
        ]
        plural = "s" if len(sign) > 1 else ""
        assert line.endswith(f", {len(sign)} correction{plural}") or not sign


def test_no_clicks_give_an_empty_map_where_any_number_is_taken(bundle, tmp_path):
    lay_out(tmp_path / "in", GRIDS["turned"])
    no_points(tmp_path / "in")
    model = settings(bundle, tmp_path / "model", any_points=True)
    (found,) = run_algorithm(tmp_path / "in", tmp_path / "out", model)
    written = read_label(found)
    assert not written.array.any() and written.source.is_same_lattice(GRIDS["turned"])


def test_the_entry_fails_with_one_line(tmp_path):
    places = {f"interactivenet_{name}": str(tmp_path / name) for name in ("input", "model")}
    done = subprocess.run([sys.executable, ENTRY], capture_output=True, text=True,
                          env=os.environ | places)  # fmt: skip
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "holds no bundle.json" in done.stderr
