"""The summary of all cases: of records and pictures alone, restartable, and no file is lost."""

import contextlib
import csv
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from interactivenet.errors import RequestError
from interactivenet.evaluation import case_report
from interactivenet.inference.outputs import Output
from interactivenet.pipeline import case_summary
from interactivenet.pipeline.case_summary import check_summary, write_summary
from interactivenet.plotting.thumbnails import PicturedObject, draw_case
from interactivenet.system.cache_key import CacheKey
from interactivenet.system.files import write_json
from interactivenet.system.written import noted_files
from tests.pipeline.recording_reporter import RecordingReporter


def segmented(label=1, name="tumour", dice=0.9, look=False, reasons=(), volume=1.5):
    return {
        "label": label, "name": name, "points": [], "volume_ml": volume,
        "diameters_mm": {"axial": 12.345, "3d": 23.4567}, "agreement": 0.9, "points_inside": 6,
        "components": 1, "untouched_components": 0, "expected_dice": dice, "look": look,
        "reasons": list(reasons),
    }  # fmt: skip


def picture(shade):
    image = np.full((1, 8, 8, 8), shade, np.float32)
    mask = np.zeros((8, 8, 8), np.int16)
    return draw_case(f"s{shade}", image, (1.0,) * 3, mask, [PicturedObject(1, None, "x")])


def add(output, case, *objects, notes=(), shade=0, drawn=True):
    """Write a case's record, and its picture, as a result has them."""
    made_from = {"inputs": {"image 0": case}}
    path = output.picture(case)
    if drawn:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(shade))
    record = {
        "case": case, "made_from": made_from, "notes": list(notes), "objects": list(objects),
        "files": noted_files(output.folder, [path]) if drawn else {},
    }  # fmt: skip
    write_json(output.record(case), record)
    return case, CacheKey(made_from).digest


@pytest.fixture
def output(tmp_path):
    return Output(tmp_path / "out", (0,), pictures=True)


