"""Writing a case of a DICOM tree into a raw task: slices as they are, other modalities on the grid.

The modality whose grid counts stays a DICOM series, so that results can go back to its archive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.datasets.dicom_tree.import_source import TreeCase, TreeRequest
from interactivenet.datasets.dicom_tree.structure_sets import Outlines
from interactivenet.datasets.placing import place
from interactivenet.errors import DataError, naming
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.grid_resampling import resample_nearest, resampled_onto
from interactivenet.imaging.io import (
    ReadOptions,
    read_image,
    read_label,
    write_label_array,
    write_volume,
)


def write_tree_case(
    case: TreeCase, images: Path, labels: Path, request: TreeRequest, copy: bool
) -> dict[str, Any]:
    """Write a case; returns what ``import.json`` says of it.

    images, labels: folders of the task.  copy: slices, in place of hard links.
    Raises DataError, naming the file, where one cannot be read or written, or where no label has a
    voxel on the grid.
    """
    notes = list(case.notes)
    label, structures = _write_label(case, labels / f"{case.name}.nii.gz", request, notes)
    modalities: dict[str, Any] = {}
    for number, (pattern, series) in enumerate(zip(request.patterns, case.series, strict=True)):
        stem = images / f"{case.name}_{number:04d}"
        said = _write_image(case, number, stem, label, request, copy)
        notes += [f"{pattern.name}: {note}" for note in said.pop("notes")]
        assert case.chosen is not None
        modalities[pattern.name] = {
            **_described(series), "why": case.chosen.reasons[number], **said,
        }  # fmt: skip
    return {"modalities": modalities, "structure_set": structures,
            "notes": list(dict.fromkeys(notes))}  # fmt: skip


def _described(series: Series) -> dict[str, Any]:
    tags = series.file.tags
    said = {
        "series": series.file.series,
        "part": series.part,
        "study": series.file.study,
        "frame_of_reference": series.file.reference,
        "number": tags.get("SeriesNumber", ""),
        "description": tags.get("SeriesDescription", ""),
        "dicom_modality": tags.get("Modality", ""),
    }
    return {**{key: text for key, text in said.items() if text}, "slices": len(series.slices)}


def _write_image(
    case: TreeCase, number: int, stem: Path, label: Array, request: TreeRequest, copy: bool
) -> dict[str, Any]:
    """Write one modality as STEM, a folder of slices, or as STEM.nii.gz; returns what to say.

    label: (X, Y, Z) along RAS+, on the grid of the case.
    """
    series, own, grid = case.series[number], case.grids[number], case.grids[request.reference]
    on_grid = own.is_same_lattice(grid)
    if on_grid and _has_own_files(series):
        stem.mkdir(parents=True, exist_ok=True)
        files = dict.fromkeys(one.file.path for one in series.slices)
        for position, path in enumerate(files, 1):
            place(path, stem / f"{position:04d}.dcm", copy)
        return {"notes": []}  # whoever reads the folder says what is to be said of it
    path = case.images[number]
    volume = read_image(path, ReadOptions(series=series.uid))
    with naming(path):
        volume, resampled = resampled_onto(volume, grid)
    write_volume(stem.with_name(f"{stem.name}.nii.gz"), volume.array[0], volume.source)
    if resampled is None:
        note = "is a part of its files, and was written as NIfTI: results cannot go back to DICOM"
        return {"notes": [*volume.notes, note]}
    said = {
        "from": _grid(own), "to": request.patterns[request.reference].name,
        "interpolation": "linear", "share_outside": round(resampled.outside, 6),
        "value_outside": resampled.fill,
    }  # fmt: skip
    notes, labelled = list(volume.notes), grid.from_ras(label) > 0
    if lost := int(np.count_nonzero(labelled & resampled.beyond)):
        notes.append(f"{lost} of {np.count_nonzero(labelled)} labelled voxels lie outside of it")
    return {"resampled": said, "notes": notes}


def _has_own_files(series: Series) -> bool:
    """Whether no file of a series has images that are not of it: other echoes, say."""
    counts = Counter(one.file.path for one in series.slices)
    return all(counts[one.file.path] == one.file.frames for one in series.slices)


def _write_label(
    case: TreeCase, path: Path, request: TreeRequest, notes: list[str]
) -> tuple[Array, dict[str, Any]]:
    """Write the label map (X, Y, Z) on the grid; returns it, and what to say of its structure set.

    notes: to which what is noticed is added.
    """
    outlines = case.outlines
    assert outlines is not None
    file, drawn_on = outlines.structures.file, outlines.drawn_on
    grid, drawn = case.grids[request.reference], case.grids[drawn_on]
    labelling = request.labelling
    image = (case.images[drawn_on], drawn)
    volume = read_label(file.path, labelling.reading, names=labelling.names, image=image)
    notes += [note for note in volume.notes if note not in notes]
    label, resampled = volume.array[0], {}
    if not drawn.is_same_lattice(grid):
        name, onto = request.patterns[drawn_on].name, request.patterns[request.reference].name
        label = grid.to_ras(resample_nearest(drawn.from_ras(label), drawn, grid))
        text = (
            f"outlines of the {name} were drawn there, and each voxel of the {onto} has the label"
            f" of the nearest one: {_volumes(volume.array[0], drawn, label, grid, labelling.names)}"
        )
        notes.append(text + _lost(volume.array[0], drawn, grid))
        resampled = {"from": _grid(drawn), "to": onto, "interpolation": "nearest"}
    _check_labels(file.path, label, outlines, labelling.names, notes)
    write_label_array(path, label, grid)
    header = outlines.structures.header
    said = {
        "uid": file.uid,
        "kind": header.kind if header else "",
        "label": header.label if header else "",
        "rois": {roi: labelling.names.get(value, str(value))
                 for roi, value in outlines.values.items()},
        "drawn_on": request.patterns[drawn_on].name,
        "why": outlines.reason,
    }  # fmt: skip
    return label, {**said, "resampled": resampled} if resampled else said


def _check_labels(
    path: Path, label: Array, outlines: Outlines, names: Mapping[int, str], notes: list[str]
) -> None:
    """Raise DataError where no voxel is labelled; note labels that have none, though outlined."""
    found = set(np.unique(label[label > 0]).tolist())
    if not found:
        raise DataError(f"{path}: none of its outlines has a voxel on the grid of the case")
    lacking = sorted(set(outlines.values.values()) - found)
    notes += [
        f"label {value} ({names.get(value, '')}) is outlined, but has no voxel on the grid"
        for value in lacking
    ]


def _volumes(
    before: Array, drawn: Geometry, after: Array, grid: Geometry, names: Mapping[int, str]
) -> str:
    """Say how large each label was drawn, and is on another grid."""
    values = np.unique(before[before > 0]).tolist()
    return ", ".join(
        f"{names.get(value, value)} {_ml(before == value, drawn)} -> {_ml(after == value, grid)} ml"
        for value in values
    )


def _ml(mask: Array, grid: Geometry) -> str:
    return f"{np.count_nonzero(mask) * np.prod(grid.spacing) / 1000:.4g}"


def _lost(label: Array, drawn: Geometry, grid: Geometry) -> str:
    """Say how much of what is outlined lies outside of a grid; '' where nothing does."""
    voxels = np.argwhere(label > 0)
    outside = int((~grid.contains(drawn.ras.voxel_to_world(voxels))).sum()) if len(voxels) else 0
    if not outside:
        return ""
    return f"; {outside} of its {len(voxels)} outlined voxels lie outside of that grid and are lost"


def _grid(grid: Geometry) -> dict[str, Sequence[float]]:
    return {"shape": list(grid.shape), "spacing_mm": [round(mm, 6) for mm in grid.spacing]}
