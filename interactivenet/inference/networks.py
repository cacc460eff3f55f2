"""The networks of a model, asked about samples: their mirrored copies, all images, all corrections.

The foreground scores of a network's predictions of the mirrored copies of a sample are averaged, of
all or of as many as :mod:`.mirroring` finds enough; so are those of all images of a case, where a
network of any modality takes one at a time. Networks that see corrections are asked again with each
of them, and with what they found before; where the plan says so, with the points, which lie inside,
first of all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from interactivenet.encoding.clicks import put_clicks
from interactivenet.errors import DataError
from interactivenet.inference.extents import told_extent
from interactivenet.inference.mirroring import ENOUGH, FLIPS, RunningMean
from interactivenet.inference.rules import InferenceRules
from interactivenet.inference.windows import blend_windows
from interactivenet.models.model import Mirrored, Model
from interactivenet.models.network import load_network
from interactivenet.planning.plan import Plan
from interactivenet.postprocessing.extent import apply_extent_prior
from interactivenet.preprocessing.sample import Sample
from interactivenet.prompts.corrections import Correction, positions_of
from interactivenet.system.signals import go_on

#: share of the graphics card's free memory that a batch may take
_SHARE = 0.7
#: bytes of the first features of a sample, from which on a CPU takes one at a time
_LARGE = 150_000_000
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


@dataclass(frozen=True, eq=False)
class NetworkOutput:
    """What the networks say of one sample.

    probability: (K, X, Y, Z) float32 on its grid, of each of K networks, whatever the points tell
        of the object's extent.
    agreement: of each network's mirrored predictions; single: of the unmirrored one alone;
        adaptive: of as many as are enough; each of the mean of all images, where a network takes
        one at a time.
    copies: how many mirrored copies each network was asked about.
    corrections: how many of the prompt's the networks have seen.
    """

    probability: NDArray[np.float32]
    agreement: tuple[float, ...]
    single: tuple[float, ...]
    corrections: int = 0
    adaptive: tuple[float, ...] = ()
    copies: tuple[int, ...] = ()


class Networks:
    """The networks of a model on a device.

    facts: what each file of weights says about itself.  flips: of the copies of a sample.
    mirrored: whether all of them are asked, none but the first, or ('adaptive') as many as needed.
    backend: what computes the networks, 'torch' or 'openvino'.
    batch: mirrored copies or windows to compute at once; None for as many as fit the memory.
    """

    def __init__(
        self,
        model: Model,
        rules: InferenceRules,
        device: str,
        precision: str,
        *,
        mirrored: Mirrored,
        batch: int | None = None,
        backend: str = "torch",
    ) -> None:
        self.plan, self.device, self.precision = model.plan, device, precision
        self._rules = rules
        copies = bool(mirrored) and self.plan.is_mirrored
        self.flips = FLIPS if copies else FLIPS[:1]
        self._adaptive = mirrored == "adaptive"
        self.networks: list[torch.nn.Module] = []
        self.facts: list[dict[str, Any]] = []
        for path in model.weights:
            network, facts = load_network(path, self.plan)
            self.facts.append(facts)
            network.eval()
            if backend == "openvino":
                from interactivenet.models.openvino_network import OpenVINONetwork

                shape = None if self.plan.legacy else self.plan.sample_shape
                self.networks.append(OpenVINONetwork(network, shape, precision))
            else:
                self.networks.append(network.to(device))
        self._batch = batch or _batch_size(self.plan, device)

    def answer(self, sample: Sample, answer: NetworkOutput | None = None) -> NetworkOutput:
        """Ask the networks about a sample, then again with each correction, where they see any.

        answer: the one to the same sample with fewer corrections of its prompt.
        """
        answer = answer or self._first(sample)
        if self.plan.corrections:
            clicks = sample.prompt.corrections
            for count in range(answer.corrections, len(clicks)):
                answer = self._ask(sample, clicks[: count + 1], answer)
        return answer

    def _first(self, sample: Sample) -> NetworkOutput:
        """Ask about a sample without corrections.

        A second look costs a single copy; what it gains is measured by
        ``benchmarks/second_look.py``.
        """
        found = self._ask(sample)
        if not self.plan.second_look:
            return found
        x, y, z = sample.prompt.points.T.tolist()
        inside = [Correction(point, True) for point in zip(x, y, z, strict=True)]
        again = self._ask(sample, inside, found, flips=FLIPS[:1])
        mean = (found.probability + again.probability) * np.float32(0.5)
        return replace(found, probability=mean)

    @torch.inference_mode()
    def _ask(
        self,
        sample: Sample,
        clicks: Sequence[Correction] = (),
        before: NetworkOutput | None = None,
        *,
        flips: Sequence[tuple[bool, bool, bool]] | None = None,
    ) -> NetworkOutput:
        """Ask once; clicks: the corrections so far; before: what was found without the last.

        Each network sees what it has found itself.  flips: of the copies; None for all of them.
        """
        rules = self._rules
        padded = [rules.pad(array) for array in (sample.array, *sample.others)]
        images = [torch.from_numpy(array)[None].to(self.device) for array, _ in padded]
        if before is not None:  # clicks are put into them: not into the sample's own
            images = [image.clone() if image.device.type == "cpu" else image for image in images]
        inside = padded[0][1]
        starts = [side.start for side in inside[1:]]
        positive, negative = (
            torch.tensor(sample.grid.world_to_voxel(positions_of(clicks, sign)) + starts)
            for sign in (True, False)
        )
        scores = np.empty((len(self.networks), *sample.grid.shape), np.float32)
        means: list[RunningMean] = []
        agreed = []
        for number, network in enumerate(self.networks):
            if before is not None:
                found = torch.zeros(images[0].shape[2:])
                found[inside] = torch.from_numpy(self._told(sample, before, number))
                for image in images:
                    put_clicks(image[0], self.plan, positive, negative, found)
            members = [self._members(network, image, flips or self.flips) for image in images]
            mean = RunningMean(rules, inside)
            # one mirrored copy after the other, the sample as it is first: the mean of all images
            for of_copy in zip(*members, strict=True):
                mean.add(torch.stack(of_copy).mean(0))
                if self._adaptive and mean.enough:
                    break
            scores[number], of_all = mean.finish()
            agreed.append(of_all)
            means.append(mean)
        if not np.isfinite(scores).all():
            raise DataError(
                f"{sample.case}: the network's output is not finite: the scan's values are far from"
                f" those that it was trained on, or too large for `precision={self.precision!r}`"
            )
        probability = rules.probability(rules.combine(scores))
        return NetworkOutput(
            probability, tuple(agreed), tuple(mean.single for mean in means), len(clicks),
            tuple(mean.agreed for mean in means), tuple(mean.count for mean in means),
        )  # fmt: skip

    def _told(self, sample: Sample, answer: NetworkOutput, number: int) -> NDArray[np.float32]:
        """Return what one network has found, as it is shown to the next ask: within its extent."""
        found: NDArray[np.float32] = np.asarray(answer.probability[number])
        prior = self.plan.extent_prior
        corrections = sample.prompt.corrections[: answer.corrections]
        extent = told_extent(sample, self.plan, corrections, sample.grid)
        if prior is None or extent is None:
            return found
        told: NDArray[np.float32] = found.copy()
        apply_extent_prior(told, extent, prior)
        return told

    def _members(
        self, network: torch.nn.Module, image: Tensor, flips: Sequence[tuple[bool, bool, bool]]
    ) -> Iterator[Tensor]:
        """Yield the score (X, Y, Z) of an image (1, C, X, Y, Z) from each mirrored copy.

        The first is the image as it is.
        """
        whole = self._rules.window(tuple(image.shape[2:])) is None
        done = 0
        while done < len(flips):
            # windows are batched of one copy at a time; none is computed before it is needed
            end = next((n for n in ENOUGH if n > done), len(flips))
            end = min(done + (self._batch if whole else 1), end if self._adaptive else 8)
            now = flips[done:end]
            axes = [[2 + axis for axis in range(3) if flipped[axis]] for flipped in now]
            try:
                copies = [image.flip(a) if a else image for a in axes]
                images = torch.cat(copies) if len(copies) > 1 else copies[0]
                scores = self._foreground(network, images)
            except torch.OutOfMemoryError as error:
                if self._batch == 1:
                    raise DataError(
                        "the graphics card does not have enough memory for this object, even for"
                        " one part at a time",
                        remedy="use `device='cpu'`, or a plan with a smaller `memory_gb`",
                    ) from error
                self._batch //= 2
                torch.cuda.empty_cache()
                continue
            done += len(now)
            for score, turned in zip(scores, axes, strict=True):
                yield score.flip([axis - 2 for axis in turned])

    def _foreground(self, network: torch.nn.Module, images: Tensor) -> Tensor:
        """Score (B, X, Y, Z) of the object in images (B, C, X, Y, Z)."""
        dtype = _DTYPES[self.precision]

        def forward(part: Tensor) -> Tensor:
            with torch.autocast(self.device, dtype, enabled=dtype != torch.float32):
                output = network(part)
            return self._rules.score(output)

        window = self._rules.window(tuple(images.shape[2:]))
        if window is None:
            return forward(images)[:, 0]
        return blend_windows(images, window, self._batch, forward)[:, 0]

    @contextmanager
    def interruptible(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Ask inside, before every convolution that is PyTorch's, whether to end."""
        convolutions = (torch.nn.Conv3d, torch.nn.ConvTranspose3d)
        with ExitStack() as hooks:
            for network in self.networks if interrupt is not go_on else ():
                for module in network.modules():
                    if module is network or isinstance(module, convolutions):
                        hook = module.register_forward_pre_hook(lambda *_: interrupt())
                        hooks.callback(hook.remove)
            yield


def _batch_size(plan: Plan, device: str) -> int:
    """How many samples to segment at once.

    On a CPU two: torch leaves the convolutions of a single, narrow one to a kernel that is four
    times slower, and more than two gain nothing; one where samples are so large and wide that a
    second one costs a GB, and gains some percent. On CUDA what the free memory holds: a sample's
    segmentation takes less than half of its training, whose memory the plan has estimated.
    """
    if device == "cpu":
        features = 4 * plan.network.features[0] * math.prod(plan.sample_shape)
        return 1 if features > _LARGE else 2
    free, _ = torch.cuda.mem_get_info()
    sample_gb = plan.estimated_gb / plan.batch_size / 2
    return int(np.clip(_SHARE * free / 1e9 / max(sample_gb, 1e-3), 1, 8))
