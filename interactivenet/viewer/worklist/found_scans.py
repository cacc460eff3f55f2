"""The scans in what is given to the viewer: a file, or a folder of any kind and those in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from interactivenet.datasets.file_matching import SUFFIXED, match_cases, stems
from interactivenet.datasets.modalities import ANY
from interactivenet.datasets.stray_files import COMPANION_FOLDERS, unread_files
from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.io import READABLE, suffix_of
from interactivenet.prompts.io import TEXT_SUFFIXES
from interactivenet.system.files import resolved
from interactivenet.system.names import composed, name_fault, printable
from interactivenet.viewer.worklist.scan_files import (
    FoundScan,
    FoundScans,
    expected_modalities,
    header_problem,
    images_of_case,
)
from interactivenet.viewer.worklist.task_scans import find_task_scans

#: beside a folder ``images``, folders of what belongs to them, which are no scans
_BESIDE = ("labels", "masks", "segmentations", "interactions", "points")
_POINTS = ("interactions", "points")
#: scans of one folder, and folders in folders, that are looked at
MOST, _DEEPEST = 20_000, 12


def find_scans(path: Path, modalities: Sequence[str] = (ANY,)) -> FoundScans:
    """List the scans of a file or a folder, and of the folders in it.

    modalities: of the models that will segment them. Where these take images of any modality, the
    files' names say whether CASE_0000 and CASE_0001 are one case: where all cases have the same
    numbers, from 0000 on. What cannot be opened is listed with its problem. Raises RequestError
    where there is no such path, or it cannot be read.
    """
    if not path.exists():
        raise RequestError(f"{path}: does not exist")
    found = FoundScans()
    if path.is_dir():
        walk = _Walk(path, modalities, found)
        walk.folder(path, 0)
        _add_dicom(path, found, walk.claimed)
    else:
        found.scans += _of_file(path)
    return found


class _Walk:
    """Looks for images in a folder and in those in it; DICOM is looked for in all at once."""

    def __init__(self, root: Path, modalities: Sequence[str], found: FoundScans) -> None:
        self._root, self._modalities, self._found = root, modalities, found
        self._seen: set[Path] = set()
        #: folders of DICOM that are a modality of a case, as CASE_0000 is
        self.claimed: set[Path] = set()

    def folder(self, folder: Path, depth: int) -> None:
        real = resolved(folder)
        if real in self._seen:
            return
        self._seen.add(real)
        if depth > _DEEPEST or len(self._found.scans) > MOST:
            self._found.notes.append(
                f"{folder}: is not looked into: there are more than {MOST} scans"
                if len(self._found.scans) > MOST
                else f"{folder}: is not looked into: more than {_DEEPEST} folders deep"
            )
            return
        if is_raw_task(folder):
            of_task = find_task_scans(folder)
            place = self._place(folder)
            self._found.scans += [replace(scan, place=place) for scan in of_task.scans]
            self._found.notes += of_task.notes
            return
        try:
            folders = [path for path in sorted(folder.iterdir()) if path.is_dir()]
        except OSError as error:
            reason = f"{folder.name} cannot be read: {error.strerror or error}"
            self._add(FoundScan("", (folder,), self._place(folder), problem=reason))
            return
        folders = [
            path
            for path in folders
            if not path.name.startswith(".") and path.name not in COMPANION_FOLDERS
        ]
        beside = [path for path in folders if path.name in _BESIDE]
        if beside and any(path.name == "images" for path in folders):
            names = ", ".join(path.name for path in beside)
            self._found.notes.append(f"{folder}: {names} beside images: not looked into for scans")
            folders = [path for path in folders if path not in beside]
        self._images(folder, folder.parent if folder.name == "images" else None)
        for path in folders:
            self.folder(path, depth + 1)

    def _images(self, folder: Path, parent: Path | None) -> None:
        """List the image files right in a folder; parent: where folders of points may be."""
        files = {stem: paths for stem, paths in stems(folder, READABLE).items()
                 if not all(path.is_dir() for path in paths)}  # fmt: skip
        points = next(
            (parent / name for name in _POINTS if (parent / name).is_dir()) if parent else iter(()),
            folder / ".none",
        )
        expected = expected_modalities(folder, self._modalities)
        matched = match_cases(
            folder, None, points, expected, labelled=False, several=expected == (ANY,)
        )
        place = self._place(folder)
        known = {path for paths in files.values() for path in paths}
        for case in matched.cases:
            folders = [path for path in case.images if path not in known]
            if len(case.images) == 1 and folders:
                continue  # perhaps DICOM, or with images in it
            self.claimed.update(folders)
            problem = next(filter(None, map(header_problem, case.images)), "")
            near = case.interaction or points_beside(folder, case.name)
            self._add(FoundScan(case.name, case.images, place, points=near, problem=problem))
        bases = {printable(match[1]) for stem in files if (match := SUFFIXED.fullmatch(stem))}
        names = {printable(stem) for stem in files} | bases
        for finding in matched.findings:
            if finding.level == "error" and finding.case in names:
                paths = images_of_case(files, finding.case)
                self._add(FoundScan("", paths or (folder,), place, problem=finding.message))
        for name, reason in unread_files(folder, READABLE, files).items():
            is_points = any((folder / f"{name}{suffix}").exists() for suffix in TEXT_SUFFIXES)
            if not is_points and (name != folder.name or not _has_dicom(folder)):
                self._add(FoundScan("", (folder / name,), place, problem=reason))

    def _add(self, scan: FoundScan) -> None:
        self._found.scans.append(scan)

    def _place(self, folder: Path) -> str:
        place = folder.relative_to(self._root).as_posix()
        place = "" if place == "." else place
        return printable(place.removesuffix("images").rstrip("/") if place else place)


def is_raw_task(folder: Path) -> bool:
    """Whether a folder is laid out as a raw task, finished or in the making."""
    return any((folder / name).is_dir() for name in ("imagesTr", "imagesTs"))


def points_beside(folder: Path, case: str) -> Path | None:
    """Return the only text file of points that lies in a folder under a case's name."""
    found = stems(folder, TEXT_SUFFIXES).get(case, [])
    files = [path for path in found if path.is_file()]
    return files[0] if len(files) == 1 else None


