"""What the tests of commands share."""

import pytest

from tests.cli.dataset_command import NAME
from tests.raw_task import write_case


@pytest.fixture
def task(tmp_path):
    """Two good cases of one modality: good_1 with, good_2 without prompts."""
    folder = tmp_path / NAME
    write_case(folder, "good_1", prompt=True)
    write_case(folder, "good_2")
    return folder
