"""Results of cases without a network: boxes on the images, recorded as ``infer`` records them."""

import numpy as np

from interactivenet.datasets.task import Case
from interactivenet.imaging.channels import read_channels
from interactivenet.inference.case_keys import case_key, input_hashes
from interactivenet.inference.model_record import describe_made_by
from interactivenet.inference.outputs import Output
from interactivenet.inference.sources import sources_of
from interactivenet.models.model import Model
from interactivenet.postprocessing.calibration import Calibration
from interactivenet.postprocessing.merging import PromptProbability, merge
from interactivenet.prompts.prompt import Prompt
from tests.sample_cases import make_plan

OPTIONS = {"mirrored": True, "restore": "probability", "precision": "fp32"}
PLAN = make_plan(
    (1.0, 1.0, 2.0), task="Task101_SARCOMA", labels={1: "tumour", 2: "liver"}, modalities=("CT",)
)
#: 0.9 is worth a Dice of 0.84
CALIBRATION = Calibration(
    "constant", (0.9,), (0.84,), None, 0.5, None, None, None, 0.1, 0.1, objects=40, cases=40
)


def make_weights(folder, plan=PLAN, **more):
    """A model whose weights nobody reads."""
    path = folder / "weights" / "w.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")
    return Model(plan, (path,), (0,), **more)


def boxes(image, *labels, names=PLAN.labels, empty=()):
    """Claims of boxes of 3 voxels along a diagonal; empty: numbers of objects without any."""
    grid, found = image.source.ras, []
    for number, label in enumerate(labels):
        start = (1 + 3 * number,) * 2 + (1 + number,)
        value = 0.0 if number in empty else 0.9
        point = grid.voxel_to_world(np.array([start]) + 1.0)
        prompt = Prompt(label, point, names.get(label, ""))
        values = np.full((3, 3, 2), value, np.float16)
        found.append(PromptProbability(prompt, values, start, 0.9))
    return found


def segment(folder, case, images, *labels, model=None, described=True, **options):
    """Write the results of a case into a folder, and return the output."""
    model = model or make_weights(folder.parent)
    case = Case(case, tuple(images))
    scan = read_channels(case.images, case.reading)
    claims = boxes(scan, *labels, **options)
    segmentation = merge(claims, scan.source, None, CALIBRATION, unlike=[()] * len(claims))
    output = Output(folder, (0,))
    key = case_key(input_hashes(case), model, (0,), OPTIONS)
    made_by = describe_made_by(model, (0,), [claim.prompt for claim in claims])
    output.write(
        case.name, key, claims, segmentation, sources_of(case, scan.tags),
        made_by if described else None,
    )  # fmt: skip
    return output
