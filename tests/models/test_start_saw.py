"""What is said where a training started from a model that had seen its validation cases."""

import pytest

from interactivenet.errors import DataError
from interactivenet.models.fold_results import FoldResults
from interactivenet.models.start_saw import StartSaw, seen_images
from interactivenet.system.files import write_json


def test_it_is_said_in_one_line_and_reads_back():
    saw = StartSaw("Task102_B", 3, 5)
    assert saw.warning(2) == (
        "3 of the 5 validation cases of fold 2 were among the training cases of Task102_B, which"
        " its training starts from: the validation of this fold is too good"
    )
    assert StartSaw.of_facts({"start_saw": saw.as_json()}) == saw
    unknown = StartSaw("Task102_B", None, 5)
    assert StartSaw.of_facts({"start_saw": unknown.as_json()}) == unknown
    assert "does not say" in unknown.warning(2) and "\n" not in unknown.warning(2)


@pytest.mark.parametrize("facts", [{}, {"start_saw": None}, {"start_saw": "3"}])
def test_nothing_is_said_of_other_weights(facts):
    assert StartSaw.of_facts(facts) is None


def test_results_of_a_fold_say_it(tmp_path):
    results = FoldResults(tmp_path, 3)
    assert results.start_warning == ""  # not trained
    path = results.folder / "model_best.json"
    write_json(path, {"epoch": 1})
    assert results.start_warning == ""
    write_json(path, {"start_saw": {"model": "Task102_B", "cases": 1, "of": 5}})
    assert results.start_warning == StartSaw("Task102_B", 1, 5).warning(3)
    path.write_text("[")
    with pytest.raises(DataError, match=r"model_best\.json"):
        _ = results.start_warning


@pytest.mark.parametrize(
    ("facts", "seen"),
    [({"seen": ["a", "b"]}, {"a", "b"}), ({"seen": []}, set()), ({}, None), ({"seen": "a"}, None),
     ({"seen": [1]}, None)],
)  # fmt: skip
def test_what_weights_say_that_they_have_seen(facts, seen):
    assert seen_images(facts) == seen
