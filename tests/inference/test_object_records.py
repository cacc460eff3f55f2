"""Diameters and pictures of results: what records say of them, and when a case is done."""

from dataclasses import replace

import numpy as np
import pytest

from interactivenet.evaluation.diameters import largest_diameters
from interactivenet.imaging.volume import Volume
from interactivenet.inference import object_records as module
from interactivenet.inference.object_records import (
    describe_objects,
    object_boxes,
    volume_text,
)
from interactivenet.inference.outputs import NO_PICTURE, Output
from interactivenet.postprocessing.merging import PromptProbability, merge
from interactivenet.prompts.prompt import Prompt
from interactivenet.system.cache_key import CacheKey
from interactivenet.system.written import FILES
from tests.raw_task import read
from tests.sample_cases import stored_grid

GRID = stored_grid((20, 18, 9), (0.8, 1.2, 3.0), order=(2, 0, 1), flips=(-1, 1, -1))
KEY, OTHER = CacheKey({"inputs": {"a": "1"}}), CacheKey({"inputs": {"a": "2"}})
IMAGE = Volume.from_stored(np.zeros((1, *GRID.shape), np.float32), GRID)


def claims(*starts, labels=(1, 2, 3)):
    values = np.random.default_rng(3).random((5, 4, 3)).astype(np.float16)
    return [
        PromptProbability(
            Prompt(label, GRID.ras.voxel_to_world(np.array([start]) + 1), f"l{label}"),
            values, start, 0.8,
        )
        for start, label in zip(starts, labels, strict=False)
    ]  # fmt: skip


def write(output, found, key=KEY):
    return output.write("a", key, found, merge(found, GRID), image=IMAGE)


@pytest.fixture
def output(tmp_path):
    return Output(tmp_path / "out", (0,), pictures=True)


def test_diameters_are_those_of_the_mask_on_the_scans_grid(output):
    found = claims((1, 1, 1), (8, 9, 4), (2, 2, 2))
    segmentation = merge(found, GRID)
    record = write(output, found)
    for number, segmented in enumerate(record["objects"], 1):
        axial, longest = largest_diameters(segmentation.instance_map == number, GRID.ras.spacing)
        assert axial > 0
        assert segmented["diameters_mm"] == {"axial": round(axial, 3), "3d": round(longest, 3)}
    assert list(record["objects"][0]).index("diameters_mm") == 1 + list(record["objects"][0]).index(
        "volume_ml"
    )


def test_boxes_of_objects_some_of_which_are_empty():
    numbers = np.zeros((9, 8, 7), np.int16)
    assert object_boxes(numbers, 2) == [None, None]
    numbers[2:5, 3, 6] = 2
    numbers[0, 7, 1:3] = 4
    assert object_boxes(numbers, 5) == [
        None, (slice(2, 5), slice(3, 4), slice(6, 7)), None,
        (slice(0, 1), slice(7, 8), slice(1, 3)), None,
    ]  # fmt: skip
    assert object_boxes((numbers == 2).astype(np.int16), 1) == [
        (slice(2, 5), slice(3, 4), slice(6, 7))
    ]


def test_nothing_found_has_no_diameter():
    found = claims((1, 1, 1))
    empty = [replace(found[0], probability=np.zeros((5, 4, 3), np.float16))]
    records, picture, fault = describe_objects("a", merge(empty, GRID), IMAGE)
    assert records[0]["diameters_mm"] == {"axial": 0.0, "3d": 0.0}
    assert picture.startswith(b"\x89PNG") and not fault


def test_a_picture_is_one_of_the_files_of_a_case(output):
    record = write(output, claims((1, 1, 1)))
    picture = output.picture("a")
    assert picture == output.folder / "pictures" / "a.png"
    assert record[FILES]["pictures/a.png"] and NO_PICTURE not in record
    data = picture.read_bytes()
    assert output.is_done("a", KEY)
    picture.unlink()
    assert not output.is_done("a", KEY)
    write(output, claims((1, 1, 1)))
    assert picture.read_bytes() == data and read(output.record("a")) == record
    plain = replace(output, pictures=False)
    assert plain.is_done("a", KEY)
    write(plain, claims((1, 1, 1)))  # the same result: what was drawn of it stays true
    assert picture.exists() and read(output.record("a")) == record
    write(plain, claims((2, 2, 2)), OTHER)
    assert not picture.exists() and "pictures/a.png" not in read(output.record("a"))[FILES]
    write(output, claims((1, 1, 1)))
    output.remove_other("a", OTHER)
    assert not picture.exists()


def test_a_picture_of_somebody_else_is_never_replaced(output):
    output.picture("a").parent.mkdir(parents=True)
    output.picture("a").write_text("mine")
    assert output.strangers("a") == [output.picture("a")]
    with pytest.raises(Exception, match=r"a\.png: was not written by this program"):
        write(output, claims((1, 1, 1)))
    assert output.picture("a").read_text() == "mine"


def test_a_picture_that_fails_costs_no_result(output, monkeypatch):
    def fail(*_):
        raise ValueError("no font")

    monkeypatch.setattr(module, "draw_case", fail)
    record = write(output, claims((1, 1, 1)))
    assert record[NO_PICTURE] == "unexpected ValueError: no font (please report it)"
    assert record["notes"] == [f"there is no picture of it: {record[NO_PICTURE]}"]
    assert output.label_map("a").exists() and not output.picture("a").exists()
    assert output.is_done("a", KEY)  # else it would be redone each time


def test_pictures_say_name_volume_and_expected_dice(monkeypatch):
    told = []
    monkeypatch.setattr(module, "draw_case", lambda *given: told.append(given) or b"x")
    segmentation = merge(claims((1, 1, 1), (8, 9, 4), (3, 9, 4), labels=(1, 1, 2)), GRID)
    first = replace(segmentation.objects[0], expected_dice=0.8765, needs_review=True)
    others = (replace(each, needs_review=None) for each in segmentation.objects[1:])
    segmentation = replace(segmentation, objects=(first, *others))
    describe_objects("case", segmentation, IMAGE)
    ((title, *_, pictured),) = told
    volumes = [volume_text(segmented.volume_ml) for segmented in segmentation.objects]
    assert title == "case"
    assert [each.text for each in pictured] == [
        f"l1 #1, {volumes[0]}, expected Dice 0.88", f"l1 #2, {volumes[1]}", f"l2, {volumes[2]}",
    ]  # fmt: skip
    assert [each.review for each in pictured] == [True, False, False]
    np.testing.assert_allclose(pictured[0].points, [[2, 2, 2]], atol=1e-9)


@pytest.mark.parametrize(
    ("volume", "text"),
    [(0.0042, "0.0042 ml"), (3.456, "3.46 ml"), (34.56, "34.6 ml"), (1234.5, "1234 ml"),
     (0, "0 ml")],
)  # fmt: skip
def test_volumes_have_the_digits_that_they_are_worth(volume, text):
    assert volume_text(volume) == text
