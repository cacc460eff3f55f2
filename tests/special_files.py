"""What is no regular file, to be read in vain; and a limit of time for whoever tries."""

import os
import signal
import stat
from contextlib import contextmanager

#: what each kind is called
KINDS = {"fifo": "a FIFO", "socket": "a socket", "device": "a device"}


def make_special(path, kind):
    """Make a FIFO, a socket, or a link to a device without end, in place of what is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":  # not by its name, which may be too long to bind to
        os.mknod(path, stat.S_IFSOCK | 0o600)
    else:
        path.symlink_to("/dev/zero")
    return path


@contextmanager
def at_most(seconds):
    """Fail what takes longer: it hangs."""

    def late(*_):
        raise AssertionError(f"it takes more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
