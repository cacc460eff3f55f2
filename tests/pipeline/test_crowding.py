"""Folders that get very many files."""

import pytest

from interactivenet.pipeline import crowding
from interactivenet.pipeline.crowding import crowded_regions, report_crowding
from interactivenet.system.provenance import Run
from tests.pipeline.recording_reporter import RecordingReporter


@pytest.mark.parametrize(("cases", "told"), [(5000, False), (5001, True)])
def test_user_and_record_are_told_why_a_folder_gets_so_many_files(tmp_path, cases, told):
    reporter, run = RecordingReporter(), Run(tmp_path, "infer", {})
    report_crowding(tmp_path, cases, 2, reporter, run)
    assert len(reporter.lines) == told and ("crowded" in run.record) == told
    if told:
        assert reporter.lines[0].startswith(f"note: {tmp_path}: gets 10002 files or more, since")
        assert run.record["crowded"] in reporter.lines[0]


def test_regions_of_an_earlier_version_in_one_folder_are_noted(tmp_path, monkeypatch):
    monkeypatch.setattr(crowding, "MOST_ENTRIES", 3)
    assert crowded_regions(tmp_path) == []
    (tmp_path / "regions").mkdir()
    for number in range(4):
        (tmp_path / "regions" / f"{number}.npz").touch()
    (finding,) = crowded_regions(tmp_path)
    assert finding.level == "note" and "holds 4 files" in finding.message
