"""What is measured of one object: a row of every table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from interactivenet.errors import DataError
from interactivenet.evaluation.diameters import largest_diameters
from interactivenet.evaluation.matching import Pair
from interactivenet.evaluation.metrics import Mask, evaluate_masks
from interactivenet.evaluation.prediction_record import (
    RECORDED,
    read_records,
    record_of,
    recorded_names,
    recorded_series,
)
from interactivenet.imaging.channels import read_grid
from interactivenet.imaging.components import bounding_box, label_counts
from interactivenet.imaging.io import read_label, suffix_of
from interactivenet.imaging.lattice import on_image
from interactivenet.imaging.volume import Volume
from interactivenet.metric_names import TOLERANCE_MM
from interactivenet.prompts.io import read_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.prompts.prompt_objects import PromptObjects

Row = Mapping[str, Any]
Outcome = Literal["found", "missed", "false", "empty"]
#: so many values are named where more are meant
_NAMED = 8
#: in a row and in tables, what joins the reasons to look at an object first
JOINED = "; "


@dataclass(frozen=True, eq=False)
class Maps:
    """A pair's label maps on one grid, and its prompts where it has any.

    objects: map whose value is 1 + the prompt's number; None where rows are per label.
    """

    prediction: Volume
    label: Volume
    prompts: tuple[Prompt, ...]
    objects: Volume | None

    def masks(self, label: int, prompt: int | None) -> tuple[Mask, Mask]:
        """Mark what was predicted (X, Y, Z), and what is true, of a label or a prompt."""
        if prompt is None:
            return self.prediction.array[0] == label, self.label.array[0] == label
        assert self.objects is not None
        truth = self._labelled.mask(self.prompts[prompt], self.prompts, self.label.grid)
        return self.objects.array[0] == prompt + 1, truth

    @cached_property
    def _labelled(self) -> PromptObjects:
        return PromptObjects(self.label.array[0])


def measure_pair(
    pair: Pair, labels: LabelNames | None = None, tolerance_mm: float = TOLERANCE_MM
) -> list[dict[str, Any]]:
    """Measure a stored prediction: the rows of :func:`measure_with_notes`."""
    return measure_with_notes(pair, labels, tolerance_mm)[0]


def measure_with_notes(
    pair: Pair, labels: LabelNames | None = None, tolerance_mm: float = TOLERANCE_MM
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Measure a stored prediction: a row per object, as in :class:`Evaluation`, and notes.

    The notes say what is doubtful about the label maps, and what was noted of the image when it was
    segmented.

    An object is a label's value in either map; where there is a map of objects and prompts, a
    prompt's object, and then the values that no prompt has. Where both maps are empty, there is
    a row for every named label (for 1 where none is named).
    Raises DataError, naming the file, where one cannot be read or lies on another grid.
    """
    maps = read_maps(pair, labels)
    names = dict(labels.names) if labels else {}
    records, recorded = read_records(pair.record)
    objects: list[tuple[int, str, int | None]] = []
    if maps.objects is not None:
        objects = [(prompt.label, prompt.name, i) for i, prompt in enumerate(maps.prompts)]
    arrays = (maps.label.array, maps.prediction.array)
    values = {int(value) for array in arrays for value in np.unique(array.ravel("K"))} - {0}
    unprompted = sorted(values - {label for label, *_ in objects})
    if not unprompted and not objects:
        unprompted = sorted(names) or [1]
    objects += [(value, "", None) for value in unprompted]
    rows = []
    for value, name, number in objects:
        metrics = measure_object(*maps.masks(value, number), maps.label.spacing, tolerance_mm)
        record = record_of(records, value, number)
        name = name or names.get(value, "") or str(record.get("name") or "")
        rows.append({
            "case": pair.case, "subtype": pair.subtype, "label": value, "name": name,
            "prompt": number, **metrics, **{key: record.get(key) for key in RECORDED},
            "reasons": JOINED.join(record.get("reasons") or ()),
        })  # fmt: skip
    maps_of = ((pair.prediction, maps.prediction), (pair.label, maps.label))
    own = [f"{path.name}: {note}" for path, volume in maps_of for note in volume.notes]
    return rows, tuple(dict.fromkeys([*recorded, *own]))


def measure_object(
    prediction: ArrayLike, label: ArrayLike, spacing: ArrayLike, tolerance_mm: float = TOLERANCE_MM
) -> dict[str, float | None]:
    """Measure a mask against a label's, both (X, Y, Z) along RAS+; spacing: (3,) mm.

    Returns what :func:`evaluate_masks` does, ``volume_difference_ml`` (prediction minus label),
    and the largest diameters of both, see :mod:`interactivenet.evaluation.diameters`. What is
    not defined is None, as JSON knows no NaN. Raises DataError as :func:`evaluate_masks`.
    """
    prediction, label = _cropped(np.asarray(prediction) != 0, np.asarray(label) != 0)
    metrics = evaluate_masks(prediction, label, spacing, tolerance_mm)
    row: dict[str, float | None] = {
        name: None if math.isnan(value) else value for name, value in metrics.items()
    }
    row["volume_difference_ml"] = metrics["volume_prediction_ml"] - metrics["volume_label_ml"]
    for side, mask in (("prediction", prediction), ("label", label)):
        axial, whole = largest_diameters(mask, spacing)
        row |= {f"diameter_axial_{side}_mm": axial, f"diameter_3d_{side}_mm": whole}
    return row


