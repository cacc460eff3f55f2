"""The page of corrections: everything in one file, what is on it, and nothing that runs."""

import re

from interactivenet.evaluation.clicking import BRUSH, MODEL, Clicking
from interactivenet.evaluation.correction_measures import summarise_corrections
from interactivenet.evaluation.corrections_report import measure_texts, write_corrections_report
from interactivenet.plotting.corrections import save_corrections
from tests.evaluation.test_correction_measures import track

DICE = {"good": [0.5, 0.7, 0.9], "<b>odd</b>": [0.8, 0.79, 0.78]}
ROWS = [row for case, dice in DICE.items() for method in (MODEL, BRUSH)
        for row in track(case, dice, method=method)]  # fmt: skip


def page(folder, rows=ROWS, robot="cvpr", failures=None):
    summary = summarise_corrections(rows, Clicking(2, robot))
    save_corrections(folder / "c.png", summary)
    write_corrections_report(
        folder / "c.html", title="T & co", rows=rows, summary=summary,
        failures=failures or {}, figure=folder / "c.png",
    )  # fmt: skip
    return (folder / "c.html").read_text(encoding="utf-8")


def test_what_is_on_the_page(tmp_path):
    text = page(tmp_path, failures={"lost": "cannot be read & so on"})
    assert "<title>T &amp; co</title>" in text and "cannot be read &amp; so on" in text
    assert "2 objects of 2 cases" in text and "<b>cvpr</b>" in text
    assert '<td class="n">0.840</td>' in text  # the mean at the end
    assert '<td class="n">0.1900</td>' in text  # and what was gained
    # the least gain first, and marked
    odd, good = (text.index(f"<tr><th>{name}") for name in ("&lt;b&gt;odd&lt;/b&gt;", "good"))
    assert odd < good and text.count('<span class="tag">worse</span>') == 1
    assert "<b>odd" not in text


def test_nothing_runs_and_nothing_is_fetched(tmp_path):
    text = page(tmp_path)
    assert "<script" not in text and "http" not in text.replace("http-equiv", "")
    sources = re.findall(r'src="([^"]{0,22})', text)
    assert sources == ["data:image/png;base64,"]
    assert "Failed cases" not in text


def test_the_challenges_figures_are_those_of_its_robot():
    def titles(robot):
        texts = measure_texts(summarise_corrections(ROWS, Clicking(2, robot)))
        assert all(len(line) == 3 for line in texts)
        return {line[0]: line[1:] for line in texts}

    cvpr, sloppy = titles("cvpr"), titles("sloppy")
    assert cvpr["CVPR 2025 DSC_Final"] == ("0.8400", "0.8400")
    assert {title for title in cvpr if title not in sloppy} == {
        "CVPR 2025 DSC_AUC", "CVPR 2025 NSD_AUC", "CVPR 2025 DSC_Final", "CVPR 2025 NSD_Final",
    }  # fmt: skip
    assert sloppy["clicks heeded, with all before"] == ("100.0 %", "100.0 %")
    assert sloppy["clicks to a Dice of 0.90"][0] == "2.50"
    assert sloppy["objects that never reached it"][0] == "1"
    assert sloppy["seconds a click, median"] == ("0.750", "-")
