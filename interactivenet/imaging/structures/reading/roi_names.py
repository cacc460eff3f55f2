"""Which regions of a structure set, or segments, are which labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from interactivenet.errors import DataError, RequestError
from interactivenet.system.names import composed, list_some

#: so many names are listed where more are meant
_LISTED = 12
#: the number of an object among those of its label
_NUMBERED = re.compile(r"[ _#-]+\d+$")


@dataclass(frozen=True)
class RoiNames:
    """Patterns of ROI names, and the label that each stands for.

    patterns: (pattern, label) pairs; a pattern may have ``*``, ``?`` and ``[...]``, in any case.
    Several patterns may stand for one label, which is then the union of what they match.
    """

    patterns: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def parse(definitions: Iterable[str]) -> RoiNames:
        """Read definitions such as ``GTV_Mass*=tumour``; raises RequestError for any other text."""
        patterns: dict[str, tuple[str, str]] = {}
        for definition in definitions:
            pattern, _, label = (part.strip() for part in definition.rpartition("="))
            if not pattern or not label:
                raise RequestError(
                    field="rois", value=definition,
                    expected="a pattern of ROI names and a label, such as 'GTV_Mass*=tumour'",
                )  # fmt: skip
            if label.isdecimal() and int(label) == 0:
                raise RequestError(
                    field="rois", value=definition,
                    expected="another label than 0, which is the background",
                )  # fmt: skip
            before = patterns.setdefault(_folded(pattern), (pattern, label))
            if _folded(before[1]) != _folded(label):
                raise RequestError(
                    f"'{pattern}' is said to be two labels, {before[1]} and {label}", field="rois"
                )
        return RoiNames(tuple(patterns.values()))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that are named, each once, in their order."""
        named: dict[str, str] = {}
        for _, label in self.patterns:
            named.setdefault(_folded(label), label)
        return tuple(named.values())

    def values(self, labels: Mapping[int, str] | None) -> dict[str, int]:
        """Return the value of each label that is named, by its name in small letters.

        labels: value -> name of those that there are; without them, labels get the numbers from 1
        on, in their order, but for those that are numbers themselves.
        Raises RequestError where one is none of ``labels``.
        """
        if labels is None:
            taken = {int(label) for label in self.labels if label.isdecimal()}
            free = (value for value in range(1, len(self.labels) + len(taken) + 1)
                    if value not in taken)  # fmt: skip
            return {
                _folded(label): int(label) if label.isdecimal() else next(free)
                for label in self.labels
            }
        known = {str(value): value for value in labels}
        known |= {_folded(name): value for value, name in labels.items()}
        for pattern, label in self.patterns:
            if _folded(label) not in known:
                listed = ", ".join(f"{value}={name}" for value, name in labels.items())
                raise RequestError(
                    field="rois", value=f"{pattern}={label}", expected=f"one of the labels {listed}"
                )
        return {_folded(label): known[_folded(label)] for label in self.labels}

    def match(
        self, rois: Sequence[str], labels: Mapping[int, str] | None
    ) -> tuple[dict[str, int], tuple[str, ...]]:
        """Find the label value of each ROI by its name; return these, and what is to be said.

        Without patterns, an ROI is the label of its name, in any case ('tumour 2' is of the label
        'tumour', too); else the only ROI is the only label. ROIs of no label are left out.
        labels: value -> name of those that there are; None where unknown.

        Raises DataError, listing the ROIs, where none is a label; RequestError where two patterns
        say different labels for one ROI, or one says a label that there is not.
        """
        names = tuple(dict.fromkeys(rois))
        if not names:
            raise DataError("holds no ROI")
        notes = [
            f"it has {count} ROIs of the name '{name}': all of them are read"
            for name in names
            if (count := list(rois).count(name)) > 1
        ]
        if self.patterns:
            values, said = self._by_patterns(names, labels)
        else:
            values, said = _by_names(names, labels)
        if self.patterns and labels is None:
            numbered = ", ".join(f"{value}={name}" for name, value in self.values(None).items())
            said = [f"its labels are numbered as they are named: {numbered}", *said]
        if left := [name for name in names if name not in values]:
            notes.append(f"left out its ROIs of no label: {listed_rois(left)}")
        return values, (*said, *notes)

    def _by_patterns(
        self, rois: Sequence[str], labels: Mapping[int, str] | None
    ) -> tuple[dict[str, int], list[str]]:
        of_label = self.values(labels)
        found: dict[str, tuple[str, str]] = {}
        notes = []
        for pattern, label in self.patterns:
            matched = [roi for roi in rois if _fits(roi, pattern)]
            if not matched:
                notes.append(f"none of its ROIs fits '{pattern}', for {label}")
            for roi in matched:
                first = found.setdefault(roi, (pattern, label))
                if _folded(first[1]) != _folded(label):
                    raise RequestError(
                        f"ROI '{roi}' is {first[1]} by '{first[0]}', and {label} by '{pattern}'",
                        field="rois", expected="one label for each ROI",
                    )  # fmt: skip
        if not found:
            patterns = ", ".join(f"'{pattern}'" for pattern, _ in self.patterns)
            raise DataError(f"has no ROI that fits {patterns}: its ROIs are {listed_rois(rois)}")
        return {roi: of_label[_folded(label)] for roi, (_, label) in found.items()}, notes


