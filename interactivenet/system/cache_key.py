"""Done before, from the same inputs: what a result was made from, and whether that is unchanged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

#: where a record on disk says what its result was made from
MADE_FROM = "made_from"


@dataclass(frozen=True)
class CacheKey:
    """All that decides a result, as JSON data: the same key, the same result.

    A result is done when the record beside it, which is written last, holds the key as 'made_from'.

    content: hashes of inputs, settings, versions; lists and tuples are the same, as in JSON.
    """

    content: Mapping[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "content", json.loads(json.dumps(dict(self.content))))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content, in hex; the order of its fields does not count."""
        return hashlib.sha256(json.dumps(self.content, sort_keys=True).encode()).hexdigest()

    def matches(self, record: Mapping[str, Any] | None) -> bool:
        """Whether a record says that its result was made from just this."""
        return bool(record) and record is not None and record.get(MADE_FROM) == self.content

    def differences(self, recorded: Mapping[str, Any]) -> list[str]:
        """Name the fields in which what another result was made from differs, sorted."""
        names = {*recorded, *self.content}
        return sorted(name for name in names if recorded.get(name) != self.content.get(name))
