"""What the tests of conversion share."""

import encodings.cp437  # noqa: F401  zipfile loads it with the first name that it reads
import sys
import time

import pytest

from interactivenet.errors import DataError
from interactivenet.legacy.weights import read_weights
from tests.legacy.raw_pickles import write


@pytest.fixture
def refused(tmp_path):
    """Return a function that reads a pickle's opcodes, which must be refused in one line, soon."""

    def check(code, message, **more):
        path = write(tmp_path / "model.pth", code, **more)
        before, start = dict(sys.modules), time.process_time()
        with pytest.raises(DataError, match=message) as error:
            read_weights(path)
        assert time.process_time() - start < 5
        assert sys.modules == before
        assert str(error.value).startswith(f"{path}: ") and len(str(error.value)) < 400
        assert str(error.value).isprintable()

    return check
