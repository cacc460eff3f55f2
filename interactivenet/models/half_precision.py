"""Models whose weights are rounded to half precision, to be handed on: half as large."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from interactivenet.models.model import Model
from interactivenet.models.network import halve_weights


@contextmanager
def half_precision(model: Model, place: Path | None = None) -> Iterator[Model]:
    """Give the same model with weights in float16, which are there for as long.

    place: folder for them; by default that of temporary files. A model that is in half precision
    already is given as it is. Raises DataError where a weight cannot be read, or is too large.
    """
    if model.half_of:
        yield model
        return
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".half-", dir=place) as folder:
        paths = [Path(folder) / f"fold_{number}.safetensors" for number in model.folds]
        for source, target in zip(model.weights, paths, strict=True):
            halve_weights(source, target)
        yield replace(model, weights=tuple(paths), half_of=model.digests)
