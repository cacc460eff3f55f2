"""Notes that go with a file that is sent: in a header, as the file has no room for them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

#: a JSON list of sentences, percent-encoded
HEADER = "interactivenet-notes"
#: characters of a header; servers and browsers take 8 kB of all of them
_MOST = 4000


def notes_header(notes: Sequence[str]) -> dict[str, str]:
    """Return a header with notes; of too many, the first ones, and how many more there are."""
    for count in range(len(notes), -1, -1):
        told = list(notes[:count])
        if count < len(notes):
            told.append(f"there are {len(notes) - count} more notes")
        text = quote(json.dumps(told))
        if len(text) <= _MOST:
            break
    return {HEADER: text}
