"""The next image of the worklist, for 3D Slicer's Next Sample, and its file."""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict, defaultdict
from threading import Lock
from typing import TYPE_CHECKING, Any

from interactivenet.errors import DataError, one_line
from interactivenet.imaging.io import read_image
from interactivenet.viewer.sessions.volumes import nifti_bytes

if TYPE_CHECKING:
    from interactivenet.viewer.worklist.worklist import Worklist, WorklistEntry

#: files that were announced with their digest, and are about to be fetched
_KEPT = 2
#: characters of a name that are kept
_LONGEST = 80
#: what a file's name cannot have, whatever the system
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class Samples:
    """Offers each image to a client once, and not what another was offered, while there are others.

    worklist: that they are of.
    """

    def __init__(self, worklist: Worklist) -> None:
        self._worklist = worklist
        self._lock = Lock()
        self._offered: defaultdict[str, set[str]] = defaultdict(set)
        self._files: OrderedDict[str, bytes] = OrderedDict()

    def next(self, client: str, strategy: str) -> dict[str, Any]:
        """Return what the next image is called, and the digest of its file; {} where none is left.

        No path: Slicer would open what it has under it, which may be another image. The name is
        like no other image's: Slicer keeps files by their names.
        Raises RequestError where there is no such strategy, DataError where the image cannot be
        read: it is not offered again.
        """
        with self._lock:
            entry = self._choose(client, strategy)
            if entry is None:
                return {}
            self._offered[client].add(entry.id)
        try:
            data = self._read(entry)
        except DataError as error:
            self._worklist.note_problem(entry.id, one_line(error))
            raise
        with self._lock:
            self._files[entry.id] = data
            while len(self._files) > _KEPT:
                self._files.popitem(last=False)
        digest = hashlib.sha256(data).hexdigest()
        return {"id": entry.id, "name": file_name(entry), "checksum": f"SHA256:{digest}"}

    def file(self, identity: str) -> tuple[str, bytes]:
        """Return name and content of an image's file, on the grid that it is stored on.

        Raises RequestError where there is none, DataError where it cannot be read.
        """
        entry = self._worklist.find(identity)
        with self._lock:
            data = self._files.pop(identity, None)
        return file_name(entry), data if data is not None else self._read(entry)

    def _choose(self, client: str, strategy: str) -> WorklistEntry | None:
        own = self._offered[client]
        everybodys = set[str]().union(*self._offered.values())
        for offered in (everybodys, own):
            entry = self._worklist.next(after=offered, strategy=strategy)
            if entry is not None:
                return entry
        own.clear()  # a second round
        return self._worklist.next(strategy=strategy)

    @staticmethod
    def _read(entry: WorklistEntry) -> bytes:
        """Read the first modality, which has the grid of all."""
        volume = read_image(entry.images[0], entry.reading)
        return nifti_bytes(volume.array[0], volume.source)


def file_name(entry: WorklistEntry) -> str:
    """Return what an image's file is called there: its name, and what no other has."""
    return f"{_UNSAFE.sub('_', entry.name)[:_LONGEST]}_{entry.id[:12]}.nii.gz"


def describe_images(worklist: Worklist) -> dict[str, Any]:
    """Return what MONAI Label's ``/datastore/`` says: the images, without their labels."""
    return {
        "name": "InteractiveNet",
        "description": "images that this server offers",
        "objects": {
            entry.id: {
                "image": {"ext": ".nii.gz", "info": {"name": file_name(entry)}}, "labels": {}
            }
            for entry in worklist.entries()
        },
    }  # fmt: skip
