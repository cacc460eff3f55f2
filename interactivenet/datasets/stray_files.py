"""What lies beside images, labels and points: files that nothing reads, and misspelt names."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from interactivenet.errors import RequestError
from interactivenet.imaging.io import READABLE, suffix_of
from interactivenet.system.names import printable

#: what is usually kept beside images and is no case, by its name or its ending
_COMPANION_NAMES = re.compile(
    r"(readme|licen[cs]e|copying|notice|authors|citation|changes|changelog|version|dicomdir|dataset"
    r"|dataset_description|participants|md5sums?|sha\d*sums?|thumbs|desktop)(\.\w+)?",
    re.IGNORECASE,
)
_COMPANION_SUFFIXES = (
    ".txt", ".md", ".rst", ".csv", ".tsv", ".xls", ".xlsx", ".ods", ".doc", ".docx", ".pdf",
    ".html", ".log", ".json", ".yaml", ".yml", ".toml", ".xml", ".py", ".ipynb", ".sh", ".m",
    ".md5", ".sha1", ".sha256", ".bval", ".bvec", ".mrml", ".ctbl", ".ini", ".db",
)  # fmt: skip
#: folders that systems make
COMPANION_FOLDERS = ("__MACOSX", "@eaDir", "lost+found")
#: voxels in a file of their own, and the headers that say so
_VOXELS = (".raw", ".zraw", ".raw.gz", ".img", ".img.gz")
_HEADERS = (".mhd", ".nhdr", ".nrrd", ".hdr", ".hdr.gz")
#: endings of a DICOM file: none, a number of a UID, or one of these
_DICOM = re.compile(r"[^.]*|.*\.(\d+|dcm|ima)", re.IGNORECASE)
#: the ending of any other file, and the number of a modality before it
_ENDING = re.compile(r"(_00\d\d)?(\.(nii|mrk|seg|tar))?\.[A-Za-z]\w{0,5}$", re.IGNORECASE)
#: how alike a misspelt name is to the right one, from 0 to 1; a folder's more, as few are expected
_ALIKE, _ALIKE_FOLDER = 0.8, 0.87


def has_companion_name(path: Path) -> bool:
    """Whether a file is a README, a list of the dataset and the like, whatever its format."""
    return bool(_COMPANION_NAMES.fullmatch(path.name))


def is_companion(path: Path) -> bool:
    """Whether a file or folder is by its name no case: hidden, a README, a table and the like."""
    name = path.name
    return (
        name.startswith(".")
        or name in COMPANION_FOLDERS
        or has_companion_name(path)
        or bool(suffix_of(path, _COMPANION_SUFFIXES))
    )


def unread_files(
    folder: Path, suffixes: Sequence[str], known: Container[str] = ()
) -> dict[str, str]:
    """Say why files of a folder of images, labels or points cannot be read, by their names alone.

    suffixes: of the files that can.  known: cases; a file of just that name is theirs. Returns
    case -> reason, in which the file is named with its folder; companions are none. Loose DICOM
    files are one entry together, under the folder's name.
    """
    if not folder.is_dir():
        return {}
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise RequestError(f"{folder}: cannot be read: {error.strerror or error}") from error
    headers = any(suffix_of(path, _HEADERS) for path in entries)
    reasons: dict[str, str] = {}
    loose: list[str] = []
    for path in entries:
        name = printable(f"{folder.name}/{path.name}")
        if suffix_of(path, suffixes) or path.is_dir() or is_companion(path):
            continue
        if headers and suffix_of(path, _VOXELS):
            continue
        if path.is_symlink() and not path.exists():
            reason = f"{name} is a link to {path.readlink()}, which leads nowhere"
        elif path.name not in known and _DICOM.fullmatch(path.name):
            loose.append(path.name)
            continue
        elif suffix_of(path, READABLE):
            reason = f"{name} does not end in {' or '.join(suffixes)}"
        else:
            reason = f"{name} has no readable format: expected {', '.join(suffixes)}"
        case = _ENDING.sub("", path.name) or path.name
        reasons[case] = f"{reasons[case]}; {reason}" if case in reasons else reason
    if loose:
        number = f"{len(loose)} files" if len(loose) > 1 else "a file"
        some = ", ".join(loose[:3]) + (" ..." if len(loose) > 3 else "")
        reasons[folder.name] = (
            f"{folder.name} holds {number} of no readable format ({some}): expected"
            f" {', '.join(suffixes)}, and each DICOM series in a folder of its own"
        )
    return reasons


#: a case's name with the number of a modality behind it
_MODALITY = re.compile(r"(.+)_\d{4}")


def nearest(name: str, others: Iterable[str], alike: float = _ALIKE) -> str:
    """Return the name that another one is probably meant to be, '' for none."""
    by_small = {other.casefold(): other for other in others if other != name}
    found = get_close_matches(name.casefold(), by_small, 1, alike)
    return by_small[found[0]] if found else ""


def nearest_file(name: str, files: Mapping[str, Sequence[Path]]) -> str:
    """Name the file whose case is probably meant, ' (nearest: FOLDER/FILE)', '' for none.

    files: case -> its files. Only one whose numbers are the same is meant: patient_3 is another
    patient than patient_2, and whoever renames a file as is advised must not mix them up.
    """
    case = _without_modality(name)
    same = {
        _without_modality(other): paths
        for other, paths in files.items()
        if other != name and _numbers(_without_modality(other)) == _numbers(case)
    }
    found = case if case in same else nearest(case, same)
    if not found:
        return ""
    path = same[found][0]
    return f" (nearest: {path.parent.name}/{path.name})"


def _without_modality(name: str) -> str:
    match = _MODALITY.fullmatch(name)
    return match[1] if match else name


def _numbers(name: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"[0-9]+", name)]


def check_folder_names(task: Path, expected: Sequence[str]) -> None:
    """Raise RequestError for a folder whose name is almost one that is expected and not there."""
    if not task.is_dir():
        return
    folders = [path.name for path in sorted(task.iterdir()) if path.is_dir()]
    missing = [name for name in expected if name not in folders]
    for name in folders:
        if name in expected or name.startswith("."):
            continue
        if meant := nearest(name, missing, _ALIKE_FOLDER):
            raise RequestError(
                f"{task / name}: no such folder is read",
                expected=meant,
                remedy="rename it, or move it elsewhere",
            )


def described_entries(folder: Path, most: int = 4) -> str:
    """Say what a folder holds, for a message: its folders, and its files by their endings."""
    try:
        entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    except OSError as error:
        raise RequestError(f"{folder}: cannot be read: {error.strerror or error}") from error
    folders = [path.name for path in entries if path.is_dir()]
    files = [path.name for path in entries if not path.is_dir()]
    parts = []
    for names, kind in ((folders, "folder"), (files, "file")):
        if names:
            some = ", ".join(names[:most]) + (" ..." if len(names) > most else "")
            parts.append(f"{len(names)} {kind}{'s' if len(names) > 1 else ''} ({some})")
    return " and ".join(parts) or "nothing"
