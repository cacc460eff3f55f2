"""What the first outline would wait for, done before: weights, kernels, a first pass."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from interactivenet.datasets.case import Scan
from interactivenet.errors import InteractiveNetError
from interactivenet.imaging.volume import Volume
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.prompt import Prompt
from interactivenet.viewer.refusals import Ending
from interactivenet.viewer.sessions.served_models import ServedModels

if TYPE_CHECKING:
    from interactivenet.inference.predictor import Predictor

_SIDE = 40


def warm(models: ServedModels, name: str) -> str:
    """Load a model and segment a ball with it; return why that failed, '' where it did not."""
    try:
        loaded = models.load(name)
        for predictor in dict.fromkeys((loaded.quick, loaded.full)):
            loaded.thread.run(partial(_segment, predictor, loaded.thread.check))
    except Ending:
        return ""
    except InteractiveNetError as error:
        return str(error)
    return ""


def _segment(predictor: Predictor, check: Callable[[], None]) -> None:
    scan, prompt = _ball(predictor)
    predictor.open(scan).segment([prompt], interrupt=check)


def _ball(predictor: Predictor) -> tuple[Scan, Prompt]:
    """Make an image of a ball, one channel for each modality, and its prompt, with a click."""
    axes = np.indices((_SIDE,) * 3, np.float32) - (_SIDE - 1) / 2
    ball = np.exp(-((axes**2).sum(axis=0)) / 60).astype(np.float32)
    image = np.stack([ball] * len(predictor.plan.modalities))
    centre, reach = np.full(3, (_SIDE - 1) / 2), 7.0
    points = [centre + sign * reach * axis for axis in np.eye(3) for sign in (-1, 1)]
    label, name = next(iter(predictor.plan.labels.items()))
    x, y, z = (centre + 1).tolist()
    prompt = Prompt(label, np.array(points), name, corrections=(Correction((x, y, z), True),))
    return Scan("ball", Volume.from_ras(image, np.eye(4))), prompt
