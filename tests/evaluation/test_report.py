"""The report: everything in one file, nothing from elsewhere, nothing that runs by a name."""

import json
import random
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from interactivenet.evaluation import report
from interactivenet.evaluation.report import write_report

STATISTICS = ("mean", "std", "median", "q1", "q3", "min", "max", "low", "high")
CALIBRATION = {
    "poor_below": 0.81, "hit_rate": 0.55, "sensitivity": 0.6, "chance": 0.2, "error": 0.061,
    "error_constant": 0.083, "objects": 514,
}  # fmt: skip
NAUGHTY = "<b>x</b>"


def make_row(case="one", dice=0.9, **values):
    return {
        "case": case, "subtype": None, "label": 1, "name": "tumour", "prompt": None, "dice": dice,
        "nsd": 0.95, "hd": 6.0, "hd95": 4.0, "assd": 1.0, "volume_prediction_ml": 10.0,
        "volume_label_ml": 11.5, "volume_difference_ml": -1.5,
        "diameter_axial_prediction_mm": 30.0, "diameter_axial_label_mm": 31.0,
        "diameter_3d_prediction_mm": 33.0, "diameter_3d_label_mm": 34.0, "agreement": None,
        "expected_dice": None, "look": None, **values,
    }  # fmt: skip


def make_group(rows, **values):
    metrics = {}
    for name in ("dice", "nsd", "hd95", "assd", "volume_difference_ml"):
        defined = [row[name] for row in rows if row[name] is not None]
        middle = float(np.mean(defined)) if defined else None
        metrics[name] = {"n": len(defined), **dict.fromkeys(STATISTICS, middle)}
        if len(defined) < 2:
            metrics[name].update(std=None, low=None, high=None)
    cases = len({row["case"] for row in rows})
    counts = {"objects": len(rows), "cases": cases, "missed": 0, "false": 0, "both_empty": 0}
    return {**counts, "metrics": metrics, **values}


def write(folder, rows, **values):
    path = folder / "report.html"
    summary = {"all": make_group(rows), "labels": {}, "subtypes": {}}
    given = {"title": "A test", "summary": summary, "failures": {}, "figures": [], "pictures": {}}
    write_report(path, rows=rows, **{**given, **values})
    return path.read_text(encoding="utf-8")


def make_picture(path, size=(900, 600), noise=False):
    shape = (size[1], size[0], 3)
    pixels = np.full(shape, 90, np.uint8)
    if noise:
        pixels = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def listed(html):
    """Return the cases of the table of all objects, as they stand in it."""
    return re.findall(r'<tr class="object[^>]* data-case="([^"]*)"', html)


