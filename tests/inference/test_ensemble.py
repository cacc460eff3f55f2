"""The prompts of a record are those that were segmented, corrections and their order as well."""

import json
from pathlib import Path

import numpy as np
import pytest

from interactivenet.errors import DataError
from interactivenet.inference.ensemble import recorded_prompts
from interactivenet.postprocessing.merging import SegmentedObject
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.prompt import Prompt

PATH = Path("fold_0/case.json")
CLICKS = (
    Correction((1.25, 2, 3), False, "background"), Correction((4, 5, 6), True),
    Correction((-7, 8, 0.1), False),
)  # fmt: skip


def record(*corrections):
    prompts = [Prompt(2, np.arange(18.0).reshape(6, 3), "node", corrections=given)
               for given in corrections]  # fmt: skip
    objects = [SegmentedObject(prompt, 1.0, 0.9, 6, 1, 0).as_json() for prompt in prompts]
    return json.loads(json.dumps({"objects": objects}))


def test_corrections_are_read_back():
    prompts, agreements = recorded_prompts(record(CLICKS, ()), PATH)
    assert agreements == [0.9, 0.9] and [prompt.label for prompt in prompts] == [2, 2]
    found = [[(each.positive, each.position) for each in prompt.corrections] for prompt in prompts]
    assert found == [[(each.positive, each.position) for each in CLICKS], []]


@pytest.mark.parametrize(
    ("corrections", "message"),
    [
        ({}, r"field objects\[0\]\.corrections is of type dict, expected a list"),
        (None, r"field objects\[0\]\.corrections is null, expected a list"),
        ([1], r"field objects\[0\]\.corrections\[0\] is of type int, expected an object"),
        ([{"positive": True}], r"field objects\[0\]\.corrections\[0\]\.point is missing"),
        ([{"point": [1, 2, 3]}], r"corrections\[0\]\.positive is no truth value"),
        ([{"point": [1, 2, 3], "positive": 1}], r"corrections\[0\]\.positive is no truth value"),
        ([{"point": "abc", "positive": True}], r"corrections\[0\]\.point is of type str"),
        ([{"point": [1, 2], "positive": True}], r"corrections\[0\]\.point is not \[x, y, z\]"),
        ([{"point": [1, 2, "3"], "positive": True}], r"\.point is not \[x, y, z\] in mm"),
        ([{"point": [1, 2, True], "positive": True}], r"\.point is not \[x, y, z\] in mm"),
        ([{"point": [1, 2, float("nan")], "positive": True}], r"\.point is not \[x, y, z\]"),
        ([{"point": [1, 2, 3], "positive": True}, {"point": [1, 2, 3]}], r"corrections\[1\]\.pos"),
    ],
)  # fmt: skip
def test_corrections_that_were_spoilt_are_named(corrections, message):
    content = record(CLICKS)
    content["objects"][0]["corrections"] = corrections
    with pytest.raises(DataError, match=rf"^fold_0/case\.json: .*{message}"):
        recorded_prompts(content, PATH)