def _check_values(path: Path, label: Volume, labels: LabelNames) -> None:
    """Raise DataError for values of no label: compared with nothing, they would count as missed."""
    if unknown := sorted(v for v in label_counts(label.array[0]) if not labels.has(v)):
        listed = ", ".join(map(str, unknown[:_NAMED]))
        raise DataError(f"{path}: holds label value {listed}, expected {labels}")


def read_maps(pair: Pair, labels: LabelNames | None, *, points: bool = False) -> Maps:
    """Read what is compared; points: the prompts, too, where rows are not per prompt."""
    prediction, label = _read_pair(pair, labels.only_names if labels else None)
    if labels:
        _check_values(pair.label, label, labels)
    # of two extents on one lattice the smaller one is filled up with background
    if label.array.size < prediction.array.size:
        label = on_image(pair.label, label, pair.prediction, prediction.source)
    else:
        prediction = on_image(pair.prediction, prediction, pair.label, label.source)
    per_prompt = pair.objects is not None and pair.prompts is not None
    prompts: tuple[Prompt, ...] = ()
    if pair.prompts is not None and (per_prompt or points):
        image = (pair.label, label.source)
        prompts = tuple(read_prompts(pair.prompts, labels, image=image, options=pair.reading))
    objects = None
    if pair.objects is not None and per_prompt:
        objects = read_label(pair.objects, pair.reading, image=(pair.label, label.source))
        if objects.array.max() > len(prompts):
            raise DataError(
                f"{pair.objects}: holds object {objects.array.max()}, but {pair.prompts} has only"
                f" {len(prompts)} prompts"
            )
    return Maps(prediction, label, prompts, objects)


def _read_pair(pair: Pair, names: Mapping[int, str] | None) -> tuple[Volume, Volume]:
    """Read a prediction and its label.

    Outlines become voxels on the grid of the image where there is one, contours else on that of
    what they are compared with. Without names, they have those that the prediction's record has.
    """
    # `rois` are of the label: a prediction has the names of labels
    files = ((pair.prediction, replace(pair.reading, rois=())), (pair.label, pair.reading))
    outlined = {path for path, _ in files if not suffix_of(path)}
    if outlined and names is None:
        names = recorded_names(pair.record)
    image = None
    if outlined and pair.images:
        image = pair.images[0], read_grid(pair.images, pair.reading)
    elif drawn := {path for path in outlined if _is_drawn(path)}:
        # a SEG has a grid of its own: of two extents on one lattice the smaller one is filled up
        others = [(path, options) for path, options in files if path not in drawn]
        for path, options in others:
            image = path, read_label(path, options, names=names).source
    prediction, label = (
        read_label(path, options, names=names, image=image if path in outlined else None)
        for path, options in files
    )
    if pair.label in outlined and not pair.images:
        notes = (*label.notes, *_doubts(pair))
        label = Volume.from_stored(label.stored, label.source, notes=notes)
    return prediction, label


def _doubts(pair: Pair) -> list[str]:
    """Say where outlines, of which no image is given, are not of the scan of the prediction.

    That is the series that its record names, where that is still there; else its UID must do.
    """
    from interactivenet.imaging.dicom.reading import identity_at
    from interactivenet.imaging.structures.reading.structure_files import (
        differences,
        find_structure_file,
        read_structure_header,
    )

    file = find_structure_file(pair.label)
    if file is None:
        return []
    source = recorded_series(pair.record)
    if source is None:
        return [
            "nothing says whether its outlines are of the patient and the scan that were segmented:"
            " `images` with the scans tell"
        ]
    return differences(read_structure_header(file), identity_at(*source))


def _is_drawn(path: Path) -> bool:
    """Whether a file, or the only one in a folder, has contours and no voxels."""
    from interactivenet.imaging.structures.reading.structure_files import (
        find_structure_file,
        structure_kind,
    )

    file = find_structure_file(path)
    return file is not None and structure_kind(file) == "RTSTRUCT"


def outcome(row: Row) -> Outcome:
    """Say whether both masks have voxels (found), one, or none.

    missed: the prediction alone is empty; false: the label alone; empty: both.
    """
    if row["volume_label_ml"]:
        return "found" if row["volume_prediction_ml"] else "missed"
    return "false" if row["volume_prediction_ml"] else "empty"


def worst_first(row: Row) -> tuple[Any, ...]:
    """Key by which objects are sorted: lowest Dice first, then the largest distance."""
    distance = row["hd95"] if row["hd95"] is not None else math.inf
    return row["dice"], row["nsd"], -distance, row["case"], row["label"], row["prompt"] or 0


def _cropped(prediction: Mask, label: Mask) -> tuple[Mask, Mask]:
    """Cut both masks to the box around them, once: a whole scan is slow to go through."""
    if prediction.shape != label.shape or prediction.ndim != 3:
        return prediction, label  # for evaluate_masks to refuse
    box = bounding_box(prediction | label) or (slice(0, 1),) * 3
    return prediction[box], label[box]
