"""What the tests of commands share."""

import shutil

import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.phantom import PhantomSettings, write_phantom_task
from tests.cli.dataset_command import NAME
from tests.cli.plan_command import NAME as PLANNED
from tests.cli.trained_command import CPU, copied, run
from tests.raw_task import write_case
from tests.training.trained_task import NAME as TRAINED
from tests.training.trained_task import make_task


@pytest.fixture
def task(tmp_path):
    """Two good cases of one modality: good_1 with, good_2 without prompts."""
    folder = tmp_path / NAME
    write_case(folder, "good_1", prompt=True)
    write_case(folder, "good_2")
    return folder


@pytest.fixture(scope="session")
def planned_phantoms(tmp_path_factory):
    """Six cases of two modalities, two labels, slices along an oblique axis."""
    folder = tmp_path_factory.mktemp("planned") / PLANNED
    settings = PhantomSettings(
        cases=6, test_cases=0, labels=("tumour", "oedema"), spacing=(1.0, 1.0, 3.5), oblique=12.0,
        modalities=("MR", "CT"), shape=(40, 36, 18),
    )  # fmt: skip
    write_phantom_task(folder, settings)
    names = ["-m", "MR", "-m", "CT", "-l", "tumour", "-l", "oedema"]
    for command, options in (("simulate", []), ("dataset", names)):
        where = ["-t", PLANNED, "--raw", str(folder.parent)]
        done = CliRunner().invoke(main, [command, *where, *options])
        assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def phantom_task(tmp_path, planned_phantoms):
    return shutil.copytree(planned_phantoms, tmp_path / "raw" / PLANNED)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Two trained folds of four phantoms, and two test cases; not to be changed."""
    root = make_task(tmp_path_factory.mktemp("using"), cases=4, test_cases=2)
    words = ["train", "-t", TRAINED, "-f", "all", "-e", "3", "--workers", "0", "--no-mlflow", *CPU]
    done = run(root, *words, raw=True)
    assert done.exit_code == 0, done.output
    return root


@pytest.fixture(scope="session")
def tested(trained, tmp_path_factory):
    """What ``test`` prints, and its results."""
    results = copied(trained, tmp_path_factory.mktemp("tested"))
    done = run(trained, "test", "-t", TRAINED, "--no-mlflow", *CPU, results=results)
    assert done.exit_code == 0, done.output
    return done.output, results
