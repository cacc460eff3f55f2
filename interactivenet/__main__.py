"""The ``interactivenet`` command, and ``python -m interactivenet``, which is the same.

Signals are taken care of before anything else is imported, and until the very end.
"""

import os
import signal

_LINE = "ended by {}: run the same command again to finish its work\n"


def _end(number: int, _: object) -> None:
    """End the process: nothing is begun yet."""
    os.write(1, _LINE.format(signal.Signals(number).name).encode())
    os._exit(128 + number)


_BEFORE = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
for _number, _handler in _BEFORE.items():
    if _handler in (signal.SIG_DFL, signal.default_int_handler):
        signal.signal(_number, _end)

import gc  # noqa: E402
import sys  # noqa: E402
from contextlib import suppress  # noqa: E402

from interactivenet.system.later_imports import import_later  # noqa: E402
from interactivenet.system.signals import Ended, ending_by_signals  # noqa: E402
from interactivenet.system.threads import settle_waiting  # noqa: E402

#: new objects after which Python looks for circles: by default 700, and a command's imports alone
#: make a million, all of which stay
_COLLECT_AFTER = 50_000


def main() -> None:
    """Run the command line."""
    for number, handler in _BEFORE.items():
        signal.signal(number, handler)
    settle_waiting()
    import_later()
    gc.set_threshold(_COLLECT_AFTER, *gc.get_threshold()[1:])
    with ending_by_signals() as ending:
        try:
            from interactivenet.cli import main as command

            command()
        except Ended as ended:
            sys.stdout.write(_LINE.format(signal.Signals(ended.number).name))
            sys.exit(128 + ended.number)
        finally:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
            ending.finish()
            gc.freeze()  # the process ends: nothing is to be looked for among all its modules


if __name__ == "__main__":
    main()
