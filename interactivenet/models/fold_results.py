"""A fold's results on disk: its weights, how its training went, and its validation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet.system.files import read_object, sha256

#: checkpoint -> its weights, in a fold's results
WEIGHTS = {"best": "model_best.safetensors", "last": "model_last.safetensors"}
VALIDATION, VALIDATION_METRICS = "validation", "metrics.json"


@dataclass(frozen=True)
class FoldResults:
    """The folder ``fold_K`` of a task's results.

    results: the task's folder of results.  number: of the fold.
    """

    results: Path
    number: int

    @property
    def folder(self) -> Path:
        """Where all of it lies."""
        return self.results / f"fold_{self.number}"

    def weights(self, checkpoint: str) -> Path:
        """Return the path of a checkpoint's weights: 'best' or 'last'."""
        return self.folder / WEIGHTS[checkpoint]

    def digest(self, checkpoint: str) -> str:
        """SHA-256 of a checkpoint's weights; raises DataError where they cannot be read."""
        return sha256(self.weights(checkpoint))

    @property
    def is_finished(self) -> bool:
        """Whether the fold was trained to its end: its last weights are written then."""
        return all(self.weights(checkpoint).exists() for checkpoint in WEIGHTS)

    @property
    def validation(self) -> Path:
        """Folder of the segmented validation cases."""
        return self.folder / VALIDATION

    def read_validation(self) -> dict[str, Any]:
        """Read what was measured on the validation cases, by checkpoint; {} where nothing was."""
        return read_object(self.validation / VALIDATION_METRICS)
