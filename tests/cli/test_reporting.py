from io import StringIO

from rich.console import Console

from interactivenet.cli import reporting
from interactivenet.cli.reporting import show_findings, show_table
from interactivenet.datasets.findings import Finding
from interactivenet.pipeline.reporting import Table


def test_equal_findings_of_several_cases_are_one_row(capsys):
    show_findings([Finding("warning", f"c{i}", f"c{i}.nii.gz: is odd") for i in range(6)])
    out = capsys.readouterr().out
    assert "6 cases" in out and "CASE.nii.gz: is odd (c0, c1, c2, c3 and 2 more)" in out


def test_short_case_names_do_not_spoil_messages(capsys):
    show_findings([Finding("note", name, "has a large CASE [1, 2]") for name in ("a", "e")])
    show_findings([Finding("error", "a", "a.mha: has a large label")] * 2)
    out = capsys.readouterr().out
    assert "has a large CASE [1, 2] (a, e)" in out
    assert "a.mha: has a large label (2 times)" in out


def test_the_worst_stands_first_and_nothing_prints_nothing(capsys):
    show_findings([])
    assert capsys.readouterr().out == ""
    show_findings([Finding("note", "a", "small"), Finding("error", "z", "grave")])
    out = capsys.readouterr().out
    assert out.index("grave") < out.index("small")


def test_long_names_leave_room_for_what_was_found_and_nothing_is_cut(monkeypatch):
    for name in ("COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    out = StringIO()
    monkeypatch.setattr(
        reporting, "console", lambda: Console(file=out, width=100, markup=False, highlight=False)
    )
    case = "P2_1.2.826.0.1.3680043.8.498.45717843654492831254027986278534304491"
    show_findings([Finding("error", case, "has no points in the folder that was given")])
    assert "has no points in the folder that was given" in out.getvalue()
    folded = [line[7:41].strip() for line in out.getvalue().splitlines()[1:]]
    assert "".join(folded) == case
    out.truncate(0)
    show_table(Table(("case", "series"), (("a" * 50, f"7350036 '{'T1_image_' * 8}'"),), left=2))
    assert "…" not in out.getvalue()
