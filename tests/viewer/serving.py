"""A viewer's server that runs beside a test, with the starter, over images made up here."""

import gzip
import json
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import httpx
import nibabel
import numpy as np
import uvicorn

from interactivenet.datasets.roots import Roots
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import write_volume
from interactivenet.viewer.application import make_application
from interactivenet.viewer.saving.saving import Target
from interactivenet.viewer.served import Served
from interactivenet.viewer.sessions.served_models import ServedModels
from interactivenet.viewer.sessions.session_store import SessionStore
from interactivenet.viewer.settings import ViewerSettings
from interactivenet.viewer.web.request_log import RequestLog
from interactivenet.viewer.worklist.worklist import Worklist
from tests.sample_cases import stored_grid

TOKEN = "token-of-the-tests_0123456789"
#: stored along other axes than the patient's, and oblique: what is mistaken for RAS shows
GRID = stored_grid((44, 40, 36), (1.0, 1.2, 1.5), order=(2, 0, 1), flips=(1, -1, 1),
                   angles=(0.1, -0.1, 0.2))  # fmt: skip
#: centres and half axes, voxels along RAS+, of two objects in the image
BALLS = (((16, 14, 15), (8, 7, 6)), ((28, 27, 26), (6, 6, 6)))


def write_image(path, grid: Geometry = GRID, balls=BALLS):
    """Write an image of bright balls in noise."""
    shape = grid.ras.shape
    image = np.random.default_rng(0).normal(0, 20, shape)
    for centre, half in balls:
        where = [(axis - c) / h for axis, c, h in zip(np.indices(shape), centre, half, strict=True)]
        image[sum(axis**2 for axis in where) <= 1] += 200
    write_volume(path, image.astype(np.float32), grid)
    return path


def points_of(ball=0, grid: Geometry = GRID):
    """Six points just inside a ball's ends, RAS+ mm."""
    centre, half = (np.array(each, float) for each in BALLS[ball])
    voxels = [centre + sign * (half[axis] - 1) * np.eye(3)[axis]
              for axis in range(3) for sign in (-1, 1)]  # fmt: skip
    return grid.ras.voxel_to_world(np.array(voxels)).tolist()


def at(voxel, grid: Geometry = GRID):
    """Position, RAS+ mm, of a voxel along RAS+."""
    return grid.ras.voxel_to_world(np.array([voxel], float))[0].tolist()


def ball(identity="a", number=0, label="ball", corrections=()):
    """One object, as the page sends it; corrections: (voxel, positive)."""
    clicks = [{"position": at(voxel), "positive": positive} for voxel, positive in corrections]
    return {"id": identity, "label": label, "points": points_of(number), "corrections": clicks}


@dataclass
class Lines:
    """A reporter that keeps its lines."""

    said: list = field(default_factory=list)

    def say(self, message):
        self.said.append(message)


def make_served(models, folder, sent, output=None, **settings):
    """Return what a server over a folder of images serves."""
    worklist = Worklist([folder], None, output=output)
    limits = ViewerSettings(**settings)
    store = SessionStore(models, limits)
    return Served(models, worklist, store, limits, Target(output), sent)


def starter(tmp_path):
    """Return the models of a server that has the starter alone."""
    return ServedModels(Roots.choose(results=tmp_path / "no results"))


@dataclass
class Client:
    """Asks a server as the page does."""

    served: Served
    port: int
    log: Lines

    def __post_init__(self):
        address = f"http://127.0.0.1:{self.port}/{TOKEN}/"
        # no TLS here: certificates need not be read
        self.http = httpx.Client(base_url=address, timeout=120, verify=False)
        self.revision = 0

    def ask(self, method, path, **what):
        return self.http.request(method, path, **what)

    def get(self, path):
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def case(self, number=0):
        return self.get("api/cases")["cases"][number]

    def open(self, number=0, **more):
        answer = self.ask("POST", "api/sessions", json={"case": self.case(number)["id"], **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, session, objects, quality="quick", revision=None):
        self.revision = self.revision + 1 if revision is None else revision
        content = {"objects": objects, "quality": quality, "revision": self.revision}
        return self.ask("PUT", f"api/sessions/{session}/objects", json=content)

    def outlined(self, session, objects, quality="quick"):
        """Return the answer, and the outlines along RAS+."""
        answer = self.put(session, objects, quality)
        assert answer.status_code == 200, answer.text
        content = answer.json()
        return content, None if content["outline"] is None else self.volume(content["outline"])

    def volume(self, url):
        """Return a volume that the server sends, along RAS+."""
        answer = self.ask("GET", url)
        assert answer.status_code == 200, answer.text
        return GRID.to_ras(np.asarray(nifti(answer.content).dataobj))

    def raw(self, data, *, shut=False):
        """Send bytes as they are; return what the server answers; shut: and vanish."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            with suppress(ConnectionError):
                connection.sendall(data)
            if shut:
                return b""
            parts = []
            with suppress(ConnectionError):  # refused before all was sent
                while part := connection.recv(65536):
                    parts.append(part)
            return b"".join(parts)


def nifti(data):
    """Read a gzipped NIfTI file's bytes."""
    return nibabel.Nifti1Image.from_bytes(gzip.decompress(data))


def nifti_of(mask, grid: Geometry = GRID):
    """Write a mask along RAS+ as the bytes of a NIfTI file."""
    stored = grid.from_ras(mask.astype(np.uint8))
    return nibabel.Nifti1Image(np.ascontiguousarray(stored), grid.affine).to_bytes()


def status_of(answer):
    """Return the status of a raw answer, and its JSON."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body) if body.startswith(b"{") else body


@contextmanager
def serving(served):
    """Serve inside; gives a client."""
    log = Lines()
    application = RequestLog(make_application(served, TOKEN, {"127.0.0.1"}), TOKEN, log)
    with running(application) as port:
        yield Client(served, port, log)


@contextmanager
def running(application):
    """Run an application on a free port of this machine; gives the port."""
    config = uvicorn.Config(
        application, log_config=None, access_log=False, lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(20)


class Clock:
    """A clock that goes when it is told to.  now: s."""

    now = 0.0

    def __call__(self):
        return self.now
