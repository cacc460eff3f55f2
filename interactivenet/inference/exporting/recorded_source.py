"""Which image a case's record says was segmented, and what its files were then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from interactivenet.errors import DataError
from interactivenet.inference.sources import SOURCES
from interactivenet.system.cache_key import MADE_FROM
from interactivenet.system.files import sha256


@dataclass(frozen=True)
class RecordedSource:
    """The image whose grid the results of a case lie on.

    image: its path; None where the record says nothing.  uid: of its DICOM series, perhaps with
    ':' and the part of it that is a volume; '' where it was no DICOM.  wanted: by which the series
    was chosen in its folder.  use_form: how a NIfTI image was read.  hashes: SHA-256 of all files
    that the case was made from.
    """

    image: Path | None
    uid: str = ""
    wanted: str = ""
    use_form: Literal["", "sform", "qform"] = ""
    hashes: frozenset[str] = field(default_factory=frozenset)

    @staticmethod
    def of_record(record: Mapping[str, Any]) -> RecordedSource:
        """Read it from a record; raises DataError, naming the field, where it cannot be used."""
        made_from = _object(record, MADE_FROM)
        hashes = frozenset(map(str, _object(made_from, "inputs").values()))
        reading = _object(made_from, "reading")
        form = reading.get("use_form", "")
        if form not in ("", "sform", "qform"):
            raise DataError(f"field {MADE_FROM}.reading.use_form is {form!r}")
        sources = _object(record, SOURCES)
        if not sources:
            return RecordedSource(None, hashes=hashes, use_form=form)
        images, series = _texts(sources, "images"), _texts(sources, "series")
        reference = sources.get("reference", 0)
        if type(reference) is not int or not 0 <= reference < len(images):
            raise DataError(
                f"field {SOURCES}.reference is {reference!r}", expected=f"0 to {len(images) - 1}"
            )
        channels = reading.get("channel_series") or []
        if not isinstance(channels, list):
            raise DataError(f"field {MADE_FROM}.reading.channel_series is no list")
        by_channel = channels or [reading.get("series", "")] * len(images)
        wanted = by_channel[reference] if reference < len(by_channel) else ""
        # of several images of one series, the viewer names it once
        uid = series[min(reference, len(series) - 1)] if series else ""
        return RecordedSource(Path(images[reference]), uid, str(wanted), form, hashes)

    def changed(self, hashes: Mapping[str, str]) -> list[str]:
        """Name the files, name -> SHA-256, that are none of those that the case was made from."""
        return [name for name, digest in hashes.items() if digest not in self.hashes]

    def unchanged_image(self) -> Path | None:
        """Return the path of an image that is one file, and still what it was; None otherwise."""
        if self.image is None or not self.image.is_file():
            return None
        return self.image if sha256(self.image) in self.hashes else None


def images_of(records: Iterable[Mapping[str, Any]]) -> list[Path]:
    """Return the images that records name, as far as they can be read and are still there."""
    images = []
    for record in records:
        with suppress(DataError):
            images.append(RecordedSource.of_record(record).image)
    return [image for image in images if image is not None and image.exists()]


def _object(content: Mapping[str, Any], field_name: str) -> Mapping[str, Any]:
    value = content.get(field_name, {})
    if not isinstance(value, Mapping):
        raise DataError(f"field {field_name} is no object")
    return value


def _texts(content: Mapping[str, Any], field_name: str) -> list[str]:
    value = content.get(field_name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise DataError(f"field {SOURCES}.{field_name} is no list of texts")
    return value
