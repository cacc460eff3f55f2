"""A container with some folders mounted, and all commands that may be called in it."""

from pathlib import Path

import click

from interactivenet.cli import main
from interactivenet.system.mounts import Mount

#: what the image sets
ENVIRONMENT = {
    "INTERACTIVENET_IMAGE": "1",
    "interactivenet_raw": "/data/raw",
    "interactivenet_processed": "/data/processed",
    "interactivenet_results": "/results",
}
ROOT = Mount(Path("/"), "/")
ANONYMOUS = f"/var/lib/docker/volumes/{'0123456789abcdef' * 4}/_data"
INFER = "infer -t X -i /in -in /in"


class Started(Exception):
    """A command was not refused."""


def every_command(group=main, words=()):
    """Yield all commands, each with the words that call it."""
    yield words, group
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            yield from every_command(group.get_command(context, name), (*words, name))


def mount(point, root="/home/me/somewhere"):
    return Mount(Path(point), root)
