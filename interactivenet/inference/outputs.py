"""What is on disk of a segmented case, and what it was made from.

``CASE.json`` is written last: it marks a case as done, and holds all that decided the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from interactivenet import __version__
from interactivenet.datasets.task import Case
from interactivenet.errors import DataError
from interactivenet.imaging.image_files import files_of
from interactivenet.imaging.io import AS_IT_IS, ReadOptions, write_label_array
from interactivenet.models.model import Model
from interactivenet.postprocessing.merging import PromptProbability, Segmentation
from interactivenet.postprocessing.probabilities import write_probabilities
from interactivenet.system.cache_key import MADE_FROM, CacheKey
from interactivenet.system.files import read_object, remove, sha256, write_json

#: folder of the maps that tell objects of one label apart
OBJECTS = "objects"


@dataclass(frozen=True)
class Output:
    """Where results go: the mean of some of the model's folds.

    folds: numbers of the folds.  nifti: whether label maps are written, probabilities: whether
    ``CASE.npz`` is.  suffix: of label maps.
    """

    folder: Path
    folds: tuple[int, ...]
    nifti: bool = True
    probabilities: bool = False
    suffix: str = ".nii.gz"

    def record(self, case: str) -> Path:
        """Return the path of ``CASE.json``: what was found, and what it was made from."""
        return self.folder / f"{case}.json"

    def label_map(self, case: str) -> Path:
        """Return the path of a case's label map."""
        return self.folder / f"{case}{self.suffix}"

    def object_map(self, case: str) -> Path:
        """Return the path of the map that tells objects apart, where some share a label."""
        return self.folder / OBJECTS / f"{case}{self.suffix}"

    def probability_file(self, case: str) -> Path:
        """Return the path of ``CASE.npz``."""
        return self.folder / f"{case}.npz"

    def is_done(self, case: str, key: CacheKey) -> bool:
        """Whether all of a case is there already, made from just the same."""
        files = [self.label_map(case)] * self.nifti + [
            self.probability_file(case)
        ] * self.probabilities
        return all(path.exists() for path in files) and key.is_recorded(self.record(case))

    def write(
        self,
        case: str,
        key: CacheKey,
        claims: Sequence[PromptProbability],
        segmentation: Segmentation,
        series: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Write a case's results, its record last; returns the record.

        series: UIDs of the DICOM series that it was segmented in.
        """
        remove(self.record(case))  # while files change, none is marked done
        if self.nifti:
            write_label_array(self.label_map(case), segmentation.label, segmentation.source)
            if segmentation.shares_labels:
                instances = segmentation.instance_map
                write_label_array(self.object_map(case), instances, segmentation.source)
            else:
                remove(self.object_map(case))
        if self.probabilities:
            write_probabilities(self.probability_file(case), claims, segmentation.source)
        record = {
            "case": case,
            MADE_FROM: dict(key.content),
            "notes": list(segmentation.notes),
            "objects": [segmented.as_json() for segmented in segmentation.objects],
        }
        if series:
            record["series"] = list(series)
        write_json(self.record(case), record)
        return record

    def remove_other(self, case: str, key: CacheKey) -> None:
        """Remove a case's results where they were made from anything else."""
        with suppress(DataError):
            record = read_object(self.record(case))
            if record and not key.matches(record):
                remove(self.record(case))
                remove(self.probability_file(case))
                remove(self.label_map(case))
                remove(self.object_map(case))


@dataclass(frozen=True)
class CaseResult:
    """What became of a case.

    kept: whether it was done before.  error: why it failed, '' if it did not.
    network_seconds: of the networks alone.  record: the content of ``CASE.json`` of the last
    output.
    """

    case: str
    error: str = ""
    kept: bool = False
    network_seconds: float = 0.0
    record: Mapping[str, Any] | None = None


def case_key(
    inputs: Mapping[str, str],
    model: Model,
    folds: Sequence[int],
    options: Mapping[str, Any],
    reading: ReadOptions = AS_IT_IS,
) -> CacheKey:
    """Return all that decides the result of a case.

    inputs: as of :func:`input_hashes`.  options: as of ``InferenceOptions.as_json``.
    reading: how the files are read, noted where it is not as they are.
    """
    asked = {"reading": reading.as_json()} if reading.as_json() else {}
    weights = dict(zip(model.folds, model.digests, strict=True))
    calibration = model.calibration(bool(options["mirrored"]))
    return CacheKey(
        {
            "version": __version__,
            "inputs": dict(inputs),
            "plan": model.plan.digest,
            "weights": {str(number): weights[number] for number in folds},
            "postprocessing": asdict(model.postprocessing),
            "calibration": asdict(calibration) if calibration else None,
            "training_set": model.training.as_json() if model.training else None,
            **options,
            **asked,
        }
    )


def input_hashes(case: Case, *, label: bool = False) -> dict[str, str]:
    """SHA-256 of the files of a case, by what they are to it, wherever they lie.

    label: its label map, too. The keys are 'image 0', 'image 1' and so on, 'points' ('points 2' of
    a second file) and 'label'; of a DICOM folder each file, 'image 0/NAME'. Files of the same name
    are told apart, and a case that was moved stays the same. Raises DataError, naming the file,
    where one cannot be read.
    """
    parts = {f"image {number}": image for number, image in enumerate(case.images)}
    for number, points in enumerate(case.all_interactions, 1):
        parts["points" if number == 1 else f"points {number}"] = points
    if label and case.label:
        parts["label"] = case.label
    return {
        f"{part}/{name}" if name else part: sha256(file)
        for part, path in parts.items()
        for name, file in files_of(path).items()
    }
