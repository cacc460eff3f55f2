"""What the page asks: cases, open images, outlines, files. Each answer is JSON, or a file."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from interactivenet import __version__
from interactivenet.errors import DataError, RequestError, one_line
from interactivenet.inference.export_formats import NAMES
from interactivenet.prompts.prompt import Prompt
from interactivenet.viewer.saving.exports import offered, parse_formats
from interactivenet.viewer.served import Served
from interactivenet.viewer.sessions.annotation import parse_objects
from interactivenet.viewer.sessions.brush import read_mask
from interactivenet.viewer.sessions.outlines import Outlines
from interactivenet.viewer.sessions.scans import OpenScan
from interactivenet.viewer.sessions.volumes import nifti_bytes
from interactivenet.viewer.web.notes import notes_header
from interactivenet.viewer.web.requests import (
    answer,
    guarded_routes,
    limited,
    read_body,
    read_object,
)
from interactivenet.viewer.worklist.uploads import Uploads
from interactivenet.viewer.worklist.worklist import WorklistEntry

#: of a revision: what a number of JSON holds exactly
_HIGHEST = 2**53
_NIFTI = "application/gzip"
#: files of one upload: those of a DICOM series
_MOST_FILES = 5000
#: of a mask, beside eight bytes for each voxel
_HEADER_BYTES = 2**16


class PageApi:
    """The page's requests.  served: what they are about."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._work, self._segmenting = served.work, served.segmenting
        self._uploads = Uploads(served.uploads, served.worklist, served.settings, served.room)

    def routes(self) -> list[Route]:
        """Return the addresses below the token's."""
        session = "/api/sessions/{session}"
        table = (
            ("GET", "/api/state", self.state),
            ("GET", "/api/cases", self.cases),
            ("POST", "/api/cases", self.upload),
            ("POST", "/api/sessions", self.open),
            ("GET", f"{session}/images/{{number:int}}", self.image),
            ("PUT", f"{session}/objects", self.update),
            ("GET", f"{session}/outline", self.outline),
            ("PUT", f"{session}/brush", self.brush),
            ("POST", f"{session}/save", self.save),
            ("GET", f"{session}/download", self.download),
            ("POST", f"{session}/alive", self.alive),
            ("DELETE", session, self.close),
        )
        return guarded_routes(table, self._served.places)

    async def state(self, _: Request) -> Response:
        """Say what this server can do."""
        served = self._served
        return answer(
            {
                "version": __version__,
                "models": [model.as_json() for model in served.models.offered],
                "uploads": served.settings.uploads,
                "task": served.task or None,
                "saves_to": served.target.kind,
            }
        )

    async def cases(self, _: Request) -> Response:
        """List what can be opened."""
        entries = await self._work(self._served.worklist.entries)
        return self._listed(entries)

    async def upload(self, request: Request) -> Response:
        """Take images that are sent."""
        self._uploads.check()
        sent = limited(request, self._served.settings.upload_bytes)
        async with sent.form(max_files=_MOST_FILES, max_fields=_MOST_FILES) as form:
            files = [(each.filename or "", each.file) for each in form.getlist("files")
                     if isinstance(each, UploadFile)]  # fmt: skip
            entries = await self._work(self._uploads.keep, files)
        return self._listed(entries)

    async def open(self, request: Request) -> Response:
        """Open an image of the worklist."""
        served = self._served
        content = await read_object(request, served.settings.json_bytes)
        case, model = content.get("case"), content.get("model") or served.models.first
        if not isinstance(case, str) or not isinstance(model, str):
            raise RequestError("expected 'case', and perhaps 'model'")
        return answer(await self._work(self._opened, case, model))

    async def image(self, request: Request) -> Response:
        """Send one of the images."""
        scan, number = self._scan(request), request.path_params["number"]
        images = scan.image.array
        if not 0 <= number < len(images):
            raise RequestError(f"there is no image {number}", expected=f"0 to {len(images) - 1}")
        data = await self._work(nifti_bytes, images[number], scan.image.source)
        return Response(data, media_type=_NIFTI)

    async def update(self, request: Request) -> Response:
        """Outline the objects as they are now."""
        scan = self._scan(request)
        content = await read_object(request, self._served.settings.json_bytes)
        quality, revision = content.get("quality", "quick"), content.get("revision", 0)
        if quality not in ("quick", "full"):
            raise RequestError("the quality is neither 'quick' nor 'full'")
        revision = _revision(revision)
        states = parse_objects(content.get("objects"), self._served.settings)
        scan.announce(revision)
        update = partial(scan.update, states, quality=quality, revision=revision)
        return await self._outlines(scan, update)

    async def brush(self, request: Request) -> Response:
        """Take a painted mask for the outline of an object."""
        scan, asked = self._scan(request), request.query_params
        given = asked.get("revision")
        revision = scan.outlines.revision if given is None else _revision(_number(given))
        most = _HEADER_BYTES + 8 * math.prod(scan.image.shape)
        data = await read_body(request, min(most, self._served.settings.upload_bytes))
        scan.announce(revision)

        def paint() -> Outlines:
            mask = read_mask(data, scan.image.source, self._served.uploads)
            return scan.brush(asked.get("object", ""), mask, revision=revision)

        return await self._outlines(scan, paint)

    async def outline(self, request: Request) -> Response:
        """Send the outlines as a map of the objects."""
        scan = self._scan(request)
        outlines = scan.outlines
        if outlines.instance is None:
            raise RequestError("nothing is outlined yet")
        if request.query_params.get("revision", str(outlines.revision)) != str(outlines.revision):
            return answer({"error": "a later outline is there", "revision": outlines.revision}, 409)
        data = await self._work(nifti_bytes, outlines.instance, scan.image.source)
        return Response(data, media_type=_NIFTI)

    async def save(self, request: Request) -> Response:
        """Write the annotation."""
        scan = self._scan(request)
        content = await read_object(request, self._served.settings.json_bytes, empty=True)
        if self._served.saves_to(scan.entry) == "download":
            raise RequestError("this server has no folder to save to", remedy="download instead")
        revision, over = content.get("revision"), content.get("over")
        if revision is not None:
            revision = _revision(revision)
        if not isinstance(over, str | None):
            raise RequestError("'over' is no text", expected="as the server has given it")
        formats = parse_formats(content.get("formats"), scan.image.tags)
        saved = await self._segmenting(self._served.save, scan, revision, over, formats)
        said = self._served.places.shortened(
            {"files": list(map(str, saved.files)), "notes": list(saved.notes)}
        )
        return answer({**said, "over": saved.mark})

    async def download(self, request: Request) -> Response:
        """Send the annotation as a zip."""
        scan, asked = self._scan(request), request.query_params
        revision = _revision(_number(asked["revision"])) if "revision" in asked else None
        formats = parse_formats(asked.get("formats"), scan.image.tags)
        data, notes = await self._segmenting(self._served.packed, scan, revision, formats)
        name, told = quote(f"{scan.entry.case}.zip"), self._served.places.shortened(notes)
        headers = {"content-disposition": f"attachment; filename*=UTF-8''{name}"}
        headers |= notes_header(told)
        return Response(data, media_type="application/zip", headers=headers)

    async def alive(self, request: Request) -> Response:
        """Take note that the page is still there."""
        self._served.store.alive(request.path_params["session"])
        return Response(status_code=204)

    async def close(self, request: Request) -> Response:
        """Close an image."""
        self._served.store.close(request.path_params["session"])
        return Response(status_code=204)

    def _scan(self, request: Request) -> OpenScan:
        return self._served.store.get(request.path_params["session"])

    def _opened(self, case: str, model: str) -> dict[str, Any]:
        served = self._served
        entry = served.worklist.find(case)
        if not entry.case:
            raise DataError(f"{entry.name}: {entry.problem}")
        try:
            scan = served.store.open(entry, model)
        except DataError as error:
            if served.models.takes_any(model):  # with another model it might be none
                served.worklist.note_problem(case, one_line(error))
            raise
        served.worklist.note_problem(case, "")
        over = served.worklist.mark_of(entry)  # before the points: what is saved later is unseen
        prompts: tuple[Prompt, ...] = ()
        notes = [
            *served.notes_on_saving(scan), *scan.image.notes, *served.worklist.notes_of(entry)
        ]  # fmt: skip
        try:
            prompts = served.worklist.prompts_of(entry, scan.labels, scan.image.source)
        except DataError as error:  # the image can be marked anew
            notes.append(f"the points that were placed before cannot be used: {one_line(error)}")
        channels = len(scan.image.array)
        names = [path.name for path in entry.images]
        if len(names) != channels:
            names = [f"image {number + 1}" for number in range(channels)]
        source = scan.image.source
        return {
            "session": scan.id,
            "name": entry.name,
            "scan": scan.files,
            "over": over,
            "images": [
                {
                    "name": name,
                    "url": f"api/sessions/{scan.id}/images/{number}",
                    "shape": list(source.shape),
                    "spacing": list(source.spacing),
                    "modality": scan.modalities[number],
                }
                for number, name in enumerate(names)
            ],
            "window": list(scan.window),
            "labels": [{"value": v, "name": name} for v, name in scan.labels.names.items()],
            "any_label": scan.labels.open,
            "objects": [_object(prompt, number) for number, prompt in enumerate(prompts, 1)],
            "saves_to": served.saves_to(entry),
            "exports": [{"format": f, "name": NAMES[f]} for f in offered(scan.image.tags)],
            "notes": served.places.shortened(notes),
        }

    def _listed(self, entries: Sequence[WorklistEntry]) -> Response:
        return answer({"cases": self._served.places.shortened([_case(each) for each in entries])})

    async def _outlines(self, scan: OpenScan, make: Callable[[], Outlines]) -> Response:
        """Make outlines, and answer with what is known of them."""
        outlines = await self._segmenting(make)
        expected = [each.segmented.expected_dice for each in outlines.objects if each.segmented]
        known = [dice for dice in expected if dice is not None]
        if any(each.state.points for each in outlines.objects):
            self._served.worklist.note_outlines(scan.entry.id, min(known, default=None))
        url = None
        if outlines.instance is not None:
            url = f"api/sessions/{scan.id}/outline?revision={outlines.revision}"
            url += f"&made={secrets.token_urlsafe(6)}"  # nothing may be taken from a cache
        return answer({**outlines.as_json(), "outline": url})


def _number(given: str) -> int | None:
    return int(given) if given.isascii() and given.isdigit() and len(given) < 20 else None


def _revision(given: object) -> int:
    if type(given) is not int or not 0 <= given < _HIGHEST:
        raise RequestError("the revision is no whole number from 0")
    return given


def _case(entry: WorklistEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "name": entry.name,
        "source": entry.source,
        "status": entry.status,
        "expected_dice": entry.expected_dice,
        "problem": entry.problem,
    }


def _object(prompt: Prompt, number: int) -> dict[str, Any]:
    return {
        "id": f"object-{number}",
        "label": prompt.name or str(prompt.label),
        "points": prompt.points.tolist(),
        "corrections": [
            {"position": list(each.position), "positive": each.positive}
            for each in prompt.corrections
        ],
    }
