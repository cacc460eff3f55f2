"""A dataset of another program: its cases, and which files belong to which."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from interactivenet.datasets.file_matching import SUFFIXED, name_problem, stems
from interactivenet.datasets.stray_files import nearest_file, unread_files
from interactivenet.imaging.io import READABLE, suffix_of
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.names import composed, list_names, printable


@dataclass(frozen=True)
class SourceCase:
    """One case of a source.

    images: modality -> file; where ``stacked``, one 4D file of all modalities.  notes: what a user
    should know before it is imported.
    """

    subset: str  # "Tr" or "Ts"
    name: str
    images: Mapping[int, Path]
    label: Path | None = None
    stacked: bool = False
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All that it is made of; a DICOM series is its folder."""
        return (*self.images.values(), *((self.label,) if self.label else ()))


@dataclass(frozen=True)
class Source:
    """A dataset to import. Modalities or labels are empty where it does not name them.

    left_out: case -> why it cannot be imported.  notes: what is imported otherwise than one may
    expect, or not at all.  groups: case -> patient, of patients with several cases.
    """

    kind: str
    folder: Path
    modalities: tuple[str, ...]
    labels: LabelNames
    cases: tuple[SourceCase, ...] = field(repr=False)
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)


def with_safe_names(source: Source) -> Source:
    """Leave out cases whose names would be no names of files, or lead elsewhere."""
    faults = {
        case.name: fault
        for case in source.cases
        if (fault := name_problem(case.name, recorded=case.subset == "Ts"))
    }
    reasons = {**source.left_out, **faults}
    left_out = {printable(name): reason for name, reason in reasons.items()}
    cases = tuple(
        replace(case, name=composed(case.name)) for case in source.cases if case.name not in faults
    )
    return replace(source, cases=cases, left_out=left_out)


def without_repeated_names(source: Source) -> Source:
    """Leave out cases that share a name: they would become one."""
    counts = Counter((case.subset, case.name) for case in source.cases)
    repeated = {name: f"{number} cases have this name"
                for (_, name), number in counts.items() if number > 1}  # fmt: skip
    cases = tuple(case for case in source.cases if case.name not in repeated)
    return replace(source, cases=cases, left_out={**source.left_out, **repeated})


def match_files(
    images: Path,
    labels: Path,
    subset: str,
    suffixes: tuple[str, ...],
    *,
    modalities: int = 0,
    label_suffixes: tuple[str, ...] = (),
) -> tuple[tuple[SourceCase, ...], dict[str, str]]:
    """Match the images of a folder to the label maps of another by their names.

    suffixes: of both, unless there are others of labels.  modalities: how many there are, numbered
    _0000 and so on, where a single one may leave out the number; 0 where the names must tell.
    Returns the cases, and case -> why one cannot be used: nothing in the folders goes unmentioned
    but companions.
    """
    label_suffixes = label_suffixes or suffixes
    files, maps = stems(images, suffixes), stems(labels, label_suffixes)
    grouped: dict[str, dict[int, list[Path]]] = {}
    left_out: dict[str, str] = {}
    for stem, paths in sorted(files.items()):
        if problem := next(filter(None, map(_problem_of_folder, paths)), ""):
            left_out[stem] = problem
            maps.pop(stem, None)
            continue
        suffixed = SUFFIXED.fullmatch(stem)
        if modalities:
            whole = modalities == 1 and (stem in maps or not suffixed)
        else:
            whole = stem in maps or not suffixed or suffixed[1] not in maps
        if whole:
            grouped.setdefault(stem, {}).setdefault(0, []).extend(paths)
        elif suffixed:
            by_modality = grouped.setdefault(suffixed[1], {})
            by_modality.setdefault(int(suffixed[2]), []).extend(paths)
        else:
            left_out[stem] = f"{paths[0].name} has no modality suffix such as _0000"
    unread = {**unread_files(labels, label_suffixes), **unread_files(images, suffixes)}
    unmatched = {name: paths for name, paths in maps.items() if name not in grouped}
    cases = []
    for name, by_modality in sorted(grouped.items()):
        label_files = maps.get(name, [])
        if problem := _several(by_modality, label_files):
            left_out[name] = problem
        elif not label_files and subset == "Tr":
            left_out[name] = unread.pop(name, f"has no label{nearest_file(name, unmatched)}")
        else:
            label = label_files[0] if label_files else None
            by_index = {index: paths[0] for index, paths in by_modality.items()}
            cases.append(SourceCase(subset, name, by_index, label))
    for name in unmatched:
        known = {base: next(iter(found.values())) for base, found in grouped.items()}
        reason = f"has a label but no image{nearest_file(name, known)}"
        left_out.setdefault(name, unread.pop(name, reason))
    for name, reason in unread.items():
        left_out[name] = f"{left_out[name]}; {reason}" if name in left_out else reason
    kept, missing = existing(case for case in cases if case.name not in left_out)
    return kept, {**left_out, **missing}


def existing(cases: Iterable[SourceCase]) -> tuple[tuple[SourceCase, ...], dict[str, str]]:
    """Separate the cases whose files all exist from the others, which are left out by name."""
    kept, left_out = [], {}
    for case in cases:
        files = [*case.images.values(), *([case.label] if case.label else [])]
        if problems := [problem for path in files if (problem := missing(path))]:
            left_out[case.name] = problems[0]
        else:
            kept.append(case)
    return tuple(kept), left_out


def missing(path: Path) -> str:
    """Say why there is no file at a path, '' where there is one."""
    try:
        path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            return f"{path} is a link to {path.readlink()}, which leads nowhere"
        return f"{path} does not exist"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}"
    except ValueError as error:  # a name that none can have
        return f"{path} cannot be a path: {error}"
    return ""


def without_links(path: Path) -> Path:
    """Return a path without links, as far as these lead somewhere."""
    return Path(os.path.realpath(path))  # Path.resolve fails where links lead in a circle


def stem_of(path: Path) -> str:
    """Return an image file's name without the suffix of its format."""
    return path.name[: len(path.name) - len(suffix_of(path, READABLE))]


def _problem_of_folder(path: Path) -> str:
    """Say why a folder among images is no DICOM series, by the names in it; '' for any other."""
    if not path.is_dir():
        return ""
    try:
        inside = [entry.name for entry in sorted(path.iterdir()) if suffix_of(entry, READABLE)]
    except OSError as error:
        return f"{path.parent.name}/{path.name} cannot be read: {error.strerror or error}"
    if not inside:
        return ""
    return f"is a folder of images ({inside[0]} ...), expected an image or a DICOM series"


def _several(by_modality: Mapping[int, list[Path]], labels: list[Path]) -> str:
    """Say which file of a case is there more than once, '' for none."""
    for kind, files in (*(("image", paths) for paths in by_modality.values()), ("label", labels)):
        if len(files) > 1:
            return f"has {len(files)} {kind} files, expected one: {list_names(files)}"
    return ""