def summarise(output, cases, failures=None, seconds=None, reporter=None):
    write_summary(
        output, cases, failures or {}, seconds or {}, title="Task: 3 cases",
        reporter=reporter or RecordingReporter(),
    )  # fmt: skip
    text = (output.folder / "summary.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def page_rows(output):
    text = (output.folder / "report.html").read_text(encoding="utf-8")
    start = text.index('id="rows">') + len('id="rows">')
    return json.loads(text[start : text.index("</script>", start)])["rows"], text


def snapshot(folder):
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_row_for_each_object_and_one_for_what_failed(output):
    key = add(output, "b", segmented(), segmented(2, "", None, None, volume=0.00031))
    add(output, "a", segmented(look=True, dice=0.41234, reasons=["one", "`two`"]), notes=["odd"])
    rows = summarise(output, ["c", "b", "a"], {"c": "cannot be `read`"}, {key: 2.5})
    assert [(row["case"], row["object"], row["name"]) for row in rows] == [
        ("a", "1", "tumour"), ("b", "1", "tumour"), ("b", "2", "2"), ("c", "", ""),
    ]  # fmt: skip
    assert rows[0] == {
        "case": "a", "object": "1", "label": "1", "name": "tumour", "volume_ml": "1.5",
        "axial_diameter_mm": "12.345", "diameter_3d_mm": "23.457", "expected_dice": "0.4123",
        "look_first": "yes", "reasons": "told: one; told: `two`", "notes": "told: odd",
        "seconds": "", "error": "",
    }  # fmt: skip
    assert [row["look_first"] for row in rows] == ["yes", "no", "", ""]
    assert rows[1]["seconds"] == rows[2]["seconds"] == "2.5"
    assert rows[2]["volume_ml"] == "0.00031" and rows[2]["expected_dice"] == ""
    assert rows[3]["error"] == "told: cannot be `read`"


def test_a_case_without_a_result_is_not_left_out_in_silence(output):
    add(output, "a", segmented())
    write_json(output.record("b"), {"case": "b", "unfinished": True, "files": {}})
    rows = summarise(output, ["a", "b", "c", "d"], {"d": "bad"})
    assert [row["error"] for row in rows] == [
        "", "there is no result of it", "there is no result of it", "told: bad",
    ]  # fmt: skip


def test_a_result_that_failed_later_says_so_and_is_shown(output):
    add(output, "a", segmented())
    (row,) = summarise(output, ["a"], {"a": "segmented, but not compared: no label"})
    assert row["volume_ml"] == "1.5" and row["error"].endswith("no label")


def test_a_case_of_no_objects_has_a_row(output):
    add(output, "a", notes=["empty"])
    (row,) = summarise(output, ["a"])
    assert row["object"] == "" and row["notes"] == "told: empty"


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t"])
def test_no_cell_is_a_formula(output, begin):
    add(output, "a", segmented(name=f"{begin}cmd|' /C calc'!A0", volume=-1.0))
    (row,) = summarise(output, ["a"], {"a": "segmented, but not x"})
    assert row["name"].startswith(f"'{begin}")
    assert row["volume_ml"] == "-1.0"  # a number is no formula


def test_sheets_show_what_to_look_at_first_and_then_the_lowest_dice(output, monkeypatch):
    monkeypatch.setattr(case_summary, "PER_SHEET", 2)
    add(output, "a", segmented(dice=0.9))
    add(output, "b", segmented(dice=None, look=None))
    add(output, "c", segmented(dice=0.7))
    add(output, "d", segmented(dice=0.95), segmented(dice=0.8, look=True))
    add(output, "e", segmented(), drawn=False)
    sheets = []
    monkeypatch.setattr(
        case_summary, "save_sheet",
        lambda path, pictures: (sheets.append([case for case, _ in pictures]),
                                path.write_bytes(b"x")),
    )  # fmt: skip
    summarise(output, "abcde")
    assert sheets == [["d", "c"], ["a", "b"]]
    rows, _ = page_rows(output)
    assert [row[0] for row in rows] == ["d", "d", "c", "a", "e", "b"]
    assert [row[-1] for row in rows] == [True, True, True, True, False, True]


def test_a_sheet_has_every_picture_in_its_place(output):
    for number in range(30):
        add(output, f"c{number:02}", segmented(dice=0.5 + number / 100), shade=number)
    summarise(output, [f"c{number:02}" for number in range(30)])
    paths = sorted((output.folder / "sheets").glob("*.jpg"))
    assert [path.name for path in paths] == ["sheet_001.jpg", "sheet_002.jpg"]
    with Image.open(paths[0]) as sheet, Image.open(output.picture("c05")) as small:
        width, height = small.size
        gap = (sheet.width - 4 * width) // 5
        place = (gap + width + gap, gap + height + gap)  # the sixth: second row, second column
        cell = sheet.crop((*place, place[0] + width, place[1] + height))
        difference = np.abs(
            np.asarray(cell, float) - np.asarray(small.convert("RGB"), float)
        ).mean()
    assert difference < 4
    broken = output.picture("c07")
    broken.write_bytes(b"\x89PNG broken")
    shutil.rmtree(output.folder / "sheets")
    (output.folder / "summary.csv").unlink()
    (output.folder / "report.html").unlink()
    summarise(output, [f"c{number:02}" for number in range(30)])  # its name is there all the same


def test_what_is_unchanged_is_not_written_again(output, monkeypatch):
    monkeypatch.setattr(case_summary, "PER_SHEET", 2)
    for case, dice in (("a", 0.5), ("b", 0.6), ("c", 0.7)):
        add(output, case, segmented(dice=dice))
    summarise(output, "abc")
    before = snapshot(output.folder)
    saved = case_summary.save_sheet
    monkeypatch.setattr(case_summary, "save_sheet", None)  # none is made
    summarise(output, "cab")
    after = snapshot(output.folder)
    record = "sheets/summary.json"
    assert before.pop(record)[0] == after.pop(record)[0]
    assert before == after
    made = []
    monkeypatch.setattr(
        case_summary, "save_sheet", lambda path, pictures: (made.append(path.name),
                                                            saved(path, pictures)),
    )  # fmt: skip
    add(output, "c", segmented(dice=0.7), shade=50)
    summarise(output, "abc")
    assert made == ["sheet_002.jpg"]


def test_sheets_that_are_no_longer_made_go(output, monkeypatch):
    monkeypatch.setattr(case_summary, "PER_SHEET", 1)
    for case in "abc":
        add(output, case, segmented())
    summarise(output, "abc")
    assert len([*(output.folder / "sheets").glob("*.jpg")]) == 3
    summarise(output, "a")
    assert [path.name for path in (output.folder / "sheets").glob("*.jpg")] == ["sheet_001.jpg"]


@pytest.mark.parametrize("step", ["write_json", "save_sheet", "write_text"])
def test_killed_at_any_step_it_is_made_again(output, step):
    """The same bytes as without a kill, and nothing is taken for a stranger's."""
    for case in "ab":
        add(output, case, segmented())
    summarise(output, "ab")
    expected = {name: data for name, (data, _) in snapshot(output.folder).items()}
    made = getattr(case_summary, step)
    for stop_at in range(4):
        for case, shade in (("a", stop_at), ("b", 0)):
            add(output, case, segmented(), shade=shade + 1)
        calls = [0]

        def stop(*given, _calls=calls, _at=stop_at):
            _calls[0] += 1
            if _calls[0] > _at:
                raise KeyboardInterrupt
            return made(*given)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(case_summary, step, stop)
            with contextlib.suppress(KeyboardInterrupt):
                summarise(output, "ab")
        for case in "ab":
            add(output, case, segmented())
        summarise(output, "ab")
        assert {name: data for name, (data, _) in snapshot(output.folder).items()} == expected


@pytest.mark.parametrize("name", ["summary.csv", "report.html", "sheets/sheet_004.jpg",
                                  "sheets/summary.json", "timings.jsonl"])  # fmt: skip
def test_a_persons_file_is_refused_before_work_starts(output, name):
    path = output.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"mine": true}\n')
    with pytest.raises(RequestError, match=f"{path.name}: was not written by this program"):
        check_summary(output)
    assert path.read_text() == '{"mine": true}\n'


