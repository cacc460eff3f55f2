"""The first process of a container: it hands signals on, and waits for whatever ends.

To the kernel the first process is special: a signal that it does not handle is ignored, so that
'docker stop' would do nothing until it kills, and orphans become its children. So the program
runs as a child, which signals end as they do everywhere (the same that tini and dumb-init do).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

#: what is handed on
_HANDED_ON = {
    signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2
}  # fmt: skip


def run(words: Sequence[str]) -> int:
    """Run a program and return its exit status, 128 + N where signal N ended it.

    Where this is not the first process (docker run --init, Apptainer), the program takes its place.
    """
    if os.getpid() != 1:
        os.execv(words[0], list(words))
    return supervise(words)


def supervise(words: Sequence[str]) -> int:
    """Run a program as a child and return its exit status, 128 + N where signal N ended it."""
    awaited = _HANDED_ON | {signal.SIGCHLD}
    # blocked before the child is there: none is lost between its start and the first wait
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    try:
        child = subprocess.Popen(
            words, preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, before)
        )
        return _said(_hand_on(child.pid, awaited))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _hand_on(child: int, awaited: set[signal.Signals]) -> int:
    """Hand signals on until the child has ended; return its status, -N for signal N."""
    while True:
        number = signal.sigwait(awaited)
        if number != signal.SIGCHLD:
            # of a terminal, Ctrl-C has reached the child already
            if number != signal.SIGINT or not sys.stdin.isatty():
                os.kill(child, number)
        elif (status := _reap(child)) is not None:
            return status


def _reap(child: int) -> int | None:
    """Wait for all that has ended; return the child's status if it is among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            found = os.waitstatus_to_exitcode(status)


def _said(status: int) -> int:
    if status == -signal.SIGKILL:
        sys.stderr.write(
            "Error: killed by SIGKILL, most likely for want of memory (docker run --memory, or the"
            " job's limit); the same command goes on\n"
        )
    return status if status >= 0 else 128 - status
