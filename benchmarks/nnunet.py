"""nnU-Net v2's own trainer and predictor on the network and patch of one of our plans.

For ``benchmarks.training`` and ``benchmarks.nnunet_inference``, where the package nnunetv2 is
installed beside InteractiveNet. Its network is the same but for the first convolution: it sees the
scan alone, no map of points. A torchvision that was built for another torch has to be uninstalled
there; neither needs it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from interactivenet.models.network import count_parameters
from interactivenet.planning.plan import Plan

DATASET = "Dataset001_Benchmark"
_NUMBERS = [int(DATASET[7:10])]


class Nnunet:
    """A fold of nnU-Net's, prepared and ready to step.

    raw: the raw task's folder; work: where nnU-Net may write; plan: what the network is taken from.
    """

    def __init__(self, raw: Path, work: Path, plan: Plan, device: str) -> None:
        settle(work)
        with quiet():
            convert(raw, work / "raw" / DATASET)
            _prepare()
            adopt(plan, work / "preprocessed" / DATASET / "nnUNetPlans.json")
            if device == "cpu":  # no processes that draw samples, like ours
                _set(n_proc_DA=0)
            get = importlib.import_module("nnunetv2.run.run_training").get_trainer_from_args
            self.trainer = get(DATASET, "3d_fullres", 0, device=torch.device(device))
            self.trainer.on_train_start()
            self.trainer.on_train_epoch_start()

    def parameters(self) -> int:
        """Return how many weights its network has."""
        return count_parameters(self.trainer.network)

    def seconds_per_step(self, steps: int, mixed: bool = False) -> float:
        """Seconds from one batch to the next, on the mean of some steps.

        mixed: in bfloat16 on a CPU, where it has no mixed precision of its own.
        """
        around = torch.autocast("cpu", torch.bfloat16, enabled=mixed)
        start = 0.0
        for number in range(steps + 1):
            if number == 1:  # the first one warms up
                start = time.perf_counter()
            batch = next(self.trainer.dataloader_train)
            with around:
                self.trainer.train_step(batch)
        return (time.perf_counter() - start) / steps


def settle(work: Path) -> None:
    """Tell nnU-Net which folders are its own."""
    folders = {name: work / name for name in ("raw", "preprocessed", "results")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    _set(n_proc_DA=1, **folders)


def _set(**values: object) -> None:
    os.environ.update({f"nnUNet_{name}": str(value) for name, value in values.items()})


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what nnU-Net says to itself."""
    with (
        Path(os.devnull).open("w", encoding="utf-8") as sink,
        contextlib.redirect_stdout(sink),
        contextlib.redirect_stderr(sink),
    ):
        yield


def convert(raw: Path, folder: Path) -> None:
    """Copy a raw task into nnU-Net's layout."""
    for name in ("imagesTr", "labelsTr"):
        shutil.copytree(raw / name, folder / name)
    content = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, "object": 1},
        "numTraining": len(list((folder / "labelsTr").iterdir())),
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(content), encoding="utf-8")


def plan_experiments() -> None:
    """Have nnU-Net measure and plan the dataset."""
    tools = _tools()
    tools.extract_fingerprints(_NUMBERS, num_processes=2)
    tools.plan_experiments(_NUMBERS)


def predictor(work: Path) -> Any:
    """Return nnU-Net's predictor with the network of its plans, random weights, on the CPU.

    work: as given to :func:`settle`.
    """
    get: Any = importlib.import_module
    folder = work / "preprocessed" / DATASET
    dataset = json.loads((work / "raw" / DATASET / "dataset.json").read_text(encoding="utf-8"))
    plans = get("nnunetv2.utilities.plans_handling.plans_handler").PlansManager(
        str(folder / "nnUNetPlans.json")
    )
    configuration = plans.get_configuration("3d_fullres")
    torch.manual_seed(0)
    network = get("nnunetv2.utilities.get_network_from_plans").get_network_from_plans(
        configuration.network_arch_class_name, configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import, 1, 2, deep_supervision=False,
    )  # fmt: skip
    made = get("nnunetv2.inference.predict_from_raw_data").nnUNetPredictor(
        perform_everything_on_device=False, device=torch.device("cpu"), allow_tqdm=False
    )
    weights = [network.state_dict()]
    made.manual_initialization(
        network, plans, configuration, weights, dataset, "nnUNetTrainer", (0, 1, 2)
    )
    return made


def _tools() -> Any:
    return importlib.import_module("nnunetv2.experiment_planning.plan_and_preprocess_api")


def _prepare() -> None:
    plan_experiments()
    _tools().preprocess(_NUMBERS, configurations=["3d_fullres"], num_processes=[2])


def adopt(plan: Plan, path: Path) -> None:
    """Put our plan's patch, batch and network into nnU-Net's plans; its axes run the other way."""
    content = json.loads(path.read_text(encoding="utf-8"))
    configuration = content["configurations"]["3d_fullres"]
    network = plan.network
    configuration["patch_size"] = list(reversed(plan.sample_shape))
    configuration["batch_size"] = plan.batch_size
    stages = len(network.features)
    configuration["architecture"]["arch_kwargs"] |= {
        "n_stages": stages,
        "features_per_stage": list(network.features),
        "kernel_sizes": [list(reversed(one)) for one in network.kernels],
        "strides": [list(reversed(one)) for one in network.strides],
        "n_conv_per_stage": [2] * stages,
        "n_conv_per_stage_decoder": [2] * (stages - 1),
    }
    path.write_text(json.dumps(content), encoding="utf-8")
