"""Text in small pictures, as grey values: quick, and the same each time."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: comes with matplotlib, which need not be imported for that; Latin, Greek, Cyrillic and more
_FONT = "mpl-data/fonts/ttf/DejaVuSans.ttf"


@lru_cache(maxsize=4)
def _font(size: int) -> Any:
    from PIL import ImageFont

    library = find_spec("matplotlib")
    path = Path(library.origin).parent / _FONT if library and library.origin else Path(_FONT)
    if path.is_file():
        # laid out without other libraries, which not every computer has
        return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    return ImageFont.load_default(size)


@lru_cache(maxsize=64)  # the letters of the sides are in every picture
def lettered(text: str, size: int) -> NDArray[np.uint8]:
    """Return a line of text as (height, width) coverage, 0 to 255; the height is the size's.

    It is not to be changed: the next one who asks gets the same.
    """
    from PIL import Image, ImageDraw

    font = _font(size)
    ascent, descent = font.getmetrics()
    width = max(1, int(np.ceil(font.getlength(text))))
    image = Image.new("L", (width, ascent + descent))
    ImageDraw.Draw(image).text((0, 0), text, fill=255, font=font)
    strokes = np.array(image, np.uint8)
    strokes.setflags(write=False)
    return strokes


def folded(text: str, size: int, width: int, most: int) -> list[str]:
    """Break a text into lines of so many pixels; what is beyond ``most`` lines ends in '...'."""
    font = _font(size)
    if font.getlength(text) <= width:
        return [text]
    lines = [""]
    for letter in text:
        if font.getlength(lines[-1] + letter) > width:
            lines.append("")
        lines[-1] += letter
    if len(lines) > most:
        lines = lines[:most]
        lines[-1] = lines[-1][:-3] + "..."
    return lines
