"""Inputs and settings that an algorithm cannot use, each named in a line."""

import json

import numpy as np
import pytest

from interactivenet.errors import DataError, RequestError
from interactivenet.grand_challenge.algorithm import run_algorithm
from interactivenet.imaging.io import read_label, write_volume
from tests.grand_challenge.laid_out_cases import GRIDS, lay_out, no_points, settings
from tests.sample_cases import stored_grid


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
