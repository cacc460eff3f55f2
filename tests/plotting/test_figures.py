"""Figures: drawn where there is data, and only there."""

import numpy as np
import pytest
from PIL import Image

from interactivenet.plotting.canvas import COLOURS
from interactivenet.plotting.figures import save_figures, save_reliability

EVERY = ["distributions", "volumes", "dice_volume", "reliability"]


def make_row(place=0, **values):
    dice = 0.9 - 0.01 * place
    return {
        "case": f"case_{place}", "subtype": None, "label": 1, "name": "tumour", "prompt": None,
        "dice": dice, "nsd": dice, "hd": 5.0, "hd95": 4.0 + place, "assd": 1.0,
        "volume_prediction_ml": 10.0 + place, "volume_label_ml": 11.0,
        "expected_dice": dice - 0.05, "look": False, **values,
    }  # fmt: skip


def names(paths):
    return [path.stem for path in paths]


def count(path, colour):
    rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    # points are drawn 0.7 opaque, lines wholly
    return sum(
        int((abs(pixels - (opaque * np.array(rgb) + (1 - opaque) * 255)).sum(axis=-1) < 12).sum())
        for opaque in (1, 0.7)
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("objects", [1, 12])
def test_every_figure(tmp_path, objects):
    paths = save_figures(tmp_path / "new", [make_row(place) for place in range(objects)])
    assert names(paths) == EVERY
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(
        path.name for path in paths
    )
    for path in paths:
        with Image.open(path) as picture:
            assert picture.format == "PNG" and "Software" not in picture.info
            assert 600 < picture.width < 1500 and 200 < picture.height < 1000


def test_nothing_without_data(tmp_path):
    assert save_figures(tmp_path, []) == []
    row = make_row(dice=None, nsd=None, hd95=None, assd=None, expected_dice=None,
                   volume_prediction_ml=0.0, volume_label_ml=0.0)  # fmt: skip
    assert save_figures(tmp_path, [row]) == []
    assert list(tmp_path.iterdir()) == []


def test_one_figure_may_lack_data(tmp_path):
    assert names(save_figures(tmp_path, [make_row(expected_dice=None)])) == EVERY[:3]
    missed = make_row(dice=0.0, hd95=None, assd=None, volume_prediction_ml=0.0)
    assert names(save_figures(tmp_path, [missed])) == EVERY
    false = make_row(dice=0.0, hd95=None, assd=None, volume_label_ml=0.0)
    assert names(save_figures(tmp_path, [false])) == ["distributions", "volumes", "reliability"]
    assert names(save_figures(tmp_path, [make_row(), make_row(1, dice=float("nan"))])) == EVERY


@pytest.mark.parametrize("key", ["subtype", "name"])
def test_a_colour_for_each_group(tmp_path, key):
    rows = [make_row(place, **{key: "abc"[place % 3]}) for place in range(9)]
    for path in save_figures(tmp_path, rows)[1:3]:
        for colour in COLOURS[:3]:
            assert count(path, colour) > 20, (path.name, colour)
        assert count(path, COLOURS[3]) == 0


def test_more_groups_than_colours(tmp_path):
    rows = [make_row(place, subtype=f"kind {place}") for place in range(len(COLOURS) + 1)]
    assert names(save_figures(tmp_path, rows)) == EVERY


def test_reliability_on_its_own(tmp_path):
    path = tmp_path / "a.png"
    save_reliability(path, [None, 0.5], [0.5, float("nan")])
    assert not path.exists()
    save_reliability(path, [0.9], [0.8], title="one")
    assert path.exists() and count(path, COLOURS[1]) == 0  # no mean of a single object
    save_reliability(path, [0.81, 0.82, None], [0.8, 0.9, 0.7])
    assert count(path, COLOURS[1]) > 50


def test_labels_and_subtypes_have_a_figure_each(tmp_path):
    rows = [
        make_row(place, label=1 + place % 2, name=f"label {place % 2}", subtype="xyz"[place % 3])
        for place in range(6)
    ]
    paths = save_figures(tmp_path, rows)
    assert names(paths) == [EVERY[0], "distributions_subtype", *EVERY[1:]]
    assert [count(path, COLOURS[2]) > 0 for path in paths[:2]] == [False, True]


def test_labels_without_names_are_told_apart(tmp_path):
    rows = [make_row(place, label=1 + place % 2, name="") for place in range(8)]
    for path in save_figures(tmp_path, rows)[:3]:
        assert count(path, COLOURS[1]) > 20, path.name
