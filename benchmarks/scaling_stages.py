"""One stage over a synthetic task, on one core: ``python -m benchmarks.scaling_stages STAGE ...``.

For benchmarks/scaling.py, which starts each in a process of its own: STAGE FOLDER CASES.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interactivenet.inference.options import InferenceOptions

TASK, TEST_SHARE = "Task001_SCALING", 10
#: different anatomies; the other cases are these, brighter
_ANATOMIES = 20
#: steps of an epoch, and epochs: however many cases there are
_STEPS, _EPOCHS = 10, 2
_LAYOUT = {"Tr": 1, "Ts": TEST_SHARE}


def make_cases(folder: Path, cases: int) -> None:
    """Write cases whose contents all differ, of a few anatomies."""
    import numpy as np

    from interactivenet.datasets.phantom import PhantomSettings, make_phantom
    from interactivenet.imaging.io import write_label_array, write_volume

    settings = PhantomSettings(shape=(24, 24, 16), spacing=(2.0, 2.0, 3.0))
    made = [make_phantom(settings, index) for index in range(_ANATOMIES)]
    task = folder / "raw" / TASK
    shutil.rmtree(task, ignore_errors=True)
    for part, share in _LAYOUT.items():
        for number in range(-(-cases // share)):
            image, label, grid = made[number % _ANATOMIES]
            brighter = image[0] + np.int16(number // _ANATOMIES + (7 if part == "Ts" else 0))
            name = f"{'case' if part == 'Tr' else 'test'}_{number:06d}"
            path = task / f"images{part}" / f"{name}_0000.nii.gz"
            write_volume(path, grid.to_ras(brighter), grid)
            write_label_array(task / f"labels{part}" / f"{name}.nii.gz", grid.to_ras(label), grid)


def check_cases(folder: Path, cases: int) -> None:
    """Check the task and write its list."""
    from interactivenet.pipeline.dataset import check_dataset
    from interactivenet.prompts.prompt import LabelNames

    check_dataset(TASK, modalities=("MR",), labels=LabelNames.parse(("tumour",)), jobs=1)


def simulate_cases(folder: Path, cases: int) -> None:
    """Place the points."""
    from interactivenet.pipeline.simulate import simulate

    simulate(TASK, jobs=1)


def plan_cases(folder: Path, cases: int) -> None:
    """Measure, plan and preprocess: a network as small as there is."""
    from interactivenet.pipeline.plan import plan
    from interactivenet.planning.options import PlanningOptions

    plan(TASK, PlanningOptions(preset="tiny", grid="spacing"), jobs=1)


def train_cases(folder: Path, cases: int) -> None:
    """Train one fold for a fixed number of steps."""
    from interactivenet.pipeline.train import train
    from interactivenet.training.options import TrainingOptions

    options = TrainingOptions(epochs=_EPOCHS, steps=_STEPS, device="cpu", workers=0)
    train(TASK, 0, options, validate=False, mlflow=False)


def validate_cases(folder: Path, cases: int) -> None:
    """Segment and measure the fold's validation cases: a fifth of all."""
    from interactivenet.pipeline.validate import validate

    validate(TASK, 0, device="cpu")


def select_postprocessing(folder: Path, cases: int) -> None:
    """Choose the postprocessing of one fold."""
    from interactivenet.pipeline.select import select

    select(TASK, folds=[0])


def predict_cases(folder: Path, cases: int) -> None:
    """Segment the test cases: a tenth as many."""
    from interactivenet.pipeline.predict import predict

    predict(TASK, folds=[0], probabilities=True, options=_options())


def test_cases(folder: Path, cases: int) -> None:
    """Pool the folds' predictions of the test cases and evaluate them."""
    from interactivenet.pipeline.test import test

    test(TASK, folds=[0], options=_options(), mlflow=False)


def deploy_model(folder: Path, cases: int) -> None:
    """Write the model."""
    from interactivenet.pipeline.deploy import deploy

    deploy(TASK, folds=[0])


def infer_cases(folder: Path, cases: int) -> None:
    """Segment all training images as new ones."""
    from interactivenet.pipeline.infer import infer

    task = folder / "raw" / TASK
    infer(TASK, task / "imagesTr", task / "interactionsTr", folder / "inferred", options=_options())


def evaluate_folder(folder: Path, cases: int) -> None:
    """Compare them with their labels, with pictures of a tenth of them."""
    from interactivenet.pipeline.evaluate import evaluate

    evaluate(folder / "inferred", folder / "raw" / TASK / "labelsTr", pictures=False, jobs=1)


def draw_evaluation(folder: Path, cases: int) -> None:
    """Evaluate the test cases' label maps against themselves, with pictures."""
    from interactivenet.pipeline.evaluate import evaluate

    task = folder / "raw" / TASK
    evaluate(
        task / "labelsTs", task / "labelsTs", images=task / "imagesTs",
        output=folder / "pictures", jobs=1,
    )  # fmt: skip


def convert_points(folder: Path, cases: int) -> None:
    """Convert one file of points of the task."""
    from interactivenet.pipeline.prompts import convert_prompts

    task = folder / "raw" / TASK
    source = sorted((task / "interactionsTr").iterdir())[0]
    image = task / "imagesTr" / "case_000000_0000.nii.gz"
    convert_prompts(source, folder / "points.json", task=TASK, image=image)


def _options() -> InferenceOptions:
    from interactivenet.inference.options import InferenceOptions

    return InferenceOptions(mirrored=False, device="cpu")


#: in their order; 'again': with nothing to do
STAGES: dict[str, Callable[[Path, int], None]] = {
    "make": make_cases,
    "dataset": check_cases,
    "simulate": simulate_cases,
    "dataset with points": check_cases,
    "simulate again": simulate_cases,
    "plan": plan_cases,
    "plan again": plan_cases,
    "train": train_cases,
    "train again": train_cases,
    "validate": validate_cases,
    "validate again": validate_cases,
    "postprocess": select_postprocessing,
    "predict": predict_cases,
    "test": test_cases,
    "test again": test_cases,
    "deploy": deploy_model,
    "infer": infer_cases,
    "infer again": infer_cases,
    "evaluate": evaluate_folder,
    "evaluate with pictures": draw_evaluation,
    "prompts convert": convert_points,
}


if __name__ == "__main__":
    # one core: everything is done in this process, and measured with it
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    STAGES[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
