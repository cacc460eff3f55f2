"""Every stage and parameter that the core's texts name can be said by the command line."""

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import click

import interactivenet
from interactivenet.cli import main
from interactivenet.cli.wording import translate
from tests.source_texts import texts_of

PACKAGE = Path(interactivenet.__file__).parent
CALL = re.compile(r"(?<!`)`([a-z][a-z_0-9]*)\([^`\n]*\)`(?!`)")
PARAMETER = re.compile(r"(?<!`)`([a-z][a-z_0-9]*)(?:=[^`\n]+)?`(?!`)")
#: of objects that only Python has: Session.segment(points=), Session.correct(positive=)
IN_PYTHON_ONLY = {"points", "instance", "positive"}
#: a command that is no function
COMMAND_ONLY = {"doctor"}
FUNCTIONS = {
    "check_dataset": "dataset", "convert_dataset": "dataset", "make_phantoms": "dataset",
    "convert_prompts": "prompts", "install_model": "models", "download_model": "models",
    "convert_model": "models",
}  # fmt: skip


def messages():
    """Yield the messages of the package with their places."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for text in texts_of(path):
            if text.kind == "message":
                yield f"{path.relative_to(PACKAGE)}:{text.line}", text.content


def test_every_call_in_a_text_is_a_command_with_these_options():
    """A remedy that the command line cannot write as a command would be of no help there."""
    with click.Context(main) as context:
        wrong = [
            f"{place}: {call[0]}"
            for place, text in messages()
            for call in CALL.finditer(text)
            if translate(call[0], context) == call[0]
        ]
    assert not wrong, "\n".join(wrong)


def test_every_call_in_a_text_is_one_that_python_can_make():
    wrong, names = [], set()
    for place, text in messages():
        for call in CALL.finditer(text):
            name = call[1]
            names.add(name)
            if name in COMMAND_ONLY:
                continue
            module = import_module(f"interactivenet.pipeline.{FUNCTIONS.get(name, name)}")
            taken = inspect.signature(getattr(module, name)).parameters
            written = ast.parse(call[0].strip("`"), mode="eval").body
            wrong += [
                f"{place}: {name}({keyword.arg}=)"
                for keyword in written.keywords
                if keyword.arg not in taken
            ]
    assert not wrong, "\n".join(wrong)
    assert {"plan", "train", "check_dataset"} <= names


def commands(command=main, words=()):
    """Yield every command of the program."""
    yield command
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                yield from commands(command.get_command(context, name))


def fields(path):
    """Yield the parameters that errors of a file name by ``field=``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("RequestError", "DataError"):
            for keyword in node.keywords:
                if keyword.arg == "field" and isinstance(keyword.value, ast.Constant):
                    yield keyword.value.value


def test_every_parameter_in_a_text_is_an_option_of_a_command():
    named = {match[1]: place for place, text in messages() for match in PARAMETER.finditer(text)}
    for path in PACKAGE.rglob("*.py"):
        named |= {field: str(path.relative_to(PACKAGE)) for field in fields(path)}
    assert {"overwrite", "epochs", "voxels", "memory_gb", "kernel", "repeats"} <= named.keys()
    every = [click.Context(command, parent=click.Context(main)) for command in commands()]
    wrong = [
        f"{place}: {name}"
        for name, place in named.items()
        if all(translate(f"`{name}`", context) == f"`{name}`" for context in every)
    ]
    assert [line for line in wrong if line.rpartition(" ")[2] not in IN_PYTHON_ONLY] == []
    assert len(wrong) == len(IN_PYTHON_ONLY)
