"""A picture that is drawn later: the same bytes, without a network, and a kill costs nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interactivenet.datasets.task import Case
from interactivenet.imaging.io import read_label, write_label_array, write_volume
from interactivenet.inference import case_work
from interactivenet.inference.batch import predict_cases
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.outputs import Output
from interactivenet.inference.overlap import Threads
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt
from interactivenet.system.cache_key import CacheKey
from interactivenet.system.files import read_object, write_json
from tests.random_model import make_model
from tests.sample_cases import make_plan, make_scan, stored_grid

OPTIONS = InferenceOptions(mirrored=False, device="cpu", precision="fp32")
#: one object; two of one label; two of different labels, one of them corrected
NAMES = ["one", "shared", "corrected"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    plan = replace(make_plan((1.0, 1.1, 1.2)), labels={1: "a", 2: "b"})
    return make_model(tmp_path_factory.mktemp("weights"), plan, (0, 1))


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Small cases, stored along other axes than RAS+."""
    folder = tmp_path_factory.mktemp("cases")
    grid = stored_grid((18, 17, 16), (1.0, 1.1, 1.2), order=(2, 0, 1), flips=(-1, 1, -1))
    made = []
    for number, name in enumerate(NAMES):
        scan = make_scan(grid, seed=number)
        (prompt,) = scan.prompts
        other = Prompt(
            1 if name == "shared" else 2, prompt.points + 1.7, "a #2" if name == "shared" else "b"
        )
        if name == "corrected":
            place = tuple(scan.image.grid.voxel_to_world([[5, 6, 7]])[0] + 0.1)
            prompt = replace(prompt, corrections=(Correction(place, True),))
        prompts = [prompt] if name == "one" else [prompt, other]
        image, points = folder / f"{name}.nii.gz", folder / f"{name}.json"
        write_volume(image, scan.image.array[0], grid)
        write_prompts(points, prompts)
        made.append(Case(name, (image,), interaction=points))
    return made


def run(cases, model, folder, pictures=True, probabilities=False, suffix=".nii.gz", **more):
    output = Output(folder, (0, 1), True, probabilities, suffix, pictures=pictures)
    return list(predict_cases(cases, model, [output], OPTIONS, threads=Threads(2, 1), **more))


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*") if path.is_file()}  # fmt: skip


@pytest.fixture(scope="module")
def expected(cases, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("expected")
    assert [result.error for result in run(cases, model, folder)] == [""] * 3
    found = files(folder)
    assert len(found) == 3 * 3 + 1  # of one, a map of its objects
    for name in ("one.nii.gz", "objects/shared.nii.gz", "corrected.nii.gz"):
        values = np.unique(read_label(folder / name).array)
        assert len(values) == (2 if name.startswith("one") else 3)  # what there is to be drawn
    return found


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("a model is loaded")

    monkeypatch.setattr(case_work, "load_predictor", refuse)


@pytest.fixture
def without(cases, model, tmp_path):
    """Results without pictures."""
    assert not any(result.error for result in run(cases, model, tmp_path, pictures=False))
    return tmp_path


def test_asked_for_later(cases, model, expected, without, no_network):
    assert len(files(without)) == 3 * 2 + 1
    results = run(cases, model, without)
    assert [(result.kept, result.pictured, result.error) for result in results] == [
        (True, True, "")
    ] * 3  # fmt: skip
    assert all("pictures" in "".join(result.record["files"]) for result in results)
    assert files(without) == expected
    again = run(cases, model, without)
    assert [(result.kept, result.pictured) for result in again] == [(True, False)] * 3


def test_deleted(cases, model, expected, tmp_path, monkeypatch):
    run(cases, model, tmp_path)
    (tmp_path / "pictures" / "shared.png").unlink()
    with monkeypatch.context() as patched:
        patched.setattr(case_work, "load_predictor", None)
        results = run(cases, model, tmp_path)
    assert [result.pictured for result in results] == [False, True, False]
    assert files(tmp_path) == expected


def test_other_formats_and_probabilities(cases, model, tmp_path, monkeypatch):
    settings = {"probabilities": True, "suffix": ".mha"}
    run(cases, model, tmp_path / "first", **settings)
    run(cases, model, tmp_path / "later", pictures=False, **settings)
    monkeypatch.setattr(case_work, "load_predictor", None)
    run(cases, model, tmp_path / "later", **settings)
    assert files(tmp_path / "later") == files(tmp_path / "first")


class Killed(BaseException):
    """What ends a process at once."""


@pytest.mark.parametrize("number", [1, 2, 3])
def test_killed_while_it_is_written(cases, model, expected, without, monkeypatch, number):
    rename, count = Path.replace, 0

    def killed(self, target):
        nonlocal count
        count += 1
        if count == number:
            raise Killed
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(case_work, "load_predictor", None)
        patched.setattr(Path, "replace", killed)
        with pytest.raises(Killed):
            run(cases[1:2], model, without)
        patched.setattr(Path, "replace", rename)
        output = Output(without, (0, 1), pictures=True)
        assert output.strangers("shared", changed=False) == []
        assert all(result.pictured for result in run(cases, model, without))
    assert files(without) == expected


def test_not_of_a_map_that_somebody_has_changed(cases, model, without):
    path = without / "one.nii.gz"
    label = read_label(path)
    write_label_array(path, np.zeros_like(label.array[0]), label.source)
    results = run(cases, model, without)
    assert "one.nii.gz: was changed since this program wrote it" in results[0].error
    assert [result.pictured for result in results] == [False, True, True]
    assert not (without / "pictures" / "one.png").exists()


def test_not_over_a_file_of_somebody_else(cases, model, without):
    path = without / "pictures" / "one.png"
    path.mkdir(parents=True)
    results = run(cases, model, without)
    assert "one.png: was changed since" in results[0].error and path.is_dir()


def test_of_a_record_that_was_edited_the_case_is_done_again(cases, model, expected, without):
    path = without / "one.json"
    record = read_object(path)
    record["objects"][0]["volume_ml"] = "much"
    write_json(path, record)
    results = run(cases, model, without)
    assert [result.pictured for result in results] == [False, True, True]
    assert files(without) == expected


def test_results_of_other_files_are_done_again(cases, model, expected, without):
    path = without / "one.json"
    record = read_object(path)
    record["made_from"]["inputs"]["points"] = "0" * 64
    write_json(path, record)
    results = run(cases, model, without)
    assert [(result.kept, result.pictured) for result in results] == [
        (False, False), (True, True), (True, True),
    ]  # fmt: skip
    assert files(without) == expected


def test_it_has_its_place_before_what_was_exported(cases, model, without):
    path = without / "one.json"
    record = read_object(path)
    record["files"]["one.dcm"] = "1" * 64
    write_json(path, record)
    run(cases, model, without)
    assert list(read_object(path)["files"]) == ["one.nii.gz", "pictures/one.png", "one.dcm"]
    key = CacheKey(record["made_from"])
    assert Output(without, (0, 1), pictures=True).is_done("one", key)


def test_overwriting_segments_anew(cases, model, without, expected):
    results = run(cases, model, without, overwrite=True)
    assert not any(result.kept or result.pictured for result in results)
    assert files(without) == expected
