"""A stored prediction and its label, read and measured: a row per object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError, one_line
from interactivenet.evaluation.matching import Pair
from interactivenet.evaluation.measures import measure_object
from interactivenet.evaluation.metrics import TOLERANCE_MM
from interactivenet.imaging.geometry import Volume
from interactivenet.imaging.io import check_same_lattice, read_label
from interactivenet.prompts.components import PromptObjects
from interactivenet.prompts.io import read_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.system.files import read_object

Mask = NDArray[np.bool_]
#: what the record of a segmentation adds to a row
_NOTED = ("agreement", "expected_dice", "look")


@dataclass(frozen=True, eq=False)
class Maps:
    """A pair's label maps on one grid, and its prompts where there are any."""

    prediction: Volume
    label: Volume
    prompts: tuple[Prompt, ...]
    objects: Volume | None

    def masks(self, label: int, prompt: int | None) -> tuple[Mask, Mask]:
        """Mark what was predicted (X, Y, Z), and what is true, of a label or a prompt."""
        if prompt is None:
            return self.prediction.array[0] == label, self.label.array[0] == label
        assert self.objects is not None
        mask = self._true.mask(self.prompts[prompt], self.prompts, self.label.grid)
        return self.objects.array[0] == prompt + 1, mask

    @cached_property
    def _true(self) -> PromptObjects:
        return PromptObjects(self.label.array[0])


def measure_pair(
    pair: Pair, labels: LabelNames | None = None, tolerance_mm: float = TOLERANCE_MM
) -> list[dict[str, Any]]:
    """Measure a stored prediction: a row per object, as in :class:`Evaluation`.

    An object is a label's value in either map; where there is a map of objects and prompts, a
    prompt's object, and then the values that no prompt has. Where both maps are empty, there is
    a row for every named label (for 1 where none is named).
    Raises DataError, naming the file, where one cannot be read or lies on another grid.
    """
    maps = read_maps(pair, labels)
    names = dict(labels.names) if labels else {}
    noted = _record(pair.record)
    wanted: list[tuple[int, str, int | None]] = []
    if maps.objects is not None:
        wanted = [(one.label, one.name, number) for number, one in enumerate(maps.prompts)]
    both = (maps.label.array, maps.prediction.array)
    values = {int(value) for one in both for value in np.unique(one.ravel("K"))} - {0}
    rest = sorted(values - {label for label, *_ in wanted})
    if not rest and not wanted:
        rest = sorted(names) or [1]
    wanted += [(value, "", None) for value in rest]
    rows = []
    for value, name, number in wanted:
        metrics = measure_object(*maps.masks(value, number), maps.label.spacing, tolerance_mm)
        note = _noted(noted, value, number)
        name = name or names.get(value, "") or str(note.get("name") or "")
        rows.append({
            "case": pair.case, "subtype": pair.subtype, "label": value, "name": name,
            "prompt": number, **metrics, **{key: note.get(key) for key in _NOTED},
        })  # fmt: skip
    return rows


def read_maps(pair: Pair, labels: LabelNames | None, *, points: bool = False) -> Maps:
    """Read what is compared; points: the prompts, too, where rows are not per prompt."""
    label = read_label(pair.label)
    prediction = read_label(pair.prediction)
    check_same_lattice(pair.prediction, prediction.source, pair.label, label.source)
    per_prompt = pair.objects is not None and pair.prompts is not None
    prompts: tuple[Prompt, ...] = ()
    if pair.prompts is not None and (per_prompt or points):
        prompts = tuple(read_prompts(pair.prompts, labels, image=(pair.label, label.source)))
    objects = None
    if pair.objects is not None and per_prompt:
        objects = read_label(pair.objects)
        check_same_lattice(pair.objects, objects.source, pair.label, label.source)
        if objects.array.max() > len(prompts):
            raise DataError(
                f"{pair.objects}: holds object {objects.array.max()}, but {pair.prompts} has"
                f" {len(prompts)}"
            )
    return Maps(prediction, label, prompts, objects)


def _record(path: Path | None) -> list[Mapping[str, Any]]:
    content = read_object(path).get("objects", []) if path else []
    if not isinstance(content, list) or not all(isinstance(one, Mapping) for one in content):
        raise DataError(f"{path}: 'objects' is no list of objects, as this program writes it")
    for one in content:
        for key in _NOTED:
            if not isinstance(one.get(key), (int, float, type(None))):
                raise DataError(f"{path}: has {key} {one[key]!r}, expected a number or null")
    return content


def _noted(noted: Sequence[Mapping[str, Any]], label: int, prompt: int | None) -> Mapping[str, Any]:
    """Find an object's record: by the prompt's number, or the only one of its label."""
    if prompt is not None:
        return noted[prompt] if prompt < len(noted) else {}
    mine = [one for one in noted if one.get("label") == label]
    return mine[0] if len(mine) == 1 else {}


def reason(error: Exception) -> str:
    """Say in one line why a case could not be done."""
    if isinstance(error, DataError):
        return one_line(error)
    return f"unexpected {type(error).__name__}: {one_line(error)} (please report it)"
