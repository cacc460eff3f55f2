"""Many small pictures on one page, to go through thousands of results at a glance."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from interactivenet.errors import DataError
from interactivenet.plotting.lettering import lettered
from interactivenet.plotting.thumbnails import HEAD, ROW, WIDTH
from interactivenet.system.files import read_bytes, write_bytes

if TYPE_CHECKING:
    from PIL.Image import Image

#: pictures of a sheet, and how many are beside each other
PER_SHEET, _COLUMNS = 24, 4
_GAP = 14
#: of a picture the head and so many rows are shown
_ROWS = 2
#: bytes of a picture, beyond which it is none of ours
_MOST = 2**24
_QUALITY, _TEXT = 85, 14
_BACK = (52, 58, 66)


def save_sheet(path: Path, pictures: Sequence[tuple[str, Path]]) -> None:
    """Write a sheet as a JPEG file; pictures: (case, PNG file), in order, row by row.

    Of a picture of many rows the first ones are shown. One that cannot be read leaves its name.
    """
    from PIL import Image

    cells = [_cell(case, picture) for case, picture in pictures]
    lines = [cells[first : first + _COLUMNS] for first in range(0, len(cells), _COLUMNS)]
    heights = [max(cell.height for cell in line) for line in lines]
    columns = min(_COLUMNS, len(cells))
    size = (columns * (WIDTH + _GAP) + _GAP, sum(heights) + _GAP * (len(lines) + 1))
    sheet, top = Image.new("RGB", size, _BACK), _GAP
    for line, height in zip(lines, heights, strict=True):
        for place, cell in enumerate(line):
            sheet.paste(cell, (_GAP + place * (WIDTH + _GAP), top))
        top += height + _GAP
    stream = io.BytesIO()
    sheet.save(stream, "JPEG", quality=_QUALITY, subsampling=0)  # outlines keep their colours
    write_bytes(path, stream.getvalue())


def _cell(case: str, path: Path) -> Image:
    """Read what is shown of a picture."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(read_bytes(path, _MOST)), formats=["PNG"]) as picture:
            head = int(picture.info.get(HEAD, 0))
            shown = (0, 0, min(picture.width, WIDTH), min(picture.height, head + _ROWS * ROW))
            cell: Image.Image = picture.convert("RGB").crop(shown)
            return cell
    except (OSError, ValueError, SyntaxError, DataError):
        strokes = lettered(f"{case}: its picture cannot be read", _TEXT)
        return Image.fromarray(strokes).convert("RGB").crop((0, 0, WIDTH, len(strokes)))
