"""The addresses of MONAI Label's protocol that 3D Slicer's extension calls.

They are those of `monailabel/endpoints`, answered as `MONAILabelLib/client.py` expects it. What is
wrong with a request is said in a sentence, which Slicer shows among the details of a window. No
answer allows pages of other servers to read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from interactivenet.errors import RequestError
from interactivenet.prompts.prompt import LabelNames
from interactivenet.viewer.monai_label.answers import map_answer
from interactivenet.viewer.monai_label.forms import client_of, file_of, form_of, params_of
from interactivenet.viewer.monai_label.images import SOURCE, SlicerImages
from interactivenet.viewer.monai_label.info import address_names, describe_server
from interactivenet.viewer.monai_label.labels import describe_segments, read_segments
from interactivenet.viewer.monai_label.samples import Samples, describe_images
from interactivenet.viewer.monai_label.segmenting import segment
from interactivenet.viewer.monai_label.slicer_image import SlicerImage
from interactivenet.viewer.saving.saving import save_annotation
from interactivenet.viewer.served import Served
from interactivenet.viewer.web.requests import answer, guarded_routes, read_object
from interactivenet.viewer.worklist.strategies import STRATEGIES


class MonaiLabelApi:
    """What 3D Slicer asks.  served: what it is about."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._models = address_names(served.models.offered)
        self._images, self._samples = SlicerImages(served), Samples(served.worklist)
        self._work, self._segmenting = served.work, served.segmenting

    def routes(self) -> list[Route]:
        """Return the addresses below the one that 3D Slicer is given."""
        table = (
            ("GET", "/auth/", self.auth),
            ("GET", "/info/", self.info),
            ("GET", "/train/", self.training),
            ("PUT", "/session/", self.create_session),
            ("GET", "/session/{session}", self.show_session),
            ("DELETE", "/session/{session}", self.remove_session),
            ("POST", "/infer/{model}", self.infer),
            ("POST", "/activelearning/{strategy}", self.next_sample),
            ("GET", "/datastore/", self.datastore),
            ("PUT", "/datastore/", self.upload),
            ("GET", "/datastore/image", self.image),
            ("GET", "/datastore/label", self.no_label),
            ("PUT", "/datastore/label", self.submit),
        )
        return guarded_routes(table, self._served.places)

    async def auth(self, request: Request) -> Response:
        """Say that nobody logs in here: the address has a token."""
        return answer({"enabled": False})

    async def info(self, request: Request) -> Response:
        """Describe the server."""
        return answer(await self._work(self._described))

    async def training(self, request: Request) -> Response:
        """Say that no training runs: anything but 404 would mean that one does."""
        return answer({"error": "no training runs: this server segments"}, 404)

    async def create_session(self, request: Request) -> Response:
        """Take an image that Slicer has loaded from elsewhere."""
        self._check_uploads()
        async with form_of(request, self._served.settings.upload_bytes) as form:
            name, file = file_of(form, "files")
            client = client_of(request, form.get("client_id"))
            image = await self._work(self._images.receive, client, name, file)
        return answer({"session_id": image.id, "session_info": {"id": image.id}})

    async def show_session(self, request: Request) -> Response:
        """Say whether a session is there: where it is not, Slicer sends its image again."""
        image = await self._work(self._images.session, request.path_params["session"])
        return answer({"id": image.id} if image is not None else {})

    async def remove_session(self, request: Request) -> Response:
        """Forget a session."""
        await self._work(self._images.remove, request.path_params["session"])
        return answer({})

    async def infer(self, request: Request) -> Response:
        """Segment what the clicks mark."""
        model = self._models.get(request.path_params["model"])
        if model is None:
            names = ", ".join(self._models)
            raise RequestError("there is no model of this name", expected=f"one of {names}")
        async with form_of(request, self._served.settings.upload_bytes) as form:
            params = params_of(form)

        client = client_of(request, params.get("client_id"))
        query = request.query_params
        return await self._segmenting(self._segmented, client, model.name, query, params)

    async def next_sample(self, request: Request) -> Response:
        """Offer the next image of the worklist."""
        params = await read_object(request, self._served.settings.json_bytes)
        client = client_of(request, params.get("client_id"))
        strategy = request.path_params["strategy"]
        return answer(await self._work(self._samples.next, client, strategy))

    async def datastore(self, request: Request) -> Response:
        """List the images of the worklist."""
        return answer(await self._work(describe_images, self._served.worklist))

    async def image(self, request: Request) -> Response:
        """Give an image of the worklist as a file."""
        identity = request.query_params.get("image", "")
        name, data = await self._work(self._samples.file, identity)
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(data, media_type="application/gzip", headers=headers)

    async def upload(self, request: Request) -> Response:
        """Take an image into the worklist."""
        self._check_uploads()
        async with form_of(request, self._served.settings.upload_bytes) as form:
            file_name, file = file_of(form, "file")
            client = client_of(request, params_of(form).get("client_id"))
            name = request.query_params.get("image", "").strip() or "image"
            image = await self._work(self._images.upload, client, name, file_name, file)
        return answer({"image": image.entry.id})

    async def no_label(self, request: Request) -> Response:
        """Say that labels are not handed out: Slicer then begins without one."""
        return answer({"error": "this server hands out no labels"}, 404)

    async def submit(self, request: Request) -> Response:
        """Save the segments of an image."""
        async with form_of(request, self._served.settings.upload_bytes) as form:
            params = params_of(form)
            name, file = file_of(form, "label")
            client = client_of(request, params.get("client_id"))
            identity = request.query_params.get("image", "")
            image = await self._work(self._images.find, client, identity)
            saved = await self._segmenting(self._save, image, name, file, params.get("label_info"))
        return answer(saved)

    def _segmented(
        self, client: str, model: str, query: Mapping[str, str], params: Mapping[str, Any]
    ) -> Response:
        image = self._images.find(client, query.get("image", ""), query.get("session_id", ""))
        mask, grid, said = segment(self._images, image, model, params)
        if said["complete"] and image.entry.source != SOURCE:
            self._served.worklist.note_outlines(image.entry.id, said["expected_dice"])
        return map_answer(mask, grid, said)

    def _save(self, image: SlicerImage, name: str, file: BinaryIO, info: Any) -> dict[str, Any]:
        entry = image.entry
        if self._served.saves_to(entry) == "download":
            raise RequestError(
                "this server has no folder to save to",
                remedy="save the segmentation in 3D Slicer, or start the server with one",
            )
        models = list(dict.fromkeys(each.model for each in image.outlined.values()))
        model = models[-1] if models else self._served.models.first
        with self._images.opened(image, model) as scan:
            grid, names = scan.image.source, self._served.worklist.labels().names
            # a person may have drawn whatever else there is
            labels = LabelNames(names or scan.labels.names, open=True)
            segments = read_segments(name, file, info, grid)
            found = describe_segments(segments, image, labels, grid)
            made, target = self._served.provenance(scan, found.made_by), self._served.target
            saved = save_annotation(entry, found.result, found.prompts, made, target, image.over)
            image.over = saved.mark
        notes = list(saved.notes)
        if len(models) > 1:
            used = ", ".join(models)
            notes.append(f"{model} is recorded as the model, but several were used: {used}")
        called = (prompt.name for prompt in found.prompts)
        return {
            "image": entry.id,
            **self._served.places.shortened({"files": list(map(str, saved.files)), "notes": notes}),
            "segments": dict(zip(called, found.made_by, strict=True)),
        }

    def _described(self) -> dict[str, Any]:
        served = self._served
        first = served.worklist.default_strategy
        strategies = sorted(STRATEGIES.values(), key=lambda strategy: strategy.name != first)
        labels = list(served.worklist.labels().names.values())
        return describe_server(self._models, labels, strategies, served.worklist.entries())

    def _check_uploads(self) -> None:
        if not self._served.settings.uploads:
            raise RequestError(
                "this server takes no images", remedy="press Next Sample for one of its own"
            )
