"""Commands and options that the docs name exist."""

import re
import shlex

import click
import pytest

from interactivenet.cli import main
from tests.docs.pages import PAGES, blocks, inline

#: the changelog also names what is gone
CHECKED = [page for page in PAGES if page != "CHANGELOG.md"]
#: options of other programs that the pages name
FOREIGN = {
    # docker and apptainer
    "--cap-drop", "--cleanenv", "--cpus", "--env", "--gpus", "--memory", "--network",
    "--no-mount", "--nv", "--shm-size", "--user",
    # snakemake
    "--cluster-generic", "--config", "--configfile", "--cores", "--executor", "--forcerun",
    "--home", "--sdm", "--apptainer-args",
    # slurm, mlflow, pip
    "--signal", "--gres", "--allowed-hosts", "--host", "--port", "--index-url",
}  # fmt: skip


def check(words, *, values=True):
    """Parse words as the command line does, without running anything or looking at files.

    values: whether every option that needs a value must have one of its type.
    """
    command, path = main, "interactivenet"
    context = _context(command, path)
    while True:
        try:
            given, rest, _ = command.make_parser(context).parse_args(list(words))
        except click.BadOptionUsage:  # a value is missing
            if values:
                raise
            return
        if values:
            for parameter in command.params:
                if parameter.name in given and not isinstance(parameter.type, click.Path):
                    parameter.type_cast_value(context, given[parameter.name])
        if not isinstance(command, click.Group) or not rest:
            assert not rest, f"{path}: unexpected {rest}"
            return
        following = command.get_command(context, rest[0])
        assert following is not None, f"{path}: no command {rest[0]}"
        command, path, words = following, f"{path} {rest[0]}", rest[1:]
        context = _context(command, path, context)


def _context(command, path, parent=None):
    """With the command's own settings: its help option is made once, by the first context."""
    return click.Context(command, info_name=path, parent=parent, **command.context_settings)


def invocations(text):
    """Return the words after each ``interactivenet`` in a block of shell."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if not re.fullmatch(r"[;&|()]+", word):
                words.append(word)
                continue
            found += [after for after in [_after_program(words)] if after is not None]
            words = []
    return found


def _after_program(words):
    """Return the words after the program's name, None where the program is another one."""
    if words[:1] == ["run"]:  # a function of docs/how-to/containers.md
        after = words[1:]
    elif "interactivenet" in words:
        after = words[words.index("interactivenet") + 1 :]
    elif words[:2] == ["apptainer", "run"]:
        after = words[words.index("interactivenet.sif") + 1 :]
    else:
        return None
    return None if after[:1] == ["$@"] else [word for word in after if word != "..."]


@pytest.mark.parametrize("page", CHECKED)
def test_blocks_of_shell_name_commands_and_options_that_exist(page):
    for block in blocks(page):
        if block.language == "sh":
            for words in invocations(block.text):
                check(words)


@pytest.mark.parametrize("page", CHECKED)
def test_text_names_commands_and_options_that_exist(page):
    commands = main.list_commands(click.Context(main))
    for code in inline(page, "code_inline"):
        words = code.content.split()
        if words[:1] == ["interactivenet"]:
            check(_until_operator(words[1:]), values=False)
        elif words and words[0] in commands and any(word.startswith("-") for word in words):
            check(_until_operator(words), values=False)


@pytest.mark.parametrize("page", CHECKED)
def test_options_that_stand_alone_exist(page):
    named = {
        match[1]
        for code in inline(page, "code_inline")
        if (match := re.match(r"(--[a-z][a-z-]+)", code.content))
    }
    assert named <= options() | FOREIGN


def test_an_option_that_does_not_exist_is_noticed():
    with pytest.raises(click.NoSuchOption):
        check(invocations("make x && interactivenet train -t TASK --fast  # quickly")[0])
    with pytest.raises(click.BadParameter):
        check(["plan", "-t", "TASK", "--preset", "huge"])
    with pytest.raises(AssertionError, match="no command trian"):
        check(["trian"])


def _until_operator(words):
    ends = [place for place, word in enumerate(words) if word in ("&&", "|", "...", "[-w]")]
    return words[: ends[0]] if ends else words


def options():
    """Return the long options of all commands."""
    found, waiting = set(), [(main, click.Context(main))]
    while waiting:
        command, context = waiting.pop()
        for parameter in command.params:
            found.update((*parameter.opts, *parameter.secondary_opts))
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                following = command.get_command(context, name)
                waiting.append((following, click.Context(following, parent=context)))
    return found | {"--help", "--version"}
