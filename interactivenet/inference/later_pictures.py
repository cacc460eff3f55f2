"""The picture of a case that is done but for it: drawn of its scan and its maps, by no network.

The same bytes as if it had been written with the result: a picture is drawn of the scan, the map of
the objects, and what the record says of these, and all of it comes back from the files exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interactivenet.datasets.task import Case
from interactivenet.errors import DataError
from interactivenet.imaging.io import read_label
from interactivenet.inference.ensemble import recorded_prompts
from interactivenet.inference.outputs import Output
from interactivenet.inference.reading import read_case
from interactivenet.planning.plan import Plan
from interactivenet.postprocessing.merging import Segmentation, SegmentedObject
from interactivenet.system.cache_key import CacheKey
from interactivenet.system.files import write_bytes, write_json
from interactivenet.system.written import FILES, WrittenFiles, noted_files


def draw_pictures(
    lacking: Sequence[Output], case: Case, keys: Mapping[Path, CacheKey], plan: Plan
) -> tuple[Output, ...]:
    """Draw the picture of a case where it is all that an output lacks; return the other outputs.

    keys: folder of an output -> all that decides its result.  plan: of the model. Raises DataError
    where a file cannot be written.
    """
    return tuple(output for output in lacking if not _draw(output, case, keys[output.folder], plan))


def _draw(output: Output, case: Case, key: CacheKey, plan: Plan) -> bool:
    """Draw the picture of a case, where it is all that is lacking; returns whether it was drawn.

    Not where the result is of anything else, its maps are not as they were written, or the picture
    cannot be drawn: the case is due then.
    """
    record = output.read_record(case.name)
    path = output.picture(case.name)
    if not key.matches(record) or output.lacking(case.name) != [path]:
        return False
    files: dict[str, str] = dict(record.get(FILES, {}))
    written = WrittenFiles(output.folder, files)
    maps = [place for place in (output.label_map(case.name), output.object_map(case.name))
            if files.get(_relative(output, place))]  # fmt: skip
    if output.label_map(case.name) not in maps or written.strangers([*maps, path]):
        return False
    picture = b""
    with suppress(Exception):  # of a record that somebody has edited, for one
        picture = _drawn(output, case, record, plan)
    if not picture:
        return False
    # where it has its place with the others; known to be ours, and lacking, while it is written
    name = _relative(output, path)
    first = {_relative(output, place): "" for place in (*maps, output.probability_file(case.name))}
    noted = {**{other: files[other] for other in first if other in files}, name: ""}
    noted |= {other: digest for other, digest in files.items() if other not in noted}
    write_json(output.record(case.name), {**record, FILES: noted})
    write_bytes(path, picture)
    noted |= noted_files(output.folder, [path])
    write_json(output.record(case.name), {**record, FILES: noted})
    return True


def _drawn(output: Output, case: Case, record: dict[str, Any], plan: Plan) -> bytes:
    """Draw what the record and the maps of a case say; raises any error where they cannot be."""
    from interactivenet.inference.object_records import case_picture, object_boxes

    prompts, agreements = recorded_prompts(record, output.record(case.name))
    objects = tuple(
        SegmentedObject(
            prompt, one["volume_ml"], agreement, one["points_inside"], one["components"],
            one["untouched_components"], one["expected_dice"], one["look"],
        )
        for prompt, agreement, one in zip(prompts, agreements, record["objects"], strict=True)
    )  # fmt: skip
    image = read_case(replace(case, label=None), plan).image
    labels = [prompt.label for prompt in prompts]
    instance_map: NDArray[np.int16]
    if len(set(labels)) < len(labels):
        stored = _read(output.object_map(case.name), image.array.shape[1:])
        instance_map = stored.astype(np.int16)
    else:
        stored = _read(output.label_map(case.name), image.array.shape[1:])
        instance_map = np.zeros(stored.shape, np.int16)
        for number, label in enumerate(labels, 1):
            instance_map[stored == label] = number
    segmentation = Segmentation(stored, instance_map, image.source, objects)
    return case_picture(case.name, image, segmentation, object_boxes(instance_map, len(objects)))


def _read(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    """Read a map (X, Y, Z) along RAS+ that was written on the grid of a scan of this shape."""
    array: NDArray[Any] = read_label(path).array[0]
    if array.shape != shape:
        raise DataError(f"{path}: has {array.shape} voxels, expected {shape}")
    return array


def _relative(output: Output, path: Path) -> str:
    return path.relative_to(output.folder).as_posix()
