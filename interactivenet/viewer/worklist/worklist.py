"""What the viewer can open: the scans of folders and of a task, and those that were uploaded."""

from __future__ import annotations

import re
import secrets
import threading
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from interactivenet.datasets.modalities import ANY
from interactivenet.datasets.roots import Roots, check_task_name
from interactivenet.datasets.task import Task, read_use_form
from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import ReadOptions, read_image
from interactivenet.prompts.io import read_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.system.names import printable
from interactivenet.viewer.annotations.records import (
    CaseFiles,
    drawn_notes,
    expected_dice,
    is_simulated,
    mark_of,
    record_of,
    saved_points,
)
from interactivenet.viewer.worklist.found_scans import find_scans
from interactivenet.viewer.worklist.scan_files import FoundScan, free_name, listed_once
from interactivenet.viewer.worklist.strategies import STRATEGIES
from interactivenet.viewer.worklist.task_scans import find_task_scans

Status = Literal["new", "points", "outlined"]


@dataclass(frozen=True)
class WorklistEntry:
    """A scan that can be opened, or what cannot be, and why.

    id: random, and the same while the server runs.  name: what a person reads; no other has it.
    images: one per modality, or one DICOM folder.  source: the folder or file that it came from,
    as it was given.  series: which of a DICOM folder.  problem: why it cannot be opened, one
    sentence; '' where it can, as far as is known.  status: whether there are points of it, or
    outlines.  expected_dice: of the object of which the least is expected; None where unknown.
    case: what its files are called where it is saved.  points: a file of points that there is.
    task: the raw task that it is a case of, subset: 'Tr' or 'Ts' of that.  reading: how its images
    are read, where there are several ways.
    """

    id: str
    name: str
    images: tuple[Path, ...]
    source: str
    series: str = ""
    problem: str = ""
    status: Status = "new"
    expected_dice: float | None = None
    case: str = ""
    points: Path | None = None
    task: Path | None = None
    subset: Literal["", "Tr", "Ts"] = ""
    reading: ReadOptions = ReadOptions()