def _by_names(
    rois: Sequence[str], labels: Mapping[int, str] | None
) -> tuple[dict[str, int], list[str]]:
    """Match ROIs and labels without patterns."""
    remedy = "say which are which label, such as `rois=['GTV*=tumour']`"
    if labels is None:
        if len(rois) == 1:
            return {rois[0]: 1}, [f"its only ROI, '{rois[0]}', is read as label 1"]
        raise DataError(
            f"has {len(rois)} ROIs, and no names of labels are known: {listed_rois(rois)}",
            remedy=remedy,
        )
    exact = {_folded(label): value for value, label in labels.items()}
    values, notes = {}, []
    for roi in rois:
        name = _folded(roi)
        numbered = _NUMBERED.sub("", name)  # 'tumour 2' is a tumour
        value = exact.get(name, exact.get(numbered))
        if value is None:
            continue
        values[roi] = value
        if name not in exact:
            notes.append(f"its ROI '{roi}' is read as {value}={labels[value]}")
    if values:
        lacking = [name for value, name in labels.items() if value not in values.values()]
        if lacking:
            notes.append(f"it has no ROI of the labels {', '.join(lacking)}")
        return values, notes
    if len(rois) == 1 and len(labels) == 1:
        ((value, label),) = labels.items()
        return {rois[0]: value}, [f"its only ROI, '{rois[0]}', is read as {value}={label}"]
    listed = ", ".join(f"{value}={name}" for value, name in labels.items())
    raise DataError(
        f"has no ROI of the name of a label ({listed}): its ROIs are {listed_rois(rois)}",
        remedy=remedy,
    )


def check_rois(definitions: Iterable[str], labels: Mapping[int, str] | None) -> tuple[str, ...]:
    """Return definitions of ROIs as they are; raises RequestError where they cannot be used.

    labels: value -> name of those that there are; None where unknown.
    """
    given = tuple(definitions)
    RoiNames.parse(given).values(labels)
    return given


def listed_rois(names: Sequence[str]) -> str:
    """List the names of ROIs, for messages."""
    return list_some([f"'{name}'" for name in names], _LISTED)


def _fits(roi: str, pattern: str) -> bool:
    """Whether an ROI has a name, in any case, or one that fits a pattern."""
    name, pattern = _folded(roi), _folded(pattern)
    return name == pattern or fnmatchcase(name, pattern)


def _folded(text: str) -> str:
    """Return what is the same for names that differ in case, or in how accents are stored."""
    return composed(composed(text.strip()).casefold())
