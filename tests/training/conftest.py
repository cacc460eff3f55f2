"""What the tests of training share."""

import pytest

from tests.training.trained_task import make_task


@pytest.fixture(scope="session")
def planned_task(tmp_path_factory):
    """A planned task of four small phantoms, not to be changed."""
    return make_task(tmp_path_factory.mktemp("training"))
