"""How threads wait: what a user has set stays, and all else gets the program's choice."""

import pytest

from interactivenet.system.threads import POLICY, SPINS, settle_waiting


def test_threads_give_up_their_core_soon():
    environment = {"OMP_NUM_THREADS": "3"}
    settle_waiting(environment)
    assert environment.pop("OMP_NUM_THREADS") == "3"
    assert list(environment) == [SPINS]
    # libgomp's own is 300,000
    assert 100 < int(environment[SPINS]) < 100_000


@pytest.mark.parametrize("own", [{SPINS: "7"}, {POLICY: "ACTIVE"}, {SPINS: "INFINITY", POLICY: ""}])
def test_what_a_user_has_set_stays(own):
    environment = dict(own)
    settle_waiting(environment)
    assert environment == own
