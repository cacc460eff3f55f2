"""Names that become paths: checked where they are read, so that nothing is written elsewhere."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from interactivenet.errors import DataError, sanitize_text

#: bytes of a file's name, suffix and all: file systems take 255, temporary names are longer
LONGEST = 200
#: bytes of them that are kept for what is appended to a name: '_0000.nii.gz'
_APPENDED = 12
#: bytes of a whole relative path
_LONGEST_PATH = 1000
#: characters of a faulty name that are told
_TOLD = 60
#: files of a stage, in the folder of its results, whose names a case's own record would take
_RECORDS = {"run", "failures"}


class SafeName(str):
    """A name of which a path can be made: of a case, a task, a model.

    It is one part of a path (no separator, no leading dot, nothing that controls a terminal), short
    enough for what is appended to it, and in NFC: a letter and its accent are one character,
    however a file system has stored them.

    Raises DataError, which says what is wrong, for anything else.
    """

    __slots__ = ()

    def __new__(cls, text: Any, what: str = "name") -> SafeName:
        """Check a name; what: it is the name of, for the message."""
        if isinstance(text, int) and not isinstance(text, bool):
            text = str(text)  # as a list that was written by hand has it
        if not isinstance(text, str):
            raise DataError(f"{what} {_told(repr(text))} is not a name", expected="text")
        if fault := name_fault(text):
            raise DataError(f"{what} '{_told(text)}' cannot be used as the name of files: {fault}")
        return super().__new__(cls, composed(text))


def name_fault(text: str) -> str:
    """Say why a name cannot be part of a path; '' where it can."""
    text = composed(text)
    if not text.strip():
        return "it is empty"
    if fault := _character_fault(text):
        return fault
    for separator in "/\\":
        if separator in text:
            return f"it has a '{separator}'"
    if text.startswith("."):
        return "it begins with a dot"
    if (size := len(text.encode())) > LONGEST - _APPENDED:
        return f"it has {size} bytes, expected at most {LONGEST - _APPENDED}"
    return ""


def word_fault(text: str) -> str:
    """Say why a text cannot name a label or a modality, which become no paths; '' where it can.

    A separator is fine (prostate/uterus), but not what looks like a path that leads elsewhere.
    """
    if not text.strip() or text != text.strip():
        return "it is empty, or has spaces around it"
    if fault := _character_fault(text):
        return fault
    if text[0] in "./\\~" or ".." in text.replace("\\", "/").split("/"):
        return "it looks like a path"
    return ""


def record_fault(case: str) -> str:
    """Say why a case of this name cannot have a record beside those of a stage; '' if it can."""
    if case.lower() in _RECORDS:
        return (
            f"cannot be a case's name: its {case}.json would be lost to the stage's own: rename it"
        )
    return ""


def safe_path(text: Any, what: str = "path") -> PurePosixPath:
    """Return a relative path that stays below the folder that it is relative to.

    what: it is the path of, for the message. Raises DataError where it is none.
    """
    if not isinstance(text, str):
        raise DataError(f"{what} {_told(repr(text))} is not a path", expected="text")
    path = PurePosixPath(text)
    fault = _character_fault(text)
    if not fault and not path.parts:
        fault = "it is empty"
    if not fault and (path.is_absolute() or ".." in path.parts):
        fault = "it leads out of its folder"
    if not fault and any(len(part.encode()) > 255 for part in path.parts):
        fault = "a part of it has more than 255 bytes"
    if not fault and len(text.encode()) > _LONGEST_PATH:
        fault = f"it has more than {_LONGEST_PATH} bytes"
    if fault:
        raise DataError(f"{what} '{_told(text)}' cannot be used: {fault}")
    return path


def composed(text: str) -> str:
    """Return a name in NFC; names that differ in nothing but that are the same name."""
    return unicodedata.normalize("NFC", text)


def printable(name: str) -> str:
    r"""Return a name as it can be written anywhere; bytes that are not UTF-8 become '\xfc'."""
    try:
        data = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a pair, as JSON can have it
        data = name.encode("utf-8", "backslashreplace")
    return data.decode("utf-8", "backslashreplace")


def escaped(name: str) -> str:
    """Return a name on one line of a terminal: control characters become '\\x1b' and the like."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in printable(name)
    )


def list_names(paths: Iterable[Path]) -> str:
    """Name files, and say where their names look the same but are not."""
    names = [path.name for path in paths]
    text = ", ".join(printable(name) for name in names)
    if len({composed(name) for name in names}) < len(set(names)):
        text += " (the same letters, stored once composed and once not: NFC and NFD)"
    return text


def list_some(texts: Sequence[str], most: int = 4, separator: str = ", ") -> str:
    """Join the first of some texts, and say how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return separator.join(texts[:most]) + more


def _character_fault(text: str) -> str:
    for character in text:
        kind = unicodedata.category(character)
        if kind == "Cs":
            return "it is not UTF-8"
        if kind in ("Cc", "Zl", "Zp"):
            return f"it has the control character {character!r}"
    return ""


def _told(text: str) -> str:
    """Return the beginning of a name that may hold anything."""
    shown = sanitize_text(printable(text))
    return shown if len(shown) <= _TOLD else f"{shown[:_TOLD]}..."
