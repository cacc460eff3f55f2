"""Outlined structures of one scan, as writers of every format get them."""

from __future__ import annotations

from dataclasses import dataclass, field

from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.structures.codes.structure_codes import StructureCodes


@dataclass(frozen=True)
class Structure:
    """One outlined object, which is one segment, or one ROI.

    Attributes:
        number: Its value in the map, 1 or more.
        name: What it is called, unique in its set: 'tumour', or 'tumour 2' of several.
        label: Name of its label, 'tumour'.
        codes: What it is.
        tracking_uid: The same whenever this object of this scan is written.
        is_manual: Whether a person alone outlined it; else a program did, from a person's points.
        expected_dice: Dice with a person's outline to be expected; None where nothing is known.
    """

    number: int
    name: str
    label: str
    codes: StructureCodes
    tracking_uid: str
    is_manual: bool = False
    expected_dice: float | None = None


@dataclass(frozen=True, eq=False)
class StructureSet:
    """The structures of one scan.

    Attributes:
        map: (X, Y, Z) along RAS+: the number of the structure that a voxel belongs to, 0 for none.
        grid: The stored grid that the map lies on.
        structures: In the order in which they are written.
        model: Name of the model that outlined them: 'Task101_SARCOMA'; '' for none.
        model_digest: SHA-256 of its weights, in hex; '' for none.
        description: For people, of the whole set; written as series description.
    """

    map: Array
    grid: Geometry
    structures: tuple[Structure, ...]
    model: str = ""
    model_digest: str = ""
    description: str = ""


@dataclass(frozen=True)
class Written:
    """What became of a set: which structures are in the file, and what there is to say.

    Attributes:
        is_written: Whether there is a file: none is written of structures without a voxel.
        notes: What a user should know, a sentence each.
    """

    is_written: bool
    notes: tuple[str, ...] = field(default=())
