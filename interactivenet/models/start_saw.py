"""What the model that a training started from had seen of the cases that validate it.

Weights say which images trained them, those of the models before them included: by a part of a
checksum of their files, which names nobody. Who has the same file can tell that it was among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: in the facts of weights: the images that trained them; and what their start had seen
SEEN, START_SAW = "seen", "start_saw"


@dataclass(frozen=True)
class StartSaw:
    """How many of a fold's validation cases trained the model that its training started from.

    model: its name.  cases: how many; None where it is of the same task, and does not say.
    of: how many validate the fold.
    """

    model: str
    cases: int | None
    of: int

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON data, as it stands in the facts of weights."""
        return {"model": self.model, "cases": self.cases, "of": self.of}

    @staticmethod
    def of_facts(facts: Mapping[str, Any]) -> StartSaw | None:
        """Read what the facts of weights say; None where there is nothing to warn of."""
        content = facts.get(START_SAW)
        if not isinstance(content, Mapping):
            return None
        return StartSaw(str(content.get("model")), content.get("cases"), content.get("of", 0))

    def warning(self, fold: int) -> str:
        """Say in one line what it means for the validation of a fold."""
        start = f"{self.model}, which the training of fold {fold} starts from,"
        if self.cases is None:
            return (
                f"{start} is of this same task and does not say which cases it was trained on: the"
                f" {self.of} validation cases of the fold may be among them, and its validation too"
                " good"
            )
        return (
            f"{self.cases} of the {self.of} validation cases of fold {fold} were among the training"
            f" cases of {self.model}, which its training starts from: the validation of this fold"
            " is too good"
        )


def seen_images(facts: Mapping[str, Any]) -> frozenset[str] | None:
    """Return which images trained weights, by the facts of these; None where they do not say."""
    seen = facts.get(SEEN)
    if not isinstance(seen, list) or not all(isinstance(digest, str) for digest in seen):
        return None
    return frozenset(seen)
