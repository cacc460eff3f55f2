"""What became of the cases of a stage that segments."""

from interactivenet.inference.outputs import CaseResult
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
