"""Predictor: load models once, segment many prompts.

A sample goes through the network as it does in training: with the plan's padding up to the
plan's sample shape. The foreground probabilities of all models and of all mirrored copies of
the sample are averaged and go back to the grid of the case by linear interpolation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.inferers import sliding_window_inference
from numpy.typing import NDArray
from torch import Tensor

from interactivenet.network import build_network, load_weights
from interactivenet.plan import Plan
from interactivenet.prompts import LabelNames, Prompt
from interactivenet.sample import Sample, make_sample, padding_values, restored_part
from interactivenet.scan import Scan, read_scan
from interactivenet.task import Case
from interactivenet.training.device import choose_device, choose_precision
from interactivenet.volume import Geometry, box

#: of neighbouring windows, where a sample is larger than the plan's sample shape
OVERLAP = 0.5
#: a voxel belongs to the object from this probability on
THRESHOLD = 0.5
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The objects of a case.

    label: (X, Y, Z) uint16 along RAS+, the value of each prompt's label, 0 elsewhere.
    owner: (X, Y, Z) int16: 1 + the number of the prompt that the voxel belongs to, 0 for none.
    source: the stored grid of the scan; ``io.images.write_label(path, label, source)``.
    """

    label: NDArray[np.uint16]
    owner: NDArray[np.int16]
    source: Geometry


class Predictor:
    """Segments the objects that prompts point at.

    models: files of weights; their probabilities are averaged.  mirrored: whether each sample is
    also segmented mirrored along every combination of axes, as in nnU-Net.
    device: 'auto', 'cpu' or 'cuda'.  precision: 'auto', 'bf16', 'fp16' or 'fp32'.
    facts: what stands in each file of weights.

    Raises DataError where weights cannot be read or are of another network.
    """

    def __init__(
        self,
        plan: Plan,
        models: Sequence[Path],
        *,
        mirrored: bool = True,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        self.plan = plan
        self.device = choose_device(device)
        self._dtype = _DTYPES[choose_precision(precision, self.device)]
        self._flips = list(product((False, True), repeat=3)) if mirrored else [(False,) * 3]
        self._networks = [build_network(plan.network, plan.channels) for _ in models]
        self.facts: list[dict[str, Any]] = []
        for path, network in zip(models, self._networks, strict=True):
            self.facts.append(load_weights(path, network))
            network.eval().to(self.device)

    def segment(self, case: Scan | Case, prompts: Sequence[Prompt] | None = None) -> Segmentation:
        """Segment the prompts of a case, its own where none are given.

        A voxel that several prompts claim belongs to the one with the highest probability.
        Raises DataError where a file cannot be used or a point lies outside the image.
        """
        scan = case
        if isinstance(scan, Case):
            scan = read_scan(scan, len(self.plan.modalities), LabelNames(self.plan.labels))
        shape = scan.image.grid.shape
        label, owner = np.zeros(shape, np.uint16), np.zeros(shape, np.int16)
        highest = np.zeros(shape, np.float32)
        for number, prompt in enumerate(scan.prompts if prompts is None else prompts):
            sample = make_sample(scan, prompt, self.plan)
            values, start = restored_part(self.probability(sample), sample)
            where = box(start, start + values.shape)
            wins = (values >= THRESHOLD) & (values > highest[where])
            highest[where][wins] = values[wins]
            label[where][wins] = prompt.label
            owner[where][wins] = number + 1
        return Segmentation(label, owner, scan.image.source)

    @torch.inference_mode()
    def probability(self, sample: Sample) -> NDArray[np.float32]:
        """Return the object's probability (X, Y, Z) float32 on the grid of a sample."""
        padded, inside = self._padded(sample.array)
        image = torch.from_numpy(padded)[None].to(self.device)
        total = torch.zeros(image.shape[2:], device=self.device)
        for network in self._networks:
            for flips in self._flips:
                axes = [2 + axis for axis, flipped in enumerate(flips) if flipped]
                found = self._foreground(network, image.flip(axes))
                total += found.flip([axis - 2 for axis in axes])
        mean = total / (len(self._networks) * len(self._flips))
        return np.asarray(mean[inside].cpu().numpy(), dtype=np.float32)

    def _foreground(self, network: torch.nn.Module, image: Tensor) -> Tensor:
        """Probability (X, Y, Z) of the object in an image (1, C, X, Y, Z)."""

        def forward(windows: Tensor) -> Tensor:
            enabled = self._dtype != torch.float32
            with torch.autocast(self.device, self._dtype, enabled=enabled):
                output = network(windows)
            return torch.softmax(output.float(), 1)[:, 1:]

        shape = self.plan.sample_shape
        if tuple(image.shape[2:]) == shape:
            return forward(image)[0, 0]
        found = sliding_window_inference(
            image, shape, self.plan.batch_size, forward, overlap=OVERLAP, mode="gaussian"
        )
        assert isinstance(found, Tensor)
        return found[0, 0]

    def _padded(self, array: NDArray[np.float32]) -> tuple[NDArray[np.float32], Any]:
        """Pad a sample to at least the plan's sample shape, and say where it is in it."""
        shape = np.array(array.shape[1:])
        size = np.maximum(shape, self.plan.sample_shape)
        start = (size - shape) // 2
        inside = box(start, start + shape)
        padded = np.empty((len(array), *size), np.float32)
        padded[:] = padding_values(self.plan)[:, None, None, None]
        padded[inside] = array
        return padded, inside
