"""Texts of the core in the words of the command line."""

import shlex
import time

import click
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.cli.wording import translate
from interactivenet.errors import RequestError


@click.command("fit")
@click.argument("source")
@click.option("-t", "--task")
@click.option("-f", "--fold")
@click.option("--memory-gb", type=float)
@click.option("--spacing", type=(float, float, float))
@click.option("-i", "--images", multiple=True)
@click.option("--overwrite", is_flag=True)
@click.option("-w", "--probabilities", is_flag=True)
@click.option("--mlflow/--no-mlflow", default=True)
def fit(**_):
    pass


@click.group("interactivenet")
def root():
    pass


@root.group("models")
def models():
    pass


root.add_command(fit)
models.add_command(click.Command("install", params=[click.Argument(["file"])]))


@pytest.fixture
def ctx():
    with click.Context(root) as above, click.Context(fit, parent=above) as context:
        yield context


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("`overwrite=True` starts over", "--overwrite starts over"),
        ("see `overwrite`", "see --overwrite"),
        ("`memory_gb` is a bound", "--memory-gb is a bound"),
        ("`memory_gb=0`: expected more", "--memory-gb 0: expected more"),
        ("`memory_gb=8.0`", "--memory-gb 8"),
        ("`task='Task101_X'`", "-t / --task Task101_X"),
        ("`task=TASK`", "-t / --task TASK"),
        ("`spacing=(1.0, 1, 2.5)`", "--spacing 1 1 2.5"),
        ("`images=('a', 'b c')`", "-i / --images a 'b c'"),
        ("`fold=[0, 1, 2]`", "-f / --fold 0,1,2"),
        ("`images=()`", "-i / --images"),
        ("`probabilities`", "-w / --probabilities"),
        ("`mlflow`", "--mlflow / --no-mlflow"),
        ("`mlflow=False`", "--no-mlflow"),
        ("`mlflow=True`", "--mlflow"),
        ("`fold=None`", "-f / --fold"),
        ("`source`", "SOURCE"),
        ("`source='a b'`", "'a b'"),
        ("`fit(source='a', task='T', fold=0)` first", "'interactivenet fit a -t T -f 0' first"),
        ("`fit(spacing=(1, 1, 2))`", "'interactivenet fit --spacing 1 1 2'"),
        ("`fit(overwrite=True)`", "'interactivenet fit --overwrite'"),
        ("`fit(images=['a', 'b'])`", "'interactivenet fit -i a -i b'"),
        ("`fit(mlflow=False, task=...)`", "'interactivenet fit --no-mlflow -t ...'"),
        ("`fit()`", "'interactivenet fit'"),
        ("`install_model(file='a.zip')`", "'interactivenet models install a.zip'"),
        ("two: `overwrite` and `memory_gb=4`", "two: --overwrite and --memory-gb 4"),
    ],
)  # fmt: skip
def test_parameters_and_stages_become_options_and_commands(ctx, text, typed):
    assert translate(text, ctx) == typed
    assert translate(text) == typed  # the current context


@pytest.mark.parametrize(
    "text",
    [
        "no backticks: overwrite=True",
        "`unknown`",
        "`unknown=3`",
        "`unknown(task='T')`",
        "`fit(unknown=3)`",
        "`fit('T')`",
        "`models(task='T')`",
        "`Fit(task='T')`",
        "`memory_gb=`",
        "`memory_gb=(`",
        "`fit(task=)`",
        "`fit(task='T'))`",
        "`fit(**{'task': 'T'})`",
        "`",
        "``",
        "`task",
        "`task\n=3`",
        "a ` b `",
        "`task=\x00`",
        "`spacing=" + "(" * 1000 + "`",
        "`fit(task=" + "[" * 5000 + "])`",
        "`task=" + "-" * 50_000 + "1`",
    ],
)
def test_what_is_no_option_and_no_command_stays(ctx, text):
    assert translate(text, ctx) == text


