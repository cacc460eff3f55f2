"""Files of an annotation: label map, points, and what is known of the objects."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet.postprocessing.merging import Segmentation
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt
from interactivenet.system.files import json_bytes, write_json
from interactivenet.viewer.worklist import WorklistEntry


@dataclass(frozen=True)
class Provenance:
    """Who or what made an annotation.  made_by: of each object."""

    model: str
    digest: str
    made_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """Where annotations are saved.  folder: None where they are only sent."""

    folder: Path | None = None

    @property
    def kind(self) -> str:
        """'folder' or 'download'."""
        return "download" if self.folder is None else "folder"


@dataclass(frozen=True)
class Saved:
    """What was written, and what a user should know of it."""

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def save_annotation(
    entry: WorklistEntry,
    result: Segmentation,
    prompts: Sequence[Prompt],
    provenance: Provenance,
    target: Target,
) -> Saved:
    """Write label map, points and record of one image."""
    assert target.folder is not None
    names = [f"{entry.name}.nii.gz", f"{entry.name}_points.json", f"{entry.name}.json"]
    files = tuple(target.folder / name for name in names)
    result.save(files[0])
    write_prompts(files[1], prompts)
    write_json(files[2], _record(result, provenance))
    return Saved(files)


def packed(
    entry: WorklistEntry,
    result: Segmentation,
    prompts: Sequence[Prompt],
    provenance: Provenance,
) -> bytes:
    """Return the same files as a zip."""
    with tempfile.TemporaryDirectory() as place:
        saved = save_annotation(entry, result, prompts, provenance, Target(Path(place)))
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
            for path in saved.files[:2]:
                archive.writestr(path.name, path.read_bytes())
            archive.writestr(saved.files[2].name, json_bytes(_record(result, provenance)))
    return data.getvalue()


def _record(result: Segmentation, provenance: Provenance) -> dict[str, Any]:
    return {"model": provenance.model, "objects": [each.as_json() for each in result.objects]}
