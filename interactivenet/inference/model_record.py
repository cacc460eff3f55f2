"""What a case's record says of the model and its labels, so that an export needs neither."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from interactivenet import __version__
from interactivenet.models.bundle_codes import codes_field
from interactivenet.models.model import Model
from interactivenet.prompts.prompt import Prompt

#: in a record: which model segmented; value -> name of the labels. Their codes are as in a bundle.
MODEL, LABELS = "model", "labels"


def describe_made_by(
    model: Model, folds: Sequence[int], prompts: Iterable[Prompt]
) -> dict[str, Any]:
    """Return what a record says of a model, as JSON data: its fields MODEL, LABELS and CODES.

    folds: those that were used.  prompts: of the case, which name labels that a model of any object
    does not know.
    """
    digests = dict(zip(model.folds, model.digests, strict=True))
    return {
        MODEL: {
            "name": model.plan.task,
            "digest": joined_digest([digests[number] for number in folds]),
            "version": __version__,
        },
        LABELS: label_names(model.plan.label_names.names, prompts),
        **codes_field(model),
    }


def label_names(names: Mapping[int, str], prompts: Iterable[Prompt]) -> dict[str, str]:
    """Return value -> name of labels, as JSON data: those that there are, and those of prompts."""
    told = {prompt.label: prompt.name for prompt in prompts if prompt.name}
    return {str(value): name for value, name in sorted({**told, **names}.items())}


def joined_digest(digests: Sequence[str]) -> str:
    """Return one SHA-256, in hex, of a model's files of weights: of one alone, its own."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
