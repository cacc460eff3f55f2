"""Predictor: load a model once, segment many prompts.

The foreground scores of a network's predictions of all mirrored copies of a sample are averaged;
so are those of all images of a case, where a network of any modality takes one at a time. Each
network's probability goes back to the grid of the case, by linear interpolation, and is averaged
there. How samples are made and scored is the business of :mod:`.sampling`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from interactivenet.datasets.case import Scan
from interactivenet.datasets.task import Case
from interactivenet.errors import DataError
from interactivenet.imaging.io import ReadOptions
from interactivenet.inference.examination import Examination, examine
from interactivenet.inference.options import Device, InferenceOptions, Precision, Restore
from interactivenet.inference.reading import read_case
from interactivenet.inference.requirements import check_model
from interactivenet.inference.rules import rules_for
from interactivenet.inference.session import Session
from interactivenet.inference.windows import blend_windows
from interactivenet.models.bundle import load_model
from interactivenet.models.device import choose_device, choose_precision
from interactivenet.models.model import Model
from interactivenet.models.network import load_network
from interactivenet.planning.plan import Plan
from interactivenet.postprocessing.calibration import agreement
from interactivenet.postprocessing.merging import THRESHOLD, PromptProbability, Segmentation, merge
from interactivenet.preprocessing.sample import Sample, restored_part
from interactivenet.prompts.prompt import Prompt
from interactivenet.system.signals import go_on

if TYPE_CHECKING:
    from interactivenet.inference.inputs import ImageLike, PointsLike

__all__ = ["NetworkOutput", "Predictor", "PreparedScan", "Restore", "Segmentation"]

#: share of the graphics card's free memory that a batch may take
_SHARE = 0.7
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


@dataclass(frozen=True, eq=False)
class PreparedScan:
    """A case, read, what is to be told of it, and the sample of each of its prompts."""

    scan: Scan
    samples: tuple[Sample, ...]
    examination: Examination


@dataclass(frozen=True, eq=False)
class NetworkOutput:
    """What the networks say of one sample.

    probability: (K, X, Y, Z) float32 on its grid, of each of K networks.
    agreement: of each network's mirrored predictions; single: of the unmirrored one alone; each of
        the mean of all images, where a network takes one at a time.
    """

    probability: NDArray[np.float32]
    agreement: tuple[float, ...]
    single: tuple[float, ...]


class Predictor:
    """Segments the objects that points mark: the model is loaded once and used many times.

    Args:
        model: Folder of a deployed model, ``"starter"`` for the one that comes with the package, or
            a :class:`Model` (:func:`load_model` gives one).
        device: 'auto', 'cpu' or 'cuda'; 'auto' takes a graphics card if there is one.
        mirrored: Whether each sample is also segmented mirrored along every combination of axes, as
            in nnU-Net: a little better, but eight times the work. Not of models that were trained
            on the patient's axes alone.
        precision: 'auto', 'bf16', 'fp16' or 'fp32'.
        restore: 'probability' interpolates the probability on the image's grid; 'label' gives each
            voxel the nearest one's label: faster, but stepped where the network's grid is coarser.
        batch: Mirrored copies or windows to compute at once; None for as many as fit the memory.

    Attributes:
        model: The model.
        plan: Its plan: labels, modalities, spacing and all else that was decided before training.
        facts: What each file of weights says about itself.

    Raises:
        DataError: Weights cannot be read, or are of another network or plan, or the plan asks for
            more memory than there is.
        RequestError: A device, a precision or a way to restore that there is not, here or anywhere.

    Examples:
        >>> predictor = Predictor("results/models/Task101_SARCOMA")  # doctest: +SKIP
        >>> result = predictor.segment("scan.nii.gz", "points.mrk.json")  # doctest: +SKIP
        >>> result.save("out.nii.gz")  # doctest: +SKIP
    """

    def __init__(
        self,
        model: Model | Path | str,
        *,
        device: str = "auto",
        mirrored: bool = True,
        precision: str = "auto",
        restore: Restore = "probability",
        batch: int | None = None,
    ) -> None:
        # refuses what is none of the choices
        InferenceOptions(mirrored, restore, cast("Precision", precision), cast("Device", device))
        if not isinstance(model, Model):
            model = load_model(model)
        self.model, self.plan = model, model.plan
        self.mirrored, self.restore = mirrored, restore
        self.device = choose_device(device)
        check_model(model, self.device)
        self.precision = choose_precision(precision, self.device)
        self._rules = rules_for(self.plan)
        copies = mirrored and self.plan.is_mirrored
        self._flips = list(product((False, True), repeat=3)) if copies else [(False,) * 3]
        self._networks: list[torch.nn.Module] = []
        self.facts: list[dict[str, Any]] = []
        for path in model.weights:
            network, facts = load_network(path, self.plan)
            self.facts.append(facts)
            self._networks.append(network.eval().to(self.device))
        self._batch = batch or _batch_size(self.plan, self.device)

    def segment(
        self,
        image: ImageLike,
        points: PointsLike | None = None,
        *,
        series: str = "",
        use_form: Literal["sform", "qform"] | None = None,
    ) -> Segmentation:
        """Segment the objects that points mark in an image.

        Args:
            image: One of

                - the path of an image (NIfTI, MetaImage, NRRD) or of a folder with a DICOM series,
                  or with studies;
                - a nibabel or SimpleITK image, or a :class:`Volume`;
                - a sequence of these, one for each modality of the model, on one grid; of a model
                  of any modality one or more, whose probabilities are averaged;
                - a ``Case`` (paths) or a ``Scan`` (in memory), which may have their own prompts.
            points: The points of one object (N, 3) in mm along RAS+, a :class:`Prompt` or a
                sequence of them, the path of a file of prompts, or None for a case's own; see
                :meth:`Session.segment`.
            series: Number, UID or description of the DICOM series to read, where a folder has
                several.
            use_form: As for :meth:`open`.

        Returns:
            The label map on the grid of the image, and what is known of each object.

        Raises:
            DataError: A file or an image cannot be used, or a point lies outside the image.
            RequestError: What is given is not an image, or not points.
        """
        return self.open(image, series=series, use_form=use_form).segment(points)

    def open(
        self,
        image: ImageLike,
        *,
        series: str = "",
        use_form: Literal["sform", "qform"] | None = None,
    ) -> Session:
        """Read an image once, to prompt it many times.

        Args:
            image: As for :meth:`segment`.
            series: Number, UID or description of the DICOM series to read, where a folder has
                several.
            use_form: Which position of a NIfTI header counts, where it has two that differ, or
                none: 'sform' (as nibabel reads it) or 'qform' (as ITK and 3D Slicer do). Without
                it, points in mm are refused on such an image.

        Returns:
            The session; ``session.segment(points)`` segments.

        Raises:
            DataError: A file or an image cannot be used.
            RequestError: What is given is not an image.
        """
        return Session(self, image, ReadOptions(use_form=use_form or "", series=series))

    def read(self, case: Case) -> Scan:
        """Read a case; raises DataError, naming the file, where one cannot be used."""
        return read_case(case, self.plan)

    def prepare(
        self,
        case: Scan | Case,
        prompts: Sequence[Prompt] | None = None,
        *,
        interrupt: Callable[[], None] = go_on,
    ) -> PreparedScan:
        """Read a case, where files are given, and make the samples: what needs no network.

        prompts: None for the case's own.  interrupt: raises where this must end, before a prompt.
        Raises DataError where a file cannot be used, there are no prompts, a point lies outside, or
        an image says that it is of another modality than the model's.
        """
        scan = self.read(case) if isinstance(case, Case) else case
        if prompts is not None:
            scan = replace(scan, prompts=tuple(prompts))
        if not scan.prompts:
            raise DataError(f"{scan.name}: has no prompts: expected the points of an object")
        samples = []
        for prompt in scan.prompts:
            interrupt()
            samples.append(self._rules.sample(scan, prompt))
        return PreparedScan(scan, tuple(samples), examine(scan, self.model))

    def prepare_again(self, prepared: PreparedScan, prompts: Sequence[Prompt]) -> PreparedScan:
        """Return a case with further corrections of its prompts.

        A sample is made anew only where a correction lies outside of it.
        """
        scan = replace(prepared.scan, prompts=tuple(prompts))
        samples = tuple(
            sample if sample.prompt is prompt else self._rules.sample(scan, prompt, sample)
            for sample, prompt in zip(prepared.samples, prompts, strict=True)
        )
        return PreparedScan(scan, samples, prepared.examination)

    def answer_again(
        self, prepared: PreparedScan, earlier: PreparedScan, answers: Sequence[NetworkOutput]
    ) -> list[NetworkOutput]:
        """Answer a case with further corrections; what these do not change is the earlier answer.

        answers: to the ``earlier`` case.
        """
        return [
            answer if sample.array is before.array else self._answer(sample)
            for sample, before, answer in zip(
                prepared.samples, earlier.samples, answers, strict=True
            )
        ]

    def answer(
        self, prepared: PreparedScan, *, interrupt: Callable[[], None] = go_on
    ) -> list[NetworkOutput]:
        """Ask the networks about every sample of a case.

        interrupt: raises where this must end; it is asked before every convolution.
        """
        with _interruptible(self._networks, interrupt):
            return [self._answer(sample) for sample in prepared.samples]

    def claims(
        self, prepared: PreparedScan, answers: Sequence[NetworkOutput]
    ) -> list[list[PromptProbability]]:
        """Bring answers back to the grid of the case: per prompt, one claim of each network."""
        return [
            self.claims_of(sample, answer)
            for sample, answer in zip(prepared.samples, answers, strict=True)
        ]

    def claims_of(self, sample: Sample, answer: NetworkOutput) -> list[PromptProbability]:
        """Bring one answer back to the grid of the case: one claim of each network."""
        nearest = self.restore == "label"
        restored, start = restored_part(answer.probability, sample, nearest=nearest)
        first = (int(start[0]), int(start[1]), int(start[2]))
        return [
            PromptProbability(sample.prompt, probability.astype(np.float16), first, agreed)
            for probability, agreed in zip(restored, answer.agreement, strict=True)
        ]

    def merged(self, prepared: PreparedScan, claims: Sequence[PromptProbability]) -> Segmentation:
        """Merge one claim per prompt, postprocessed, into the case's segmentation."""
        calibration = self.model.calibration(self.mirrored)
        source = prepared.scan.image.source
        examined = prepared.examination
        return merge(
            claims, source, self.model.postprocessing, calibration,
            unlike=examined.unlike, notes=examined.notes,
        )  # fmt: skip

    def probability(self, sample: Sample) -> NDArray[np.float32]:
        """Return the object's mean probability (X, Y, Z) float32 on the grid of a sample."""
        return np.asarray(self._answer(sample).probability.mean(axis=0))

    @torch.inference_mode()
    def _answer(self, sample: Sample) -> NetworkOutput:
        rules = self._rules
        padded = [rules.pad(array) for array in (sample.array, *sample.others)]
        images = [torch.from_numpy(array)[None].to(self.device) for array, _ in padded]
        inside = padded[0][1]
        scores = np.empty((len(self._networks), *sample.grid.shape), np.float32)
        agreed, single = [], []
        for number, network in enumerate(self._networks):
            members = [self._members(network, image) for image in images]
            # one mirrored copy after the other, the sample as it is first: the mean of all images
            means = (torch.stack(of_copy).mean(0) for of_copy in zip(*members, strict=True))
            total: Tensor | None = None
            for score in means:
                if total is None:
                    first = rules.probability(score[inside].cpu().numpy())
                    single.append(agreement(first, THRESHOLD))
                    total = torch.zeros_like(score)
                total += score
            assert total is not None
            scores[number] = (total / len(self._flips))[inside].cpu().numpy()
            agreed.append(agreement(rules.probability(scores[number]), THRESHOLD))
        if not np.isfinite(scores).all():
            raise DataError(
                f"{sample.case}: the network's output is not finite: the scan's values are far from"
                f" those that it was trained on, or too large for `precision={self.precision!r}`"
            )
        return NetworkOutput(rules.probability(rules.combine(scores)), tuple(agreed), tuple(single))

    def _members(self, network: torch.nn.Module, image: Tensor) -> Iterator[Tensor]:
        """Yield the score (X, Y, Z) of an image (1, C, X, Y, Z) from each mirrored copy.

        The first is the image as it is.
        """
        whole = self._rules.window(tuple(image.shape[2:])) is None
        done = 0
        while done < len(self._flips):
            # windows are batched of one copy at a time
            now = self._flips[done : done + (self._batch if whole else 1)]
            axes = [[2 + axis for axis in range(3) if flips[axis]] for flips in now]
            try:
                scores = self._foreground(network, torch.cat([image.flip(a) for a in axes]))
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
def _interruptible(
    networks: Sequence[torch.nn.Module], interrupt: Callable[[], None]
) -> Iterator[None]:
    """Ask inside, before every convolution of the networks, whether to end."""
    convolutions = (torch.nn.Conv3d, torch.nn.ConvTranspose3d)
    with ExitStack() as hooks:
        for module in chain.from_iterable(network.modules() for network in networks):
            if interrupt is not go_on and isinstance(module, convolutions):
                hook = module.register_forward_pre_hook(lambda *_: interrupt())
                hooks.callback(hook.remove)
        yield


def _batch_size(plan: Plan, device: str) -> int:
    """How many samples to segment at once.

    On a CPU two: torch leaves the convolutions of a single, narrow one to a kernel that is four
    times slower, and more than two gain nothing. On CUDA what the free memory holds: a sample's
    segmentation takes less than half of its training, whose memory the plan has estimated.
    """
    if device == "cpu":
        return 2
    free, _ = torch.cuda.mem_get_info()
    sample_gb = plan.estimated_gb / plan.batch_size / 2
    return int(np.clip(_SHARE * free / 1e9 / max(sample_gb, 1e-3), 1, 8))
