"""Which files of a raw task belong to which case, and which belong to none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from interactivenet.datasets.annotations import is_being_annotated
from interactivenet.datasets.file_matching import SUFFIXED, Subset, match_cases, stems
from interactivenet.datasets.findings import Finding
from interactivenet.datasets.stray_files import has_companion_name, nearest_file, unread_files
from interactivenet.imaging.io import READABLE
from interactivenet.prompts.io import PROMPT_SUFFIXES
from interactivenet.system.names import printable


def find_cases(task: Path, subset: str, modalities: Sequence[str]) -> Subset:
    """Match images, label and prompt file of every case of a task's subset, 'Tr' or 'Ts'.

    No file but companions goes unmentioned: one that belongs to no image, or that nothing reads,
    is an error of the case that it names, or a warning where that case has another.
    """
    images, labels, interactions = (
        task / f"{kind}{subset}" for kind in ("images", "labels", "interactions")
    )
    matched = match_cases(images, labels, interactions, modalities, labelled=subset == "Tr")
    findings = [finding for finding in matched.findings if finding.level == "error"]
    complete = {
        images: {case.name for case in matched.cases} | {finding.case for finding in findings},
        labels: {case.name for case in matched.cases if case.label},
        interactions: {case.name for case in matched.cases if case.interaction},
    }
    unread = {
        folder: unread_files(folder, PROMPT_SUFFIXES if folder == interactions else READABLE)
        for folder in complete
    }
    image_files = _by_case(stems(images, READABLE), complete[images])
    for folder, suffixes in ((labels, READABLE), (interactions, PROMPT_SUFFIXES)):
        orphans = {
            name: paths
            for name, paths in stems(folder, suffixes).items()
            if printable(name) not in complete[images] and not _is_companion_table(paths[0])
        }
        for name, (path, *_) in orphans.items():
            hint = nearest_file(name, image_files)
            hint = "" if name in unread[images] else hint
            message = f"{folder.name}/{printable(path.name)} belongs to no image{hint}"
            findings.append(Finding("error", printable(name), message))
        if folder == labels:
            findings = [_with_hint(finding, orphans, unread[labels]) for finding in findings]
    if is_being_annotated(task, subset):
        findings = [_not_outlined_yet(finding, labels.name) for finding in findings]
    for folder, reasons in unread.items():
        for name, reason in reasons.items():
            level = "warning" if name in complete[folder] else "error"
            findings.append(Finding(level, printable(name), reason))
    broken = {finding.case for finding in findings if finding.level == "error"}
    return Subset([case for case in matched.cases if case.name not in broken], findings)


def _by_case(images: Mapping[str, list[Path]], cases: set[str]) -> dict[str, list[Path]]:
    """Name image files by their cases."""
    by_case = {}
    for stem, paths in images.items():
        match = SUFFIXED.fullmatch(stem)
        by_case[match[1] if match and stem not in cases else stem] = paths
    return by_case


def _is_companion_table(path: Path) -> bool:
    """Whether a file that could hold points is by its name a list of the dataset or the like."""
    return path.suffix in (".json", ".csv") and has_companion_name(path)


def _not_outlined_yet(finding: Finding, labels: str) -> Finding:
    """Turn what is wrong with a case that just has no label into a note."""
    if finding.message != f"has no label in {labels}":
        return finding
    return Finding("note", finding.case, "is not outlined yet: left out")


def _with_hint(
    finding: Finding, orphans: Mapping[str, Sequence[Path]], unread: Mapping[str, str]
) -> Finding:
    """Name the label that is probably meant to be that of a case without one."""
    if not finding.message.startswith("has no label") or finding.case in unread:
        return finding
    return replace(finding, message=finding.message + nearest_file(finding.case, orphans))
