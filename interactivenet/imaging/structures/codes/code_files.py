"""The codes of a task's labels as a user gives them, in JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError, naming
from interactivenet.imaging.structures.codes.code_tables import (
    is_general,
    term_of,
    with_defaults,
)
from interactivenet.imaging.structures.codes.structure_codes import (
    Code,
    StructureCodes,
)
from interactivenet.system.files import read_json

#: RT ROI Interpreted Type, PS3.3 C.8.8.8: those that an outline may have
ROI_TYPES = (
    "GTV", "CTV", "PTV", "ORGAN", "AVOIDANCE", "EXTERNAL", "TREATED_VOLUME", "IRRAD_VOLUME",
    "BOLUS", "SUPPORT", "FIXATION", "CONTRAST_AGENT", "CAVITY", "CONTROL", "DOSE_REGION",
)  # fmt: skip
_FIELDS = ("category", "type", "modifier", "region", "roi_type", "colour")
_DCMQI = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
_CODE = "[value, scheme, meaning], such as ['10200004', 'SCT', 'Liver']"


def read_codes(
    path: Path, labels: Iterable[str]
) -> tuple[dict[str, StructureCodes], tuple[str, ...]]:
    """Read the codes of labels from a JSON file, which may be of more labels than there are here.

    Returns the codes, see :func:`parse_codes`, and the other labels that the file has some for,
    which a user should know of. Raises DataError, naming the file, where none of its labels is
    there, and as that does.
    """
    known = [*labels]
    with naming(path):
        content = read_json(path)
        if not isinstance(content, Mapping):
            return parse_codes(content, known), ()
        codes = parse_codes(content, [*content])
        others = tuple(label for label in codes if label not in known)
        if codes and len(others) == len(codes):
            raise DataError(
                f"has codes of {', '.join(repr(label) for label in others)}",
                expected=f"labels among {', '.join(known) or 'none'}",
            )
        return {label: code for label, code in codes.items() if label in known}, others


def parse_codes(content: Any, labels: Iterable[str]) -> dict[str, StructureCodes]:
    """Return the codes of those labels that JSON content has some for.

    content: label -> the name of a structure that is known here, as "Liver"; or an object with
    'category' and 'type', and as one likes 'modifier', 'region', 'roi_type', 'colour'. A code is a
    list of value, scheme and meaning, or an object of dcmqi's. What is left out is as the label's
    name has it.
    labels: names of those that there are.
    Raises DataError, saying what stands where, for an unknown label or field and any wrong value.
    """
    if not isinstance(content, Mapping):
        raise DataError(
            f"holds {_kind(content)}", expected="an object of labels' names, each with its codes"
        )
    known = list(labels)
    codes: dict[str, StructureCodes] = {}
    for label, entry in content.items():
        if label not in known:
            raise DataError(
                f"has codes of '{label}'", expected=f"labels among {', '.join(known) or 'none'}"
            )
        with naming(f"'{label}'"):
            codes[label] = _structure(entry)
    return codes


def codes_as_json(codes: Mapping[str, StructureCodes]) -> dict[str, Any]:
    """Return codes as JSON content that :func:`parse_codes` reads back."""
    return {label: _as_json(entry) for label, entry in codes.items()}


def _as_json(codes: StructureCodes) -> dict[str, Any]:
    entry: dict[str, Any] = {"category": _listed(codes.category), "type": _listed(codes.type)}
    if codes.type_modifier:
        entry["modifier"] = _listed(codes.type_modifier)
    if codes.region:
        entry["region"] = _listed(codes.region)
    return {**entry, "roi_type": codes.roi_type, "colour": list(codes.colour)}


def _listed(code: Code) -> list[str]:
    return [code.value, code.scheme, code.meaning]


def _structure(entry: Any) -> StructureCodes:
    if isinstance(entry, str):
        if is_general(entry):
            raise DataError(
                f"is '{entry}', of which only the general code of a neoplasm is known by its name",
                expected="an object with 'category' and 'type'",
            )
        if (found := term_of(entry)) is None:
            raise DataError(
                f"is '{entry}', which is no structure that is known by its name",
                expected="one, such as 'Liver', or an object with 'category' and 'type'",
            )
        return found
    if not isinstance(entry, Mapping):
        raise DataError(f"is {_kind(entry)}", expected="the name of a structure, or an object")
    if unknown := [str(name) for name in entry if name not in _FIELDS]:
        raise DataError(f"has '{unknown[0]}'", expected=f"fields among {', '.join(_FIELDS)}")
    for name in ("category", "type"):
        if name not in entry:
            raise DataError(f"lacks '{name}'", expected=f"a code, {_CODE}")
    category, kind = _code(entry, "category"), _code(entry, "type")
    plain = with_defaults(category, kind)
    return StructureCodes(
        category,
        kind,
        _code(entry, "modifier") if "modifier" in entry else None,
        _code(entry, "region") if "region" in entry else None,
        _roi_type(entry["roi_type"]) if "roi_type" in entry else plain.roi_type,
        _colour(entry["colour"]) if "colour" in entry else plain.colour,
    )


def _code(entry: Mapping[Any, Any], field: str) -> Code:
    found = entry[field]
    if isinstance(found, Mapping):
        if unknown := [str(name) for name in found if name not in _DCMQI]:
            raise DataError(
                f"has '{unknown[0]}' in '{field}'", expected=f"fields {', '.join(_DCMQI)}"
            )
        found = [found.get(name) for name in _DCMQI]
    if not isinstance(found, list) or len(found) != 3:
        raise DataError(f"has {_kind(found)} for '{field}'", expected=f"a code, {_CODE}")
    for part, most, text in zip(_DCMQI, (16, 16, 64), found, strict=True):
        good = isinstance(text, str) and text.strip() and text.isprintable() and "\\" not in text
        if not good or len(text.strip()) > most:
            raise DataError(
                f"has {text!r} as {part} of '{field}'",
                expected=f"1 to {most} printable characters but backslashes, as text",
            )
    value, scheme, meaning = (text.strip() for text in found)
    return Code(value, scheme, meaning)


def _roi_type(found: Any) -> str:
    if found not in ROI_TYPES:
        raise DataError(f"has {found!r} as 'roi_type'", expected=f"one of {', '.join(ROI_TYPES)}")
    return str(found)


def _colour(found: Any) -> tuple[int, int, int]:
    whole = isinstance(found, list) and all(type(one) is int and 0 <= one <= 255 for one in found)
    if not whole or len(found) != 3:
        raise DataError(
            f"has {found!r} as 'colour'", expected="[red, green, blue], whole numbers of 0 to 255"
        )
    return found[0], found[1], found[2]


def _kind(found: Any) -> str:
    """Name a JSON value in words that fit into a line."""
    if isinstance(found, list):
        return f"a list of {len(found)}"
    if isinstance(found, Mapping):
        return f"an object of {len(found)}"
    return repr(found)[:80]
