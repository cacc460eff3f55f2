"""A model's weights, loaded to be used as options say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactivenet.inference.options import InferenceOptions
from interactivenet.models.model import Model

if TYPE_CHECKING:
    from interactivenet.inference.predictor import Predictor


def load_predictor(model: Model, options: InferenceOptions) -> Predictor:
    """Load a model's weights, to be used as the options say."""
    from interactivenet.inference.predictor import Predictor

    return Predictor(
        model, mirrored=options.mirrored, device=options.device, precision=options.precision,
        restore=options.restore, backend=options.backend,
    )  # fmt: skip
