"""The ``interactivenet`` command, and ``python -m interactivenet``, which is the same.

Signals are taken care of before anything else is imported, and until the very end.
"""

from __future__ import annotations

import sys
from contextlib import suppress

from interactivenet.system.signals import AGAIN, Ended, ending_by_signals


def main() -> None:
    """Run the command line."""
    with ending_by_signals() as ending:
        try:
            from interactivenet.cli import main as command

            command()
        except Ended as ended:
            sys.stdout.write(f"{ended}: {AGAIN}\n")
            sys.exit(128 + ended.number)
        finally:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
            ending.finish()


if __name__ == "__main__":
    main()
