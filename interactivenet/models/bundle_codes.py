"""The codes of a bundle's labels, by which archives and planning systems know what they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.structures.codes.structure_codes import StructureCodes
from interactivenet.models.model import Model
from interactivenet.planning.plan import Plan
from interactivenet.system.files import read_json

#: field of a bundle, which only those have that say it
CODES = "codes"


def codes_field(model: Model) -> dict[str, Any]:
    """Return the field of a model's bundle; nothing where the model has no codes."""
    if not model.codes:
        return {}
    from interactivenet.imaging.structures.codes.code_files import codes_as_json

    return {CODES: codes_as_json(model.codes)}


def parse_codes_field(content: Mapping[str, Any], plan: Plan) -> dict[str, StructureCodes]:
    """Read the field of a bundle; {} where it has none.

    Raises DataError, naming the field, for labels that the plan has not, and what is no code.
    """
    if CODES not in content:
        return {}
    from interactivenet.imaging.structures.codes.code_files import parse_codes

    try:
        return parse_codes(content[CODES], labels_of(plan, content[CODES]))
    except DataError as error:
        raise DataError(f"field {CODES} {error}") from error


def labels_of(plan: Plan, content: Any) -> list[str]:
    """Return the labels that codes may be of: of a model of any object, all that are named.

    content: the codes, as JSON data.
    """
    if plan.label_names.open:
        return [str(label) for label in content] if isinstance(content, Mapping) else []
    return [*plan.labels.values()]


def read_label_codes(
    path: Path | str | None, plan: Plan
) -> tuple[dict[str, StructureCodes], tuple[str, ...]]:
    """Read a user's file of codes of a plan's labels, none where none is given; and its others.

    Raises RequestError where there is none, DataError, naming it, where it cannot be used.
    """
    if path is None:
        return {}, ()
    from interactivenet.imaging.structures.codes.code_files import read_codes

    path = Path(path)
    if not path.exists():
        raise RequestError(f"{path}: does not exist", field="codes")
    return read_codes(path, labels_of(plan, read_json(path)))
