"""Results in the formats of archives, planning systems and 3D Slicer, written beside a record.

What was written from the same outlines, codes and series before is kept; ``CASE.json`` says what it
was made from. Of outlines without a voxel no file is written, and that is said.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from interactivenet import __version__
from interactivenet.errors import DataError, describe_failure
from interactivenet.imaging.io import WRITABLE, ReadOptions
from interactivenet.imaging.structures.structure import StructureSet, Written
from interactivenet.inference.export_formats import (
    EXPORT_FAILURES,
    EXPORT_FORMATS,
    EXPORTS,
    NAMES,
    OF_SERIES,
    SUFFIXES,
    ExportFormat,
    export_file,
)
from interactivenet.inference.exporting.outlined_structures import (
    Naming,
    OutlinedCase,
    read_outlined,
    structures_of,
)
from interactivenet.inference.exporting.recorded_source import RecordedSource
from interactivenet.inference.exporting.source_series import SourceFinder, SourceSeries
from interactivenet.inference.exporting.writers import write_export
from interactivenet.inference.outputs import Output
from interactivenet.inference.sources import SOURCES
from interactivenet.system.cache_key import MADE_FROM, CacheKey
from interactivenet.system.files import remove, resolved, write_json
from interactivenet.system.written import FILES, WrittenFiles, noted_files


@dataclass(frozen=True)
class Exporter:
    """What cases are exported to, and how.

    formats: to write, each once.  naming: what the user says of labels.  finder: of the series that
    cases were segmented on.  overwrite: write again what is there already.
    """

    formats: tuple[ExportFormat, ...]
    naming: Naming = field(default_factory=Naming)
    finder: SourceFinder = field(default_factory=SourceFinder)
    overwrite: bool = False


@dataclass(frozen=True)
class Exported:
    """What became of a case.

    written, kept: the files that were written, and those that were there already.  notes: what a
    user should know.  failures: format -> why it has no file.
    """

    written: tuple[Path, ...] = ()
    kept: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)


def export_case(
    results: Output, case: str, exporter: Exporter, target: Output | None = None
) -> Exported:
    """Write the outlines of a segmented case in other formats, and note them in its record.

    results: where its record and label map are.  target: another folder to write to, which gets a
    copy of the record; None for the same.
    A file that this program did not write, or that somebody has changed, is never replaced.
    Raises DataError where nothing can be exported: the record or the maps cannot be used, or labels
    have no names. What only one format cannot take is among the failures.
    """
    target = target or results
    record = results.read_record(case)
    if MADE_FROM not in record:
        raise DataError(f"{results.record(case)}: is no record of a case that was segmented")
    source = RecordedSource.of_record(record)
    outlined = read_outlined(results.folder, case, record, ReadOptions(use_form=source.use_form))
    _check_apart(target.folder, [source.image] if source.image else [])
    if target.folder != results.folder:
        record = _record_elsewhere(target, case, record)
    earlier = _earlier(target, case, record)
    record = {**record, FILES: dict(earlier.files)}
    found: SourceSeries | None = None
    no_series = ""
    if any(kind in OF_SERIES for kind in exporter.formats):
        try:
            found = exporter.finder.find(source, outlined.grid)
        except DataError as error:
            no_series = str(error)
    if found:
        _check_apart(target.folder, [one.file.path.parent for one in found.series.slices])
    uid = found.series.file.series if found else source.uid.partition(":")[0]
    scan = uid or outlined.digests[0]
    structures, notes = structures_of(outlined, scan, exporter.naming)
    work = _Export(target, case, record, outlined, structures, exporter, found, earlier, notes)
    for kind in exporter.formats:
        path = export_file(target.folder, case, kind)
        if kind in OF_SERIES and found is None:
            work.failures[kind] = no_series
        elif not earlier.is_own(path):
            work.failures[kind] = _whose(path, earlier)
        else:
            work.export(kind)
    work.note_failures()
    return work.result()


def _earlier(target: Output, case: str, record: Mapping[str, Any]) -> WrittenFiles:
    """Return what a record says that this program wrote; of an earlier version's, what is there."""
    maps = [replace(target, suffix=suffix).targets(case) for suffix in WRITABLE]
    formerly = {path for paths in maps for path in paths if path.is_file()}
    return WrittenFiles.of_record(target.folder, record, sorted(formerly))


def _check_apart(folder: Path, images: Sequence[Path]) -> None:
    """Raise DataError where files would be written into a folder that is an image."""
    if resolved(folder) in {resolved(path) for path in images}:
        raise DataError(
            f"{folder}: holds the series itself, of which the files would become a part",
            remedy="export to another folder",
        )


def _whose(path: Path, earlier: WrittenFiles) -> str:
    """Say why a file that is there is not replaced."""
    fault = (
        "was changed since this program wrote it"
        if path in earlier.paths
        else "was not written by this program"
    )
    return f"{path}: {fault}: move it away, to have it written"


