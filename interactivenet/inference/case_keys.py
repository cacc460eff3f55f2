"""All that decides the result of a case: its files, the model, and how the networks are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from interactivenet import __version__
from interactivenet.datasets.task import Case
from interactivenet.imaging.image_files import files_of
from interactivenet.imaging.io import AS_IT_IS, ReadOptions
from interactivenet.models.model import Model
from interactivenet.system.cache_key import CacheKey
from interactivenet.system.files import sha256
from interactivenet.system.provenance import digest_of_files

#: of what is in a key, the fields that are a model's, and those with other names for a reader
_OF_MODEL = {"plan", "weights", "postprocessing", "calibration", "training_set"}
_TITLES = {"inputs": "other images or points", "version": "another version of the program"}


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
    said = replace(reading, rois=()).as_json()  # which decide only what it is compared with
    asked = {"reading": said} if said else {}
    weights = dict(zip(model.folds, model.digests, strict=True))
    calibration = model.calibration(options["mirrored"])
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
    series = case.reading.channel_series
    files = {
        part: files_of(path, series[number] if number < len(series) else "")
        for number, (part, path) in enumerate(parts.items())
    }
    return {
        f"{part}/{name}" if name else part: sha256(file)
        for part, named in files.items()
        for name, file in named.items()
    }


def inputs_by_part(hashes: Mapping[str, str]) -> dict[str, str | dict[str, Any]]:
    """Return one entry for each image, file of points or label that :func:`input_hashes` has.

    Its SHA-256, or of several files, as of a DICOM series, what
    :func:`~interactivenet.system.provenance.digest_of_files` says of them.
    """
    parts: dict[str, dict[str, str]] = {}
    for key, digest in hashes.items():
        part, _, name = key.partition("/")
        parts.setdefault(part, {})[name] = digest
    return {
        part: files[""] if list(files) == [""] else digest_of_files(files)
        for part, files in parts.items()
    }


def how_computed(made_from: Mapping[str, Any]) -> str:
    """Say what computed a result, of those things that are left to the machine by 'auto'."""
    named = (made_from.get("device"), made_from.get("precision"), made_from.get("backend", "torch"))
    return ", ".join(str(name) for name in named if name)


def named_differences(fields: Sequence[str]) -> list[str]:
    """Name the fields in which two keys differ as a user knows them.

    fields: as of ``CacheKey.differences``. A model's parts come and go together.
    """
    titles = [] if _OF_MODEL.isdisjoint({*fields} - {"calibration"}) else ["another model"]
    for field in fields:
        if field in _TITLES:
            titles.append(_TITLES[field])
        elif field not in _OF_MODEL:
            titles.append(f"other `{field}`")
    return titles or ["another calibration"]
