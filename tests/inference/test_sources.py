"""Whose result a record holds."""

from pathlib import Path

import pytest

from interactivenet.datasets.task import Case
from interactivenet.inference.batch import predict_cases
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.outputs import Output
from interactivenet.inference.sources import describe_sources, other_scan, sources_of
from tests.random_model import make_model
from tests.raw_task import write_case
from tests.sample_cases import make_plan

CASE = Case("SE1", (Path("/x/SE1"),), interaction=Path("/x/points.json"))
ELSEWHERE = Case("SE1", (Path("/y/SE1"),), interaction=Path("/y/points.json"))


def tags(uid):
    return [{"SeriesInstanceUID": uid, "Modality": "CT"}]


def record(case, uid="", **inputs):
    return {"sources": sources_of(case, tags(uid)), "made_from": {"inputs": inputs}}


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ((CASE, "1.2"), (CASE, "1.2"), True),
        ((CASE, "1.2"), (ELSEWHERE, "1.2"), True),  # moved: the series decides
        ((CASE, "1.2"), (CASE, "1.3"), False),  # another series has taken its place
        ((CASE, "1.2"), (ELSEWHERE, "1.3"), False),
        ((CASE, ""), (CASE, ""), True),
        ((CASE, ""), (ELSEWHERE, ""), False),
        ((CASE, "1.2"), (CASE, ""), True),  # nothing to compare but the path
    ],
)
def test_what_tells_two_scans_apart(before, now, same):
    case, uid = now
    hashes = {"image": "new", "points": "p"}
    other = other_scan(record(*before, image="old", points="p"), sources_of(case, tags(uid)),
                       hashes, "p")  # fmt: skip
    assert (not other) == same
    assert same or ("/x/SE1" in other and before[1] in other)


def test_a_scan_that_was_moved_is_known_by_its_files():
    sources = sources_of(ELSEWHERE, ())
    hashes = {"image": "1", "points": "new"}
    assert not other_scan(record(CASE, image="1", points="old"), sources, hashes, "new")
    assert other_scan(record(CASE, image="2", points="new"), sources, hashes, "new")


@pytest.mark.parametrize("noted", [None, [], {"images": 1}, {"images": [1], "series": []}, "x"])
def test_a_record_that_says_nothing_tells_nothing(noted):
    assert not other_scan({"sources": noted}, sources_of(CASE, ()), {"a": "1"}, "")


def test_sources_are_told_with_their_series():
    assert describe_sources(sources_of(CASE, tags("1.2"))) == "/x/SE1 (series 1.2)"
    assert describe_sources(sources_of(CASE, ())) == "/x/SE1"


def test_names_that_the_stages_need_cost_their_case(tmp_path):
    """As a dataset.json that lists them brings them to ``predict`` and ``test``."""
    write_case(tmp_path, "a", prompt=True)
    files = (tmp_path / "imagesTr" / "a_0000.nii.gz",)
    cases = [Case(name, files, interaction=tmp_path / "interactionsTr" / "a.nii.gz")
             for name in ("run", "a", "a", "failures")]  # fmt: skip
    model = make_model(tmp_path / "w", make_plan((1.0, 1.1, 2.0), labels={1: "tumour"}), (0,))
    output = Output(tmp_path / "out", (0,))
    options = InferenceOptions(mirrored=False, device="cpu", precision="fp32")
    results = list(predict_cases(cases, model, [output], options))
    assert [bool(result.error) for result in results] == [True, False, True, True]
    assert "two scans have this name" in results[2].error
    assert "run.json would be lost" in results[0].error
    assert {path.name for path in output.folder.iterdir()} == {"a.json", "a.nii.gz"}
