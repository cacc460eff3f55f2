"""Values of a DICOM header, as they are written: nothing is converted that is not asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from interactivenet.errors import DataError, one_line, sanitize_text


@dataclass(frozen=True, eq=False)
class Header:
    """A DICOM data set, or an item of a sequence; keywords are those of the standard."""

    dataset: Any

    def has(self, keyword: str) -> bool:
        """Whether the element is there."""
        return _tag(keyword) in self.dataset

    def text(self, keyword: str) -> str:
        """Return an element as text, characters as they are written; '' where it is not there."""
        tag = _tag(keyword)
        element = self.dataset.get_item(tag) if tag in self.dataset else None
        if element is None or element.value is None:
            return ""
        value = element.value
        if isinstance(value, bytes):
            kind = dictionary_VR(tag) if element.VR in (None, "UN") else element.VR
            if kind in _CHARACTERS:
                return sanitize_text(value.decode("latin-1").strip(" \0\r\n\t"))
            value = self._converted(tag, keyword)
        if value is None:
            return ""
        several = not isinstance(value, str | int | float)
        return sanitize_text("\\".join(map(_written, value)) if several else _written(value))

    def decoded(self, keyword: str) -> str:
        """Return an element in the header's own character set; '' where it is not there."""
        if keyword not in _OF_PEOPLE:
            return self.text(keyword)
        try:
            value = self.dataset.get(keyword)
            several = not isinstance(value, str) and isinstance(value, Sequence)
            text = "\\".join(map(str, value)) if several else str(value or "")
            return sanitize_text(_as_utf8(text).strip())
        except Exception:  # an unknown character set
            return self.text(keyword)

    def values(self, keyword: str) -> list[str]:
        """Return the values of an element of characters, none where it is not there."""
        text = self.text(keyword)
        return [value.strip() for value in text.split("\\")] if text else []

    def meta(self, keyword: str) -> str:
        """Return an element of the file's own header, before the data set."""
        meta = getattr(self.dataset, "file_meta", None)
        return "" if meta is None else Header(meta).text(keyword)

    def number(self, keyword: str, default: int = 0) -> int:
        """Return a whole number."""
        try:
            return int(float(self.values(keyword)[0]))
        except (ValueError, IndexError, OverflowError):
            return default

    def floats(self, keyword: str, count: int) -> NDArray[np.float64] | None:
        """Return so many finite numbers; None where there are not as many."""
        try:
            numbers = np.array([float(value) for value in self.text(keyword).split("\\")])
        except ValueError:
            return None
        return numbers if len(numbers) == count and np.isfinite(numbers).all() else None

    def items(self, keyword: str) -> list[Header]:
        """Return the items of a sequence, none where it is not there."""
        tag = _tag(keyword)
        if tag not in self.dataset:
            return []
        value = self._converted(tag, keyword)
        return [Header(item) for item in value or () if isinstance(item, Dataset)]

    def _converted(self, tag: Any, keyword: str) -> Any:
        """Return the value of an element as pydicom converts it; raises DataError if it cannot."""
        try:
            return self.dataset[tag].value
        except Exception as error:  # of a library, on a stranger's bytes
            raise DataError(f"has a damaged {keyword}: {one_line(error)}") from error

    @property
    def frames(self) -> int:
        """How many images the file has."""
        return max(1, self.number("NumberOfFrames", 1))


def required_floats(
    headers: list[Header], keyword: str, count: int, example: str
) -> NDArray[np.float64]:
    """Return the numbers of the first header that has them; raises DataError where none has."""
    for header in headers:
        if (numbers := header.floats(keyword, count)) is not None:
            return numbers
    raise DataError(f"has no {keyword}: {example} is unknown")


#: elements that people write, in any language
_OF_PEOPLE = (
    "PatientID", "SeriesDescription", "StructureSetLabel", "ROIName", "SegmentLabel",
    "ContentLabel",
)  # fmt: skip
#: kinds of elements that are written in characters
_CHARACTERS = frozenset(
    ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UI", "UT")
)


def _written(value: Any) -> str:
    return f"{value:g}" if type(value) is float else str(value).strip()


def _as_utf8(text: str) -> str:
    """Read text that is UTF-8, though the header does not say so; any other as it is."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _tag(keyword: str) -> Any:
    number = tag_for_keyword(keyword)
    assert number is not None
    return Tag(number)
