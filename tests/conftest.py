"""What all tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# tests run side by side: threads of each on all cores would wait for each other; torch, which
# reads this, is imported later
os.environ["OMP_NUM_THREADS"] = "1"

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")

#: small inputs that went wrong, each with the right result in their README
SHARED_CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"
#: real images, kept beside the repository and not in it
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data():
    """Return a function that gives the path of a real image, or skips the test."""

    def find(name):
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"needs the real image shared/data/{name} beside the repository")
        return path

    return find


@pytest.fixture(scope="session")
def shared_cases():
    """Return a function that gives the path of an input that went wrong, or skips the test."""

    def find(name):
        path = SHARED_CASES / name
        if not path.exists():
            pytest.skip(f"needs the case shared/cases/{name} beside the repository")
        return path

    return find


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Two trained folds of four phantoms, and two test cases; not to be changed."""
    from tests.cli.trained_command import CPU, run
    from tests.training.trained_task import NAME, make_task

    root = make_task(tmp_path_factory.mktemp("using"), cases=4, test_cases=2)
    words = ["train", "-t", NAME, "-f", "all", "-e", "3", "--workers", "0", "--no-mlflow", *CPU]
    done = run(root, *words, raw=True)
    assert done.exit_code == 0, done.output
    return root


@pytest.fixture(scope="session")
def tested(trained, tmp_path_factory):
    """What ``test`` prints, and its results."""
    from tests.cli.trained_command import CPU, copied, run
    from tests.training.trained_task import NAME

    results = copied(trained, tmp_path_factory.mktemp("tested"))
    done = run(trained, "test", "-t", NAME, "--no-mlflow", *CPU, results=results)
    assert done.exit_code == 0, done.output
    return done.output, results


@pytest.fixture(scope="session")
def starter_bundle(tmp_path_factory):
    """The bundle of a starter with random weights; not to be changed."""
    from tests.starter_model import make_starter

    return make_starter(tmp_path_factory.mktemp("starter"))


@pytest.fixture
def with_starter(starter_bundle, monkeypatch):
    """Have an installation with a starter; returns its folder."""
    from interactivenet.models import starter

    monkeypatch.setattr(starter, "FOLDER", starter_bundle)
    return starter_bundle


@pytest.fixture
def without_starter(tmp_path, monkeypatch):
    """Have an installation without a starter."""
    from interactivenet.models import starter

    monkeypatch.setattr(starter, "FOLDER", tmp_path / "nothing")
