"""Which files of a raw task belong to which case, from their names alone."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from interactivenet.datasets.findings import Finding
from interactivenet.datasets.modalities import numbered_modalities
from interactivenet.datasets.stray_files import COMPANION_FOLDERS
from interactivenet.datasets.task import Case
from interactivenet.errors import RequestError
from interactivenet.imaging.io import READABLE, READABLE_LABELS, suffix_of
from interactivenet.prompts.io import PROMPT_SUFFIXES
from interactivenet.system.names import composed, list_names, name_fault, printable, record_fault

#: a file's name that ends in the number of its modality
SUFFIXED = re.compile(r"(.+)_(\d{4})")
#: in place of a modality: the name has no number, or nobody can tell whether it is one
_NO_SUFFIX, _UNCLEAR = -1, -2


def is_of_case(stem: str, case: str) -> bool:
    """Whether an image's name, without its suffix, is a case's: CASE, or CASE_0000 and so on."""
    match = SUFFIXED.fullmatch(stem)
    return stem == case or (match is not None and match[1] == case)


@dataclass
class Subset:
    """The cases of imagesTr or imagesTs, and what is wrong with their files."""

    cases: list[Case] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def stems(folder: Path, suffixes: Sequence[str]) -> dict[str, list[Path]]:
    """List a folder's files (DICOM series folders, too) by their names without suffix, in NFC."""
    by_stem: dict[str, list[Path]] = defaultdict(list)
    if not folder.is_dir():
        return by_stem
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise RequestError(f"{folder}: cannot be read: {error.strerror or error}") from error
    for path in entries:
        suffix = suffix_of(path, suffixes)
        if path.name.startswith(".") or not (suffix or path.is_dir()):
            continue
        if path.name in COMPANION_FOLDERS:
            continue
        stem = path.name[: len(path.name) - len(suffix)] if suffix else path.name
        by_stem[composed(stem)].append(path)
    return by_stem


def is_one_structure(folder: Path) -> bool:
    """Whether all that is in a folder is one RTSTRUCT or DICOM SEG, whatever it is called."""
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if len(files) != 1 or files[0].is_dir():
        return False
    from interactivenet.imaging.structures.reading.structure_files import structure_kind

    return bool(structure_kind(files[0]))


def name_problem(name: str, *, recorded: bool) -> str:
    """Say why files cannot be a case of this name, '' if they can.

    recorded: the case gets a record of its own beside that of a stage, as segmented cases do.
    """
    fault = name_fault(name)
    if fault:
        return f"its name cannot be used: {fault}: rename its files"
    return record_fault(name) if recorded else ""


def match_cases(
    images: Path,
    labels: Path | None,
    interactions: Path,
    modalities: Sequence[str],
    *,
    labelled: bool,
    several: bool = False,
    aliases: Mapping[str, str] | None = None,
) -> Subset:
    """Match the files of three folders into cases; labelled: whether each needs a label.

    several: whether a case has as many images as there are where any modality will do.
    aliases: name of an image -> name of its case, where that is another.

    An image is named CASE_0000 for the first modality and so on. One modality alone may leave
    the suffix out; there, a name that ends in four digits is a case of its own where the label
    (or, failing that, the other cases) says so.
    """
    label_files = stems(labels, READABLE_LABELS) if labels else {}
    prompt_files = stems(interactions, PROMPT_SUFFIXES)
    image_files = _called(stems(images, READABLE), aliases or {})
    grouped = _group(image_files, set(label_files), set(prompt_files), len(modalities))
    result = Subset()
    for name, by_modality in sorted(grouped.items()):
        of_case = label_files.get(name, []), prompt_files.get(name, [])
        problem = name_problem(name, recorded=not labelled)
        numbers = by_modality if several else range(1)
        expected = numbered_modalities(modalities, numbers)
        problem = problem or _problem(by_modality, expected, *of_case)
        if not problem and labels and labelled and name not in label_files:
            problem = f"has no label in {labels.name}"
        if problem:
            result.findings.append(Finding("error", printable(name), problem))
            continue
        ordered = tuple(by_modality[index][0] for index in expected)
        label = label_files[name][0] if name in label_files else None
        interaction = prompt_files[name][0] if name in prompt_files else None
        result.cases.append(Case(name, ordered, label, interaction))
    for folder, files in ((labels, label_files), (interactions, prompt_files)):
        for name in sorted(set(files) - set(grouped)):
            assert folder is not None
            file = printable(files[name][0].name)
            message = f"{folder.name}/{file} belongs to no image"
            result.findings.append(Finding("warning", printable(name), message))
    return result


