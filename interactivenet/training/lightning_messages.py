"""What Lightning and its workers say and raise, made fit for a user."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from interactivenet.errors import DataError, RequestError
from interactivenet.models.device import kept_choice_of_kernels
from interactivenet.planning.plan import Plan


@contextmanager
def named_errors(plan: Plan) -> Iterator[None]:
    """Turn what Lightning and the loader's workers raise into our one line, where it is known."""
    try:
        yield
    except DataError as error:
        lines = str(error).strip().splitlines()
        if len(lines) == 1:
            raise
        # from a worker process: its whole traceback, the message at its end
        raise DataError(lines[-1].partition(": ")[2]) from error
    except torch.OutOfMemoryError as error:
        raise RequestError(
            "the graphics card does not have enough memory",
            remedy=f"run `plan(task={plan.task!r})` again with a smaller `memory_gb`, such as"
            f" {plan.memory_gb / 2:g}: samples and batches become smaller",
        ) from error


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning's remarks on things that are as they should be out of the log.

    What it sets in torch for the whole process is taken back, too.
    """
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), kept_choice_of_kernels():
        warnings.filterwarnings("ignore", module="lightning")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
