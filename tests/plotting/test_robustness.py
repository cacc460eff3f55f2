"""The figure of robustness: a line for each object, and their mean."""

import pytest
from PIL import Image

from interactivenet.plotting import robustness
from interactivenet.plotting.robustness import save_robustness

DICE = {
    "as placed": {("a", 0): [0.9], ("b", 0): [0.7]},
    "moved 1 mm": {("a", 0): [0.8, 0.9], ("b", 0): [0.5, 0.6]},
}


def test_means_are_of_objects_and_each_the_mean_of_its_repeats(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(robustness, "save_picture", lambda figure, *_: figures.append(figure))
    save_robustness(tmp_path / "a.png", DICE)
    [axes] = figures[0].axes
    lines = [line.get_ydata() for line in axes.lines if len(line.get_ydata()) == 2]
    curves = [line.get_ydata() for line in axes.lines if list(line.get_xdata()) == [0, 1]]
    assert [list(curve) for curve in curves] == [
        pytest.approx([0.9, 0.85]), pytest.approx([0.7, 0.55]), pytest.approx([0.8, 0.7]),
    ]  # fmt: skip
    assert [0.8, 0.9] in [list(line) for line in lines]  # the range of an object's repeats
    assert [text.get_text() for text in axes.texts] == ["0.800", "0.700"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == list(DICE)


def test_a_file_without_a_version(tmp_path):
    save_robustness(tmp_path / "a.png", DICE)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG" and "Software" not in picture.info
