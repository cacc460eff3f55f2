"""The original program's names for the commands say what to type next, as the program does."""

import re
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from interactivenet.cli.wording import translate

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
#: name -> module:attribute; tomllib came with Python 3.11
SCRIPTS = dict(
    re.findall(r'^(interactivenet\w*) = "([\w.]+:\w+)"$', PROJECT.read_text("utf-8"), re.MULTILINE)
)


def test_all_of_them_are_tested():
    assert SCRIPTS.keys() == ERRORS.keys()


def command_of(script):
    """Return the click command of a script; the program's own takes care of signals first."""
    module, _, name = SCRIPTS[script].partition(":")
    if module == "interactivenet.__main__":
        module = "interactivenet.cli"
    return getattr(import_module(module), name)


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_name_of_the_program_speaks_of_its_commands(script):
    command = command_of(script)
    # no main group above it, as if started by this name
    with click.Context(command, info_name=script) as context:
        texts = {
            "run `plan(task='Task500_X')` first": "run 'interactivenet plan -t Task500_X' first",
            "`check_dataset(task='T')`": "'interactivenet dataset -t T'",
            "`convert_model(source='x')`": "'interactivenet models convert x'",
        }
        assert [translate(text, context) for text in texts] == list(texts.values())


CHECK, PLAN = "run 'interactivenet dataset -t Task500_X", "run 'interactivenet plan -t Task500_X"
#: what each name is called with, besides, and what it then says of a task with nothing in it
ERRORS = {
    "interactivenet": ("plan -t Task500_X", CHECK),
    "interactivenet_generate_dataset_json": ("-t Task500_X", "-m / --modality: "),
    "interactivenet_mimic_interactions": ("-t Task500_X", "holds no label maps"),
    "interactivenet_plan_and_process": ("-t Task500_X", CHECK),
    "interactivenet_train": ("-t Task500_X -f 0", PLAN),
    "interactivenet_postprocessing": ("-t Task500_X", PLAN),
    "interactivenet_predict": ("-t Task500_X", CHECK),
    "interactivenet_ensemble": ("-t Task500_X", CHECK),
    "interactivenet_test": ("-t Task500_X", CHECK),
    "interactivenet_inference": ("-t Task500_X -i raw -in p.json -o out", PLAN),
    "interactivenet_available_models": ("", "interactivenet models download"),
    "interactivenet_download_model": ("Task500_X", "expected one of Task800_WORC_MRI"),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_error_by_each_name_of_the_program(script, tmp_path, monkeypatch):
    for folder in ("raw", "processed", "results"):
        monkeypatch.setenv(f"interactivenet_{folder}", str(tmp_path / folder))
    (tmp_path / "raw" / "Task500_X").mkdir(parents=True)
    (tmp_path / "p.json").touch()
    monkeypatch.chdir(tmp_path)
    arguments, says = ERRORS[script]
    result = CliRunner().invoke(command_of(script), arguments.split())
    assert says in result.output and "`" not in result.output, result.output