def _has_dicom(folder: Path) -> bool:
    from interactivenet.imaging.dicom.files import begins_like_dicom

    return any(begins_like_dicom(path) for path in folder.iterdir() if path.is_file())


def _of_file(path: Path) -> list[FoundScan]:
    suffix = suffix_of(path)
    if not suffix:
        from interactivenet.imaging.dicom.files import begins_like_dicom
        from interactivenet.viewer.worklist.dicom_scans import find_dicom_scans

        if begins_like_dicom(path):
            return find_dicom_scans(path)
        reason = f"{path.name} has no readable format: expected {', '.join(READABLE)} or DICOM"
        return [FoundScan("", (path,), problem=reason)]
    name = composed(path.name[: len(path.name) - len(suffix)])
    match = SUFFIXED.fullmatch(name)
    case = match[1] if match and match[2] == "0000" else name
    if fault := name_fault(case):
        return [FoundScan("", (path,), problem=f"its name cannot be used: {fault}")]
    points = points_beside(path.parent, name) or points_beside(path.parent, case)
    return [FoundScan(case, (path,), points=points, problem=header_problem(path))]


def _add_dicom(root: Path, found: FoundScans, claimed: Collection[Path]) -> None:
    """Add the DICOM series of a folder and of those in it, but for those that are listed already.

    claimed: folders of DICOM that are; those of raw tasks are, too.
    """
    from interactivenet.imaging.dicom.reading import holds_dicom
    from interactivenet.viewer.worklist.dicom_scans import find_dicom_scans

    listed = {*claimed, *(scan.task for scan in found.scans if scan.task)}
    try:
        if root in listed or not holds_dicom(root):
            return
        for scan in find_dicom_scans(root):
            if not any(place in (path, *path.parents) for place in listed for path in scan.images):
                found.scans.append(scan)
    except DataError as error:
        found.scans.append(FoundScan("", (root,), problem=str(error)))
