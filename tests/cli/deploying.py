"""Deploying a trained task by its command, and what it writes."""

from tests.cli.trained_command import run
from tests.training.trained_task import NAME


def deploy(root, *words):
    return run(root, "deploy", "-t", NAME, *words, raw=False)


def bundle_of(root):
    return root / "results" / "models" / NAME
