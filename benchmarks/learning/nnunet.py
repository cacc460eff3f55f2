"""nnU-Net v2, planned and trained its own way on a fold's cases, for the same minutes.

It sees whole scans and no points: what a user would have without marking anything. Needs the
package nnunetv2 beside InteractiveNet (a torchvision built for another torch has to go). Its
learning rate follows the clock instead of its 1,000 epochs.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning.folds import raw_task
from benchmarks.learning.job import Job, Unavailable, digest
from interactivenet.datasets.case import Scan
from interactivenet.imaging.volume import Volume
from interactivenet.prompts.prompt import Prompt

_NAME = "Dataset001_Fold"
#: nnU-Net's own
RATE, POWER, STEPS = 0.01, 0.9, 250


def train_nnunet(job: Job) -> tuple[Any, dict[str, Any]]:
    """Train on the fold's cases; returns what segments a scan, and what it cost.

    An interrupted one starts over. Raises Unavailable as :func:`check_installed` does.
    """
    check_installed(job)
    _, dataset = job.of
    training, _ = job.cases()
    raw = raw_task(dataset, training, job.work)
    work = job.work / "nnunet" / digest(job.training_identity(""))
    trainer, cost = _train(job, raw, work)
    predictor = _predictor(trainer, job.budget.device)

    def segment(scan: Scan, prompt: Prompt) -> NDArray[np.bool_]:
        return find_object(predictor, scan.image)

    return segment, cost


def find_object(predictor: Any, image: Volume) -> NDArray[np.bool_]:
    """Mark the object (X, Y, Z), along RAS+, that nnU-Net's predictor finds in an image.

    It trained on arrays (C, z, y, x) as the files store them, and is asked about the same.
    """
    stored = np.ascontiguousarray(image.stored.transpose(0, 3, 2, 1), np.float32)
    spacing = [float(mm) for mm in reversed(image.source.spacing)]
    found = predictor.predict_single_npy_array(stored, {"spacing": spacing}, None, None, False)
    return np.asarray(image.source.to_ras(found.transpose(2, 1, 0)) == 1)


def check_installed(job: Job) -> None:
    """Raise Unavailable where nnU-Net is not installed, or the budget is not in minutes."""
    if importlib.util.find_spec("nnunetv2") is None:
        raise Unavailable("the package nnunetv2 is not installed here")
    if not job.budget.minutes:
        raise Unavailable("nnU-Net is measured for budgets in minutes alone")


def _train(job: Job, raw: Path, work: Path) -> tuple[Any, dict[str, Any]]:
    import torch

    device = torch.device(job.budget.device)
    _settle(work)
    folder = work / "raw" / _NAME
    if not (folder / "dataset.json").exists():
        _convert(raw, folder, job.of[1].modalities)
    tools: Any = importlib.import_module("nnunetv2.experiment_planning.plan_and_preprocess_api")
    if not (work / "preprocessed" / _NAME / "nnUNetPlans_3d_fullres").exists():
        tools.extract_fingerprints([1], num_processes=2)
        tools.plan_experiments([1])
        tools.preprocess([1], configurations=["3d_fullres"], num_processes=[2])
    # on a CPU no processes that draw samples, like ours
    _set(n_proc_DA=0 if job.budget.device == "cpu" else 8)
    get = importlib.import_module("nnunetv2.run.run_training").get_trainer_from_args
    trainer = get(_NAME, "3d_fullres", "all", device=device)
    torch.manual_seed(job.seed)
    trainer.on_train_start()
    steps, begun, budget = 0, time.monotonic(), 60 * job.budget.minutes
    trainer.on_train_epoch_start()
    trainer.network.train()
    while (spent := time.monotonic() - begun) < budget:
        for group in trainer.optimizer.param_groups:
            group["lr"] = RATE * (1 - spent / budget) ** POWER
        trainer.train_step(next(trainer.dataloader_train))
        steps += 1
    cost = {"train_seconds": round(time.monotonic() - begun, 1), "steps": steps,
            "epochs": round(steps / STEPS, 2)}  # fmt: skip
    return trainer, cost


def _predictor(trainer: Any, device: str) -> Any:
    import torch

    module = importlib.import_module("nnunetv2.inference.predict_from_raw_data")
    predictor = module.nnUNetPredictor(
        use_mirroring=False, perform_everything_on_device=device == "cuda",
        device=torch.device(device), allow_tqdm=False,
    )  # fmt: skip
    trainer.set_deep_supervision_enabled(False)
    trainer.network.eval()
    predictor.manual_initialization(
        trainer.network, trainer.plans_manager, trainer.configuration_manager,
        [trainer.network.state_dict()], trainer.dataset_json, type(trainer).__name__,
        trainer.inference_allowed_mirroring_axes,
    )  # fmt: skip
    return predictor


def _settle(work: Path) -> None:
    folders = {name: work / name for name in ("raw", "preprocessed", "results")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    _set(**folders, n_proc_DA=1, compile="false")


def _set(**values: object) -> None:
    os.environ.update({f"nnUNet_{name}": str(value) for name, value in values.items()})


def _convert(raw: Path, folder: Path, modalities: tuple[str, ...]) -> None:
    for kind in ("imagesTr", "labelsTr"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for path in sorted((raw / kind).iterdir()):
            link = folder / kind / path.name
            if not link.is_symlink():
                link.symlink_to(path.resolve())
    content = {
        "channel_names": {str(index): name for index, name in enumerate(modalities)},
        "labels": {"background": 0, "object": 1},
        "numTraining": len(list((folder / "labelsTr").iterdir())),
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
