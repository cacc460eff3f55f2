"""No record is written that would be too large to be read again."""

import hashlib
import json

import pytest

from interactivenet.datasets.task import failed_cases, record_failures
from interactivenet.errors import DataError
from interactivenet.system import files
from interactivenet.system.files import read_object, write_json
from interactivenet.system.large_records import LEFT_OUT, write_record
from interactivenet.system.provenance import RUN, Run, digest_of_files


@pytest.fixture
def most(monkeypatch):
    """Bytes that this program reads in these tests."""
    monkeypatch.setattr(files, "_TEXT_BYTES", 20_000)
    return 20_000


def hashes(count):
    return {f"case_{number}/image 0": "0" * 64 for number in range(count)}


def test_json_that_would_not_be_read_again_is_not_written(tmp_path, most):
    path = tmp_path / "a.json"
    fitting = "x" * (most - 3)  # quotes and the end of the line
    write_json(path, fitting)
    assert path.stat().st_size == most and files.read_json(path) == fitting
    with pytest.raises(DataError, match=r"a\.json: would have 20001 bytes, too many to be read"):
        write_json(path, fitting + "x")
    assert files.read_json(path) == fitting


def test_a_run_leaves_out_its_largest_fields_and_says_so(tmp_path, most):
    failed = {"case_1": "why"}
    with Run(tmp_path, "infer", {"images": "scans"}) as run:
        run.inputs(hashes(1000))
        run.note(notes={"case_2": ["odd"] * 3000}, failures=failed, cases=1000)
    content = read_object(tmp_path / RUN)
    assert content[LEFT_OUT] == {"inputs": 1000, "notes": 1} and content["cases"] == 1000
    assert "inputs" not in content and content["failures"] == failed
    assert content["status"] == "done" and content["arguments"] == {"images": "scans"}
    assert len(run.record["inputs"]) == 1000  # what the stage itself knows stays


def test_no_more_than_need_be_is_left_out(tmp_path, most):
    content = {"stage": "infer", "inputs": hashes(300), "notes": hashes(100), "seconds": {"a": 1}}
    write_record(tmp_path / RUN, content)
    written = read_object(tmp_path / RUN)
    assert written == {key: content[key] for key in ("stage", "notes", "seconds")} | {
        LEFT_OUT: {"inputs": 300}
    }
    small = {"stage": "infer", "inputs": hashes(100)}
    write_record(tmp_path / RUN, small)
    assert read_object(tmp_path / RUN) == small


def test_records_of_before_are_made_smaller_first_where_they_are_larger(tmp_path, most):
    with Run(tmp_path, "infer", {}) as run:
        run.inputs(hashes(150))
    with Run(tmp_path, "export", {}, keep=True) as run:
        run.inputs(hashes(120))
    content = read_object(tmp_path / RUN)
    (earlier,) = content["earlier"]
    assert earlier[LEFT_OUT] == {"inputs": 150} and earlier["stage"] == "infer"
    assert len(content["inputs"]) == 120 and LEFT_OUT not in content


def test_runs_without_end_in_one_record(tmp_path, most):
    for _ in range(40):
        with Run(tmp_path, "export", {}, keep=True):
            pass
    content = read_object(tmp_path / RUN)
    assert content["status"] == "done" and (tmp_path / RUN).stat().st_size <= most
    assert len(content.get("earlier", [])) < 39  # and it says how many went
    assert sum("earlier" in each.get(LEFT_OUT, {}) for each in [content, *content["earlier"]]) >= 1


def test_reasons_of_very_many_failures_are_shortened(tmp_path, most):
    reasons = {f"case_{number}": f"{number}: {'why ' * 500}" for number in range(60)}
    record_failures(tmp_path, "dataset", {"a": "short"})
    path = record_failures(tmp_path, "infer", reasons)
    content = read_object(path)
    assert content["dataset"] == {"a": "short"} and list(content["infer"]) == list(reasons)
    for case, reason in reasons.items():
        assert content["infer"][case] == f"{reason[:200]} ..."
    assert set(failed_cases(tmp_path)) == {"a", *reasons}


def test_the_digest_of_many_files_is_of_their_names_and_contents():
    slices = {"b.dcm": "2" * 64, "a.dcm": "1" * 64}
    one = digest_of_files(slices)
    lines = f"{'1' * 64}  a.dcm\n{'2' * 64}  b.dcm\n"  # as sha256sum writes them
    assert one == {"files": 2, "sha256": hashlib.sha256(lines.encode()).hexdigest()}
    assert one == digest_of_files(dict(sorted(slices.items())))
    others = [{"b.dcm": "1" * 64, "a.dcm": "2" * 64}, {"c.dcm": "2" * 64, "a.dcm": "1" * 64},
              {"a.dcm": "1" * 64}, {**slices, "\udcfc.dcm": "3" * 64}]  # fmt: skip
    assert len({json.dumps(digest_of_files(other)) for other in [slices, *others]}) == 5
