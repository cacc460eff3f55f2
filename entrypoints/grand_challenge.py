#!/usr/bin/env python3
"""What a grand-challenge algorithm's container starts: no arguments, one case."""

import sys

from interactivenet.grand_challenge.algorithm import main

sys.exit(main())
