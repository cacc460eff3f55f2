#!/usr/bin/env python3
"""What the container starts: a command of interactivenet, after a look at what is mounted."""

import os
import sys
from pathlib import Path

from interactivenet.first_process import run
from interactivenet.system.mounts import missing, read_mounts

program = Path(__file__).resolve().parents[1] / "package" / "bin" / "interactivenet"
words = sys.argv[1:]
if words[:1] == [program.name]:  # as one types it without a container
    words = words[1:]
if problem := missing(words, os.environ, read_mounts()):
    sys.stderr.write(f"Error: {problem}\n")
    sys.exit(2)
sys.exit(run([str(program), *words]))
