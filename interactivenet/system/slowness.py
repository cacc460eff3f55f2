"""Noticing that the machine's cores are shared: the same work takes many times longer."""

from __future__ import annotations

import os

from interactivenet.system.parallel import available_cores

#: times the fastest; less is what any machine does, or a first step
_MANY = 4.0
#: seconds that are not worth a word
_SHORT = 1.0
#: of the system's load, beyond the cores that this program may use itself
_OTHERS = 1.0


class Slowness:
    """Compares how long the same work takes each time; says once that it became slow, and why.

    work: what it is called, such as 'epoch'.
    """

    def __init__(self, work: str) -> None:
        self._work, self._fastest, self._told = work, float("inf"), False

    def note(self, number: int, seconds: float) -> str:
        """Note what one took; returns what is to be said of it, '' for nothing.

        number: of the work, from 1.
        """
        self._fastest = min(self._fastest, seconds)
        times = seconds / max(self._fastest, 1e-9)
        if self._told or seconds < _SHORT or times < _MANY:
            return ""
        cores = available_cores()
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
        if load < cores + _OTHERS:  # nobody else: the work itself has become more
            return ""
        self._told = True
        return (
            f"{self._work} {number} took {seconds:.0f} s, {times:.0f} times as long as the fastest"
            f" ({self._fastest:.1f} s), and other processes use the cores as well (load {load:.1f},"
            f" {cores} for this program)"
        )
