"""What the networks of a session were asked, and said, so that they are not asked again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interactivenet.postprocessing.merging import PromptProbability
from interactivenet.preprocessing.sample import Sample
from interactivenet.prompts.prompt import Prompt

if TYPE_CHECKING:
    from interactivenet.inference.networks import NetworkOutput

#: bytes of what is kept beside the last answers: the states that a user may go back to
_KEPT = 128e6


@dataclass(frozen=True, eq=False)
class Answered:
    """One prompt: what the networks saw of it, and how probable its object is.

    sample: it has the prompt.  claim: of all networks together.
    """

    sample: Sample
    answer: NetworkOutput
    claim: PromptProbability

    @property
    def size(self) -> int:
        """Bytes."""
        arrays = (self.sample.array, *self.sample.others, self.answer.probability)
        return sum(array.nbytes for array in arrays) + self.claim.probability.nbytes


class Answers:
    """The answers of a session, by prompt; the oldest are forgotten first.

    kept: bytes of all but those that were given last.
    """

    def __init__(self, kept: float = _KEPT) -> None:
        self._kept = kept
        self._answered: OrderedDict[Hashable, Answered] = OrderedDict()

    def find(self, prompt: Prompt) -> Answered | None:
        """Return what is known of a prompt: with its first corrections, as many as possible."""
        for count in range(len(prompt.corrections), -1, -1):
            found = self._answered.get(_key(prompt, count))
            if found is not None:
                return found
        return None

    def keep(self, answered: Sequence[Answered]) -> None:
        """Keep the answers to all prompts of a case; what is oldest may be forgotten."""
        now = {_key(each.sample.prompt): each for each in answered}
        for key, each in now.items():
            self._answered[key] = each
            self._answered.move_to_end(key)
        size = sum(each.size for key, each in self._answered.items() if key not in now)
        for key in list(self._answered):
            if size <= self._kept:
                break
            if key not in now:
                size -= self._answered.pop(key).size


def _key(prompt: Prompt, corrections: int | None = None) -> Hashable:
    """Return what an answer depends on: positions alone, not names or labels."""
    clicks = prompt.corrections[:corrections]
    return (
        prompt.points.tobytes(),
        prompt.depth_mm,
        tuple((click.position, click.positive) for click in clicks),
    )
