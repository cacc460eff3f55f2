#!/usr/bin/env python3
"""What a grand-challenge algorithm's container starts: no arguments, one case."""

import signal
import sys

from interactivenet.system.later_imports import import_later
from interactivenet.system.threads import settle_waiting

settle_waiting()  # before torch is imported
import_later()

from interactivenet.grand_challenge.algorithm import main  # noqa: E402

# the first process of a container ignores what it does not handle
signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
sys.exit(main())
