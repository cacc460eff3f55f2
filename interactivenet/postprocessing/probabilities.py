"""Stored probabilities: ``CASE.npz``, on the stored grid of the scan, float16.

For each prompt i, from 0: ``probability_i`` (x, y, z), the object's probability in a box around
it, ``start_i`` (3,), the box's first voxel; 0 outside of the box. ``shape`` (3,) and ``affine``
(4, 4, voxel -> RAS+ mm) are those of the scan's file, so that voxel indices are its own.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.postprocessing.merging import PromptProbability
from interactivenet.prompts.prompt import Prompt
from interactivenet.system.arrays import open_arrays
from interactivenet.system.files import replacing


def write_probabilities(
    path: Path, probabilities: Sequence[PromptProbability], source: Geometry
) -> None:
    """Write the probabilities of each prompt; source: the stored grid of the scan."""
    content = {"shape": np.array(source.shape), "affine": source.affine}
    for number, item in enumerate(probabilities):
        values, start = source.box_from_ras(item.probability, item.start)
        content[f"probability_{number}"] = values
        content[f"start_{number}"] = np.array(start)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **content)  # type: ignore[arg-type]


def read_probabilities(
    path: Path, prompts: Sequence[Prompt], agreements: Sequence[float], source: Geometry
) -> list[PromptProbability]:
    """Read the probabilities of a case's prompts, with the agreements that its record has.

    Raises DataError where the file is missing, damaged, or of another grid or number of prompts.
    """
    try:
        with open_arrays(path) as content:
            shape = tuple(content["shape"].tolist())
            if shape != source.shape:
                raise DataError(
                    f"{path}: belongs to an image of shape {shape}, expected {source.shape}"
                )
            probabilities = []
            for number, (prompt, agreement) in enumerate(zip(prompts, agreements, strict=True)):
                values = content[f"probability_{number}"]
                turned, start = source.box_to_ras(values, content[f"start_{number}"])
                probabilities.append(PromptProbability(prompt, turned, start, agreement))
            return probabilities
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{path}: cannot be read as probabilities: {error}") from error
