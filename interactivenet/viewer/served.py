"""What a server serves: its models, its images, and where annotations go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from interactivenet.errors import DataError, one_line
from interactivenet.inference.export_formats import ExportFormat
from interactivenet.viewer.annotations.annotation_record import MadeBy
from interactivenet.viewer.saving.saving import Provenance, Saved, Target, packed, save_annotation
from interactivenet.viewer.saving.task_saving import check_fits
from interactivenet.viewer.sessions.scans import OpenScan
from interactivenet.viewer.sessions.served_models import ServedModels
from interactivenet.viewer.sessions.session_store import SessionStore
from interactivenet.viewer.settings import ViewerSettings
from interactivenet.viewer.web.places import Places
from interactivenet.viewer.web.requests import Work
from interactivenet.viewer.worklist.upload_room import UploadRoom
from interactivenet.viewer.worklist.worklist import Worklist, WorklistEntry


@dataclass(frozen=True, eq=False)
class Served:
    """All that the faces of a server share.

    uploads: folder of what is sent.  target: of what is saved.  task: name of the task that is
    annotated, or ''.  room: of all that is sent, however.  work: runs what takes time;
    segmenting: what waits for the networks, which keeps nobody else waiting.  places: the folders
    of all of it, of which users are told the names alone.
    """

    models: ServedModels
    worklist: Worklist
    store: SessionStore
    settings: ViewerSettings
    target: Target
    uploads: Path
    task: str = ""
    room: UploadRoom = field(init=False)
    work: Work = field(init=False)
    segmenting: Work = field(init=False)
    places: Places = field(init=False)

    def __post_init__(self) -> None:
        saved = (self.target.folder, self.target.task)
        folders = [self.uploads, *self.worklist.folders, *(path for path in saved if path)]
        folders += [model.folder for model in self.models.offered]
        object.__setattr__(self, "places", Places(folders))
        object.__setattr__(self, "room", UploadRoom(self.settings.uploads_gb))
        object.__setattr__(self, "work", Work())
        object.__setattr__(self, "segmenting", Work(2 * self.settings.sessions))

    def notes_on_saving(self, scan: OpenScan) -> tuple[str, ...]:
        """Say why what is outlined in an image could not be saved, before anything is."""
        task = self.target.of(scan.entry).task
        if task is None:
            return ()
        try:
            check_fits(task, scan.entry, scan.image.tags)
        except DataError as error:
            return (f"it cannot be saved to {task.name}: {one_line(error)}",)
        return ()

    def provenance(self, scan: OpenScan, made_by: tuple[MadeBy, ...]) -> Provenance:
        """Say what made the outlines of an open image; made_by: of each, in their order."""
        predictor = scan.model.full
        return Provenance(scan.model.name, ",".join(predictor.model.digests), made_by, predictor)

    def saves_to(self, entry: WorklistEntry) -> Literal["task", "folder", "download"]:
        """Say where the annotation of an image goes."""
        return self.target.of(entry).kind

    def save(
        self,
        scan: OpenScan,
        revision: int | None = None,
        over: str | None = None,
        formats: Sequence[ExportFormat] = (),
    ) -> Saved:
        """Write the annotation of an open image.

        revision: as for :meth:`OpenScan.finish`, which says what is raised.  over: mark of what
        was saved before, as far as the client knows of it.  formats: that it is written in besides.
        """
        finished = scan.finish(revision)
        provenance = self.provenance(scan, finished.made_by)
        return save_annotation(
            scan.entry, finished.result, finished.prompts, provenance, self.target, over, formats
        )

    def packed(
        self, scan: OpenScan, revision: int | None = None, formats: Sequence[ExportFormat] = ()
    ) -> tuple[bytes, tuple[str, ...]]:
        """Return the annotation as a zip, and notes; the rest is as for :meth:`save`."""
        finished = scan.finish(revision)
        provenance = self.provenance(scan, finished.made_by)
        return packed(scan.entry, finished.result, finished.prompts, provenance, formats)
