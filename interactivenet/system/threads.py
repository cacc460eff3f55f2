"""How threads wait for each other; to be said before torch, which brings them, is imported.

Nothing here imports more than Python's own: this is the first that a program does.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

#: of libgomp, the OpenMP that torch comes with: how often a thread looks again before it sleeps
SPINS = "GOMP_SPINCOUNT"
#: of any OpenMP: whether threads look or sleep; libgomp has a count of its own for either
POLICY = "OMP_WAIT_POLICY"
#: libgomp's own is 300,000: beside another process that uses the cores, a thread that looks is in
#: the way of the one that it waits for. At 10,000 a network's pass took a third of the processor's
#: time on busy cores; whether a lower number costs anything on idle ones: benchmarks/threads.py
_SPINS = 10_000


def settle_waiting(environment: MutableMapping[str, str] = os.environ) -> None:
    """Have threads that wait give up their core soon, in this process and those that it starts.

    For programs: a library leaves its user's process as it is. Where either variable is set, it
    stays as it is.
    """
    if SPINS not in environment and POLICY not in environment:
        environment[SPINS] = str(_SPINS)
