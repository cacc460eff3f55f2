"""What the HTML pages share: how they are rendered, and pictures within them."""

from __future__ import annotations

import base64
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interactivenet.system.files import read_bytes

if TYPE_CHECKING:
    from jinja2 import Template


def page_template(name: str) -> Template:
    """Return a template of this package, with the filters ``number`` and ``percent``."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["percent"] = lambda value: f"{100 * value:.0f} %"
    return environment.get_template(name)


def is_number(value: Any) -> bool:
    """Whether a value is there and finite."""
    return value is not None and math.isfinite(value)


def png_uri(path: Path) -> str:
    """Return a PNG file as a data URI."""
    return data_uri("png", read_bytes(path))


def data_uri(kind: str, data: bytes) -> str:
    """Return a picture of a kind, such as 'png', as a data URI."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _number(value: Any, digits: int | None) -> str:
    """Write a number with so many decimals, text as it is, and a dash for nothing."""
    if value is None or value == "" or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, str) or digits is None:
        return str(value)
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")  # + 0.0: no -0.00
