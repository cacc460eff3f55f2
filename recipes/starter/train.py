"""Train the starter: one network for any object in any modality, on the object's own grid.

    python -m recipes.starter.train SHARED_DATA --work FOLDER [--minutes 180]
        [--without sarcoma pet] [--start CHECKPOINT] [--corrections]

SHARED_DATA holds the data sets that README.md beside this file names. Every image is one channel;
every labelled object is warped, prompted and made into a sample anew at every draw, and a share of
the objects is made up. The first part of the time trains on 40^3 voxels, the rest on 64^3.

The work can be interrupted at any moment and started again: `checkpoint.pt` is written every
minute, and the schedule follows the minutes that were trained. `weights.safetensors` (float16, the
moving average) and `facts.json` appear beside it at the end of the time, and with `--now` from the
checkpoint as it is.

With ``--start``, the weights are first those of another training, of fewer kinds of objects: so
one that the benchmark needs is half of the way to the one that ships. With ``--corrections`` the
network learns to see clicks; it may start from weights that do not.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from interactivenet import __version__
from interactivenet.models.network import load_network
from interactivenet.planning.extent import ELLIPSOID
from interactivenet.planning.plan import (
    CropMargins,
    Encoding,
    ExtentPrior,
    Network,
    Normalisation,
    ObjectGrid,
    Plan,
)
from interactivenet.system.files import sha256
from interactivenet.training.lightning_module import Segmenter
from interactivenet.training.object_samples import ANYTHING
from interactivenet.training.starting import Start, take_weights
from recipes.starter.data import KINDS, read_objects
from recipes.starter.draws import Batch, batches
from recipes.starter.memory import Memory
from recipes.starter.packing import read_packed

FEATURES = (16, 32, 64, 128)
#: of the training: share of the time, voxels a side, samples of a step
STAGES = ((0.6, 40, 8), (1.0, 64, 4))
#: on a graphics card, so many times the samples of a step
MORE_SAMPLES = 2
#: share of a step's samples that are new; the others are earlier ones, turned
NEW = 0.5
LEARNING_RATE, WEIGHT_DECAY, WARM_UP, CLIP, AVERAGE = 1.5e-3, 0.02, 100, 5.0, 0.998
#: of a training that goes on from another one's weights, the share of that rate
LOWER_RATE = 0.6


def starter_plan(voxels: int = STAGES[-1][1], *, corrections: bool = False) -> Plan:
    """Return the plan of the starter, for samples of so many voxels a side."""
    side, share = (1.0, 1.0), (0.3, 0.3)
    stages = len(FEATURES)
    return Plan(
        task="Task900_STARTER", version=__version__, modalities=("any",), labels={1: "object"},
        preset="small", seed=0, spacing=(1.0, 1.0, 1.0),
        cut=CropMargins((side, side, side), (share, share, share)),
        normalisation=(Normalisation("zscore"),),
        encoding=Encoding(metric="gradient", extent=True),
        network=Network(
            kernels=((3, 3, 3),) * stages, strides=((1, 1, 1),) + ((2, 2, 2),) * (stages - 1),
            features=FEATURES, deep_supervision=1, residual=True,
        ),
        sample_shape=(voxels, voxels, voxels), batch_size=8, memory_gb=8.0, estimated_gb=4.0,
        grid=ObjectGrid(mirrored=True), corrections=corrections, second_look=corrections,
        extent_prior=ExtentPrior(ellipsoid=ELLIPSOID),
    )  # fmt: skip


def plan_of(facts: Mapping[str, Any]) -> Plan | None:
    """Return the plan that weights with these facts were trained by; None where it is another."""
    plans = (starter_plan(), starter_plan(corrections=True))
    trained = facts.get("plan")
    return next((p for p in plans if trained in (p.digest, p.weights_digest)), None)


def main() -> None:
    """Train, or go on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path, help="SHARED_DATA, or what `packing` made of it")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=180)
    parser.add_argument("--without", nargs="*", default=[], choices=KINDS)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--corrections", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="that draw samples")
    parser.add_argument("--now", action="store_true")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    training = Training(options, device)
    if not options.now:
        training.run()
    training.write_weights()


