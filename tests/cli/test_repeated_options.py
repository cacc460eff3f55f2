"""An option that takes one value is refused where it is given twice, in every command."""

import click
import pytest
from click.testing import CliRunner

from interactivenet.cli import main


def commands(group, words=()):
    """Yield every command that has options, and the words that call it."""
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            yield command, (*words, name)
            if isinstance(command, click.Group):
                yield from commands(command, (*words, name))


def options():
    for command, words in commands(main):
        for option in command.params:
            if isinstance(option, click.Option):
                yield words, option


def takes_one(option):
    return not option.multiple and (not option.is_flag or option.secondary_opts)


SINGLE = [
    pytest.param(words, option, id=f"{'-'.join(words)}{max(option.opts)}")
    for words, option in options()
    if takes_one(option)
]


def value_of(option):
    if isinstance(option.type, click.Choice):
        return [str(option.type.choices[0])]
    if isinstance(option.type, (click.types.IntParamType, click.types.FloatParamType)):
        return ["1"]
    return ["x"] * option.nargs


@pytest.mark.parametrize(("words", "option"), SINGLE)
def test_a_repeated_option(words, option):
    spelling = min(option.opts, key=len)
    other = max(option.opts, key=len)
    given = [spelling] if option.is_flag else [spelling, *value_of(option)]
    again = [option.secondary_opts[0]] if option.is_flag else [other, *value_of(option)]
    done = CliRunner().invoke(main, [*words, *given, *again])
    assert done.exit_code == 2
    assert "is given 2 times, expected once" in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1
    assert all(name in done.stderr for name in option.opts)


def test_there_are_such_options_and_others():
    assert len(SINGLE) > 100
    several = {option.name for _, option in options() if option.multiple}
    assert {"images", "interactions", "labels"} <= several


def test_help_and_a_repeated_flag_are_no_fault(tmp_path):
    assert CliRunner().invoke(main, ["infer", "-h", "-h"]).exit_code == 0
    done = CliRunner().invoke(main, ["infer", "--overwrite", "--overwrite"])
    assert "Missing option '-t / --task'" in done.stderr
