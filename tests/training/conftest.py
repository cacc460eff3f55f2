"""What the tests of training share."""

import pytest
import torch

from tests.training.trained_task import make_task


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tests run side by side: threads of each on all cores would wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def planned_task(tmp_path_factory):
    """A planned task of four small phantoms, not to be changed."""
    return make_task(tmp_path_factory.mktemp("training"))
