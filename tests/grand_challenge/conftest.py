"""A model of two modalities and two labels: what the tests of algorithms share."""

import pytest

from tests.grand_challenge.laid_out_cases import PLAN
from tests.random_model import make_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("model"), PLAN)
