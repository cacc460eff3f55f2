"""What is on disk of a segmented case: when it is done, and when it must not stay."""

from dataclasses import replace

import numpy as np
import pytest

from interactivenet.datasets.task import Case
from interactivenet.errors import DataError
from interactivenet.imaging.io import ReadOptions
from interactivenet.inference.case_keys import case_key, input_hashes
from interactivenet.inference.outputs import Output
from interactivenet.models.model import Model
from interactivenet.postprocessing.calibration import calibrate
from interactivenet.postprocessing.merging import PromptProbability, merge
from interactivenet.prompts.prompt import Prompt
from interactivenet.system.cache_key import CacheKey
from interactivenet.system.files import write_json
from tests.raw_task import read
from tests.sample_cases import make_plan, stored_grid

GRID = stored_grid((9, 8, 7), (1.0, 1.2, 2.0))
KEY, OTHER = CacheKey({"inputs": {"a": "1"}}), CacheKey({"inputs": {"a": "2"}})
OPTIONS = {"mirrored": True, "restore": "probability", "precision": "fp32"}


def claims(*labels):
    values = np.full((3, 3, 3), 0.9, np.float16)
    return [
        PromptProbability(
            Prompt(label, GRID.ras.voxel_to_world(np.array([[2, 2, 2]])), f"l{label}"),
            values, (1 + 3 * number, 1, 1), 0.8,
        )
        for number, label in enumerate(labels)
    ]  # fmt: skip


def write(output, *labels, key=KEY):
    found = claims(*labels)
    return output.write("a", key, found, merge(found, GRID))


@pytest.fixture
def output(tmp_path):
    return Output(tmp_path / "out", (0,), probabilities=True)


def test_a_case_is_done_when_all_of_it_is_there(output):
    assert not output.is_done("a", KEY)
    record = write(output, 1)
    assert record == read(output.record("a")) and record["made_from"] == KEY.content
    assert output.is_done("a", KEY) and not output.is_done("a", OTHER)
    for path in (output.label_map("a"), output.probability_file("a"), output.record("a")):
        data = path.read_bytes()
        path.unlink()
        assert not output.is_done("a", KEY)
        path.write_bytes(data)
    output.record("a").write_text("{")
    assert not output.is_done("a", KEY)
    for path in (output.record("a"), output.label_map("a"), output.probability_file("a")):
        path.unlink()
    write(replace(output, probabilities=False), 1)
    assert replace(output, probabilities=False).is_done("a", KEY)
    assert not output.is_done("a", KEY)


def test_objects_that_share_a_label_get_a_map_of_their_own(output):
    write(output, 1, 1)
    assert output.object_map("a").is_file()
    write(output, 1, 2)
    assert not output.object_map("a").exists()


def test_results_of_other_inputs_do_not_stay(output):
    write(output, 1, 1)
    output.remove_other("a", KEY)
    assert output.is_done("a", KEY)
    output.remove_other("a", OTHER)
    assert [path for path in output.folder.rglob("*") if path.is_file()] == []


def test_what_decides_a_result(tmp_path):
    """Each of the inputs, the folds that are averaged, the model's choices and the options."""
    paths = [tmp_path / name for name in ("0", "1")]
    for path in paths:
        path.write_bytes(path.name.encode())
    plan = make_plan((1.0, 1.0, 1.0))
    model = Model(plan, tuple(paths), (0, 1))
    inputs = {"images/a": "1"}
    key = case_key(inputs, model, (0, 1), OPTIONS)
    assert list(key.content["weights"]) == ["0", "1"] and key.content["calibration"] is None
    assert {name: key.content[name] for name in OPTIONS} == OPTIONS
    rng = np.random.default_rng(0)
    cases = [str(number) for number in range(40)]
    calibration = calibrate(rng.uniform(0.5, 1, 40), rng.uniform(0.5, 1, 40), cases)
    assert calibration is not None
    calibrated = replace(model, calibrations={"single": calibration})
    for other in (
        case_key({"images/a": "2"}, model, (0, 1), OPTIONS),
        case_key(inputs, model, (0,), OPTIONS),
        case_key(inputs, model, (0, 1), {**OPTIONS, "precision": "bf16"}),
        case_key(inputs, calibrated, (0, 1), {**OPTIONS, "mirrored": False}),
    ):
        assert other.digest != key.digest and key.differences(other.content)
    # a calibration of mirrored copies says nothing where there are none
    assert case_key(inputs, calibrated, (0, 1), OPTIONS) == key


