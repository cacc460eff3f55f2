"""Volumes: voxels with their place in the patient, along axes that are never guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Array, Geometry


@dataclass(frozen=True, eq=False, init=False)
class Volume:
    """Channels of voxels with their place in the patient.

    An array alone does not say along which axes it runs, and a mirrored one looks as plausible as
    the right one. So there are two ways to make a volume, each of which says it:
    :meth:`from_stored`, of an array as a file holds it, and :meth:`from_ras`.

    Attributes:
        array: Voxels (C, X, Y, Z), axes along RAS+, in the type of the file.
        source: Stored grid of the file; results are written back on it.
        notes: What the reader noticed about the file and a user should know.
        tags: What the file of each channel says of itself, by DICOM keyword ('Modality',
            'SeriesInstanceUID' ...); empty where it says nothing.

    Examples:
        >>> import nibabel
        >>> image = nibabel.load("scan.nii.gz")  # doctest: +SKIP
        >>> volume = Volume.from_stored(image.get_fdata(), image.affine)  # doctest: +SKIP
    """

    array: Array
    source: Geometry
    notes: tuple[str, ...]
    tags: tuple[Mapping[str, str], ...]

    def __init__(self, *_: object, **__: object) -> None:
        raise TypeError(
            "make a Volume with `Volume.from_stored(array, affine)`, from an array in the axis"
            " order of its file, or with `Volume.from_ras(array, affine)`, from one along RAS+"
        )

    @classmethod
    def from_stored(
        cls,
        array: Array,
        affine: ArrayLike | Geometry,
        *,
        notes: Sequence[str] = (),
        tags: Sequence[Mapping[str, str]] = (),
    ) -> Volume:
        """Make a volume of voxels in the axis order of their file.

        Args:
            array: Voxels (X, Y, Z), or (C, X, Y, Z) of several channels. The axes run as the
                affine says: any order, mirrored or oblique. The data are not copied.
            affine: (4, 4), index of a voxel in the array -> RAS+ mm, as in nibabel; or the grid.
            notes: What a user should know about the file.
            tags: What the file of each channel says of itself, by DICOM keyword.

        Returns:
            The volume, its array turned so that its axes run along RAS+.

        Raises:
            DataError: The affine is not finite, singular or sheared.
            ValueError: The array has another number of axes, or another shape than the grid, or
                there are not as many tags as channels.
        """
        channels = _channels(array)
        if tags and len(tags) != len(channels):
            raise ValueError(f"tags must be {len(channels)}, one per channel, got {len(tags)}")
        source = affine if isinstance(affine, Geometry) else _grid(channels, affine)
        if channels.shape[1:] != source.shape:
            x, y, z = source.shape
            raise ValueError(f"array must have shape (C, {x}, {y}, {z}), got {array.shape}")
        volume = object.__new__(cls)
        object.__setattr__(volume, "array", source.to_ras(channels))
        object.__setattr__(volume, "source", source)
        object.__setattr__(volume, "notes", tuple(notes))
        object.__setattr__(volume, "tags", tuple(tags) or ({},) * len(channels))
        return volume

    @classmethod
    def from_ras(
        cls, array: Array, affine: ArrayLike | Geometry, *, notes: Sequence[str] = ()
    ) -> Volume:
        """Make a volume of voxels whose axes already run along RAS+.

        Args:
            array: Voxels (X, Y, Z), or (C, X, Y, Z) of several channels: to the patient's right,
                anterior and superior side, or the closest such axes. The data are not copied.
            affine: (4, 4), index of a voxel in the array -> RAS+ mm; or the grid.
            notes: What a user should know about the voxels.

        Returns:
            The volume; its stored grid is the given one, too.

        Raises:
            DataError: The affine's axes run another way, or it is not finite, singular or sheared.
            ValueError: The array has another number of axes, or another shape than the grid.
        """
        channels = _channels(array)
        grid = affine if isinstance(affine, Geometry) else _grid(channels, affine)
        if grid.ras is not grid:
            raise DataError(
                f"the affine's axes run along {grid.orientation}, expected RAS: use"
                " `Volume.from_stored` for an array in the axis order of its file"
            )
        return cls.from_stored(channels, grid, notes=notes)

    def of_channels(self, channels: slice) -> Volume:
        """Return a volume of some of the channels, whose data are not copied."""
        tags = self.tags[channels]
        return Volume.from_stored(self.stored[channels], self.source, notes=self.notes, tags=tags)

    @property
    def stored(self) -> Array:
        """The voxels (C, X, Y, Z) in the axis order of the file."""
        return self.source.from_ras(self.array)

    @property
    def grid(self) -> Geometry:
        """The RAS grid that the array lies on."""
        return self.source.ras

    @property
    def affine(self) -> NDArray[np.float64]:
        """(4, 4), index of a voxel in the array -> RAS+ mm."""
        return self.grid.affine

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along the R, A and S axes."""
        return self.grid.shape

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Spacing along the R, A and S axes, mm."""
        return self.grid.spacing

    def voxel_to_world(self, voxels: ArrayLike) -> NDArray[np.float64]:
        """Turn indices (N, 3) of the array into RAS+ mm (N, 3)."""
        return self.grid.voxel_to_world(voxels)

    def world_to_voxel(self, points: ArrayLike) -> NDArray[np.float64]:
        """Turn RAS+ mm (N, 3) into continuous indices (N, 3) of the array."""
        return self.grid.world_to_voxel(points)


def _channels(array: Array) -> Array:
    """View an array (X, Y, Z) or (C, X, Y, Z) as the latter."""
    if array.ndim not in (3, 4):
        raise ValueError(f"array must have shape (X, Y, Z) or (C, X, Y, Z), got {array.shape}")
    return array[None] if array.ndim == 3 else array


def _grid(channels: Array, affine: ArrayLike) -> Geometry:
    """Return the grid of an array (C, X, Y, Z) with an affine."""
    x, y, z = channels.shape[1:]
    return Geometry((x, y, z), np.asarray(affine, dtype=np.float64))