def test_a_table_that_somebody_has_changed_stays(output):
    add(output, "a", segmented())
    summarise(output, "a")
    check_summary(output)
    (output.folder / "summary.csv").write_text("with my remarks")
    with pytest.raises(RequestError, match=r"summary\.csv: was changed since this program wrote"):
        check_summary(output)
    with pytest.raises(RequestError):
        summarise(output, "a")


def test_a_page_needs_nothing_else_and_runs_nothing_of_strangers(output):
    add(output, "a<script>", segmented(name="</script><b>", look=True, reasons=["<i>"]))
    reporter = RecordingReporter()
    summarise(output, ["a<script>"], {"z": "<img src=x>"}, reporter=reporter)
    rows, text = page_rows(output)
    assert rows[0][:2] == ["a<script>", "</script><b>"]
    for outside in ("http:", "https:", "<img src=x>", "</script><b>", "<i>"):
        assert outside not in text
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert reporter.lines == [f"all cases: {output.folder / 'report.html'}"]


def test_distributions_and_counts(output):
    for number, (volume, dice) in enumerate([(0.3, 0.52), (0.4, 0.54), (7.0, 0.91), (0.0, None)]):
        add(output, f"c{number}", segmented(volume=volume, dice=dice, look=number == 0))
    summarise(output, [f"c{number}" for number in range(4)], {"f": "bad"})
    _, text = page_rows(output)
    for bar in ("0.2 to 0.5</span><div><i style=\"width: 88.0%\"></i>2<",
                "5 to 10</span><div><i style=\"width: 44.0%\"></i>1<", "0.5 to 0.55</span>",
                "<span>0</span>"):  # fmt: skip
        assert bar in text, bar


def test_without_pictures_there_are_no_sheets(output, tmp_path):
    plain = Output(tmp_path / "out", (0,))
    add(plain, "a", segmented(), drawn=False)
    summarise(plain, "a")
    assert not [*(plain.folder / "sheets").glob("*.jpg")]
    _, text = page_rows(plain)
    assert "Contact sheets" not in text


def test_volumes_that_are_alike_are_counted_in_equal_steps(output):
    for number, volume in enumerate((2.4, 2.6, 3.1, 4.3)):
        add(output, f"case_{number}", segmented(volume=volume), drawn=False)
    page = summarise_all(output, 4)
    assert [name for name in ("2 to 2.5", "2.5 to 3", "3 to 3.5", "3.5 to 4", "4 to 4.5")
            if f">{name}</span>" not in page] == []  # fmt: skip
    assert "2 to 5<" not in page