@pytest.mark.parametrize(
    ("call", "command"),
    [
        ("train(task='T', fold=0)", "train -t T -f 0"),
        ("select(task='T')", "postprocess -t T"),
        ("check_dataset(task='T', modalities=['CT', 'MR'])", "dataset -t T -m CT -m MR"),
        ("convert_dataset(source='in', task='T')", "dataset convert in -t T"),
        ("make_phantoms(task='T', shape=(9, 9, 8))", "dataset phantom -t T --shape 9 9 8"),
        ("convert_prompts(source='a.csv', target='b.json')", "prompts convert a.csv b.json"),
        ("install_model(file='a.zip')", "models install a.zip"),
        ("download_model(model='T')", "models download T"),
        ("convert_model(source='old')", "models convert old"),
        ("infer(images=['a', 'b'], interactions='p')", "infer -i a -i b -in p"),
    ],
)
def test_functions_and_commands_of_the_program(call, command):
    with click.Context(main) as context:
        assert translate(f"`{call}`", context) == f"'interactivenet {command}'"


def test_a_stranger_cannot_put_words_into_the_shell(ctx):
    stranger = "x'; rm -rf ~; $(id)"
    typed = translate(f"`fit(task={stranger!r})`", ctx)
    assert shlex.split(typed[1:-1]) == ["interactivenet", "fit", "-t", stranger]
    error = RequestError(field="task", value="a`b` `overwrite", expected="a task")
    assert translate(str(error), ctx) == "-t / --task 'a`b` `overwrite': expected a task"


def test_without_a_command_nothing_is_translated():
    assert translate("`overwrite=True`") == "`overwrite=True`"


def test_a_field_is_named_as_each_side_knows_it(ctx):
    error = RequestError(field="memory_gb", value=0, expected="a number above 0")
    assert str(error) == "`memory_gb=0`: expected a number above 0"
    assert translate(str(error), ctx) == "--memory-gb 0: expected a number above 0"


def test_long_texts_take_no_time(ctx):
    started = time.process_time()
    translate("`" * 200_000, ctx)
    translate("`task=" * 40_000, ctx)
    translate("`fit(" * 40_000, ctx)
    translate("`odd` " * 20_000, ctx)
    with click.Context(main) as context:
        translate("`odd` " * 5000, context)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("command", "text", "typed"),
    [
        ("deploy", "run `train(task='T')` with the same `epochs`",
         "run 'interactivenet train -t T' with the same -e / --epochs"),
        ("infer", "the same `epochs`", "the same -e / --epochs of 'interactivenet train'"),
        ("infer", "a smaller `memory_gb`", "a smaller --memory-gb of 'interactivenet plan'"),
        ("train", "`spacing=(1, 1, 2)`", "--spacing 1 1 2 of 'interactivenet plan'"),
        ("plan", "`spacing=(1, 1, 2)`", "--spacing 1 1 2"),
        ("test", "fewer `jobs`", "fewer --jobs of 'interactivenet evaluate'"),
        ("plan", "fewer `jobs`", "fewer --jobs"),
        ("plan", "`kernel='scan'`", "--encoding scan"),
        ("train", "`kernel='scan'`", "--encoding scan of 'interactivenet plan'"),
        ("infer", "only `voxels=True`", "only --voxels-in of 'interactivenet prompts convert'"),
        ("infer", "`unknown`, `repeats_of=3`, `unknown(task='T')`", ""),
    ],
)  # fmt: skip
def test_an_option_of_another_command_is_named_with_it(command, text, typed):
    with click.Context(main) as above:
        context = click.Context(main.get_command(above, command), parent=above)
        assert translate(text, context) == (typed or text)


def test_voxels_are_an_option_of_their_command(tmp_path):
    source = tmp_path / "vx.json"
    source.write_text('{"type": "Multiple points in voxels", "points": [{"point": [1, 2, 3]}]}')
    result = CliRunner().invoke(main, ["prompts", "convert", str(source), str(tmp_path / "y.json")])
    assert result.exit_code == 2 and "read with --voxels-in only" in result.output
