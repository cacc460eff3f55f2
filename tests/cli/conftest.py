"""What the tests of commands share."""

import shutil

import pytest
from click.testing import CliRunner

from interactivenet.cli import folders, main
from interactivenet.datasets.phantom import PhantomSettings, write_phantom_task
from interactivenet.system.mounts import Mount
from tests.cli.dataset_command import NAME
from tests.cli.mounted_folders import ENVIRONMENT, ROOT, Started, mount
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


@pytest.fixture
def lacks(monkeypatch):
    """Return a function: what is said about a command in a container with some mounts.

    None where its folders are as it needs them; then nothing of the command runs.
    """
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    check = folders.describe_missing_folder

    def check_alone(ctx):
        if message := check(ctx):
            return message
        raise Started

    monkeypatch.setattr("interactivenet.cli.base.describe_missing_folder", check_alone)
    monkeypatch.setattr(folders, "_exists", lambda path: True)  # the mounts are not real

    def run(words, *mounts):
        table = [ROOT, *(item if isinstance(item, Mount) else mount(item) for item in mounts)]
        monkeypatch.setattr(folders, "read_mounts", lambda: table)
        done = CliRunner().invoke(main, words.split())
        if "unexpected Started" in done.stderr:
            return None
        assert done.exit_code == 2 and done.stdout == "", done.output
        message = done.stderr.removeprefix("Error: ")
        assert message.count("\n") == 1 and message.endswith("\n")
        return message.strip()

    return run


@pytest.fixture
def writable(monkeypatch):
    """All that is mounted can be written to."""
    monkeypatch.setattr(folders, "_why_unwritable", lambda folder: None)


@pytest.fixture(scope="module")
def root(trained, tested, tmp_path_factory):
    """Two trained folds, their predictions of the test cases, and the deployed model."""
    from tests.cli.deploying import deploy

    root = tmp_path_factory.mktemp("deploying")
    for part, source in (("raw", trained), ("processed", trained), ("results", tested[1].parent)):
        shutil.copytree(source / part, root / part)
    done = deploy(root, "--zip", "--description", "Phantoms, CC0")
    assert done.exit_code == 0, done.output
    return root
