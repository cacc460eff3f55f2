"""What there is to export in a folder of results, and which names and codes fit it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interactivenet.datasets.findings import Finding
from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.io import WRITABLE, suffix_of
from interactivenet.imaging.structures.codes.structure_codes import StructureCodes
from interactivenet.inference.export_formats import SUFFIXES
from interactivenet.system.cache_key import MADE_FROM
from interactivenet.system.files import read_object
from interactivenet.system.names import composed, printable
from interactivenet.system.written import FILES


def exportable_cases(results: Path) -> list[str]:
    """Return the cases of a folder of results, in the order of their names: those with a record.

    Those whose record is damaged or not finished are among them, so that they are not forgotten.
    """
    if not results.is_dir():
        raise RequestError(f"{results}: is a file", expected="a folder of results")
    maps = {suffix: results.glob(f"*{suffix}") for suffix in WRITABLE}
    stems = {path.name.removesuffix(suffix) for suffix, paths in maps.items() for path in paths}
    cases = []
    for path in sorted(results.glob("*.json")):
        if path.name.startswith("."):
            continue
        try:
            record = read_object(path)
        except DataError:
            if path.stem in stems:
                cases.append(path.stem)
            continue
        is_record = any(name in record for name in (MADE_FROM, FILES, "objects"))
        if is_record and composed(str(record.get("case"))) == composed(path.stem):
            cases.append(path.stem)
    return cases


def maps_without_record(results: Path, cases: Sequence[str]) -> list[Finding]:
    """Name label maps that nobody knows the objects of."""
    found = []
    exported = tuple(SUFFIXES.values())
    for path in sorted(results.iterdir()):
        suffix = suffix_of(path, WRITABLE)
        case = path.name[: len(path.name) - len(suffix)]
        if not suffix or path.name.startswith(".") or path.name.endswith(exported):
            continue
        if case not in cases:
            message = f"{path.name} has no {case}.json of its objects: it is not exported"
            found.append(Finding("warning", printable(case), message))
    return found


def check_names(names: Mapping[int, str], records: Sequence[Mapping[str, Any]]) -> None:
    """Raise RequestError where a name is given for a label that no case has."""
    values = {each.get("label") for record in records for each in record.get("objects", ())}
    if unknown := [value for value in names if value not in values]:
        known = ", ".join(map(str, sorted(value for value in values if isinstance(value, int))))
        raise RequestError(
            f"no case has the label {unknown[0]}", field="names",
            value=(f"{unknown[0]}={names[unknown[0]]}",),
            expected=f"values among {known or 'none'}",
        )  # fmt: skip


def codes_of(
    codes: Path | str | None,
    records: Sequence[Mapping[str, Any]],
    names: Mapping[int, str],
) -> tuple[dict[str, StructureCodes], tuple[str, ...]]:
    """Return the codes that a user gives of labels that the results have; and the other labels."""
    if codes is None:
        return {}, ()
    from interactivenet.inference.exporting.outlined_structures import labels_in

    known = dict.fromkeys(names.values())
    for record in records:
        known.update(dict.fromkeys(labels_in(record)))
    from interactivenet.imaging.structures.codes.code_files import read_codes

    path = Path(codes)
    if not path.exists():
        raise RequestError(f"{path}: does not exist", field="codes")
    return read_codes(path, [*known])
