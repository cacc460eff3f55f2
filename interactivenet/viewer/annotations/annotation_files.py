"""Where the outlines, the points and the record of a case are saved, and what they may replace."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet.datasets.annotations import ANNOTATIONS, free_path, place_aside
from interactivenet.datasets.file_matching import is_of_case, stems
from interactivenet.datasets.simulated import simulation_settings
from interactivenet.errors import DataError
from interactivenet.imaging.io import READABLE
from interactivenet.inference.outputs import OBJECTS, Output
from interactivenet.inference.sources import other_scan
from interactivenet.prompts.io import PROMPT_SUFFIXES
from interactivenet.system.files import remove
from interactivenet.system.written import WrittenFiles

#: in a record, by what an object's outline was made last
MADE_BY = "made_by"
#: of that, what no network can make again
DRAWN = ("brush", "person")


@dataclass(frozen=True)
class AnnotationFiles(Output):
    """The files of cases in a folder: as ``infer`` writes them, with ``points/CASE.json``."""

    folds: tuple[int, ...] = ()

    def points(self, case: str) -> Path:
        """Return the path of a case's points with their corrections."""
        return self.folder / "points" / f"{case}.json"

    def targets(self, case: str) -> list[Path]:
        """Return what may be written of a case beside its record."""
        return [self.label_map(case), self.object_map(case), self.points(case)]

    def rivals(self, case: str) -> list[Path]:
        """Return files of other names that would be taken for the case's outlines or points."""
        return []

    def is_replaceable(self, path: Path, case: str) -> bool:
        """Whether a program made a file that no record of the case names, and can make it again."""
        return False

    def aside(self, path: Path) -> Path:
        """Return a free path, NAME.1 and so on, for a file that makes way for another."""
        return free_path(path)

    def earlier(self, case: str) -> WrittenFiles:
        """Return the files that were written with the case's record."""
        return self._written(case, self.read_record(case))

    def make_way(self, case: str, brushed: int, *, unseen: str = "") -> list[str]:
        """Set files aside that would be replaced and are not ours; return a sentence on each.

        brushed: how many objects of the new outlines are drawn by hand. Where there were more,
        the old ones are set aside, too: nobody could make them again. What a program has
        simulated is removed. unseen: what the files there are, where whoever saves the case now
        does not know of them: all of them are set aside.
        """
        record = self.read_record(case)
        strangers = [*self.strangers(case), *self.rivals(case)]
        if unseen:
            strangers += [self.label_map(case), self.object_map(case), self.points(case)]
        drawn = [o for o in record.get("objects", ()) if o.get(MADE_BY) in DRAWN]
        if len(drawn) > brushed:
            strangers += [self.label_map(case), self.object_map(case)]
        notes = []
        for path in dict.fromkeys(strangers):
            if not os.path.lexists(path):
                continue
            if self.is_replaceable(path, case):
                remove(path)
                notes.append(f"the simulated points in {path.name} made way for the new ones")
                continue
            aside = self.aside(path)
            try:
                aside.parent.mkdir(parents=True, exist_ok=True)
                path.rename(aside)
            except OSError as error:
                raise DataError(f"{path}: cannot be moved: {error.strerror or error}") from error
            whose = "which was not saved here"
            if path in self.earlier(case).paths:
                whose = unseen or "an outline drawn by hand"
            notes.append(f"{path.name}, {whose}, is kept as {aside.relative_to(self.folder)}")
        return notes

    def name_of(self, case: str, sources: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
        """Return the name of the case's files: its own, or with -2 and so on behind it.

        That is where they are of another scan.  sources, inputs: as of a record.
        """
        number, name = 1, case
        while self.is_of_another(name, sources, inputs):
            number += 1
            name = f"{case}-{number}"
        return name

    def is_of_another(
        self, case: str, sources: Mapping[str, Any], inputs: Mapping[str, str]
    ) -> bool:
        """Whether files of a name are those of another scan."""
        return bool(other_scan(self.read_record(case), sources, inputs, ""))


@dataclass(frozen=True)
class TaskAnnotationFiles(AnnotationFiles):
    """The files of cases in a raw task: where its stages look for them.

    folder: of the task.  subset: 'Tr' or 'Ts'. Records are in ``annotations{Tr,Ts}``.
    """

    subset: str = "Tr"

    def record(self, case: str) -> Path:
        """Return the path of the record of what was saved."""
        return self.folder / f"{ANNOTATIONS}{self.subset}" / f"{case}.json"

    def label_map(self, case: str) -> Path:
        """Return the path of a case's label map."""
        return self.folder / f"labels{self.subset}" / f"{case}{self.suffix}"

    def object_map(self, case: str) -> Path:
        """Return the path of the map that tells objects apart, where some share a label."""
        folder = self.folder / f"{ANNOTATIONS}{self.subset}"
        return folder / OBJECTS / f"{case}{self.suffix}"

    def points(self, case: str) -> Path:
        """Return the path of a case's points with their corrections."""
        return self.folder / f"interactions{self.subset}" / f"{case}.json"

    def rivals(self, case: str) -> list[Path]:
        """Return files of other formats in the folders of the case's label map and points."""
        found = []
        for target, suffixes in (
            (self.label_map(case), READABLE),
            (self.points(case), PROMPT_SUFFIXES),
        ):
            files = stems(target.parent, suffixes).get(case, [])
            found += [path for path in files if path != target]
        return found

    def is_replaceable(self, path: Path, case: str) -> bool:
        """Whether ``simulate`` wrote a file of points, and nobody has changed it."""
        if path.parent != self.points(case).parent:
            return False
        try:
            return simulation_settings(path, case) is not None
        except DataError:
            return False

    def aside(self, path: Path) -> Path:
        """Return a free path below ``set_aside``: among the others, the task would not be whole."""
        return place_aside(self.folder, path)

    def is_of_another(
        self, case: str, sources: Mapping[str, Any], inputs: Mapping[str, str]
    ) -> bool:
        """Whether the task has a case of this name that is another scan."""
        own = os.path.abspath(self.folder / f"images{self.subset}")  # noqa: PTH100
        if any(os.path.dirname(path) == own for path in sources["images"]):  # noqa: PTH120
            return False
        if self.read_record(case):
            return super().is_of_another(case, sources, inputs)
        every = (stems(self.folder / f"images{subset}", READABLE) for subset in ("Tr", "Ts"))
        return any(is_of_case(stem, case) for listed in every for stem in listed)
