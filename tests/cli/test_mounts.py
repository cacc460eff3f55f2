"""What commands say in the image about folders that are not mounted, before they do anything."""

import click
import pytest
from click.testing import CliRunner

from interactivenet.cli import folders, main
from tests.cli.mounted_folders import INFER, ROOT


@pytest.mark.parametrize("words", ["", "-h", "--version", "plan -h", "train --help", "dataset -h"])
def test_help_needs_no_folder(monkeypatch, words):
    monkeypatch.setenv("INTERACTIVENET_IMAGE", "1")
    monkeypatch.setattr(folders, "read_mounts", lambda: [ROOT])
    done = CliRunner().invoke(main, words.split())
    assert "nothing is mounted" not in done.output and done.output


@pytest.mark.parametrize("words", ["doctor", "doctor --json"])
def test_the_doctor_needs_no_folder(lacks, words):
    assert lacks(words) is None


@pytest.mark.parametrize(
    ("words", "mounted", "volume"),
    [
        ("dataset -t X", [], "/data"),
        ("dataset phantom -t X", [], "/data"),
        ("simulate -t X", ["/results"], "/data"),
        ("plan -t X", [], "/data"),
        ("train -t X -f 0", ["/data"], "/results"),
        ("train -t X -f 0", ["/results"], "/data"),
        ("postprocess -t X", ["/results"], "/data"),
        ("predict -t X", ["/data"], "/results"),
        ("ensemble -t X", ["/results"], "/data"),
        ("test -t X", ["/results"], "/data"),
        ("deploy -t X", ["/data"], "/results"),
        ("deploy -t X --grand-challenge /algorithm", ["/results"], "/algorithm"),
        ("models list", [], "/results"),
        ("models show X", [], "/results"),
        ("models download X", [], "/results"),
        ("models remove X", [], "/results"),
        (f"{INFER} -o /out", ["/in", "/results"], "/out"),
        (f"{INFER} -o /out", ["/in", "/out"], "/results"),
        (f"{INFER} -o /out", ["/out", "/results"], "/in"),
        (f"{INFER} -o /in/out --model deployed", ["/in"], "/results"),
        (f"{INFER} -o /in/out --model own", ["/in"], "/results"),
        # MLflow's database would be lost
        (f"{INFER} -o /in/out --model /model -m", ["/in"], "/results"),
        (f"{INFER} -o /in/out -m", ["/in"], "/results"),
        ("demo -o /elsewhere", ["/results"], "/elsewhere"),
        ("evaluate -p /in/p -l /in/l -o /out", ["/in"], "/out"),
        ("evaluate -p /predictions -l /in/l", ["/in"], "/predictions"),
        ("evaluate -p /predictions -l /in/l -o /in/out", ["/in"], "/predictions"),
        ("robustness -t X", ["/data"], "/results"),
        ("robustness -t X -o /out", ["/data", "/results"], "/out"),
        ("evaluate-corrections -t X", ["/data"], "/results"),
        ("evaluate-corrections -t X", ["/results", "/data/raw"], "/data"),
        ("evaluate-corrections -t X -o /out", ["/data", "/results"], "/out"),
        # MLflow's database would be lost
        ("evaluate-corrections -t X -o /out --model starter", ["/data", "/out"], "/results"),
        ("evaluate --robustness -t X", [], "/results"),
        ("evaluate --robustness -t X", ["/results"], "/data"),
        ("evaluate --robustness -t X -o /out", ["/results", "/data"], "/out"),
        ("prompts convert /in/a.json /out/b.csv", ["/in"], "/out"),
        ("prompts convert /in/a.json /in/b.csv", [], "/in"),
        ("prompts convert /in/a.json /in/b.csv -t X", ["/in"], "/data"),
    ],
)
def test_what_is_not_mounted_is_named(lacks, writable, words, mounted, volume):
    message = lacks(words, *mounted)
    assert message.startswith(words.split()[0]) and f"-v FOLDER:{volume}," in message
    assert message.endswith(f"-B FOLDER:{volume}")


@pytest.mark.parametrize(
    ("words", "mounted"),
    [
        ("dataset -t X", ["/data"]),
        # the group's own default does not count
        ("dataset phantom -t X --raw /here", ["/here"]),
        ("plan -t X", ["/data"]),
        ("plan -t X", ["/data/raw", "/data/processed"]),
        ("plan -t X --raw /a/b --processed=/c", ["/a", "/c"]),
        ("train -t X -f 0", ["/data", "/results"]),
        ("train -t X -f 0 --results /data/results", ["/data"]),
        ("train -t X -f 0 --no-validate", ["/data/processed", "/results"]),
        ("postprocess -t X", ["/results", "/data/processed"]),
        ("deploy -t X", ["/results"]),
        (f"{INFER} -o /out", ["/in", "/out", "/results"]),
        (f"{INFER} -o /out --model /model", ["/in", "/out"]),
        (f"{INFER} -o /out --model /model -m", ["/in", "/out", "/results"]),
        ("evaluate -p /in/p -l /in/l", ["/in"]),
        ("evaluate -p /in/p -l /in/l -o /out", ["/in", "/out"]),
        ("evaluate --robustness -t X -o /out", ["/data", "/results", "/out"]),
        ("robustness -t X", ["/data", "/results"]),
        ("evaluate-corrections -t X", ["/data", "/results"]),
        ("evaluate-corrections -t X -o /out --model starter --no-mlflow", ["/data/raw", "/out"]),
        ("prompts convert /in/a.json /out/b.csv", ["/in", "/out"]),
        ("demo -o /out", ["/out"]),
        ("models download X", ["/results"]),
        # as it is typed without a container
        ("interactivenet plan -t X", ["/data"]),
        ("--debug plan -t X", ["/data"]),
    ],
)
def test_what_is_mounted_will_do(lacks, writable, words, mounted):
    assert lacks(words, *mounted) is None


def test_a_whole_message(lacks):
    assert lacks("train -t X -f 0", "/data") == (
        "train needs /results (--results), but nothing is mounted there, so that its output would"
        " be lost with the container: use docker run -v FOLDER:/results, or apptainer run -B"
        " FOLDER:/results"
    )


def test_a_server_of_mlflow_keeps_its_records_itself(lacks, writable, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert lacks(f"{INFER} -o /in/out --model /model -m", "/in") is None


def test_outside_of_the_image_nothing_is_checked(lacks, monkeypatch):
    monkeypatch.delenv("INTERACTIVENET_IMAGE")
    assert lacks("plan -t X") is None


def test_no_mount_table_is_no_reason_to_refuse(lacks, monkeypatch):
    monkeypatch.setattr(folders, "read_mounts", list)
    context = click.Context(main.get_command(click.Context(main), "plan"), info_name="plan")
    assert folders.describe_missing_folder(context) is None


def test_an_option_that_is_given_twice(lacks, writable):
    for words in ("--raw /lost --raw /here", "--raw /here --raw /lost"):
        message = lacks(f"simulate -t X {words}", "/here")
        assert "--raw: is given 2 times, expected once" in message


@pytest.mark.parametrize(
    "words", [f"{INFER} -o/out", f"{INFER} -wo /out", f"{INFER} --output=/out", f"{INFER} -mo /out"]
)
def test_options_are_read_as_click_does(lacks, writable, words):
    assert "-v FOLDER:/out," in lacks(words, "/in", "/results")
