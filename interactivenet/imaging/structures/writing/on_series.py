"""Outlines brought onto the voxels of the DICOM series that they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interactivenet.errors import DataError, naming
from interactivenet.imaging.dicom.reading import folder_of, grid_of
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.lattice import on_image
from interactivenet.imaging.structures.structure import Structure, StructureSet
from interactivenet.imaging.volume import Volume

#: what an outline is called in messages
_MAP = Path("the outlined structures")


@dataclass(frozen=True, eq=False)
class PlacedStructures:
    """Structures on the grid of a series.

    Attributes:
        map: (columns, rows, slices), slices in the order of the series: 1 to n, the place of a
            voxel's structure among ``structures`` counted from 1; 0 for none.
        grid: The series' own grid.
        structures: Those that have voxels, in their order.
        notes: What a user should know, a sentence each.
    """

    map: Array
    grid: Geometry
    structures: tuple[Structure, ...]
    notes: tuple[str, ...]


def on_series(structures: StructureSet, series: Series) -> PlacedStructures:
    """Bring structures onto the grid of a series; those without a voxel are left out, and named.

    The map may be stored in any orientation, and may cover a part of the series, or go beyond it
    where nothing is outlined; what it does not cover is background. Raises DataError, naming the
    series' folder, where the series is no whole scan (a slice is missing, slices are uneven), and
    where the map lies on other voxels, saying in what they differ.
    """
    folder = folder_of(series)
    with naming(folder):
        if series.problem:
            raise DataError(series.problem)
        grid = grid_of(series)
    check_numbers(structures)
    label = Volume.from_stored(structures.grid.from_ras(structures.map), structures.grid)
    placed = on_image(_MAP, label, folder, grid)
    array, kept = numbered_anew(grid.from_ras(placed.array[0]), structures)
    notes = [f"The map of the structures {note}." for note in placed.notes]
    notes += remarks(structures, kept)
    return PlacedStructures(array, grid, kept, tuple(notes))


def numbered_anew(array: Array, structures: StructureSet) -> tuple[Array, tuple[Structure, ...]]:
    """Number the structures that have voxels 1 to n in their order; return array and them."""
    largest = max([int(array.max(initial=0)), *(one.number for one in structures.structures)])
    present = np.bincount(array.ravel(), minlength=largest + 1) > 0
    kept = tuple(one for one in structures.structures if present[one.number])
    table = np.zeros(largest + 1, np.min_scalar_type(max(len(kept), 1)))
    for place, one in enumerate(kept, 1):
        table[one.number] = place
    return table[array], kept


def remarks(structures: StructureSet, kept: Sequence[Structure]) -> list[str]:
    """Say which structures are not kept, as nothing is outlined of them, and what is unknown."""
    notes = []
    if empty := [f"'{one.name}'" for one in structures.structures if one not in kept]:
        notes.append(f"Nothing is outlined of {', '.join(empty)}: not in the file.")
    unknown = dict.fromkeys(f"'{one.label}'" for one in kept if one.codes.is_default)
    if unknown:
        notes.append(
            f"What {', '.join(unknown)} is, its name does not say: written as a tissue, ORGAN;"
            " `codes` can say it."
        )
    return notes


def check_numbers(structures: StructureSet) -> None:
    """Raise DataError where the map has a voxel of none of the structures."""
    numbers = [one.number for one in structures.structures]
    if unlisted := sorted(set(np.unique(structures.map).tolist()) - {0, *numbers}):
        raise DataError(
            f"{_MAP}: have voxels of {', '.join(map(str, unlisted[:5]))}, which is none of them",
            expected=f"numbers among {', '.join(map(str, numbers)) or 'none'}",
        )
