"""What a viewer's server allows, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from interactivenet.errors import RequestError


@dataclass(frozen=True)
class ViewerSettings:
    """Limits of a server.

    Attributes:
        uploads: Whether images may be sent to it.
        sessions: Images that may be open at once, all users together.
        idle_minutes: After so long without a request about it an open image is closed.
        alive_minutes: The same, without a sign of life from the page that shows it.
        upload_gb: GB of one upload, at most.
        uploads_gb: GB of all uploads that are kept.
        json_mb: MB of a request's JSON, at most.
        objects: Objects of one image, at most.
        points: Points of one object, at most.
        corrections: Corrections of one object, at most.

    Raises:
        RequestError: A limit is below what any use needs.
    """

    uploads: bool = True
    sessions: int = 16
    idle_minutes: float = 120.0
    alive_minutes: float = 5.0
    upload_gb: float = 2.0
    uploads_gb: float = 20.0
    json_mb: float = 4.0
    objects: int = 100
    points: int = 100
    corrections: int = 200

    def __post_init__(self) -> None:
        for field in ("sessions", "objects", "points", "corrections"):
            if getattr(self, field) < 1:
                raise RequestError(field=field, value=getattr(self, field), expected="1 or more")
        for field in ("idle_minutes", "alive_minutes", "upload_gb", "uploads_gb", "json_mb"):
            if not 0 < getattr(self, field) < float("inf"):
                raise RequestError(
                    field=field, value=getattr(self, field), expected="a number above 0"
                )

    @property
    def upload_bytes(self) -> int:
        """Bytes of one upload, at most."""
        return int(self.upload_gb * 1e9)

    @property
    def json_bytes(self) -> int:
        """Bytes of a request's JSON, at most."""
        return int(self.json_mb * 1e6)
