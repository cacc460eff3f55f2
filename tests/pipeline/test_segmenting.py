"""What became of the cases of a stage that segments."""

from interactivenet.inference.outputs import CaseResult
from interactivenet.pipeline import segmenting
from interactivenet.pipeline.segmenting import follow_cases
from interactivenet.pipeline.stage import running_stage
from tests.pipeline.recording_reporter import RecordingReporter, told
from tests.raw_task import read


def test_reasons_are_recorded_in_the_words_of_the_reader(tmp_path):
    reporter = RecordingReporter()
    with running_stage("infer", tmp_path, {}) as stage:
        results = [CaseResult("a", "needs `any_points=True`"), CaseResult("b", kept=True)]
        failures = follow_cases(results, ["a", "b"], "infer", stage.run, tmp_path, reporter)
    assert failures == {"a": "needs `any_points=True`"}
    assert read(tmp_path / "failures.json") == {"infer": told(failures)}
    assert read(tmp_path / "run.json")["failures"] == told(failures)
    (finding,) = reporter.found  # whoever shows it puts it into words
    assert finding.message == failures["a"]


def test_the_record_has_the_files_of_every_case(tmp_path):
    """All cases have an 'image 0': none takes the place of another's."""
    records = {name: {"made_from": {"inputs": {"image 0": name, "points": f"p{name}"}},
                      "objects": []} for name in "ab"}  # fmt: skip
    results = [CaseResult(name, record=record) for name, record in records.items()]
    with running_stage("infer", tmp_path, {}) as stage:
        follow_cases(results, ["a", "b"], "infer", stage.run, tmp_path, RecordingReporter())
    assert read(tmp_path / "run.json")["inputs"] == {
        "a/image 0": "a", "a/points": "pa", "b/image 0": "b", "b/points": "pb",
    }  # fmt: skip


def test_a_series_is_one_entry_whatever_its_slices(tmp_path):
    inputs = {f"image 0/{number}.dcm": str(number) for number in range(300)} | {"points": "p"}
    results = [CaseResult("a", record={"made_from": {"inputs": inputs}, "objects": []})]
    with running_stage("infer", tmp_path, {}) as stage:
        follow_cases(results, ["a"], "infer", stage.run, tmp_path, RecordingReporter())
    noted = read(tmp_path / "run.json")["inputs"]
    assert list(noted) == ["a/image 0", "a/points"] and noted["a/image 0"]["files"] == 300


def test_what_a_record_has_no_room_for_is_told(tmp_path, monkeypatch):
    names = [f"case_{number:03d}" for number in range(200)]

    def follow(folder):
        reporter = RecordingReporter()
        record = {"made_from": {"inputs": {"image 0": "0" * 64}}, "objects": []}
        results = [CaseResult(name, record=record) for name in names]
        with running_stage("infer", folder, {}) as stage:
            follow_cases(results, names, "infer", stage.run, folder, reporter)
        return reporter.lines, read(folder / "run.json")

    monkeypatch.setattr(segmenting, "_MANY", 200)
    lines, record = follow(tmp_path / "fits")
    assert lines == [] and len(record["inputs"]) == 200
    monkeypatch.setattr("interactivenet.system.files._TEXT_BYTES", 15_000)
    (line,), record = follow(tmp_path / "large")
    assert line == (
        f"{tmp_path / 'large' / 'run.json'} would be too large to be read again: it has no inputs"
        " of the 200 cases, which their own records and failures.json have"
    )
    assert record["left_out"] == {"inputs": 200} and record["status"] == "done"
