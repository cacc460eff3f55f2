"""The algorithm segments what infer would, wherever grand-challenge puts the inputs."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.errors import DataError, RequestError
from interactivenet.grand_challenge.algorithm import run_algorithm
from interactivenet.imaging.io import read_label, write_volume
from interactivenet.inference.predictor import Predictor
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt
from tests.random_model import make_bundle
from tests.sample_cases import make_plan, make_scan, stored_grid

ENTRY = Path(__file__).parents[2] / "entrypoints" / "grand_challenge.py"
GRIDS = {
    "oblique": stored_grid((22, 24, 20), (1.0, 1.2, 1.5), angles=(0.2, -0.1, 0.3)),
    "turned": stored_grid((22, 24, 20), (1.0, 1.2, 1.5), (2, 0, 1), (-1, 1, -1)),
}
PLAN = replace(
    make_plan((1.0, 1.0, 1.5)), modalities=("CT", "PET"), labels={1: "tumour", 2: "node"},
    normalisation=make_plan((1.0, 1.0, 1.5)).normalisation * 2,
)  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("model"), PLAN)


def lay_out(folder, grid, *, listed=True, word="interface", ct="ct-image", pet="pet-image",
            points="interior-margin-points", voxels=False, names=("tumour", "node")):  # fmt: skip
    """Write a case with two objects as grand-challenge does; returns the images and points."""
    scan = make_scan(grid)
    first = scan.prompts[0].points
    inner = grid.ras.nearest_voxel((first + first.mean(axis=0)) / 2)
    prompts = [Prompt(1, first, names[0]), Prompt(2, grid.ras.voxel_to_world(inner), names[1])]
    rng = np.random.default_rng(1)
    images, entries = [], []
    for slug in (ct, pet):
        values = rng.normal(0, 1, grid.ras.shape).astype(np.float32)
        images.append(folder / "images" / slug / f"0000-{slug}.mha")
        write_volume(images[-1], values, grid)
        entries.append((slug, "Image", "Image", f"images/{slug}"))
    path = folder / f"{points}.json"
    write_prompts(path, prompts, image=grid, voxels=voxels)
    entries.append((points, "Multiple points", "Value", f"{points}.json"))
    if listed:
        keys = ("slug", "kind", "super_kind", "relative_path")
        other = "interface" if word == "socket" else "socket"
        content = [{word: {"pk": 7, **dict(zip(keys, entry, strict=True))}, other: None,
                    "image": None, "value": None, "file": None} for entry in entries]  # fmt: skip
        (folder / "inputs.json").write_text(json.dumps(content))
    return images, path


def infer(images, points, bundle, output):
    words = ["infer", "-t", PLAN.task, "-in", points, "-o", output, "--model", bundle,
             "--device", "cpu", "--results", output / "none"]  # fmt: skip
    words += [word for path in images for word in ("-i", path)]
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    (found,) = output.glob("*.nii.gz")
    return read_label(found).array[0]


def settings(bundle, target, **content):
    """A copy of the bundle, by links, with settings."""
    target.mkdir()
    for path in bundle.iterdir():
        (target / path.name).symlink_to(path)
    (target / "algorithm.json").write_text(json.dumps(content))
    return target


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


def test_the_background_alone_is_no_object(bundle, tmp_path):
    lay_out(tmp_path / "in", GRIDS["turned"])
    path = tmp_path / "in" / "interior-margin-points.json"
    content = json.loads(path.read_text())
    for name, message in (("background", "background points, but none of an object"),
                          ("tumour+", "'tumour', of which there are no points")):  # fmt: skip
        content["points"] = [{**content["points"][0], "name": name}]
        path.write_text(json.dumps(content))
        with pytest.raises(DataError, match=message):
            run_algorithm(tmp_path / "in", tmp_path / "out", bundle)
    content["points"] = [{**content["points"][0], "name": "background"}]
    path.write_text(json.dumps(content))
    model = settings(bundle, tmp_path / "model", any_points=True)
    (found,) = run_algorithm(tmp_path / "in", tmp_path / "out", model)
    assert not read_label(found).array.any()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"imagse": {}}, r"algorithm\.json: field imagse is unknown"),
        ({"images": {"MR": "mr"}}, "images has the modality 'MR', the model has CT, PET"),
        ({"images": {"CT": "a b"}}, "'a b' is not a slug"),
        ({"images": {"CT": "other"}}, r"there is no image for modality CT: expected other, found"
         " ct-image, pet-image"),
        ({"outputs": {"tumour": "a"}}, "outputs lacks the label node"),
        ({"output": "a", "outputs": {"tumour": "b"}}, "cannot both be set"),
        ({"names": {"x": "cyst"}}, "names has the label 'cyst'"),
        ({"names": {"x": "cyst-"}}, "names has the label 'cyst'"),
        ({"points": "clicks"}, "there is no input of points: expected clicks, found inter"),
        ({"coordinates": "inches"}, "field coordinates cannot be used"),
        ({"images": {"CT": "pet-image"}}, "images and points have the slug 'pet-image' twice"),
        ({"points": "ct-image"}, "have the slug 'ct-image' twice"),
        ({"names": {"x": "tumour#2"}}, "leave out the number of the object"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_named(content, message, bundle, tmp_path):
    lay_out(tmp_path / "in", GRIDS["turned"])
    model = settings(bundle, tmp_path / "model", **content)
    with pytest.raises((DataError, RequestError), match=message):
        run_algorithm(tmp_path / "in", tmp_path / "out", model)
    assert not (tmp_path / "out").exists()


def listed_twice(folder):
    path = folder / "inputs.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps([*content, content[0]]))


def null_path(folder):
    path = folder / "inputs.json"
    path.write_text(path.read_text().replace('"images/ct-image"', "null"))


def twelve_points(folder):
    path = folder / "interior-margin-points.json"
    path.write_text(path.read_text().replace("node", "tumour"))


def no_points(folder):
    path = folder / "interior-margin-points.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"points": []}))


def spoil_list(folder):
    (folder / "inputs.json").write_text('{"interface": 1}')


def climb(folder):
    path = folder / "inputs.json"
    path.write_text(path.read_text().replace("images/ct-image", "../../etc"))


def second_image(folder):
    (folder / "images" / "ct-image" / "more.mha").write_bytes(b"")


def five_points(folder):
    path = folder / "interior-margin-points.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"points": content["points"][1:]}))


def other_grid(folder):
    grid = stored_grid((22, 24, 21), (1.0, 1.2, 1.5))
    (path,) = (folder / "images" / "pet-image").iterdir()
    write_volume(path, np.zeros(grid.ras.shape, np.float32), grid)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_list, "is not a list of inputs"),
        (climb, r"has the relative_path '\.\./\.\./etc'"),
        (second_image, "has 2 files"),
        (five_points, "has 5 points, expected 6"),
        (other_grid, "grid differs"),
        (listed_twice, "holds ct-image twice"),
        (null_path, "has an entry that is not an input"),
        (twelve_points, "has 12 points, expected 6: a second object's points have '#2'"),
        (no_points, "holds no points"),
    ],
)
def test_inputs_that_cannot_be_used_are_named(spoil, message, bundle, tmp_path):
    lay_out(tmp_path / "in", GRIDS["turned"])
    spoil(tmp_path / "in")
    with pytest.raises((DataError, RequestError), match=message):
        run_algorithm(tmp_path / "in", tmp_path / "out", bundle)
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written_is_noticed_first(tmp_path):
    (tmp_path / "file").touch()
    # there is no model, either: that would be noticed later
    with pytest.raises(DataError, match=r"file/output: cannot be written: Not a directory"):
        run_algorithm(tmp_path, tmp_path / "file" / "output", tmp_path / "none")


def test_one_file_is_not_two_modalities(bundle, tmp_path):
    lay_out(tmp_path / "in", GRIDS["turned"])
    path = tmp_path / "in" / "inputs.json"
    path.write_text(path.read_text().replace("images/pet-image", "images/ct-image"))
    with pytest.raises(RequestError, match="same image fits several of the modalities CT, PET"):
        run_algorithm(tmp_path / "in", tmp_path / "out", bundle)


def test_other_names_never_take_a_label_s(bundle, tmp_path):
    lay_out(tmp_path / "in", GRIDS["turned"], names=("tumour", "Node"))
    (expected,) = run_algorithm(tmp_path / "in", tmp_path / "a", bundle)
    model = settings(bundle, tmp_path / "model", names={"*": "tumour"})
    (found,) = run_algorithm(tmp_path / "in", tmp_path / "b", model)
    assert np.array_equal(read_label(found).array, read_label(expected).array)


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
