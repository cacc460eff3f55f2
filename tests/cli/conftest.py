"""What the tests of commands share."""

import shutil

import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.phantom import PhantomSettings, write_phantom_task
from tests.cli.dataset_command import NAME
from tests.cli.plan_command import NAME as PLANNED
from tests.raw_task import write_case


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
