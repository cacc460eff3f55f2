"""Running ``interactivenet dataset`` on a task of the tests."""

from click.testing import CliRunner

from interactivenet.cli import main

NAME = "Task101_TEST"


def dataset(task, *options):
    labels = () if "-l" in options else ("-l", "tumour")
    modalities = () if "-m" in options else ("-m", "MR")
    arguments = ["dataset", "-t", task.name, "--raw", str(task.parent), *modalities, *labels]
    return CliRunner().invoke(main, [*arguments, *options])