def words(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", html))


def test_all_rows_worst_first(tmp_path):
    rows = [make_row(f"case {n}", n / 200) for n in range(180)]
    rows.append(make_row("nothing there", None))
    random.Random(0).shuffle(rows)
    html = write(tmp_path, rows)
    assert listed(html) == [*(f"case {n}" for n in range(180)), "nothing there"]


def test_names_are_text(tmp_path):
    picture = make_picture(tmp_path / "a.png")
    closing = "</script><script>alert(1)</script>"
    rows = [
        make_row(NAUGHTY, subtype=NAUGHTY, look=True, expected_dice=0.4),
        make_row(closing),
    ]
    summary = {"all": make_group(rows), "labels": {}, "subtypes": {NAUGHTY: make_group(rows)}}
    html = write(tmp_path, rows, title=NAUGHTY, failures={NAUGHTY: NAUGHTY}, summary=summary,
                 pictures={NAUGHTY: picture, closing: picture})  # fmt: skip
    assert NAUGHTY not in html and "<script>alert" not in html
    assert html.count("&lt;b&gt;x&lt;/b&gt;") > 8
    stored = re.search(r'id="pictures">(.*?)</script>', html, re.DOTALL)[1]
    assert set(json.loads(stored)) == {NAUGHTY, closing}


def test_labels_without_names_are_told_apart(tmp_path):
    html = write(tmp_path, [make_row(label=label, name="") for label in (7, 12)])
    for label in (7, 12):
        assert re.search(rf'<td data-value="{label}"[^>]*>{label}</td>', html)
    assert html.count('data-key="name"') == 1
    assert 'data-key="name"' not in write(tmp_path, [make_row(name="")])


def test_prompts_are_counted_from_1_as_in_pictures(tmp_path):
    html = write(tmp_path, [make_row(prompt=prompt) for prompt in (0, 1)])
    assert 'data-key="prompt"' in html
    assert [f'<td data-value="{n}" class="n">{n}</td>' in html for n in range(4)] == [
        False, True, True, False
    ]  # fmt: skip
    assert 'data-key="prompt"' not in write(tmp_path, [make_row(prompt=None)])


def test_no_negative_zero(tmp_path):
    html = write(tmp_path, [make_row(volume_difference_ml=-0.001), make_row(dice=0.1)])
    assert "−0.00" not in html and "0.00" in html and "−1.50" in html


def test_nothing_from_elsewhere(tmp_path):
    picture = make_picture(tmp_path / "a.png")
    html = write(tmp_path, [make_row()], figures=[picture], pictures={"one": picture})
    assert "://" not in html and str(tmp_path) not in html
    assert "default-src 'none'" in html
    assert re.findall(r'src="(.{15})', html) == ["data:image/png;"]
    assert "data:image/webp;base64," in html


def test_many_pictures_stay_small(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "_PICTURES", 300_000)
    noise = make_picture(tmp_path / "a.png", noise=True)
    assert noise.stat().st_size > 1_000_000
    rows = [make_row(f"case {n}") for n in range(6)]
    html = write(tmp_path, rows, pictures={row["case"]: noise for row in rows})
    assert html.count("data:image/webp") == 6 and len(html) < 360_000


def test_unreadable_or_foreign_pictures_are_left_out(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    good = make_picture(tmp_path / "a.png")
    pictures = {"one": tmp_path / "broken.png", "two": tmp_path / "missing.png", "other": good}
    html = write(tmp_path, [make_row(), make_row("two")], pictures=pictures)
    assert "data:image" not in html.split("</style>")[1]


def test_headline_and_failures(tmp_path):
    rows = [make_row(dice=0.8), make_row("two", 0.9)]
    summary = {"all": make_group(rows, missed=1), "labels": {}, "subtypes": {}}
    html = write(tmp_path, rows, summary=summary, failures={"bad": "no points"}, tolerance_mm=1.5)
    cards = dict(re.findall(r'class="card [a-z]*"><span>(.*?)</span><b>(.*?)</b>', html))
    assert cards == {
        "Dice": "0.850", "NSD at 1.5 mm": "0.950", "HD95, mm": "4.00", "Objects": "2",
        "Missed": "1", "Failed": "1",
    }  # fmt: skip
    assert "<dt>bad</dt><dd>no points</dd>" in html
    text = words(html)
    assert "Per label" not in text and "Per subtype" not in text
    summary.update(labels={"liver": make_group(rows)}, subtypes={"kind": make_group(rows)})
    text = words(write(tmp_path, rows, summary=summary))
    assert "Per label" in text and "Per subtype" in text


def test_flags_in_words(tmp_path):
    rows = [
        make_row("a", 0.7, look=True, expected_dice=0.65),
        make_row("b", 0.9, look=True, expected_dice=0.6),
        make_row("c", 0.75, look=False, expected_dice=0.9),
        make_row("d", 0.95, look=False, expected_dice=0.95),
        make_row("e", None, look=False, expected_dice=0.95),
    ]
    html = write(tmp_path, rows, calibration=CALIBRATION)
    text = words(html)
    assert (
        "In cross-validation 55 % of flagged objects were among the worst fifth (Dice below "
        "0.810); 20 % by chance; 60 % of the worst were flagged." in text
    )
    assert "Here: 1 of 2 flagged (50 %) had a Dice below 0.810; 2 of all 4 (50 %) did" in text
    # most doubtful first, leading to their rows
    assert re.findall(r'data-go="(\d+)">(.)<', html) == [("2", "b"), ("0", "a")]


def test_without_a_calibration_or_flags(tmp_path):
    flagged = [make_row(look=True, expected_dice=0.6)]
    for calibration in (None, dict.fromkeys(CALIBRATION)):
        text = words(write(tmp_path, flagged, calibration=calibration))
        assert "was not measured" in text and "Here:" not in text
    text = words(write(tmp_path, [make_row()], calibration=CALIBRATION))
    assert "no object is flagged" in text and "Expected Dice" not in text


def test_missing_values(tmp_path):
    empty = dict.fromkeys(("dice", "nsd", "hd", "hd95", "assd"))
    html = write(tmp_path, [make_row("void", **empty)])
    assert listed(html) == ["void"] and "None" not in html.split("<script")[0]
    html = write(tmp_path, [make_row("no", 0.0, hd95=None, volume_prediction_ml=0.0), make_row()])
    assert html.count(">missed</span>") == 1
    assert '<td data-value="" class="n">–</td>' in html


def test_every_case_failed(tmp_path):
    html = write(tmp_path, [], failures={"one": "no prompt"})
    assert listed(html) == [] and "<dt>one</dt>" in html and "None" not in html.split("<script")[0]


def browse(folder, html, script):
    """Return the page as it stands after a script has run in it."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("needs the browser chromium, which is not installed")
    page = folder / "clicked.html"
    page.write_text(html.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={folder / 'browser'}", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=True)
    assert "</html>" in ran.stdout
    return ran.stdout


def test_notes_and_reasons_are_readable(tmp_path):
    reason = "its mask holds 2 of its 6 points; unlike the training data: 1 point, there 6"
    rows = [
        make_row("a", look=True, reasons=reason, points_inside=2, untouched_components=1),
        make_row("b", look=False, reasons="", points_inside=6, untouched_components=0),
    ]
    html = write(tmp_path, rows, notes={"b": ("b.nii.gz: every voxel is 0", NAUGHTY)})
    text = words(html)
    for part in (reason, "Points in the mask", "Parts without a point", "Notes on the files 1",
                 "b.nii.gz: every voxel is 0"):  # fmt: skip
        assert part in text
    assert NAUGHTY not in html
    assert "Notes on the files" not in write(tmp_path, rows)


def test_sorting_searching_and_opening(tmp_path):
    rows = [
        make_row("case 10", 0.1, hd95=9.0),
        make_row("case 9", 0.2, hd95=None, subtype="rare"),
        make_row("case 1", 0.3, hd95=10.0),
        make_row("case 2", 0.4, hd95=-1.0),
    ]
    html = write(tmp_path, rows, pictures={"case 9": make_picture(tmp_path / "a.png")})
    script = """
    const seen = [];
    const note = () => seen.push([...document.querySelectorAll("tr.object")]
        .filter(row => !row.hidden).map(row => row.dataset.case.slice(5)).join(" "));
    const sort = key => { document.querySelector(`th[data-key=${key}] button`).click(); note(); };
    sort("hd95"); sort("hd95"); sort("case"); sort("dice");
    document.querySelector("#object-1 button").click();
    sort("dice");
    const search = document.getElementById("search");
    search.value = "RARE"; search.dispatchEvent(new Event("input")); note();
    const below = document.querySelector("tr.picture");
    seen.push(below.previousElementSibling.dataset.case);
    seen.push(below.querySelector("img").src.slice(0, 15));
    document.title = seen.join("|");
    """
    page = browse(tmp_path, html, script)
    assert re.search("<title>(.*?)</title>", page)[1].split("|") == [
        "2 10 1 9",  # by number, the empty one last
        "1 10 2 9",  # downwards: still last
        "1 2 9 10",
        "10 9 1 2",
        "2 1 9 10",
        "9",
        "case 9",
        "data:image/webp",
    ]
