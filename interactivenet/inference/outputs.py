"""What is on disk of a segmented case, and what it was made from.

``CASE.json`` is written last: it marks a case as done, and holds all that decided the result.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError
from interactivenet.imaging.io import write_label_array
from interactivenet.imaging.volume import Volume
from interactivenet.inference.export_formats import (
    EXPORT_FORMATS,
    EXPORTS,
    ExportFormat,
    export_file,
)
from interactivenet.inference.record_checks import are_objects
from interactivenet.inference.sources import SOURCES
from interactivenet.inference.stale_files import changed_note, gone_notes, stale_note
from interactivenet.postprocessing.merging import PromptProbability, Segmentation
from interactivenet.postprocessing.probabilities import write_probabilities
from interactivenet.system.cache_key import MADE_FROM, CacheKey
from interactivenet.system.files import read_object, remove, write_bytes, write_json
from interactivenet.system.names import composed
from interactivenet.system.written import FILES, WrittenFiles, noted_files

#: folder of the maps that tell objects of one label apart
OBJECTS = "objects"
#: folder of the small pictures; in a record, why there is none
PICTURES, NO_PICTURE = "pictures", "no_picture"
#: in the record of a case whose files are being written
_UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Output:
    """Where results go: the mean of some of the model's folds.

    folds: numbers of the folds.  nifti: whether label maps are written, probabilities: whether
    ``CASE.npz`` is.  suffix: of label maps.  exports: formats that are written of them later.
    pictures: whether ``pictures/CASE.png`` is.
    """

    folder: Path
    folds: tuple[int, ...]
    nifti: bool = True
    probabilities: bool = False
    suffix: str = ".nii.gz"
    exports: tuple[ExportFormat, ...] = ()
    pictures: bool = False

    def record(self, case: str) -> Path:
        """Return the path of ``CASE.json``: what was found, and what it was made from."""
        return self.folder / f"{case}.json"

    def label_map(self, case: str) -> Path:
        """Return the path of a case's label map."""
        return self.folder / f"{case}{self.suffix}"

    def object_map(self, case: str) -> Path:
        """Return the path of the map that tells objects apart, where some share a label."""
        return self.folder / OBJECTS / f"{case}{self.suffix}"

    def probability_file(self, case: str) -> Path:
        """Return the path of ``CASE.npz``."""
        return self.folder / f"{case}.npz"

    def picture(self, case: str) -> Path:
        """Return the path of a case's small picture."""
        return self.folder / PICTURES / f"{case}.png"

    def targets(self, case: str) -> list[Path]:
        """Return what may be written of a case beside its record."""
        exported = [export_file(self.folder, case, kind) for kind in self.exports]
        return [
            self.label_map(case), self.object_map(case), self.probability_file(case),
            self.picture(case), *exported,
        ]  # fmt: skip

    def is_done(self, case: str, key: CacheKey) -> bool:
        """Whether all of a case is there already, made from just the same."""
        return key.matches(self.read_record(case)) and not self.lacking(case)

    def lacking(self, case: str) -> list[Path]:
        """Return which files are not there that belong to what the record of a case says."""
        record = self.read_record(case)
        maps = [self.label_map(case)]
        if _relative(self.folder, self.object_map(case)) in record.get(FILES, {}):
            maps.append(self.object_map(case))
        files = maps * self.nifti + [self.probability_file(case)] * self.probabilities
        lacking = [path for path in files if not path.is_file()]
        if self.pictures and NO_PICTURE not in record:
            picture = self.picture(case)
            # one without a checksum was being written when its run was killed
            unfinished = record.get(FILES, {}).get(_relative(self.folder, picture)) == ""
            lacking += [picture] if unfinished or not picture.is_file() else []
        return lacking

    def read_kept(self, case: str) -> dict[str, Any]:
        """Read the record of a case that is done, with a note of a map that is not what it was."""
        record = self.read_record(case)
        maps = [self.label_map(case), self.object_map(case)] if record else []
        changed = self._written(case, record).strangers(maps)
        if notes := [changed_note(_relative(self.folder, path)) for path in changed]:
            record["notes"] = [*(record.get("notes") or ()), *notes]
        return record

    def read_record(self, case: str) -> dict[str, Any]:
        """Read the record of a case; {} where there is none, or a file that is not one of ours."""
        with suppress(DataError):
            record = read_object(self.record(case))
            self._written(case, record)
            finished = (
                isinstance(record.get(MADE_FROM), dict)
                and isinstance(record.get("notes") or [], list)
                and are_objects(record.get("objects"))
            )
            if composed(str(record.get("case"))) == composed(case) and (
                finished or record.get(_UNFINISHED) is True
            ):
                return record
        return {}

    def strangers(self, case: str, *, changed: bool = True) -> list[Path]:
        """Return files that a result would replace and that this program did not write.

        changed: or that somebody has changed since.
        """
        record, path = self.read_record(case), self.record(case)
        found = [path] if not record and os.path.lexists(path) else []
        written = self._written(case, record)
        unknown = written.strangers if changed else written.unnamed
        return found + unknown(self.targets(case))

    def check_own(self, case: str) -> None:
        """Raise DataError where a result would replace what somebody else wrote or changed."""
        if found := self.strangers(case):
            fault = (
                "was changed since this program wrote it"
                if self.read_record(case)
                else "was not written by this program"
            )
            raise DataError(f"{found[0]}: {fault}", remedy="move it away, to have the case redone")

    def write(
        self,
        case: str,
        key: CacheKey,
        claims: Sequence[PromptProbability],
        segmentation: Segmentation,
        sources: Mapping[str, Any] | None = None,
        made_by: Mapping[str, Any] | None = None,
        *,
        image: Volume | None = None,
    ) -> dict[str, Any]:
        """Write a case's results, its record last; returns the record.

        sources: where the case comes from.  made_by: what the record says of the model, as
        :func:`~interactivenet.inference.model_record.describe_made_by` does.  image: the scan, for
        the picture. One that cannot be drawn costs no segmentation: the record notes why.
        Raises DataError as :meth:`check_own` does.
        """
        from interactivenet.inference.object_records import describe_objects

        self.check_own(case)
        drawn_on = image if self.pictures else None
        objects, picture, fault = describe_objects(case, segmentation, drawn_on)
        before = self.read_record(case)
        earlier = self._written(case, before)
        whose = {"case": case, **({SOURCES: dict(sources)} if sources else {})}
        # while files change, none is marked done, and all are known to be ours
        begun = dict(earlier.files) | earlier.begun(self.targets(case))
        write_json(self.record(case), {**whose, _UNFINISHED: True, FILES: begun})
        written = []
        if self.nifti:
            written.append(self.label_map(case))
            write_label_array(written[-1], segmentation.label, segmentation.source)
            if segmentation.shares_labels:
                written.append(self.object_map(case))
                write_label_array(written[-1], segmentation.instance_map, segmentation.source)
            else:
                remove(self.object_map(case))
        if self.probabilities:
            written.append(self.probability_file(case))
            write_probabilities(written[-1], claims, segmentation.source)
        if picture:
            written.append(self.picture(case))
            write_bytes(written[-1], picture)
        others = [path for path in earlier.paths if path not in written]
        stale: list[Path] = []
        gone: list[str] = []
        if not key.matches(before):  # of another format, say, and not of this result
            exported = [export_file(self.folder, case, kind) for kind in EXPORT_FORMATS
                        if kind not in self.exports]  # fmt: skip
            gone = [path.name for path in others if path in exported and path.is_file()]
            stale = earlier.remove(others)
        record = {
            **whose,
            MADE_FROM: dict(key.content),
            **(made_by or {}),
            "notes": [
                *segmentation.notes,
                *gone_notes(gone, stale),
                *map(stale_note, stale),
                *([f"there is no picture of it: {fault}"] if fault else []),
            ],
            "objects": objects,
            **({NO_PICTURE: fault} if fault else {}),
            **({EXPORTS: before[EXPORTS]} if EXPORTS in before and key.matches(before) else {}),
            FILES: noted_files(self.folder, written) | earlier.unchanged(others),
        }
        write_json(self.record(case), record)
        return record

    def remove_other(self, case: str, key: CacheKey) -> list[Path]:
        """Remove a case's results where they were made from anything else.

        Returns what stays, because somebody has changed it.
        """
        record = self.read_record(case)
        if not record or key.matches(record):
            return []
        written = self._written(case, record)
        kept = written.remove({*written.paths, *self.targets(case)} if record else ())
        remove(self.record(case))
        return sorted(kept)

    def _written(self, case: str, record: Mapping[str, Any]) -> WrittenFiles:
        """Return which files a record says are ours; those of a record without a list, by name."""
        return WrittenFiles.of_record(self.folder, record, self.targets(case) if record else ())


def _relative(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


@dataclass(frozen=True)
class CaseResult:
    """What became of a case.

    kept: whether it was done before.  error: why it failed, '' if it did not.
    network_seconds: of the networks alone.  record: the content of ``CASE.json`` of the last
    output.  replaced: the other scan whose result was there, '' for none.  seconds: to read,
    segment and write it, without waiting; None where nothing was segmented.
    outdated: of a result that was replaced, the fields in which what it was made from differs.
    tried: of a case that failed, the digest of all that it was tried with (CacheKey); '' where its
    files could not be read.  pictured: whether the picture of one that was kept has been drawn now.
    """

    case: str
    error: str = ""
    kept: bool = False
    network_seconds: float = 0.0
    record: Mapping[str, Any] | None = None
    replaced: str = ""
    seconds: float | None = None
    outdated: tuple[str, ...] = ()
    tried: str = ""
    pictured: bool = False
