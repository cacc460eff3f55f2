"""Predictor: load a model once, segment many prompts.

Each network's probability goes back to the grid of the case, by linear interpolation, and is
averaged there. How samples are made and scored is the business of :mod:`.rules`, how networks are
asked that of :mod:`.networks`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from interactivenet.datasets.case import Scan
from interactivenet.datasets.task import Case
from interactivenet.errors import DataError
from interactivenet.imaging.io import ReadOptions
from interactivenet.inference.examination import Examination, examine
from interactivenet.inference.extents import told_extent
from interactivenet.inference.networks import NetworkOutput, Networks
from interactivenet.inference.options import (
    Backend,
    Device,
    InferenceOptions,
    Precision,
    Restore,
    recorded_settings,
)
from interactivenet.inference.reading import read_case
from interactivenet.inference.requirements import check_model
from interactivenet.inference.rules import rules_for
from interactivenet.inference.session import Session
from interactivenet.models.backend import choose_backend
from interactivenet.models.bundle import load_model
from interactivenet.models.device import choose_device, choose_precision
from interactivenet.models.model import Mirrored, Model
from interactivenet.postprocessing.extent import apply_extent_prior
from interactivenet.postprocessing.merging import PromptProbability, Segmentation, merge
from interactivenet.preprocessing.sample import Sample, restored_part
from interactivenet.prompts.prompt import Prompt
from interactivenet.system.signals import go_on

if TYPE_CHECKING:
    from interactivenet.inference.inputs import ImageLike, PointsLike

__all__ = ["Predictor", "PreparedScan", "Restore", "Segmentation"]


@dataclass(frozen=True, eq=False)
class PreparedScan:
    """A case, read, what is to be told of it, and the sample of each of its prompts."""

    scan: Scan
    samples: tuple[Sample, ...]
    examination: Examination


class Predictor:
    """Segments the objects that points mark: the model is loaded once and used many times.

    Args:
        model: Folder of a deployed model, ``"starter"`` for the one that comes with the package, or
            a :class:`Model` (:func:`load_model` gives one).
        device: 'auto', 'cpu' or 'cuda'; 'auto' takes a graphics card if there is one.
        mirrored: Whether each sample is also segmented mirrored along every combination of axes, as
            in nnU-Net: a little better, but eight times the work. Not of models that were trained
            on the patient's axes alone. 'adaptive' asks no more copies where those asked agree.
        precision: 'auto', 'bf16', 'fp16' or 'fp32'.
        restore: 'probability' interpolates the probability on the image's grid; 'label' gives each
            voxel the nearest one's label: faster, but stepped where the network's grid is coarser.
        batch: Mirrored copies or windows to compute at once; None for as many as fit the memory.
        backend: 'torch', 'openvino' (on a CPU; has to be installed), or 'auto' for the faster one.

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
        mirrored: Mirrored = True,
        precision: str = "auto",
        restore: Restore = "probability",
        batch: int | None = None,
        backend: Backend = "torch",
    ) -> None:
        # refuses what is none of the choices
        InferenceOptions(
            mirrored, restore, cast("Precision", precision), cast("Device", device), backend
        )
        if not isinstance(model, Model):
            model = load_model(model)
        self.model, self.plan = model, model.plan
        self.mirrored, self.restore = mirrored, restore
        self.device = choose_device(device)
        check_model(model, self.device)
        self.precision = choose_precision(precision, self.device)
        self.backend = choose_backend(backend, self.device)
        self._rules = rules_for(self.plan)
        self._networks = Networks(
            model, self._rules, self.device, self.precision,
            mirrored=mirrored, batch=batch, backend=self.backend,
        )  # fmt: skip
        self.facts = self._networks.facts

    @property
    def settings(self) -> dict[str, Any]:
        """How the networks are used, as JSON data: what decides a result beside the model."""
        return recorded_settings(self.mirrored, self.restore, self.precision, self.backend)

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
        earlier: Sequence[Sample | None] = (),
        interrupt: Callable[[], None] = go_on,
    ) -> PreparedScan:
        """Read a case, where files are given, and make the samples: what needs no network.

        prompts: None for the case's own.  earlier: the samples of the same prompts with fewer
        corrections, where there are any; one is made anew only where a correction lies outside of
        it.  interrupt: raises where this must end, before a prompt.
        Raises DataError where a file cannot be used, there are no prompts, a point lies outside, or
        an image says that it is of another modality than the model's.
        """
        scan = self.read(case) if isinstance(case, Case) else case
        if prompts is not None:
            scan = replace(scan, prompts=tuple(prompts))
        if not scan.prompts:
            raise DataError(f"{scan.name}: has no prompts: expected the points of an object")
        samples = []
        for prompt, before in zip_longest(scan.prompts, earlier):
            interrupt()
            samples.append(self._rules.sample(scan, prompt, before))
        return PreparedScan(scan, tuple(samples), examine(scan, self.model))

    def answer(
        self, prepared: PreparedScan, *, interrupt: Callable[[], None] = go_on
    ) -> list[NetworkOutput]:
        """Ask the networks about every sample of a case.

        interrupt: raises where this must end; it is asked before every convolution.
        """
        with self.interruptible(interrupt):
            return [self._networks.answer(sample) for sample in prepared.samples]

    def interruptible(self, interrupt: Callable[[], None]) -> AbstractContextManager[None]:
        """Have the networks ask, before every convolution, whether to end; it raises then."""
        return self._networks.interruptible(interrupt)

    def answer_one(self, sample: Sample, answer: NetworkOutput | None = None) -> NetworkOutput:
        """Ask the networks about one sample.

        answer: the one to the same sample with fewer corrections of its prompt; it is returned
        where these tell the networks nothing.
        """
        return self._networks.answer(sample, answer)

    def claims(
        self, prepared: PreparedScan, answers: Sequence[NetworkOutput]
    ) -> list[list[PromptProbability]]:
        """Bring answers back to the grid of the case: per prompt, one claim of each network."""
        return [
            self.claims_of(sample, answer)
            for sample, answer in zip(prepared.samples, answers, strict=True)
        ]

    def claims_of(self, sample: Sample, answer: NetworkOutput) -> list[PromptProbability]:
        """Bring one answer back to the grid of the case: one claim of each network.

        Each gives way to what the points tell of the object's extent, as the plan says.
        """
        nearest = self.restore == "label"
        claims = []
        # one network after the other, and rounded at once: of a large object each is large
        for probability, agreed in zip(answer.probability, answer.agreement, strict=True):
            values, start = restored_part(probability, sample, nearest=nearest, dtype=np.float16)
            first = (int(start[0]), int(start[1]), int(start[2]))
            prior, beyond, grid = self.plan.extent_prior, 0.0, sample.source.ras
            extent = told_extent(sample, self.plan, sample.prompt.corrections, grid, first)
            if prior is not None and extent is not None:
                beyond = apply_extent_prior(values, extent, prior)
            claims.append(PromptProbability(sample.prompt, values, first, agreed, beyond))
        return claims

    def merged(self, prepared: PreparedScan, claims: Sequence[PromptProbability]) -> Segmentation:
        """Merge one claim per prompt, postprocessed, into the case's segmentation."""
        calibration = self.model.calibration(self.mirrored)
        source = prepared.scan.image.source
        examined = prepared.examination
        return merge(
            claims, source, self.model.postprocessing, calibration,
            unlike=examined.unlike, notes=(*examined.notes, *_recut_notes(prepared.samples)),
        )  # fmt: skip

    def probability(self, sample: Sample) -> NDArray[np.float32]:
        """Return the object's mean probability (X, Y, Z) float32 on the grid of a sample."""
        return np.asarray(self._networks.answer(sample).probability.mean(axis=0))


def _recut_notes(samples: Sequence[Sample]) -> list[str]:
    """Say where corrections have changed what the networks see of an object."""
    notes = []
    for sample in samples:
        prompt = sample.prompt
        beyond = len(sample.cut_around) - len(prompt.points)
        if beyond > 0:
            clicks = "a positive correction lies" if beyond == 1 else f"{beyond} corrections lie"
            notes.append(
                f"{prompt.name or f'label {prompt.label}'}: {clicks} outside of what was cut around"
                " its points: it was cut anew, with them, and the whole outline may have changed"
            )
    return notes
