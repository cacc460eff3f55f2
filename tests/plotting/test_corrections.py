"""The figure of corrections: median and quartiles of each method, Dice and NSD side by side."""

import numpy as np
from PIL import Image

from interactivenet.plotting import corrections
from interactivenet.plotting.corrections import save_corrections


def summary():
    def item(method, clicks, level):
        values = {"q1": level - 0.1, "median": level, "q3": level + 0.05}
        return {"method": method, "clicks": clicks, "dice": values,
                "nsd": {key: value - 0.2 for key, value in values.items()}}  # fmt: skip

    curve = [item("model", step, 0.8 + 0.02 * step) for step in range(4)]
    curve += [item("brush", step, 0.8 + 0.01 * step) for step in range(4)]
    return {"objects": 12, "cases": 1, "robot": "cvpr", "curve": curve}


def test_medians_are_lines_and_quartiles_their_bands(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(corrections, "save_picture", lambda figure, *_: figures.append(figure))
    save_corrections(tmp_path / "a.png", summary())
    dice, nsd = figures[0].axes
    for axes, lower in ((dice, 0.0), (nsd, 0.2)):
        model, brush = axes.lines
        assert list(model.get_xdata()) == [0, 1, 2, 3]
        np.testing.assert_allclose(model.get_ydata(), np.array([0.8, 0.82, 0.84, 0.86]) - lower)
        np.testing.assert_allclose(brush.get_ydata(), np.array([0.8, 0.81, 0.82, 0.83]) - lower)
        band = axes.collections[0].get_paths()[0].vertices[:, 1]
        np.testing.assert_allclose([band.min(), band.max()], np.array([0.7, 0.91]) - lower)
    assert dice.get_ylabel() == "Dice" and nsd.get_ylabel() == "NSD at 2 mm"
    assert dice.get_title("left") == "12 objects of 1 case, robot cvpr: median and quartiles"
    assert [text.get_text() for text in dice.get_legend().get_texts()] == ["model", "brush"]


def test_a_file_without_a_version(tmp_path):
    save_corrections(tmp_path / "a.png", summary())
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG" and "Software" not in picture.info
