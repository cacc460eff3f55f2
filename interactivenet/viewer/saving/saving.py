"""Saving what was outlined: into a raw task, into a folder, or as a zip to be downloaded."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from interactivenet.datasets.inference_cases import check_output
from interactivenet.datasets.task import Case
from interactivenet.errors import RequestError
from interactivenet.inference.case_keys import input_hashes
from interactivenet.inference.export_formats import NAMES, ExportFormat
from interactivenet.postprocessing.merging import Segmentation
from interactivenet.prompts.prompt import Prompt
from interactivenet.system.archives import zip_folder
from interactivenet.system.files import read_bytes
from interactivenet.viewer.annotations.annotation_files import AnnotationFiles
from interactivenet.viewer.annotations.annotation_record import (
    Annotation,
    Provenance,
    Saved,
    renamed,
    with_free_name,
    write_annotation,
)
from interactivenet.viewer.annotations.records import scan_sources
from interactivenet.viewer.saving.exports import exported_before, removed_since, write_exports
from interactivenet.viewer.saving.task_saving import save_into_task
from interactivenet.viewer.worklist.worklist import WorklistEntry

__all__ = ["Provenance", "Saved", "Target", "packed", "save_annotation"]

#: one at a time: two cases of a task change the same list
_SAVING = threading.Lock()


@dataclass(frozen=True)
class Target:
    """Where annotations are saved: a raw task, or else a folder; with neither, they are only sent.

    folder: label maps, with points in ``points/``.  task: folder of the raw task, which need not
    exist yet.
    """

    folder: Path | None = None
    task: Path | None = None

    @property
    def kind(self) -> Literal["task", "folder", "download"]:
        """What it is."""
        if self.task is not None:
            return "task"
        return "download" if self.folder is None else "folder"

    def of(self, entry: WorklistEntry) -> Target:
        """Return where a scan is saved: a case of a raw task into that, where nothing is given."""
        return Target(task=entry.task) if self.kind == "download" and entry.task else self


def save_annotation(
    entry: WorklistEntry,
    result: Segmentation,
    prompts: Sequence[Prompt],
    provenance: Provenance,
    target: Target,
    over: str | None = None,
    formats: Sequence[ExportFormat] = (),
) -> Saved:
    """Write the label map, the points with their corrections, and the record of a case.

    The label map lies on the scan's own grid; ``CASE.json`` is as ``infer`` writes it, and says
    besides by what each outline was made. A file that the viewer did not write is never lost: one
    that would be replaced is set aside, as NAME.1, and the notes say so. A case whose name another
    scan has already is saved as CASE-2.

    Args:
        entry: The scan.
        result: What was outlined.
        prompts: What it was outlined from, one for each of its objects.
        provenance: Who or what made it.
        target: Where it is saved; a case of a raw task, where it says nothing, into that. Into a
            raw task, the images of other scans are copied, too.
        over: Mark of what was saved before, as far as whoever saves this knows of it, see
            :class:`Annotation`.
        formats: That it is written in besides, where it is saved into a folder.

    Returns:
        The files, and what there is to say of them.

    Raises:
        RequestError: Nothing is outlined, or the folder is one that must not be written to.
        DataError: A file cannot be written, or the scan does not fit the task.
    """
    made = replace(_annotation(entry, result, prompts, provenance), over=over)
    target = target.of(entry)
    with _SAVING:
        if target.task is not None:
            if formats:
                raise RequestError(
                    f"a raw task holds label maps, and not {NAMES[formats[0]]}",
                    remedy="download the case to have it",
                )
            return save_into_task(target.task, entry, made)
        if target.folder is None:
            raise RequestError("there is no folder to save to", remedy="download it instead")
        check_output(target.folder, entry.images)
        files = AnnotationFiles(target.folder)
        named = with_free_name(made, files)
        before = exported_before(files, named.case)
        saved = write_annotation(files, named)
        exported, notes = write_exports(files, named.case, formats)
        return replace(
            saved, files=(*saved.files, *exported),
            notes=(*renamed(made, named), *saved.notes, *notes, *removed_since(before)),
        )  # fmt: skip


def packed(
    entry: WorklistEntry,
    result: Segmentation,
    prompts: Sequence[Prompt],
    provenance: Provenance,
    formats: Sequence[ExportFormat] = (),
) -> tuple[bytes, tuple[str, ...]]:
    """Return as a zip what :func:`save_annotation` writes into a folder, and its notes."""
    made = _annotation(entry, result, prompts, provenance)
    with tempfile.TemporaryDirectory(prefix="interactivenet-") as place:
        folder, path = Path(place, "case"), Path(place, "case.zip")
        files = AnnotationFiles(folder)
        saved = write_annotation(files, made)
        _, notes = write_exports(files, made.case, formats)
        zip_folder(folder, path, made.case)
        # of a folder that nobody will see
        told = [note.replace(f"{folder}/", "") for note in (*saved.notes, *notes)]
        return read_bytes(path), tuple(told)


def _annotation(
    entry: WorklistEntry,
    result: Segmentation,
    prompts: Sequence[Prompt],
    provenance: Provenance,
) -> Annotation:
    if not len(prompts) == len(result.objects) == len(provenance.made_by):
        raise ValueError(
            f"{len(result.objects)} objects, but {len(prompts)} prompts, and"
            f" {len(provenance.made_by)} of them say what made them"
        )
    if not prompts or not result.instance_map.any():
        raise RequestError("nothing is outlined", expected="an object with an outline")
    inputs = input_hashes(Case(entry.case, entry.images))
    sources = scan_sources(entry.images, entry.series)
    return Annotation(entry.case, entry.name, result, tuple(prompts), provenance, sources, inputs)
