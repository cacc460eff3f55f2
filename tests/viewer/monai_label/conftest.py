"""A server, and images whose voxels run along the patient's axes in every way."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import nibabel
import numpy as np
import pytest

from interactivenet import Predictor
from interactivenet.datasets.roots import Roots
from interactivenet.models.bundle import write_bundle
from interactivenet.viewer.application import make_application
from interactivenet.viewer.saving.saving import Target
from interactivenet.viewer.served import Served
from interactivenet.viewer.sessions.served_models import ServedModels
from interactivenet.viewer.sessions.session_store import SessionStore
from interactivenet.viewer.settings import ViewerSettings
from interactivenet.viewer.worklist.worklist import Worklist
from tests.inference.predictors import Threshold
from tests.random_model import make_model
from tests.sample_cases import make_plan
from tests.viewer.monai_label.slicer_module import Module
from tests.viewer.serving import running

TOKEN = "a-token-for-tests"
SHAPE = (36, 30, 24)
CENTRE, RADII = np.array([18.0, 14.0, 12.0]), np.array([9.0, 7.0, 5.0])
SPACING = np.array([1.5, 1.5, 2.5])


def _turned(degrees, axis):
    angle = np.radians(degrees)
    one, other = [each for each in range(3) if each != axis]
    matrix = np.eye(3)
    matrix[one, one] = matrix[other, other] = np.cos(angle)
    matrix[one, other], matrix[other, one] = -np.sin(angle), np.sin(angle)
    return matrix


#: stored voxel -> RAS+ mm, without the origin
ORIENTATIONS = {
    "straight": np.diag(SPACING),
    "flipped": np.diag(SPACING * [-1, -1, 1]),
    "permuted": np.diag(SPACING)[:, [2, 0, 1]] * [-1, 1, -1],
    "oblique": _turned(17, 2) @ _turned(-11, 0) @ np.diag(SPACING) @ np.diag([1, -1, 1]),
}


@dataclass(frozen=True)
class Picture:
    """An image in a file, with an ellipsoid in it, and the clicks that mark it, voxels [i, j, k].

    margin: six, just inside its ends along the stored axes.
    """

    path: Path
    affine: np.ndarray
    margin: np.ndarray
    inside: np.ndarray
    outside: np.ndarray

    def mm(self, voxels):
        return nibabel.affines.apply_affine(self.affine, np.atleast_2d(voxels))


def make_picture(path, orientation="straight", seed=0):
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = ORIENTATIONS[orientation], (-20.0, 31.0, 7.5)
    grid = np.stack(np.indices(SHAPE), -1) - CENTRE
    inside = ((grid / RADII) ** 2).sum(-1) <= 1
    noise = np.random.default_rng(seed).normal(0, 12, SHAPE)
    array = (np.where(inside, 100, -100) + noise).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(array, affine), path)
    ends = np.vstack([np.diag(RADII - 1), -np.diag(RADII - 1)]) + CENTRE
    beyond = np.round(CENTRE + np.array([0, 0, RADII[2] + 3]))
    affine = nibabel.load(path).affine  # as single precision has it
    return Picture(path, affine, np.round(ends), CENTRE + np.array([2, 1, 1]), beyond)


@pytest.fixture(params=list(ORIENTATIONS))
def picture(request, tmp_path):
    return make_picture(tmp_path / "volume.nii.gz", request.param)


@pytest.fixture
def straight(tmp_path):
    return make_picture(tmp_path / "volume.nii.gz")


#: of a model in the results, whose networks read the object off these images
KNOWING, LABELS = "Task7_two.labels", {1: "tumour", 3: "oedema"}


@pytest.fixture(scope="session")
def roots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("roots")
    plan = make_plan((1.5, 1.5, 2.5), labels=LABELS)
    model = make_model(folder / "weights", plan, (0,))
    write_bundle(model, folder / "results" / "models" / KNOWING)
    return Roots(folder / "raw", folder / "processed", folder / "results")


def let_know(predictor):
    predictor._networks.networks = [Threshold()]
    return predictor


@pytest.fixture(scope="session")
def knower(roots):
    """A predictor of the same model."""
    return let_know(Predictor(roots.results / "models" / KNOWING))


@dataclass
class Server:
    """A running server.  address: that 3D Slicer is given.  saved: the folder of its results."""

    served: Served
    application: object
    saved: Path
    folder: Path
    address: str = ""
    modules: list = field(default_factory=list)

    def module(self, user="user-xyz"):
        """Open 3D Slicer's module, connected, in a folder of its own."""
        reason = (
            "MONAI Label's client is not there: pip install --no-deps monailabel==0.8.5"
            " (on Python up to 3.12, whose module cgi it needs)"
        )
        client = pytest.importorskip("monailabel.client", reason=reason, exc_type=ImportError)
        folder = self.folder / f"slicer-{len(self.modules)}"
        folder.mkdir()
        module = Module(client.MONAILabelClient, self.address, folder, user)
        self.modules.append(module)
        module.connect()
        return module


@pytest.fixture
def make_server(tmp_path_factory, roots):
    """Make a server that has no port yet; its settings, folders, and where it saves."""

    def make(folders=(), target=True, settings=None, model=KNOWING, task=None):
        folder = tmp_path_factory.mktemp("server")
        for name in ("uploads", "saved"):
            (folder / name).mkdir()
        settings = settings or ViewerSettings()
        models = ServedModels(roots, model)
        let_know(models.load(KNOWING).full)
        worklist = Worklist([Path(each) for each in folders], task)
        served = Served(
            models, worklist, SessionStore(models, settings, worklist.labels), settings,
            Target(folder / "saved" if target else None, task), folder / "uploads",
        )  # fmt: skip
        application = make_application(served, TOKEN, {"127.0.0.1", "testserver"})
        return Server(served, application, folder / "saved", folder)

    return make


@pytest.fixture
def serve(make_server):
    """Start a server on a free port of this machine."""
    with ExitStack() as servers:

        def start(*arguments, **more):
            server = make_server(*arguments, **more)
            port = servers.enter_context(running(server.application))
            server.address = f"http://127.0.0.1:{port}/monai/{TOKEN}"
            return server

        yield start
