from interactivenet.cli.reporting import show_findings
from interactivenet.datasets.findings import Finding


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