class Worklist:
    """The cases of a viewer, in the order in which they are offered.

    Args:
        folders: Folders and files, as given: raw tasks, folders of images, DICOM trees, images.
        task: A raw task whose cases are to be outlined: read, or its folder; it may be without
            ``dataset.json``, labels and points.
        modalities: Of the models that will segment, see
            :func:`~interactivenet.viewer.worklist.found_scans.find_scans`.
        output: Folder that outlines are saved to, where it is not the task.
        predictions: Folders of results (``CASE.json``) that say what Dice is to be expected of the
            task's cases.

    Attributes:
        folders: All that it lists scans of.
        notes: What was left out of the list, and why: a sentence each.

    Raises:
        RequestError: A folder does not exist, or cannot be read.
    """

    def __init__(
        self,
        folders: Sequence[Path] = (),
        task: Task | Path | None = None,
        *,
        modalities: Sequence[str] = (ANY,),
        output: Path | None = None,
        predictions: Sequence[Path] = (),
    ) -> None:
        self.task_folder = task.folder if isinstance(task, Task) else task
        self.folders = (*folders, *([self.task_folder] if self.task_folder else []))
        self._output, self._predictions = output, tuple(predictions)
        self._modalities = tuple(modalities)
        self._lock = threading.Lock()
        self._entries: dict[str, WorklistEntry] = {}
        self._expected: dict[str, float | None] = {}
        self._uploads = 0
        self.notes: list[str] = []
        listed: list[tuple[str, FoundScan]] = []
        if self.task_folder is not None:
            found = find_task_scans(self.task_folder)
            self.notes += found.notes
            listed += [(str(self.task_folder), scan) for scan in found.scans]
        for folder in folders:
            if self.task_folder is not None and folder.resolve() == self.task_folder.resolve():
                continue
            found = find_scans(folder, self._modalities)
            self.notes += found.notes
            if not found.scans:
                self.notes.append(f"{folder}: holds no scans")
            listed += [(str(folder), scan) for scan in found.scans]
        self._add(listed_once(listed))

    @property
    def default_strategy(self) -> str:
        """The lowest expected Dice first for a task, and else the order of the list."""
        return "lowest_expected_dice" if self.task_folder else "first"

    def entries(self, strategy: str = "") -> list[WorklistEntry]:
        """Return all entries, with what is known of them now, in the order they are offered.

        strategy: name of one of ``strategies.STRATEGIES``, by default :attr:`default_strategy`.
        Raises RequestError for another name.
        """
        name = strategy or self.default_strategy
        if name not in STRATEGIES:
            raise RequestError(
                f"there is no strategy '{printable(name)[:60]}'",
                expected=f"one of {', '.join(STRATEGIES)}",
            )
        with self._lock:
            entries, expected = list(self._entries.values()), dict(self._expected)
        files = CaseFiles()
        current = [self._current(entry, files, expected) for entry in entries]
        return STRATEGIES[name].order(current)

    def find(self, entry_id: str) -> WorklistEntry:
        """Return the entry with this id, as it is now; raises RequestError where there is none."""
        with self._lock:
            entry, expected = self._entries.get(entry_id), dict(self._expected)
        if entry is None:
            raise RequestError("there is no such case in the list")
        return self._current(entry, CaseFiles(), expected)

    def next(self, *, after: Collection[str] = (), strategy: str = "") -> WorklistEntry | None:
        """Return the first entry that can be opened and is not saved; None where none is left.

        after: ids of those to pass over.
        """
        for entry in self.entries(strategy):
            if not entry.problem and entry.status != "outlined" and entry.id not in after:
                return entry
        return None

    def add_upload(self, name: str, file: Path) -> WorklistEntry:
        """Add an image that was uploaded, and return its entry; of several, the first that opens.

        name: as the client calls it, for a person to read; no path is made of it.  file: where the
        server has put it: an image, or a folder with the files of a DICOM series.
        """
        return self.add_uploads(name, file)[0]

    def add_uploads(self, name: str, file: Path) -> list[WorklistEntry]:
        """Add all scans of a file or folder that was uploaded; those that can be opened first."""
        found = find_scans(file, self._modalities).scans
        found = sorted(found, key=lambda scan: bool(scan.problem)) or [
            FoundScan("", (file,), problem="holds no scan")
        ]
        with self._lock:
            self._uploads += 1
            number = self._uploads
        parts = [f"-{part}" if len(found) > 1 else "" for part in range(1, len(found) + 1)]
        shown = "".join(c for c in printable(name) if c.isprintable())[:120].strip() or "upload"
        return self._add(
            [("upload", replace(scan, case=scan.case and f"upload-{number}{part}", place=""))
             for scan, part in zip(found, parts, strict=True)],
            shown,
        )  # fmt: skip

    def note_problem(self, entry_id: str, problem: str) -> None:
        """Note why a case could not be opened."""
        with self._lock:
            if entry_id in self._entries:
                entry = self._entries[entry_id]
                self._entries[entry_id] = replace(entry, problem=problem)

    def note_outlines(self, entry_id: str, dice: float | None) -> None:
        """Note what Dice is expected of a case's outlines, which are not saved yet."""
        with self._lock:
            self._expected[entry_id] = dice

    def labels(self) -> LabelNames:
        """Return the labels of the task; any name where there is no task, or it names none."""
        if self.task_folder is not None and (self.task_folder / "dataset.json").exists():
            try:
                return Task.load(self.task_folder).labels
            except DataError:
                pass
        return LabelNames({}, open=True)

    def prompts_of(
        self,
        entry: WorklistEntry,
        labels: LabelNames | None = None,
        grid: Geometry | None = None,
    ) -> tuple[Prompt, ...]:
        """Return the prompts that a person has placed in a case, with corrections; () for none.

        Simulated ones are none. labels: what the names of points mean, where no task says it.
        grid: the stored grid of the case's image; by default, it is read. Raises DataError, naming
        the file, where it cannot be used.
        """
        path = self._current(entry, CaseFiles(), {}).points
        if path is None or (entry.subset and is_simulated(path, entry.case)):
            return ()
        grid = grid or read_image(entry.images[0], entry.reading).source
        names = self.labels()
        names = names if names.names else labels or names
        return tuple(
            read_prompts(path, names, image=(entry.images[0], grid), options=entry.reading)
        )

    def mark_of(self, entry: WorklistEntry) -> str:
        """Return what tells what is saved of a case now from what is later; '' for nothing."""
        return mark_of(record_of(entry, self.task_folder, self._output))

    def notes_of(self, entry: WorklistEntry) -> tuple[str, ...]:
        """Return what a person should know who opens a case that was saved before."""
        return drawn_notes(record_of(entry, self.task_folder, self._output))

    def _add(self, listed: Sequence[tuple[str, FoundScan]], name: str = "") -> list[WorklistEntry]:
        """Add scans, each under a name, and a name of its files, that no other has."""
        counts = Counter(scan.case for _, scan in listed)
        added = []
        with self._lock:
            names = {entry.name for entry in self._entries.values()}
            cases: dict[tuple[Path | None, str], set[str]] = defaultdict(set)
            for entry in self._entries.values():
                cases[entry.task, entry.subset].add(entry.case)
            for source, scan in listed:
                case = scan.case
                if case and counts[case] > 1 and not scan.task and scan.place:
                    case = re.sub(r"[^\w.-]+", "_", f"{scan.place}_{case}").strip("._")[-120:]
                if case:
                    case = free_name(case, cases[scan.task, scan.subset])
                    cases[scan.task, scan.subset].add(case)
                shown = name or scan.case or printable(scan.images[0].name)
                shown = f"{scan.place}/{shown}" if scan.place else shown
                if shown in names and not name:
                    shown = f"{printable(Path(source).name)}/{shown}"
                shown = free_name(shown, names)
                names.add(shown)
                reading = ReadOptions(read_use_form(scan.task) if scan.task else "", scan.series)
                entry = WorklistEntry(
                    secrets.token_urlsafe(12), shown, scan.images, source, scan.series,
                    scan.problem, case=case, points=scan.points, task=scan.task,
                    subset=scan.subset, reading=reading,
                )  # fmt: skip
                self._entries[entry.id] = entry
                added.append(entry)
        return added

    def _current(
        self, entry: WorklistEntry, files: CaseFiles, expected: Mapping[str, float | None]
    ) -> WorklistEntry:
        """Return an entry with its points, status and expected Dice as they are now."""
        if not entry.case:
            return entry
        record = record_of(entry, self.task_folder, self._output)
        place = self.task_folder or self._output or entry.task
        points = saved_points(record, place) or files.points(entry)
        dice = expected.get(entry.id)
        if dice is None:
            folders = self._predictions if entry.task else ()
            dice = expected_dice(record, [folder / f"{entry.case}.json" for folder in folders])
        status: Status = "new"
        if record or files.label(entry):
            status = "outlined"
        elif points is not None:
            status = "points"
        return replace(entry, points=points, status=status, expected_dice=dice)


def task_to_annotate(roots: Roots, task: str, *, new: bool) -> Path:
    """Return the folder of a raw task, without reading its list; new: whether it may be made yet.

    Raises RequestError where the name is none of a task, or there is no such task.
    """
    check_task_name(task)
    folder = roots.raw / task
    return folder if new and not folder.exists() else roots.raw_task(task)
