"""Whether what a case's record says of its objects can be used: a file that anybody may edit."""

from __future__ import annotations

from typing import Any

#: in the record of an object: its largest diameter within an axial plane, and in any direction
DIAMETERS = "diameters_mm"


def are_objects(content: Any) -> bool:
    """Whether it is what a record says of its objects, as far as others read it."""
    return isinstance(content, list) and all(
        isinstance(segmented, dict)
        and isinstance(segmented.get("reasons") or [], list)
        and isinstance(segmented.get(DIAMETERS) or {}, dict)
        for segmented in content
    )
