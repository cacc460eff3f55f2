"""JSON data as typed objects, strictly: what does not fit is named by its field."""

from __future__ import annotations

import json
from typing import Any

from interactivenet.errors import sanitize_text


def parse_json_as(kind: Any, content: Any, section: str) -> Any:
    """Turn JSON data into a ``kind``: a data class, or a container of them.

    section: names the data where no single field is at fault. Raises ValueError, naming
    the first field that is unknown, missing or cannot be used.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        # via text: in JSON, lists are tuples' and strings are mappings' keys
        return TypeAdapter(kind).validate_json(json.dumps(content))
    except ValidationError as error:
        raise ValueError(_first_fault(error.errors(), section)) from error


def _first_fault(errors: Any, section: str) -> str:
    reasons = {"missing": "is missing", "unexpected_keyword_argument": "is unknown"}
    first = errors[0]
    name = ".".join(map(str, first["loc"])) or section
    reason = reasons.get(first["type"]) or (
        f"cannot be used: {first['msg'].removeprefix('Value error, ')}"
    )
    more = f" (and {len(errors) - 1} more faults)" if len(errors) > 1 else ""
    return sanitize_text(f"field {name} {reason}{more}")
