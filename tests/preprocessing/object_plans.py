"""Plans with a grid of the object's own."""

from interactivenet.planning.plan import CropMargins, Encoding, Normalisation, ObjectGrid
from tests.sample_cases import make_plan

CUT = CropMargins(((1.0, 1.0),) * 3, ((0.3, 0.3),) * 3)


def object_plan(voxels=48, **changes):
    changes = {"grid": ObjectGrid(), **changes}
    return make_plan(
        (1.0, 1.0, 1.0), cut=CUT, normalisation=(Normalisation("zscore"),),
        encoding=Encoding(metric="gradient", extent=True), sample_shape=(voxels,) * 3, **changes,
    )  # fmt: skip
