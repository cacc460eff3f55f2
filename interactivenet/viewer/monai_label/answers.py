"""A map with a message, as 3D Slicer's client reads it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from interactivenet.imaging.geometry import Geometry


def map_answer(mask: NDArray[np.uint8], grid: Geometry, params: Mapping[str, Any]) -> Response:
    """Answer with a map (X, Y, Z) of a stored grid, and what is to be said of it.

    A form with the field `params` and a file whose name no other answer has: the client writes it
    into a folder that it may share with others, under this name.
    """
    from interactivenet.imaging.nrrd import nrrd_bytes

    boundary = secrets.token_hex(16)
    name = f"{secrets.token_urlsafe(12)}.nrrd"
    body = b"".join(
        (
            f"--{boundary}\r\n".encode(),
            b'Content-Disposition: form-data; name="params"\r\n',
            b"Content-Type: application/json\r\n\r\n",
            json.dumps(params).encode(),
            f"\r\n--{boundary}\r\n".encode(),
            f'Content-Disposition: form-data; name="image"; filename="{name}"\r\n'.encode(),
            b"Content-Type: application/octet-stream\r\n\r\n",
            nrrd_bytes(mask, grid),
            f"\r\n--{boundary}--\r\n".encode(),
        )
    )
    return Response(body, media_type=f"multipart/form-data; boundary={boundary}")
