"""What is needed of the records of all regions of a task, each read once.

The start of a training needs the digests of thousands of them, and their images, several times.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet.system.cache_key import MADE_FROM
from interactivenet.system.files import interpreting, json_bytes, parse_json, read_bytes
from interactivenet.system.spread import folder_of
from interactivenet.system.stamps import ReadOnce

#: in a region's record
VOLUME, DEPTH = "volume_ml", "depth_mm"
#: of a checksum in hex
_DIGITS = 16
#: records that are kept: some hundred bytes each
_MOST = 100_000


@dataclass(frozen=True)
class RegionRecord:
    """What a region's record says, in short.

    sha256: of the file.  digest: of its content, without what earlier versions lack and all
    follows.  images: what identifies its case's images.  volume_ml: of its object, in the scan
    and on the target grid; None where not noted.
    """

    sha256: str
    digest: str
    images: frozenset[str]
    volume_ml: tuple[float, float] | None


def record_path(regions: Path, name: str) -> Path:
    """Return the path of a region's record; its arrays are beside it.  regions: the folder."""
    return folder_of(regions, name, ".json") / f"{name}.json"


def _read(path: Path) -> RegionRecord:
    data = read_bytes(path)
    content = parse_json(data, path)
    with interpreting(path, "plan the task again"):
        images, volume = image_digests(content.get(MADE_FROM, {})), volume_of(content)
        for later in (VOLUME, DEPTH):
            content.pop(later, None)
    digest = hashlib.sha256(json_bytes(content)).hexdigest()
    return RegionRecord(hashlib.sha256(data).hexdigest(), digest, images, volume)


#: reads a region's record; raises DataError where it cannot be read
region_record = ReadOnce(_read, _MOST)


def volume_of(record: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return an object's volume, ml, in the scan and on the target grid; None where not noted."""
    volume = record.get(VOLUME)
    return (float(volume[0]), float(volume[1])) if volume else None


def image_digests(made_from: Mapping[str, Any]) -> frozenset[str]:
    """Identify each image that a region's record names, by the checksums of its files.

    Of a DICOM series, by those of all of its files, in any order. A part of a checksum, 64 bits,
    is enough to tell images apart.
    """
    files: Mapping[str, str] = made_from.get("files") or {}
    digests = set()
    for path in made_from.get("images") or []:
        own = sorted(
            sum_of for name, sum_of in files.items() if name == path or name.startswith(f"{path}/")
        )
        if own:
            digests.add(hashlib.sha256("\n".join(own).encode()).hexdigest()[:_DIGITS])
    return frozenset(digests)
