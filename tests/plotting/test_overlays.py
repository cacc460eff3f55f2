"""Overlays: the outlines are there, on the right side."""

import numpy as np
import pytest
from PIL import Image

from interactivenet.plotting.overlays import save_overlay
from interactivenet.plotting.planes import COLOURS


def cubes(shape=(40, 36, 20)):
    label = np.zeros(shape, bool)
    label[12:24, 10:20, 6:12] = True
    return label, np.roll(label, 2, axis=0)


def draw(path, shape=(40, 36, 20), spacing=(1.0, 1.0, 2.5), **masks):
    image = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    save_overlay(path, image, spacing, title="a case", names=("MR", "CT"), **masks)
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def count(picture, name):
    colour = [int(COLOURS[name][i : i + 2], 16) for i in (1, 3, 5)]
    return int((abs(picture - colour).sum(axis=-1) < 60).sum())


def test_what_is_drawn(tmp_path):
    label, prediction = cubes()
    points = [[13, 15, 8], [22, 15, 8]]
    picture = draw(tmp_path / "a.png", label=label, prediction=prediction, points=points)
    assert 700 < picture.shape[1] < 1300 and 500 < picture.shape[0] < 900
    for name in COLOURS:
        assert count(picture, name) > 50
    alone = draw(tmp_path / "b.png", label=None, prediction=prediction)
    assert count(alone, "label") == 0 and count(alone, "points") == 0
    assert count(alone, "prediction") > 50


def test_the_patients_right_is_on_the_left(tmp_path):
    """A label at low x (left is towards -x in RAS+: right of the patient is +x)."""
    shape = (40, 36, 20)
    label = np.zeros(shape, bool)
    label[10:30, 10:26, 5:15] = True
    prediction = label.copy()
    prediction[:20] = False  # only the patient's right half
    picture = draw(tmp_path / "a.png", label=label, prediction=prediction)
    axial = picture[60:, : picture.shape[1] // 3]
    colour = {n: [int(COLOURS[n][i : i + 2], 16) for i in (1, 3, 5)] for n in COLOURS}
    columns = {
        n: np.argwhere(abs(axial - colour[n]).sum(axis=-1) < 60)[:, 1].mean()
        for n in ("label", "prediction")
    }
    assert columns["prediction"] < columns["label"] - 5


@pytest.mark.parametrize("kind", ["empty prediction", "both empty", "constant", "thin", "border"])
def test_odd_ones_draw(tmp_path, kind):
    shape = (12, 11, 1) if kind == "thin" else (12, 11, 9)
    label, prediction = np.zeros(shape, bool), np.zeros(shape, bool)
    if kind != "both empty":
        label[2:5, 3:6, :1] = True
    if kind == "border":
        label[:] = prediction[:] = True
    image = np.zeros((1, *shape), np.float32)
    path = tmp_path / "a.png"
    save_overlay(path, image, (1.0, 1.0, 5.0), label=label, prediction=prediction,
                 points=[[3, 4, 0]])  # fmt: skip
    assert path.stat().st_size > 2000
