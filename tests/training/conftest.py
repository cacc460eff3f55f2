"""What the tests of training share."""

from dataclasses import replace

import pytest

from interactivenet.training.trainer import train_fold
from tests.training.trained_task import EXACT, first_fold, make_task


@pytest.fixture(scope="session")
def planned_task(tmp_path_factory):
    """A planned task of four small phantoms, not to be changed."""
    return make_task(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="session")
def uninterrupted(planned_task, tmp_path_factory):
    """A deterministic training of three epochs, in one go; not to be changed."""
    folder = tmp_path_factory.mktemp("whole")
    train_fold(first_fold(planned_task), folder, replace(EXACT, epochs=3))
    return folder
