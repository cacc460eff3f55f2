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

#: real images, kept beside the repository and not in it
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def shared_data():
    """Return a function that gives the path of a real image, or skips the test."""

    def find(name):
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"needs the real image shared/data/{name} beside the repository")
        return path

    return find
