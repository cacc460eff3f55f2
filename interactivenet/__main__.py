"""``python -m interactivenet``: the same as the ``interactivenet`` command."""

from interactivenet.cli import main

main()
