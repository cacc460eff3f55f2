"""Predictor: load models once, segment many prompts.

A sample goes through the network as it does in training: with the plan's padding up to the
plan's sample shape. The foreground probabilities of a network's predictions of all mirrored
copies of the sample are averaged; each network's go back to the grid of the case, by linear
interpolation, and are averaged there. Converted weights (:class:`~interactivenet.plan.Legacy`)
follow their own rules: a sample goes through whole, and the logits of all mirrored copies and
networks are averaged, so that every network's answer is the answer of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from monai.inferers import sliding_window_inference
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from interactivenet.datasets.case import Scan, read_scan
from interactivenet.datasets.task import Case
from interactivenet.errors import DataError
from interactivenet.imaging.geometry import box
from interactivenet.models.bundle import read_bundle
from interactivenet.models.device import choose_device, choose_precision
from interactivenet.models.model import Model
from interactivenet.models.network import load_network
from interactivenet.planning.plan import Plan
from interactivenet.postprocessing.calibration import agreement
from interactivenet.postprocessing.merging import (
    THRESHOLD,
    PromptProbability,
    Segmentation,
    average,
    merge,
)
from interactivenet.preprocessing.sample import Sample, make_sample, padding_values, restored_part
from interactivenet.prompts.prompt import LabelNames, Prompt

__all__ = ["NetworkOutput", "Predictor", "PreparedScan", "Restore", "Segmentation"]

#: of neighbouring windows, where a sample is larger than the plan's sample shape
OVERLAP = 0.5
#: share of the graphics card's free memory that a batch may take
_SHARE = 0.7
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
#: how results get back to the scan's grid: the probability linearly, or the label
Restore = Literal["probability", "label"]


@dataclass(frozen=True, eq=False)
class PreparedScan:
    """A case, read, and the sample of each of its prompts."""

    scan: Scan
    samples: tuple[Sample, ...]


@dataclass(frozen=True, eq=False)
class NetworkOutput:
    """What the networks say of one sample.

    probability: (K, X, Y, Z) float32 on its grid, of each of K networks.
    agreement: of each network's mirrored predictions; single: of the unmirrored one alone.
    """

    probability: NDArray[np.float32]
    agreement: tuple[float, ...]
    single: tuple[float, ...]


class Predictor:
    """Segments the objects that prompts point at.

    model: a trained model (:func:`~interactivenet.models.model.own_model` gives a task's), or the
        folder of a deployed one.
    mirrored: whether each sample is also segmented mirrored along every combination of axes, as
        in nnU-Net.  device: 'auto', 'cpu' or 'cuda'.  precision: 'auto', 'bf16', 'fp16', 'fp32'.
    restore: 'probability' interpolates the probability on the scan's grid; 'label' gives each
        voxel the nearest one's label: faster, and stepped where the target grid is coarser.
    batch: mirrored copies or windows at once; None for what the memory holds.
    facts: what stands in each file of weights.

    Raises DataError where weights cannot be read, or are of another network or plan.
    """

    def __init__(
        self,
        model: Model | Path | str,
        *,
        mirrored: bool = True,
        device: str = "auto",
        precision: str = "auto",
        restore: Restore = "probability",
        batch: int | None = None,
    ) -> None:
        if not isinstance(model, Model):
            model = read_bundle(Path(model))
        self.model, self.plan = model, model.plan
        self.mirrored, self.restore = mirrored, restore
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        self._flips = list(product((False, True), repeat=3)) if mirrored else [(False,) * 3]
        self._networks: list[torch.nn.Module] = []
        self.facts: list[dict[str, Any]] = []
        for path in model.weights:
            network, facts = load_network(path, self.plan)
            self.facts.append(facts)
            self._networks.append(network.eval().to(self.device))
        self._batch = batch or _batch_size(self.plan, self.device)

    def segment(self, case: Scan | Case, prompts: Sequence[Prompt] | None = None) -> Segmentation:
        """Segment the prompts of a case, its own where none are given.

        A voxel that several prompts claim belongs to the one with the highest probability.
        Raises DataError where a file cannot be used or a point lies outside the image.
        """
        prepared = self.prepare(case, prompts)
        claims = self.claims(prepared, self.answer(prepared))
        return self.merged(prepared, [average(of_prompt) for of_prompt in claims])

    def read(self, case: Case) -> Scan:
        """Read a case; raises DataError, naming the file, where one cannot be used."""
        return read_scan(case, len(self.plan.modalities), LabelNames(self.plan.labels))

    def prepare(self, case: Scan | Case, prompts: Sequence[Prompt] | None = None) -> PreparedScan:
        """Read a case, where files are given, and make the samples: what needs no network."""
        scan = self.read(case) if isinstance(case, Case) else case
        if prompts is not None:
            scan = Scan(scan.name, scan.image, scan.label, tuple(prompts))
        if not scan.prompts:
            raise DataError(f"{scan.name}: has no prompts: expected the points of an object")
        samples = tuple(make_sample(scan, prompt, self.plan) for prompt in scan.prompts)
        return PreparedScan(scan, samples)

    def answer(self, prepared: PreparedScan) -> list[NetworkOutput]:
        """Ask the networks about every sample of a case."""
        return [self._answer(sample) for sample in prepared.samples]

    def claims(
        self, prepared: PreparedScan, answers: Sequence[NetworkOutput]
    ) -> list[list[PromptProbability]]:
        """Bring answers back to the grid of the case: for each prompt, a claim of each network."""
        found = []
        for sample, answer in zip(prepared.samples, answers, strict=True):
            nearest = self.restore == "label"
            values, start = restored_part(answer.probability, sample, nearest=nearest)
            first = (int(start[0]), int(start[1]), int(start[2]))
            found.append(
                [
                    PromptProbability(sample.prompt, one.astype(np.float16), first, agreed)
                    for one, agreed in zip(values, answer.agreement, strict=True)
                ]
            )
        return found

    def merged(self, prepared: PreparedScan, claims: Sequence[PromptProbability]) -> Segmentation:
        """Merge one claim per prompt, postprocessed, into the case's segmentation."""
        calibration = self.model.calibration(self.mirrored)
        source = prepared.scan.image.source
        return merge(claims, source, self.model.postprocessing, calibration)

    def probability(self, sample: Sample) -> NDArray[np.float32]:
        """Return the object's mean probability (X, Y, Z) float32 on the grid of a sample."""
        return np.asarray(self._answer(sample).probability.mean(axis=0))

    @torch.inference_mode()
    def _answer(self, sample: Sample) -> NetworkOutput:
        padded, inside = self._padded(sample.array)
        image = torch.from_numpy(padded)[None].to(self.device)
        scores = np.empty((len(self._networks), *sample.grid.shape), np.float32)
        agreed, single = [], []
        for number, network in enumerate(self._networks):
            total: Tensor | None = None
            for found in self._members(network, image):
                if total is None:
                    first = self._probabilities(found[inside].cpu().numpy())
                    single.append(agreement(first, THRESHOLD))
                    total = torch.zeros_like(found)
                total += found
            assert total is not None
            scores[number] = (total / len(self._flips))[inside].cpu().numpy()
            agreed.append(agreement(self._probabilities(scores[number]), THRESHOLD))
        if not np.isfinite(scores).all():
            raise DataError(
                f"{sample.case}: the network's answer is not finite: the scan's values are far from"
                " those that it was trained on, or --precision does not hold them"
            )
        if self.plan.legacy is not None:
            scores[:] = scores.mean(axis=0)
        return NetworkOutput(self._probabilities(scores), tuple(agreed), tuple(single))

    def _probabilities(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn what :meth:`_foreground` returns, or a mean of it, into probabilities."""
        return scores if self.plan.legacy is None else np.asarray(expit(scores))

    def _members(self, network: torch.nn.Module, image: Tensor) -> Iterator[Tensor]:
        """Yield the score (X, Y, Z) of an image (1, C, X, Y, Z) from each mirrored copy.

        The first is the image as it is.
        """
        whole = self._whole(image)
        done = 0
        while done < len(self._flips):
            # windows are batched of one copy at a time
            now = self._flips[done : done + (self._batch if whole else 1)]
            axes = [[2 + axis for axis in range(3) if flips[axis]] for flips in now]
            try:
                found = self._foreground(network, torch.cat([image.flip(a) for a in axes]))
            except torch.OutOfMemoryError as error:
                if self._batch == 1:
                    raise DataError(
                        "the graphics card's memory does not suffice for this object, even for"
                        " one part at a time: --device cpu, or a plan with a smaller --memory-gb"
                    ) from error
                self._batch //= 2
                torch.cuda.empty_cache()
                continue
            done += len(now)
            for one, turned in zip(found, axes, strict=True):
                yield one.flip([axis - 2 for axis in turned])

    def _foreground(self, network: torch.nn.Module, images: Tensor) -> Tensor:
        """Score (B, X, Y, Z) of the object in images (B, C, X, Y, Z): its probability.

        Of converted weights, by how much its logit exceeds the background's: the mean's sigmoid
        is the softmax of the mean logits.
        """
        dtype = _DTYPES[self.precision]

        def forward(windows: Tensor) -> Tensor:
            with torch.autocast(self.device, dtype, enabled=dtype != torch.float32):
                output = network(windows)
            if self.plan.legacy is not None:
                margin: Tensor = output[:, 1:].float() - output[:, :1].float()
                return margin
            return torch.softmax(output.float(), 1)[:, 1:]

        shape = self.plan.sample_shape
        if self._whole(images):
            return forward(images)[:, 0]
        found = sliding_window_inference(
            images, shape, self._batch, forward, overlap=OVERLAP, mode="gaussian"
        )
        assert isinstance(found, Tensor)
        return found[:, 0]

    def _whole(self, images: Tensor) -> bool:
        """Whether images (B, C, X, Y, Z) go through the network at once, not in windows."""
        return self.plan.legacy is not None or tuple(images.shape[2:]) == self.plan.sample_shape

    def _padded(self, array: NDArray[np.float32]) -> tuple[NDArray[np.float32], Any]:
        """Pad a sample to at least the plan's sample shape, and say where it is in it."""
        shape = np.array(array.shape[1:])
        if self.plan.legacy is not None:  # as it is: instance norm sees all there is
            return array, box((0, 0, 0), shape)
        size = np.maximum(shape, self.plan.sample_shape)
        start = (size - shape) // 2
        inside = box(start, start + shape)
        padded = np.empty((len(array), *size), np.float32)
        padded[:] = padding_values(self.plan)[:, None, None, None]
        padded[inside] = array
        return padded, inside


def _batch_size(plan: Plan, device: str) -> int:
    """How many samples to segment at once.

    On a CPU two: torch leaves the convolutions of a single, narrow one to a kernel that is four
    times slower, and more than two gain nothing. On CUDA what the free memory holds: a sample's
    segmentation takes less than half of its training, whose memory the plan has estimated.
    """
    if device == "cpu":
        return 2
    free, _ = torch.cuda.mem_get_info()
    one = plan.estimated_gb / plan.batch_size / 2
    return int(np.clip(_SHARE * free / 1e9 / max(one, 1e-3), 1, 8))
