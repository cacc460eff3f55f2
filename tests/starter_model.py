"""A starter whose weights are random, for the place of the one that the package ships."""

from dataclasses import replace

from interactivenet.models.bundle import write_bundle
from interactivenet.planning.plan import Encoding, Normalisation
from tests.random_model import make_model
from tests.sample_cases import make_plan

PLAN = replace(
    make_plan((1.0, 1.0, 1.0)), task="Task000_STARTER", modalities=("any",), labels={1: "object"},
    normalisation=(Normalisation("zscore"),), encoding=Encoding(metric="gradient", extent=True),
)  # fmt: skip


def make_starter(folder):
    """Write its bundle and return the folder."""
    model = make_model(folder / "weights", PLAN, (0,))
    return write_bundle(model, folder / "starter", {"description": "Random."}, half=True).parent
