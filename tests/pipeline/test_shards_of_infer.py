"""Shards of ``infer``, killed at random: the same bytes as of one run, and one report."""

import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.io import write_label_array, write_volume
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.predictor import Predictor
from interactivenet.models import backend as backend_module
from interactivenet.pipeline.infer import infer
from interactivenet.pipeline.sharding import Shard, shard_number
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt
from interactivenet.system.locks import SHARDS, folder_lock, shard_lock
from tests.pipeline.recording_reporter import RecordingReporter
from tests.raw_task import GRID, POINTS, image_array, label_array, read

FAST = InferenceOptions(mirrored=False, precision="fp32", device="cpu")
#: one for each shard of 3 and of 4, and more
GOOD = [f"case_{letter}" for letter in "abcdefg"]
#: its points are refused
BAD = "bad"
#: it has points, but no image
LONE = "lone"
LEFT = ".77-0123abcd-case.nii.gz"


class Reporter(RecordingReporter):
    """Speaks Python: what a shard has written down is not put into words again."""

    def text(self, message):
        return message


class Killed(BaseException):
    """What ends a process at once, whatever it is doing."""


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Folders of images, points and labels; not to be changed."""
    root = tmp_path_factory.mktemp("scans")
    points = GRID.ras.voxel_to_world(np.array(POINTS, float))
    for number, name in enumerate([*GOOD, BAD]):
        write_volume(root / "images" / f"{name}.nii.gz", image_array(number), GRID)
        # two objects of one label in some: maps that tell them apart are written, too
        names = ["tumour", "tumour #2"] if number % 3 == 0 else ["tumour"]
        prompts = [Prompt(1, points + 1.5 * i, each) for i, each in enumerate(names)]
        if name == BAD:
            prompts = [Prompt(1, points[:2], "tumour")]
        write_prompts(root / "points" / f"{name}.json", prompts)
    shutil.copy(root / "points" / f"{GOOD[1]}.json", root / "points" / f"{LONE}.json")
    for name in GOOD[:2]:
        write_label_array(root / "labels" / f"{name}.nii.gz", label_array(), GRID)
    return root


def run(scans, output, reporter=None, **more):
    return infer(
        None, scans / "images", scans / "points", output, model="starter", options=FAST,
        reporter=reporter or Reporter(), **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(scans, starter_bundle, tmp_path_factory):
    """What one run without shards writes and returns."""
    output = tmp_path_factory.mktemp("whole") / "out"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("interactivenet.models.starter.FOLDER", starter_bundle)
        return run(scans, output)


@pytest.fixture(autouse=True)
def starter(with_starter):
    return with_starter


def results(folder):
    """Return the bytes of all label maps and records, by their paths."""
    paths = [*folder.glob("*.nii.gz"), *folder.glob("*.json"), *folder.glob("objects/*")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths
            if path.name not in ("run.json", "failures.json")}  # fmt: skip


def facts(folder):
    """Return what the record of all cases says, but for what is of one run alone."""
    record = read(folder / "run.json")
    names = ("status", "inputs", "cases", "failures", "notes", "review", "weights", "failed_keys")
    return {name: record.get(name) for name in names}


def kill_at(monkeypatch, number):
    """Have the process killed while it writes its so many-th file."""
    rename, count = Path.replace, 0

    def replace(self, target):
        nonlocal count
        count += 1
        if count == number:
            raise Killed
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)


@pytest.mark.parametrize("of", [1, 3, 4])
def test_killed_shards_give_the_same_bytes_and_one_report(scans, whole, tmp_path, monkeypatch, of):
    draw, output, kills = random.Random(of), tmp_path / "out", 0
    waiting = list(range(1, of + 1)) * 2
    draw.shuffle(waiting)
    failed = set()
    while waiting:
        shard = Shard(waiting.pop(), of)
        with monkeypatch.context() as patched:
            if kills < 2 * of:
                kill_at(patched, draw.randint(1, 8))
            try:
                done = run(scans, output, shard=str(shard))
            except Killed:
                kills += 1
                (output / LEFT).touch()  # what a real kill leaves
                waiting.insert(draw.randint(0, len(waiting)), shard.number)
                continue
        failed |= {*done.failures}
        assert all(shard.has(name) for name in done.failures) and done.evaluation is None
        assert read(shard.folder(output) / "run.json")["arguments"]["shard"] == f"{shard}"
    assert kills == 2 * of and failed == {BAD, LONE}
    assert not (output / "run.json").exists() and (output / LEFT).exists()
    reporter = Reporter()
    gathered = run(scans, output, reporter, gather=True)
    assert results(output) == results(whole.folder) and len(results(output)) == 2 * 7 + 3
    assert "7 cases gathered, all done from these files and settings" in reporter.lines
    assert gathered.failures == whole.failures and gathered.cases == whole.cases == 9
    assert facts(output) == facts(whole.folder)
    assert read(output / "failures.json") == read(whole.folder / "failures.json")
    assert not (output / LEFT).exists() and not [t for t in reporter.texts if "not done" in t]
    again = run(scans, output)  # without shards: there is nothing left to do
    assert again.failures == whole.failures and results(output) == results(whole.folder)
    assert read(output / "run.json")["kept"] == 7


def test_what_no_shard_has_done_is_named_and_done_without_shards(scans, whole, tmp_path):
    output = tmp_path / "out"
    run(scans, output, shard=(1, 3))
    reporter = Reporter()
    gathered = run(scans, output, reporter, gather=True)
    theirs = {name for name in [*GOOD, BAD] if shard_number(name, 3) == 1}
    assert {*gathered.failures} - theirs == {*GOOD, BAD, LONE} - theirs
    missing = [name for name, reason in gathered.failures.items()
               if reason == "not segmented yet: run the shards again"]  # fmt: skip
    assert sorted(missing) == sorted({*GOOD, BAD} - theirs)
    assert {*read(output / "failures.json")["infer"]} == {*gathered.failures}
    (line,) = [line for line in reporter.lines if "not done yet" in line]
    assert line == f"{len(missing)} cases not done yet: run shard 2/3, 3/3 again, or all cases" \
        " without `shard`"  # fmt: skip
    done = run(scans, output)
    assert results(output) == results(whole.folder) and done.failures == whole.failures


def test_a_gather_compares_with_labels_as_one_run_does(scans, whole, tmp_path):
    output, reporter = tmp_path / "out", Reporter()
    for number in (2, 1):
        run(scans, output, reporter, shard=(number, 2), labels=scans / "labels", mlflow=True)
    assert not (output / "evaluation").exists()
    left = [line for line in reporter.lines if "come with `gather=True`, once all" in line]
    assert [line.split(":")[0] for line in left] == ["shard 2/2", "shard 1/2"]
    gathered = run(scans, output, gather=True, labels=scans / "labels")
    alone = run(scans, tmp_path / "alone", labels=scans / "labels")
    assert gathered.evaluation.rows == alone.evaluation.rows
    assert {row["case"] for row in alone.evaluation.rows} == {*GOOD[:2]}
    assert gathered.evaluation.summary == alone.evaluation.summary


def test_inputs_that_changed_since_are_not_taken_for_done(scans, tmp_path):
    mine, output = tmp_path / "scans", tmp_path / "out"
    shutil.copytree(scans, mine)
    run(mine, output, shard="1/1")
    for name, other in ((GOOD[0], GOOD[1]), (BAD, GOOD[1])):
        shutil.copy(mine / "points" / f"{other}.json", mine / "points" / f"{name}.json")
    gathered = run(mine, output, gather=True)
    assert gathered.failures[GOOD[0]] == (
        "not segmented yet: run the shards again (the result there is of other images or points)"
    )
    # the reason of before is not true of the points of now
    assert gathered.failures[BAD] == "not segmented yet: run the shards again"
    # results that are there, but not in the format that is asked for
    formatted = run(mine, output, gather=True, format="mha").failures[GOOD[1]]
    assert formatted.endswith("(CASE.mha is not there)")
    slow = InferenceOptions(precision="fp32", device="cpu")
    other = infer(None, mine / "images", mine / "points", output, model="starter", options=slow,
                  gather=True)  # fmt: skip
    assert other.failures[GOOD[1]].endswith("(the result there is of other `mirrored`)")
    assert (output / f"{GOOD[1]}.nii.gz").exists()  # a gather removes nothing
    run(mine, output, shard="1/1")
    assert {*run(mine, output, gather=True).failures} == {LONE}


def test_pictures_that_are_asked_for_later_cost_no_network(scans, whole, tmp_path, monkeypatch):
    output, reporter = tmp_path / "out", Reporter()
    run(scans, output, pictures=False)
    assert not (output / "pictures").exists()
    asked = []
    monkeypatch.setattr(Predictor, "answer", lambda *_, **__: asked.append(1))
    done = run(scans, output, reporter)
    assert (
        asked == [] and done.failures == whole.failures and results(output) == results(whole.folder)
    )
    assert "7 pictures drawn of results that were kept" in reporter.lines
    for path in [*(whole.folder / "pictures").iterdir(), *(whole.folder / "sheets").glob("*.jpg")]:
        assert (output / path.relative_to(whole.folder)).read_bytes() == path.read_bytes()


def test_a_shard_of_another_number_finds_what_is_done(scans, whole, tmp_path):
    output = tmp_path / "out"
    run(scans, output, shard="1/3")
    shard = next(
        Shard(n, 4)
        for n in range(1, 5)
        if any(Shard(n, 4).has(name) and Shard(1, 3).has(name) for name in GOOD)
    )
    run(scans, output, shard=shard)
    both = [name for name in GOOD if shard.has(name) and Shard(1, 3).has(name)]
    assert read(shard.folder(output) / "run.json")["kept"] == len(both) > 0
    run(scans, output, shard=shard, overwrite=True)
    record = read(shard.folder(output) / "run.json")
    assert record["kept"] == 0 and record["arguments"]["overwrite"] is True
    for name, content in results(output).items():
        assert content == results(whole.folder)[name]


def test_one_case_and_more_shards_than_cases(scans, tmp_path):
    image, points = (scans / folder / GOOD[0] for folder in ("images", "points"))
    files = (image.with_suffix(".nii.gz"), points.with_suffix(".json"))
    number = shard_number(GOOD[0], 5)
    for shard in (number, number % 5 + 1):
        reporter, output = Reporter(), tmp_path / str(shard)
        done = infer(None, *files, output, model="starter", options=FAST, shard=(shard, 5),
                     reporter=reporter)  # fmt: skip
        own = shard == number
        assert done.cases == own and done.failures == {}
        assert (output / f"{GOOD[0]}.nii.gz").exists() == own
        (line,) = [line for line in reporter.lines if line.startswith(f"shard {shard}/5: ")]
        assert line.split(";")[0].endswith("1 of 1 case" if own else "none of 1 case belongs to it")


def test_who_writes_at_the_same_time(scans, tmp_path):
    output = tmp_path / "out"
    with shard_lock(output, 1, 2):
        for more, message in (
            ({}, "shard 1/2 is writing to it"),
            ({"gather": True}, "shard 1/2 is writing to it"),
            ({"shard": "1/2"}, "shard 1/2 is running already"),
            ({"shard": "1/3"}, "shard 1/2 is writing to it, and shard 1/3 might write"),
        ):
            with pytest.raises(RequestError, match=message):
                run(scans, output, **more)
    with folder_lock(output), pytest.raises(RequestError, match="a run without shards is writing"):
        run(scans, output, shard="1/2")
    assert not results(output) and {path.name for path in output.iterdir()} == {".lock", SHARDS}


def test_shards_export_their_own_cases_and_a_gather_checks_them(scans, tmp_path):
    """Of scans that are no DICOM, one format cannot be written: told as by one run."""
    mine, output = tmp_path / "scans", tmp_path / "out"
    for kind in ("images", "points"):
        for name in GOOD[:2]:
            (found,) = (scans / kind).glob(f"{name}.*")
            (mine / kind).mkdir(parents=True, exist_ok=True)
            shutil.copy(found, mine / kind)
    settings = {"format": ("seg.nrrd", "dcm-seg")}
    alone = run(mine, tmp_path / "alone", **settings)
    for number in (1, 2):
        done = run(mine, output, shard=(number, 2), **settings)
        assert {*done.failures} == {name for name in GOOD[:2] if shard_number(name, 2) == number}
    gathered = run(mine, output, gather=True, **settings)
    assert gathered.failures == alone.failures and {*alone.failures} == {*GOOD[:2]}
    assert all("segmented, but not exported: dcm-seg" in why for why in alone.failures.values())
    assert results(output) == results(tmp_path / "alone")
    for name in GOOD[:2]:
        files = [folder / f"{name}.seg.nrrd" for folder in (output, tmp_path / "alone")]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_a_gather_on_another_machine_takes_the_backend_of_the_shards(scans, tmp_path, monkeypatch):
    """Of 'auto', whatever that came to there; one that was asked for is not another."""

    def start(backend, **more):
        return infer(
            None, scans / "images", scans / "points", tmp_path / "out", model="starter",
            options=replace(FAST, backend=backend), **more,
        )  # fmt: skip

    with monkeypatch.context() as there:  # as if it were OpenVINO that computes
        there.setattr(backend_module, "describe_backend", lambda _: "openvino 9.9")
        why = start("torch", shard="1/2").failures
        assert {*why} <= {BAD, LONE}
    monkeypatch.setattr(backend_module, "has_openvino", lambda: False)
    theirs = {name for name in GOOD if shard_number(name, 2) == 1}
    reporter = Reporter()
    gathered = start("auto", gather=True, reporter=reporter)
    assert {*gathered.failures} == {*GOOD, BAD, LONE} - theirs
    assert [line for line in reporter.lines if "differed" in line] == []
    refused = start("torch", gather=True).failures
    assert all(refused[name].endswith("of other `backend`)") for name in theirs)
    start("auto", shard="2/2")
    reporter = Reporter()
    both = start("auto", gather=True, reporter=reporter)
    assert both.failures["bad"] and {*both.failures} == {BAD, LONE}
    first, second = len(theirs), len(GOOD) - len(theirs)
    assert (
        f"the shards' machines differed: {first} cases with fp32, openvino 9.9; {second} cases with"
        " fp32, torch"
    ) in reporter.lines
    record = read(tmp_path / "out" / "run.json")
    assert record["computed"] == {"fp32, openvino 9.9": first, "fp32, torch": second}
    # on a machine that has it, what PyTorch did counts as well
    monkeypatch.setattr(backend_module, "has_openvino", lambda: True)
    monkeypatch.setattr(backend_module, "version", lambda _: "10.0")
    assert {*start("auto", gather=True).failures} == {BAD, LONE}


def test_a_gather_needs_no_memory_for_the_networks(scans, whole, tmp_path, monkeypatch):
    run(scans, tmp_path / "out", shard="1/1")

    def refuse(*_):
        raise DataError("too little memory")

    monkeypatch.setattr("interactivenet.pipeline.infer.check_model", refuse)
    with pytest.raises(DataError, match="too little memory"):
        run(scans, tmp_path / "out", shard="1/1")
    assert run(scans, tmp_path / "out", gather=True).failures == whole.failures


def test_why_a_shard_failed_is_told_on_another_machine(scans, tmp_path, monkeypatch):
    def start(**more):
        return infer(
            None, scans / "images" / f"{BAD}.nii.gz", scans / "points" / f"{BAD}.json",
            tmp_path / "out", model="starter", options=replace(FAST, backend="auto"), **more,
        )  # fmt: skip

    monkeypatch.setattr(backend_module, "has_openvino", lambda: False)
    with monkeypatch.context() as there:
        there.setattr(backend_module, "describe_backend", lambda _: "openvino 9.9")
        why = start(shard="1/1").failures
    assert "points" in why[BAD] and start(gather=True).failures == why


def test_a_gather_of_what_is_not_here_says_what_to_ask_for(scans, tmp_path, monkeypatch):
    monkeypatch.setattr(backend_module, "has_openvino", lambda: False)
    (tmp_path / "out").mkdir()
    for asked, fault in (
        ({"backend": "openvino"}, "`backend='openvino'`: is not installed"),
        ({"precision": "fp16"}, "`precision='fp16'`: needs CUDA"),
    ):
        options = replace(FAST, **asked)
        with pytest.raises(RequestError) as refused:
            infer(None, scans / "images", scans / "points", tmp_path / "out", model="starter",
                  options=options, gather=True)  # fmt: skip
        assert str(refused.value).startswith(fault) and "\n" not in str(refused.value)
        assert "a gather computes nothing: give it 'auto' for `device`" in str(refused.value)


def test_a_gather_on_another_device_takes_the_precision_of_the_shards(scans, tmp_path):
    """Which one a device is fast in is its own affair; one that was asked for is not."""

    def start(precision, **more):
        options = replace(FAST, precision=precision)
        return infer(
            None, scans / "images", scans / "points", tmp_path / "out", model="starter",
            options=options, **more,
        )  # fmt: skip

    for precision, other in (("fp32", "bf16"), ("bf16", "fp32")):
        reporter = Reporter()
        start(precision, shard="1/1", reporter=reporter)
        replaced = [line for line in reporter.lines if "replaced" in line]
        assert (
            replaced
            == [f"{len(GOOD)} earlier results were replaced: made with other `precision`"][
                : precision == "bf16"
            ]
        )
        assert sorted(start("auto", gather=True).failures) == [BAD, LONE]
        refused = start(other, gather=True).failures[GOOD[0]]
        assert refused.endswith("(the result there is of other `precision`)")