def test_every_file_of_a_case_is_hashed(tmp_path):
    series = tmp_path / "series"
    series.mkdir()
    for path in (series / "1.dcm", series / "2.dcm", tmp_path / "points.json"):
        path.write_bytes(path.name.encode())
    case = Case("a", (series,), interaction=tmp_path / "points.json")
    assert set(input_hashes(case)) == {"image 0/1.dcm", "image 0/2.dcm", "points"}
    (tmp_path / "points.json").unlink()
    with pytest.raises(DataError, match=r"points\.json: cannot be read"):
        input_hashes(case)


def test_files_of_one_name_are_told_apart(tmp_path):
    """Two modalities in folders of the same name: the record has both, and a change of either."""
    paths = [tmp_path / part / "scan" / "img.nii.gz" for part in "xyz"]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_bytes(str(path).encode())
    case = Case("a", tuple(paths[:2]), label=paths[2], interaction=paths[2])
    hashes = input_hashes(case)
    assert list(hashes) == ["image 0", "image 1", "points"]
    for number, path in enumerate(paths[:2]):
        path.write_bytes(b"other")
        changed = input_hashes(case)
        assert changed[f"image {number}"] != hashes[f"image {number}"]
    swapped = input_hashes(replace(case, images=(paths[1], paths[2])))
    assert swapped["image 0"] != swapped["image 1"]
    assert input_hashes(case, label=True)["label"] == hashes["points"]


def test_a_case_that_was_moved_is_the_same(tmp_path):
    series = tmp_path / "here" / "series" / "sub"
    series.mkdir(parents=True)
    (series / "1.dcm").write_text("one")
    (series.parent / "1.dcm").write_text("another")
    before = input_hashes(Case("a", (series.parent,)))
    assert set(before) == {"image 0/1.dcm", "image 0/sub/1.dcm"}
    moved = (tmp_path / "here").rename(tmp_path / "there")
    assert input_hashes(Case("a", (moved / "series",))) == before


def test_how_files_are_read_counts(tmp_path):
    model = Model(make_plan((1.0, 1.0, 1.0)), ())
    plain = case_key({"image 0": "1"}, model, (), OPTIONS)
    assert "reading" not in plain.content
    for reading in (ReadOptions(use_form="sform"), ReadOptions(use_form="qform")):
        other = case_key({"image 0": "1"}, model, (), OPTIONS, reading)
        assert other.differences(plain.content) == ["reading"]


def test_a_lost_map_of_objects_is_missed(output):
    write(output, 1, 1)
    assert output.is_done("a", KEY) and output.lacking("a") == []
    output.object_map("a").unlink()
    assert not output.is_done("a", KEY) and output.lacking("a") == [output.object_map("a")]
    output.object_map("a").mkdir()
    assert not output.is_done("a", KEY)


def test_a_map_that_somebody_changed_is_kept_and_spoken_of(output):
    record = write(output, 1)
    assert output.read_kept("a") == record
    output.label_map("a").write_bytes(b"")
    assert output.is_done("a", KEY)
    (note,) = output.read_kept("a")["notes"][len(record["notes"]) :]
    assert note.startswith("a.nii.gz was changed since this program wrote it: it stays")
    assert output.read_record("a") == record and output.read_kept("b") == {}


@pytest.mark.parametrize(
    "change",
    [{"notes": 7}, {"objects": [{"reasons": 5}]}, {"objects": [{"diameters_mm": [1]}]}],
)
def test_a_record_that_cannot_be_used_is_none_of_ours(output, change):
    record = write(output, 1)
    write_json(output.record("a"), record | change)
    assert output.read_record("a") == {} and not output.is_done("a", KEY)
    with pytest.raises(DataError, match="was not written by this program"):
        output.check_own("a")
