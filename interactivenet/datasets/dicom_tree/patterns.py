"""Which series of a DICOM tree a modality is: by description, number, UID or kind of scanner."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from interactivenet.datasets.image_checks import dicom_modality
from interactivenet.errors import RequestError
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.system.names import composed, word_fault

#: names that are a kind of scanner and nothing else: all of its series are meant
_KINDS = {
    "CT": "CT", "MR": "MR", "MRI": "MR", "PT": "PT", "PET": "PT", "US": "US", "NM": "NM",
    "SPECT": "NM",
}  # fmt: skip
_NUMBER = re.compile(r"\d+")
_UID = re.compile(r"\d+(\.\d+)+")


@dataclass(frozen=True)
class ModalityPattern:
    """What the series of a modality are known by.

    Attributes:
        name: Of the modality in the task, or of the model.
        pattern: Of the series; '' for all of the kind that ``name`` says.
        kind: Value of the DICOM element Modality that its series have; '' for any.
    """

    name: str
    pattern: str
    kind: str

    @staticmethod
    def parse(text: str) -> ModalityPattern:
        """Read ``NAME=PATTERN``, ``NAME=`` or ``NAME``.

        The pattern is the number of a series, its UID, or a glob ('T1*') or a part of its
        description, in any case; after a ':', a part of a series with several ('EchoTime=4.6').
        A name that says which kind of scanner it is of ('MR', 'T1', 'CT', 'PET') matches no series
        of another kind. Raises RequestError where there is no pattern and the name is no kind.
        """
        name, _, pattern = (part.strip() for part in text.partition("="))
        if fault := word_fault(name):
            raise RequestError(
                f"'{name}' is no name: {fault}", field="modalities", value=text,
                expected="NAME=PATTERN",
            )  # fmt: skip
        if re.search(r"[*?[]", name):
            raise RequestError(
                f"'{name}' is a pattern, which needs a name in front", field="modalities",
                value=text, expected="NAME=PATTERN, such as 'MR=*T1*'",
            )  # fmt: skip
        if not pattern and name.upper() not in _KINDS:
            raise RequestError(
                f"'{name}' is no kind of scanner (CT, MR, PET, US, NM), so that it does not say"
                " which series are meant",
                field="modalities", value=text,
                expected=f"'{name}=PATTERN', with a series' number, UID or description",
            )  # fmt: skip
        return ModalityPattern(name, pattern, _KINDS.get(name.upper()) or dicom_modality(name))

    def matches(self, series: Series) -> bool:
        """Whether a series is one of this modality."""
        tags = series.file.tags
        if self.kind and tags.get("Modality", "").strip().upper() != self.kind:
            return False
        pattern, _, part = self.pattern.partition(":")
        if _NUMBER.fullmatch(pattern) or _UID.fullmatch(pattern):
            is_number = bool(_NUMBER.fullmatch(pattern))
            own = tags.get("SeriesNumber", "") if is_number else series.file.series
            return own == pattern and (not part or text_matches(part, series.part))
        description = tags.get("SeriesDescription", "")
        if text_matches(self.pattern, description):
            return True
        return bool(part and series.part) and text_matches(
            self.pattern, f"{description}:{series.part}"
        )

    def __str__(self) -> str:
        return f"{self.name}={self.pattern}" if self.pattern else self.name


def parse_patterns(texts: Sequence[str]) -> tuple[ModalityPattern, ...]:
    """Read the patterns of several modalities; raises RequestError for two of one name."""
    patterns = tuple(map(ModalityPattern.parse, texts))
    names = [pattern.name.casefold() for pattern in patterns]
    for pattern in patterns:
        if names.count(pattern.name.casefold()) > 1:
            raise RequestError(f"'{pattern.name}' is given twice", field="modalities")
    return patterns


def index_of(name: str, patterns: Sequence[ModalityPattern]) -> int:
    """Return the number of the modality of this name, in any case; raises RequestError for none."""
    for number, pattern in enumerate(patterns):
        if pattern.name.casefold() == name.strip().casefold():
            return number
    raise RequestError(
        field="resample_to", value=name,
        expected=f"one of the modalities: {', '.join(pattern.name for pattern in patterns)}",
    )  # fmt: skip


def text_matches(pattern: str, text: str) -> bool:
    """Whether a text is what a glob says, or contains a pattern without '*', '?' and '['."""
    pattern, text = (composed(composed(one.strip()).casefold()) for one in (pattern, text))
    if re.search(r"[*?[]", pattern):
        return fnmatchcase(text, pattern)
    return pattern in text
