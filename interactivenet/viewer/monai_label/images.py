"""The images that 3D Slicer works on: those it has sent, and those of the worklist.

Its module calls an image that it has sent by the name that it has in its scene, which is no key:
two users may call theirs 'CT'. So images have random ids, a name counts for one client alone, and
an image that is sent again is known by its voxels.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.io import read_image, suffix_of
from interactivenet.viewer.monai_label.forms import keep
from interactivenet.viewer.monai_label.slicer_image import SlicerImage
from interactivenet.viewer.refusals import StoreFull, TooLarge, UnknownSession
from interactivenet.viewer.worklist.uploads import SENDABLE

if TYPE_CHECKING:
    from interactivenet.imaging.volume import Volume
    from interactivenet.viewer.served import Served
    from interactivenet.viewer.sessions.scans import OpenScan

#: where an image comes from that is not in the worklist
SOURCE = "3D Slicer"
#: seconds without a request after which an image is left: Slicer's module shows one at a time
_LEFT_SECONDS = 60.0
#: and after which another client's may take its place, where too many are open
_YIELDS_SECONDS = 600.0


class UnknownImage(UnknownSession):
    """There is no image under this name or id, or none any more."""


class SlicerImages:
    """All of them, of all clients.

    As many are kept, and of as many bytes, as the settings allow: those not used for longest go
    first, and their client sends them again.

    served: the worklist, what is open, and the folder for what is sent.
    """

    def __init__(self, served: Served, clock: Callable[[], float] = time.monotonic) -> None:
        self._worklist, self._store, self._folder = served.worklist, served.store, served.uploads
        self._settings, self._clock = served.settings, clock
        self._images: dict[str, SlicerImage] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._room = served.room
        self._lock = Lock()

    def receive(self, client: str, name: str, data: BinaryIO) -> SlicerImage:
        """Keep a file that a client has sent, for itself alone: a session.

        name: of the file, whose ending says the format.  data: a file that can be read.
        Raises RequestError for another format, DataError where it is no image.
        """
        from interactivenet.viewer.worklist.worklist import WorklistEntry

        file, volume = self._kept(name, data)
        identity = secrets.token_urlsafe(16)
        entry = WorklistEntry(
            id=identity, name=SOURCE, images=(file,), source=SOURCE, case="slicer"
        )
        return self._add(SlicerImage(identity, client, entry, _digest(volume), file))

    def upload(self, client: str, name: str, file_name: str, data: BinaryIO) -> SlicerImage:
        """Put a file that a client has sent into the worklist.

        name: what the client calls the image, from now on.  file_name, data: as for
        :meth:`receive`. A session with the same voxels goes on under this name, so that its
        clicks are there when its label comes.
        Raises what :meth:`receive` does, and TooLarge where all uploads together are too large.
        """
        file, volume = self._kept(file_name, data)
        content = _digest(volume)
        image = self._of_content(client, content)
        entry = image.entry if image is not None else None
        try:
            if entry is None or entry.source == SOURCE:
                entry = self._worklist.add_upload(name, file)
        finally:
            if entry is None or file not in entry.images:
                self._discard(file)
        if image is None:
            image = self._add(SlicerImage(secrets.token_urlsafe(16), client, entry, content))
        else:
            image.entry = entry
            self._forget_file(image)
        with self._lock:
            self._names[client, name] = image.entry.id
        return image

    def find(self, client: str, name: str, session: str = "") -> SlicerImage:
        """Return the image that a request means: of a session, of the worklist, or by its name.

        Raises UnknownImage where there is none.
        """
        if session:
            image = self.session(session)
        else:
            self._expire()
            with self._lock:
                identity = self._names.get((client, name), name)
            image = self._of_worklist(client, identity)
        if image is None:
            raise UnknownImage(
                "the server does not know this image any more, or never did: load it again,"
                " or press Next Sample"
            )
        image.used = self._clock()
        return image

    def session(self, identity: str) -> SlicerImage | None:
        """Return the image of a session; None where there is none any more."""
        self._expire()
        with self._lock:
            image = self._images.get(identity)
        if image is not None:
            image.used = self._clock()
        return image

    def remove(self, identity: str) -> None:
        """Forget an image; nothing happens where there is none.

        What the worklist has goes on under its id, and the name that its client gave it.
        """
        with self._lock:
            image = self._images.pop(identity, None)
        if image is not None:
            self._forget_file(image)
            self._close(image)

    @contextmanager
    def opened(self, image: SlicerImage, model: str) -> Iterator[OpenScan]:
        """Give an image as it is open with a model, to one request at a time.

        Raises DataError where it cannot be read or is not for this model, StoreFull where too many
        are open.
        """
        with image.lock:
            if image.model != model:
                self._close(image)
            try:
                scan = self._store.get(image.scan)
            except UnknownSession:
                scan = self._open(image, model)
                image.model, image.scan = model, scan.id
            try:
                if image.over is None:
                    image.over = self._worklist.mark_of(image.entry)
                yield scan
            finally:
                with self._lock:
                    is_gone = image.id not in self._images
                if is_gone:  # it was removed while it was opened
                    self._close(image)

    def _take_room(self, file: Path) -> None:
        """Take room for a file; images of sessions not used for longest make way for it."""
        size = file.stat().st_size
        while True:
            try:
                self._room.take(size)
                return
            except TooLarge:
                with self._lock:
                    kept = [each for each in self._images.values() if each.file is not None]
                if not kept:
                    raise
                self.remove(min(kept, key=lambda each: each.used).id)

    def _discard(self, file: Path) -> None:
        """Remove a file that room was taken for, with its folder."""
        with suppress(OSError):
            self._room.give_back(file.stat().st_size)
        shutil.rmtree(file.parent, ignore_errors=True)

    def _forget_file(self, image: SlicerImage) -> None:
        with self._lock:
            file, image.file = image.file, None
        if file is not None:
            self._discard(file)

    def _open(self, image: SlicerImage, model: str) -> OpenScan:
        """Open an image; what its client has left, and no longer looks at, is closed."""
        now = self._clock()
        with self._lock:
            others = [each for each in self._images.values() if each.scan and each is not image]
        others.sort(key=lambda each: each.used)
        for each in others:
            if each.client == image.client and now - each.used >= _LEFT_SECONDS:
                self._close(each)
        try:
            return self._store.open(image.entry, model, watched=False)
        except StoreFull:
            oldest = next((each for each in others if each.scan), None)
            if oldest is None or now - oldest.used < _YIELDS_SECONDS:
                raise
            self._close(oldest)
            return self._store.open(image.entry, model, watched=False)

    def _close(self, image: SlicerImage) -> None:
        scan, image.scan, image.model = image.scan, "", ""
        if scan:
            self._store.close(scan)

    def _kept(self, name: str, data: BinaryIO) -> tuple[Path, Volume]:
        """Write what was sent into a folder of its own, and read it as an image."""
        suffix = suffix_of(Path(name), SENDABLE)
        if not suffix:
            raise RequestError(
                "the file that was sent has a format that is not read here",
                expected=f"one of {', '.join(SENDABLE)}",
            )
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        file = folder / f"image{suffix}"
        try:
            keep(data, file)
            self._take_room(file)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        try:
            return file, read_image(file)
        except BaseException as error:
            self._discard(file)
            if isinstance(error, DataError):  # where it was is nobody's business
                raise DataError(str(error).replace(str(file), "the image")) from error
            raise

    def _add(self, image: SlicerImage) -> SlicerImage:
        image.used = self._clock()
        self._expire()
        with self._lock:
            kept = sorted(self._images.values(), key=lambda each: each.used)
            going = kept[: max(0, len(kept) + 1 - self._settings.sessions)]
            self._images[image.id] = image
        for each in going:
            self.remove(each.id)
        return image

    def _expire(self) -> None:
        oldest = self._clock() - 60 * self._settings.idle_minutes
        with self._lock:
            old = [each.id for each in self._images.values() if each.used < oldest]
        for identity in old:
            self.remove(identity)

    def _of_content(self, client: str, content: str) -> SlicerImage | None:
        with self._lock:
            same = [each for each in self._images.values()
                    if each.client == client and each.content == content]  # fmt: skip
        return max(same, key=lambda each: each.used, default=None)

    def _of_worklist(self, client: str, identity: str) -> SlicerImage | None:
        with self._lock:
            known = [each for each in self._images.values()
                     if each.client == client and each.entry.id == identity]  # fmt: skip
        if known:
            return known[0]
        try:
            entry = self._worklist.find(identity)
        except RequestError:
            return None
        return self._add(SlicerImage(secrets.token_urlsafe(16), client, entry))


def _digest(volume: Volume) -> str:
    digest = hashlib.sha256(np.round(volume.source.affine, 4).tobytes())
    digest.update(repr((volume.array.shape, volume.array.dtype.str)).encode())
    digest.update(np.ascontiguousarray(volume.array).data)
    return digest.hexdigest()
