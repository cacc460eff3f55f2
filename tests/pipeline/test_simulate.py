"""The stage ``simulate``, called from Python."""

import numpy as np
import pytest

from interactivenet.datasets.roots import Roots
from interactivenet.errors import RequestError
from interactivenet.imaging.io import write_label_array
from interactivenet.pipeline.simulate import simulate
from interactivenet.prompts.io import read_prompts
from interactivenet.prompts.simulation import SimulationOptions
from tests.pipeline.recording_reporter import RecordingReporter, told
from tests.raw_task import GRID, SHAPE, read, write_case

NAME = "Task107_SIM"


@pytest.fixture
def roots(tmp_path):
    """A task of two good cases, of a person's points, and of a label map that is empty."""
    roots = Roots(tmp_path / "raw", tmp_path / "processed", tmp_path / "results")
    folder = roots.raw / NAME
    write_case(folder, "good_1")
    write_case(folder, "good_2", subset="Ts")
    write_case(folder, "placed", prompt=True)
    write_case(folder, "void")
    write_label_array(folder / "labelsTr" / "void.nii.gz", np.zeros(SHAPE, np.uint8), GRID)
    return roots


def test_what_it_returns_and_reports(roots, capsys):
    reporter = RecordingReporter()
    result = simulate(NAME, SimulationOptions(seed=3), roots=roots, jobs=1, reporter=reporter)
    assert capsys.readouterr() == ("", "")
    assert [(case.subset, case.name, case.status) for case in result.cases] == [
        ("Tr", "good_1", "written"), ("Tr", "placed", "kept"), ("Tr", "void", "failed"),
        ("Ts", "good_2", "written"),
    ]  # fmt: skip
    assert result.counts == {"written": 2, "unchanged": 0, "kept": 1, "failed": 1}
    assert result.failures == {"void": "the label map is empty: there is no object to point at"}
    assert read(result.folder / "failures.json")["simulate"] == told(result.failures)
    for case in (result.cases[0], result.cases[3]):
        (prompt,) = read_prompts(result.folder / case.file)
        assert len(prompt.points) == case.points == 6 and case.objects == 1
    assert reporter.tracked == ["simulated"]
    assert [(finding.level, finding.case) for finding in reporter.found] == [
        ("error", "void"), ("note", "placed"),
    ]  # fmt: skip
    assert "`overwrite=True`" in reporter.found[1].message
    assert "2 written, 1 kept, 1 failed (12 points in 2 objects); seed 3" in reporter.lines[0]
    assert not [text for text in reporter.texts if "--" in text]


def test_called_again_it_skips_and_overwrites(roots):
    simulate(NAME, roots=roots)
    assert simulate(NAME, roots=roots).counts["unchanged"] == 2
    task = roots.raw / NAME
    by_a_person = (task / "interactionsTr" / "placed.nii.gz").read_bytes()
    result = simulate(NAME, roots=roots, overwrite=True)
    assert result.counts["written"] == 3
    placed = next(case for case in result.cases if case.name == "placed")
    kept = "set_aside/interactionsTr/placed.nii.gz"
    assert placed.notes == (f"placed.nii.gz, which was not simulated here, is kept as {kept}",)
    assert (task / kept).read_bytes() == by_a_person


def test_the_folders_of_the_environment(roots, monkeypatch):
    monkeypatch.setenv("interactivenet_raw", str(roots.raw))
    assert simulate(NAME).counts["written"] == 2
    with pytest.raises(RequestError, match="does not exist"):
        simulate("Task999_NONE")
