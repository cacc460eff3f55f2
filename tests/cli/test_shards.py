"""``--shard`` and ``--gather``: what is refused, what is said, and the exit status."""

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.imaging.io import write_volume
from interactivenet.pipeline.sharding import shard_number
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt
from tests.cli.trained_command import CPU
from tests.raw_task import GRID, POINTS, image_array, read

#: of one shard of two each
FIRST, SECOND = "a", "d"


@pytest.fixture
def infer(tmp_path, monkeypatch, with_starter):
    """Return a function that runs the command on two cases, of which the second one fails."""
    monkeypatch.chdir(tmp_path)
    points = GRID.ras.voxel_to_world(np.array(POINTS, float))
    for name, count in ((FIRST, 6), (SECOND, 2)):
        write_volume(tmp_path / "images" / f"{name}.nii.gz", image_array(), GRID)
        write_prompts(tmp_path / "points" / f"{name}.json", [Prompt(1, points[:count], "tumour")])

    def run(*words):
        words = [
            "infer",
            "-i",
            "images",
            "-in",
            "points",
            "-o",
            "out",
            "--model",
            "starter",
            *words,
        ]
        done = CliRunner().invoke(main, [*words, "--no-tta", *CPU])
        return done.exit_code, " ".join((done.stdout + done.stderr).split())

    return run


def test_the_exit_status_says_what_became_of_the_cases(infer, tmp_path):
    numbers = [shard_number(name, 2) for name in (FIRST, SECOND)]
    assert sorted(numbers) == [1, 2]
    status, said = infer("--shard", f"{numbers[0]}/2")
    assert status == 0
    assert f"shard {numbers[0]}/2: 1 of 2 cases; the results of all cases together" in said
    assert "come with --gather, once all shards have ended" in said
    status, said = infer("--gather")
    assert status == 1 and "not segmented yet: run the shards again" in said
    assert "1 case has no result, see out/failures.json" in said
    assert f"1 case not done yet: run shard {numbers[1]}/2 again, or all cases without" \
        " --shard" in said  # fmt: skip
    status, said = infer("--gather", "--restore", "label")
    assert status == 1 and "(the result there is of other --restore)" in said
    assert infer("--shard", f"{numbers[1]}/2")[0] == 1
    status, said = infer("--gather")
    assert status == 1 and "--any-points takes them as they are" in said
    assert {*read(tmp_path / "out" / "failures.json")["infer"]} == {SECOND}
    record = read(tmp_path / "out" / "run.json")
    assert record["cases"] == 2 and record["arguments"]["gather"] is True
    empty = next(n for n in range(1, 10) if n not in
                 {shard_number(name, 9) for name in (FIRST, SECOND)})  # fmt: skip
    status, said = infer("--shard", f"{empty}/9")
    assert status == 0 and f"shard {empty}/9: none of 2 cases belongs to it" in said


def test_a_gather_of_a_folder_that_is_not_there_makes_none(infer, tmp_path):
    status, said = infer("--gather")
    assert status == 2 and "out: is not there: no shard has written to it" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shard", "0/4"], "Error: --shard 0/4: expected I/N, such as 3/16: I from 1 to N"),
        (["--shard", "5/4"], "--shard 5/4: expected I/N"),
        (["--shard", "a/b"], "--shard a/b: expected I/N"),
        (["--shard", "1/10001"], "N at most 10000"),
        (["--shard", "1/2", "--gather"], "--shard 1/2: a shard cannot gather: expected --gather"),
        (["--gather", "--overwrite"], "--overwrite: a gather segments nothing: expected"),
    ],
)
def test_what_is_refused_in_one_line(infer, tmp_path, words, message):
    status, said = infer(*words)
    assert status == 2 and message in said, said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command", ["predict", "test", "robustness", "evaluate-corrections"]
)  # fmt: skip
def test_all_commands_of_many_cases_have_shards(command):
    done = CliRunner().invoke(main, [command, "-t", "Task001_A", "--shard", "0/4"])
    assert done.exit_code == 2 and "--shard 0/4: expected I/N" in done.stderr + done.stdout


@pytest.mark.parametrize("command", ["predict", "test"])
def test_the_default_of_label_maps_is_said_in_full(command):
    said = " ".join(CliRunner().invoke(main, [command, "--help"]).stdout.split())
    assert "Write label maps (CASE.nii.gz). [default: nifti]" in said