def _record_elsewhere(target: Output, case: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record that goes with files elsewhere: the case's own, and the files there.

    Raises DataError where one of another case, or somebody else's file, lies there.
    """
    path, there = target.record(case), target.read_record(case)
    if not there and os.path.lexists(path):
        raise DataError(
            f"{path}: was not written by this program", remedy="export to another folder"
        )
    exports, files = there.get(EXPORTS, {}), there.get(FILES, {})
    if there and not {*files} <= {f"{case}{suffix}" for suffix in SUFFIXES.values()}:
        raise DataError(
            f"{path}: is of results of their own, and would be lost",
            remedy="export to another folder",
        )
    if there and there.get(SOURCES) != record.get(SOURCES):
        raise DataError(
            f"{path}: is of what was exported of another scan of this name",
            remedy="export to another folder",
        )
    return {**record, FILES: dict(files), EXPORTS: dict(exports)}


@dataclass(eq=False)
class _Export:
    """A case that is being exported; its record grows with what was written."""

    target: Output
    case: str
    record: Mapping[str, Any]
    outlined: OutlinedCase
    structures: StructureSet
    exporter: Exporter
    found: SourceSeries | None
    earlier: WrittenFiles
    notes: list[str]
    written: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    told: dict[str, list[str]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def export(self, kind: ExportFormat) -> None:
        """Write a format, unless that was done before."""
        path = export_file(self.target.folder, self.case, kind)
        content = self._key(kind)
        before = self._exports().get(kind)
        if isinstance(before, dict) and content.matches(before) and not self.exporter.overwrite:
            has_file = before.get("file") is not None
            # one without a checksum was being written when a job was killed
            if not has_file or (path.is_file() and self.record[FILES].get(path.name)):
                self._say(kind, [str(note) for note in before.get("notes", ())])
                self.kept += [path] * has_file
                return
        files = dict(self.record[FILES])
        if self.structures.structures:
            # while it is written, it is known to be ours
            self._note({**files, path.name: ""})
            try:
                written = write_export(kind, path, self.structures, self.found)
            except Exception as error:  # one odd case must not end the others
                self.failures[kind] = describe_failure(error)
                self._note({**files, **noted_files(self.target.folder, [path])})
                return
        else:
            written = Written(False, ("not a voxel is outlined: there is nothing to write",))
        if not written.is_written:
            remove(path)  # of earlier outlines, and ours: that was looked at before
            files.pop(path.name, None)
        notes = [*(self.found.notes if self.found and kind in OF_SERIES else ()), *written.notes]
        entry = {
            "file": path.name if written.is_written else None,
            "series": self.found.series.file.series if self.found and kind in OF_SERIES else None,
            MADE_FROM: dict(content.content),
            "notes": notes,
        }
        exports = {**self._exports(), kind: entry}
        own = noted_files(self.target.folder, [path] if written.is_written else [])
        self._note({**files, **own}, exports)
        self._say(kind, notes)
        self.written += [path] * written.is_written

    def note_failures(self) -> None:
        """Note in the record why a file is missing, as far as it does not say so already."""
        noted = self.record.get(EXPORT_FAILURES)
        before = noted if isinstance(noted, dict) else {}
        others = {kind: why for kind, why in before.items() if kind not in self.exporter.formats}
        failures = {**others, **self.failures}
        if failures == self.record.get(EXPORT_FAILURES, {}):
            return
        record = {name: value for name, value in self.record.items() if name != EXPORT_FAILURES}
        self.record = {**record, **({EXPORT_FAILURES: failures} if failures else {})}
        write_json(self.target.record(self.case), self.record)

    def differing(self) -> list[str]:
        """Say which files of the case have other names or codes of the same outlines by now."""
        others = []
        for kind in EXPORT_FORMATS:
            entry = self._exports().get(kind)
            if kind in self.exporter.formats or not isinstance(entry, dict):
                continue
            made_from, now = entry.get(MADE_FROM), self._key(kind).content["structures"]
            same = isinstance(made_from, dict) and made_from.get("structures") == now
            if entry.get("file") and not same:
                others.append(str(entry["file"]))
        if not others:
            return []
        return [
            f"{', '.join(others)}, written before, has other names, codes or outlines: export it"
            " again, too"
        ]

    def result(self) -> Exported:
        """Say what became of the case."""
        self.notes += self.differing()
        notes = [f"{', '.join(kinds)}: {note}" for note, kinds in self.told.items()]
        return Exported(
            tuple(self.written), tuple(self.kept), (*self.notes, *notes), dict(self.failures)
        )

    def _say(self, kind: ExportFormat, notes: Sequence[str]) -> None:
        for note in notes:
            self.told.setdefault(note, []).append(NAMES[kind])

    def _exports(self) -> dict[str, Any]:
        exports = self.record.get(EXPORTS)
        return dict(exports) if isinstance(exports, dict) else {}

    def _note(self, files: Mapping[str, str], exports: Mapping[str, Any] | None = None) -> None:
        told = self._exports() if exports is None else dict(exports)
        self.record = {**self.record, **({EXPORTS: told} if told else {}), FILES: dict(files)}
        write_json(self.target.record(self.case), self.record)

    def _key(self, kind: ExportFormat) -> CacheKey:
        """Return all that decides the content of a file."""
        return CacheKey(
            {
                "version": __version__,
                "maps": self.outlined.digests,
                "structures": [
                    {
                        "name": each.name, "label": each.label, "codes": asdict(each.codes),
                        "tracking_uid": each.tracking_uid, "is_manual": each.is_manual,
                        "expected_dice": each.expected_dice,
                    }
                    for each in self.structures.structures
                ],
                "model": [self.structures.model, self.structures.model_digest],
                "series": self.found.digest if self.found and kind in OF_SERIES else None,
            }
        )  # fmt: skip