def test_a_note_of_all_cases_is_said_once_and_no_rank_is_claimed(output):
    for number in range(3):
        add(output, f"case_{number}", segmented(dice=None, look=None), notes=["the scan is odd"])
    page = summarise_all(output, 3)
    assert page.count("the scan is odd</p>") == 1 and page.count("the scan is odd") == 1
    assert "Of all that were segmented: told: the scan is odd" in page
    assert "In the order of their names." in page and "come first" not in page
    assert "Blue: the outline of the result" in page
    add(output, "case_1", segmented(dice=None, look=True), notes=["other"])
    page = summarise_all(output, 3)
    assert page.count("the scan is odd") == 2 and "Of all that" not in page
    assert "Those to be looked at first come first" in page


def test_of_very_many_cases_a_page_has_those_to_be_looked_at_first(output, monkeypatch):
    for name, most in (("_ROWS", 4), ("_LISTED", 2), ("_SHEETS", 2)):
        monkeypatch.setattr(case_report, name, most)
    monkeypatch.setattr(case_summary, "PER_SHEET", 2)
    for number in range(8):
        look = number in (3, 5, 7)
        add(output, f"case_{number}", segmented(look=look), segmented(2, "cyst", look=look))
    failures = {f"failed_{number}": "bad" for number in range(5)}
    cases = [*(f"case_{number}" for number in range(8)), *failures]
    assert len(summarise(output, cases, failures)) == 8 * 2 + 5  # of summary.csv: all
    rows, text = page_rows(output)
    assert [row[0] for row in rows] == ["case_3", "case_3", "case_5", "case_5"]
    assert "4 of 21 rows, those to be looked at first: summary.csv has every row." in text
    assert "1 more case is to be looked at first." in text and '"all": 21' in text
    assert "2 of 5 failed cases: summary.csv has the other 3, too." in text
    assert text.count("<dt>failed_") == 2 and "<span>Failed</span><b>5</b>" in text
    assert "<span>Objects</span><b>16</b>" in text and "<span>Look first</span><b>3</b>" in text
    assert text.count('href="sheets/') == 2 and "The first 2 of 4; the others are in" in text
    assert len([*(output.folder / "sheets").glob("*.jpg")]) == 4


def test_of_few_cases_a_page_has_all(output, monkeypatch):
    for name, most in (("_ROWS", 3), ("_LISTED", 1), ("_SHEETS", 1)):
        monkeypatch.setattr(case_report, name, most)
    add(output, "a", segmented(), segmented(2, "cyst"))
    summarise(output, ["a", "b"], {"b": "bad"})
    rows, text = page_rows(output)
    assert len(rows) == 3
    for told in ("summary.csv has every row", "more case", "failed cases:", "the others are"):
        assert told not in text


def summarise_all(output, count):
    summarise(output, [f"case_{number}" for number in range(count)])
    return (output.folder / "report.html").read_text(encoding="utf-8")


def test_of_a_case_that_failed_no_earlier_result_is_told(output):
    add(output, "a", segmented())
    (row,) = summarise(output, ["a"], {"a": "not segmented yet (a.json is of other weights)"})
    assert row["error"].endswith("other weights)")
    assert row["volume_ml"] == row["object"] == row["notes"] == ""
    assert list((output.folder / "sheets").glob("*.jpg")) == []


def test_a_number_that_is_none_is_left_out(output):
    add(output, "a", segmented())
    record = json.loads(output.record("a").read_text(encoding="utf-8"))
    record["objects"][0] |= {"volume_ml": float("inf"), "expected_dice": float("nan")}
    output.record("a").write_text(json.dumps(record), encoding="utf-8")
    (row,) = summarise(output, ["a"])
    assert row["volume_ml"] == row["expected_dice"] == ""


@pytest.mark.parametrize("name", ["sheets", "pictures"])
def test_a_file_in_a_folders_place_is_refused_before_work_starts(output, name):
    output.folder.mkdir()
    (output.folder / name).write_text("mine")
    with pytest.raises(RequestError, match=f"{name}: is no folder"):
        check_summary(output)
