"""An image that a client of 3D Slicer works on, and what was inferred in it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from interactivenet.viewer.sessions.annotation import ObjectState

if TYPE_CHECKING:
    from interactivenet.postprocessing.merging import SegmentedObject
    from interactivenet.prompts.corrections import Correction
    from interactivenet.viewer.worklist.worklist import WorklistEntry


@dataclass(frozen=True, eq=False)
class Outlined:
    """What was inferred last of a label: of which clicks, by which model, and the result.

    mask: (X, Y, Z) along RAS+, bool, packed along its last axis.
    """

    model: str
    state: ObjectState
    segmented: SegmentedObject
    mask: NDArray[np.uint8]

    @property
    def corrections(self) -> tuple[Correction, ...]:
        """The corrections, in the order in which they count."""
        return self.state.corrections


@dataclass(eq=False)
class SlicerImage:
    """An image that a client works on.

    id: random.  client: whose it is.  entry: its files.  content: digest of its voxels and their
    grid; '' where it is the worklist's.  file: that the client has sent, in a folder of its own.
    outlined: by label.  model, scan: that it is open with, and the open scan's id.  over: mark of
    what was saved of it when the client first opened it, or has saved itself; None before.
    """

    id: str
    client: str
    entry: WorklistEntry
    content: str = ""
    file: Path | None = None
    outlined: dict[str, Outlined] = field(default_factory=dict)
    model: str = ""
    scan: str = ""
    over: str | None = None
    used: float = field(default_factory=time.monotonic)
    lock: Lock = field(default_factory=Lock)