def _called(images: dict[str, list[Path]], aliases: Mapping[str, str]) -> dict[str, list[Path]]:
    """Put names of cases in place of those of images, and keep the numbers of modalities."""
    called: dict[str, list[Path]] = defaultdict(list)
    for stem, paths in images.items():
        match = SUFFIXED.fullmatch(stem)
        number = f"_{match[2]}" if match else ""
        called[f"{aliases[stem]}{number}" if stem in aliases else stem] += paths
    return called


def _group(
    images: dict[str, list[Path]], labels: set[str], prompts: set[str], modalities: int
) -> dict[str, dict[int, list[Path]]]:
    """Part names into case and modality, or in its place _NO_SUFFIX or _UNCLEAR."""
    grouped: dict[str, dict[int, list[Path]]] = defaultdict(lambda: defaultdict(list))
    verdicts = {stem: _is_whole(stem, labels, prompts) for stem in images}
    plain = any(verdict is True for verdict in verdicts.values())
    suffixed = any(verdict is False for verdict in verdicts.values())
    bases = Counter(match[1] for stem in images if (match := SUFFIXED.fullmatch(stem)))
    for stem, paths in images.items():
        match = SUFFIXED.fullmatch(stem)
        if modalities > 1 or match is None:
            if match:
                grouped[match[1]][int(match[2])] += paths
            else:
                grouped[stem][0 if modalities == 1 else _NO_SUFFIX] += paths
            continue
        whole = verdicts[stem]
        if whole is None and plain and suffixed:
            grouped[stem][_UNCLEAR] += paths
            continue
        if whole is None:  # as the others are named; of one modality, a_0000 and a_0001 are two
            whole = plain or (not suffixed and (bases[match[1]] > 1 or match[2] != "0000"))
        if whole:
            grouped[stem][0] += paths
        else:
            grouped[match[1]][int(match[2])] += paths
    return grouped


def _is_whole(stem: str, labels: set[str], prompts: set[str]) -> bool | None:
    """Whether a label or a prompt file says that a name with a suffix is a case's whole name."""
    match = SUFFIXED.fullmatch(stem)
    if match:
        for names in (labels, prompts):
            if stem in names:
                return True
            if match[1] in names:
                return False
    return None


def _problem(
    by_modality: dict[int, list[Path]],
    modalities: Mapping[int, str],
    labels: list[Path],
    prompts: list[Path],
) -> str:
    """Say what is wrong with a case's files; modalities: number -> name of those expected."""
    if _UNCLEAR in by_modality:
        return (
            f"{by_modality[_UNCLEAR][0].name}: cannot tell whether its last digits are a modality:"
            " rename it"
        )
    if _NO_SUFFIX in by_modality:
        name, last = by_modality[_NO_SUFFIX][0].name, len(modalities) - 1
        return (
            f"{name} has no modality suffix, expected _0000 to _{last:04d}"
            f" for {len(modalities)} modalities"
        )
    for index, name in modalities.items():
        if index not in by_modality:
            return f"lacks the image of modality {index:04d} ({name})"
    extra = sorted(set(by_modality) - set(modalities))
    if extra:
        return (
            f"has an image of modality {extra[0]:04d}, but {len(modalities)} were named:"
            f" {', '.join(modalities.values())}"
        )
    for kind, files in (("image", by_modality), ("label", {0: labels}), ("prompt", {0: prompts})):
        for paths in files.values():
            if len(paths) > 1:
                return f"has {len(paths)} {kind} files, expected one: {list_names(paths)}"
    return ""