class Training:
    """The state of a training: everything that a checkpoint holds."""

    def __init__(self, options: argparse.Namespace, device: str) -> None:
        self.options, self.device = options, device
        torch.manual_seed(options.seed)
        self.module = Segmenter(starter_plan(corrections=options.corrections), 1).to(device)
        self.network = self.module.network
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )
        self.step, self.seconds, self.losses = 0, 0.0, [0.0]
        self.objects: dict[str, int] = {}
        self.before: dict[str, Any] = {}
        self.path = options.work / "checkpoint.pt"
        if self.path.exists():
            state = self._read(self.path)
            if state["without"] != sorted(options.without):
                raise SystemExit(f"{self.path}: was trained without {state['without']}")
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.average = state["average"]
            self.step, self.seconds = state["step"], state["seconds"]
            self.objects, self.before = state["objects"], state["before"]
        elif options.start:
            self.before = self._start(options.start)
            self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}

    def _start(self, path: Path) -> dict[str, Any]:
        """Take the weights of a checkpoint, or of a file of weights; return how they came about."""
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                plan = plan_of(json.loads(file.metadata()["interactivenet"]))
            if plan is None:
                raise SystemExit(f"{path}: is not of this recipe")
            network, state = load_network(path, plan)
            weights, spent = network.state_dict(), state["minutes"]
            steps = state["steps"]
        else:
            state = self._read(path)
            plan = starter_plan(corrections=state.get("corrections", False))
            weights, spent, steps = state["average"], state["seconds"] / 60, state["step"]
        before = state.get("before", {})
        start = Start(plan.task, path.name, sha256(path), plan, weights)
        print(take_weights(self.network, self.module.plan, start).describe(start), flush=True)
        return {
            "steps": steps + before.get("steps", 0),
            "minutes": spent + before.get("minutes", 0.0),
            "without": state["without"],
        }

    def _read(self, path: Path) -> dict[str, Any]:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location=self.device)
        return {"objects": {}, "before": {}, **state}

    def run(self) -> None:
        """Train until the minutes are over."""
        budget = 60 * self.options.minutes
        plan = self.module.plan
        if self.options.shared.is_file():
            objects = read_packed(self.options.shared, self.options.without, self.device)
        else:
            objects = read_objects(self.options.shared, plan, self.options.without, self.device)
        self.objects = dict(Counter(kind for kind, _ in objects))
        print(f"{len(objects)} objects: {self.objects}", flush=True)
        for until, voxels, batch in STAGES:
            if self.seconds < until * budget:
                plan = starter_plan(voxels, corrections=self.options.corrections)
                size = batch * (MORE_SAMPLES if self.device == "cuda" else 1)
                new = round(size * NEW)
                seed, workers = [self.options.seed, self.step], self.options.workers
                with batches(objects, plan, new, seed, workers) as drawn:
                    self._train(drawn, plan, size - new, until * budget, budget)
        self.save()

    def _train(
        self, drawn: Iterable[Batch], plan: Plan, remembered: int, until: float, budget: float
    ) -> None:
        memory = Memory(plan, remembered, self.options.seed + self.step)
        self.network.train()
        before = saved = time.monotonic()
        for new in drawn:
            image, label = memory.batch(*new)
            rate = min(1.0, (self.step + 1) / WARM_UP)
            rate *= LOWER_RATE if self.before else 1.0
            rate *= LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * min(self.seconds / budget, 1)))
            self.optimiser.param_groups[0]["lr"] = rate
            image, label = image.to(self.device), label.to(self.device)
            with torch.autocast(self.device, torch.bfloat16):
                output = self.network(image)
            memory.remember(image, label, output[:, 0].detach().float().softmax(1)[:, 1])
            loss = self.module.loss(output, label)
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
            self.optimiser.step()
            self.step += 1
            keep = min(AVERAGE, (1 + self.step) / (10 + self.step))
            with torch.no_grad():
                for name, value in self.network.state_dict().items():
                    self.average[name].lerp_(value, 1 - keep)
            self.losses.append(float(loss.detach()))
            now = time.monotonic()
            self.seconds, before = self.seconds + now - before, now
            if self.step % 50 == 0:
                mean = sum(self.losses[-50:]) / 50
                print(f"step {self.step}, {self.seconds / 60:.1f} min, loss {mean:.4f}", flush=True)
            if now - saved > 60:
                self.save()
                saved = now
            if self.seconds >= until:
                return

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "network": self.network.state_dict(), "average": self.average,
            "optimiser": self.optimiser.state_dict(), "step": self.step, "seconds": self.seconds,
            "without": sorted(self.options.without), "objects": self.objects,
            "before": self.before, "corrections": self.options.corrections,
        }  # fmt: skip
        torch.save(state, self.path.with_suffix(".tmp"))
        self.path.with_suffix(".tmp").replace(self.path)

    def write_weights(self) -> None:
        """Write the averaged weights in half precision, and how they came about."""
        half = {name: value.half().cpu().contiguous() for name, value in self.average.items()}
        plan = replace(self.module.plan, version=__version__)
        facts: dict[str, Any] = {
            "plan": plan.digest, "steps": self.step, "minutes": round(self.seconds / 60, 1),
            "without": sorted(self.options.without), "seed": self.options.seed,
            "machine": "a graphics card" if self.device == "cuda" else "two CPU cores",
            "objects": self.objects, "before": self.before, "made_up": f"{ANYTHING.made_up:.0%}",
        }  # fmt: skip
        save_file(half, self.options.work / "weights.safetensors",
                  {"interactivenet": json.dumps(facts)})  # fmt: skip
        (self.options.work / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
