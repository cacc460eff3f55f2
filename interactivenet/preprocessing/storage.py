"""A task's regions on disk: written once, read at every draw of training.

``regions/CASE__LABEL[_N].npz`` holds the arrays (image float32, label uint8), uncompressed; the
``.json`` beside it holds the geometry and what the region was made from, and is written last: a
region without it is not finished. Where there are thousands, both are in a subfolder (spread.py).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.datasets.hounsfield import HOUNSFIELD
from interactivenet.datasets.modalities import is_any, is_ct
from interactivenet.errors import DataError, naming, one_line
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.planning.plan import Plan
from interactivenet.preprocessing.region import Region
from interactivenet.preprocessing.region_records import (
    DEPTH,
    VOLUME,
    record_path,
    region_record,
    volume_of,
)
from interactivenet.prompts.prompt import Prompt
from interactivenet.prompts.simulation import SimulationOptions
from interactivenet.system.arrays import open_arrays
from interactivenet.system.cache_key import MADE_FROM, CacheKey
from interactivenet.system.files import read_json, remove, replacing, write_json
from interactivenet.system.names import SafeName
from interactivenet.system.spread import subfolder

REGIONS, SNAPSHOTS = "regions", "snapshots"
#: of one region, in a folder
FILES = 2


def region_names(case: str, labels: Iterable[int]) -> list[str]:
    """Name the regions of a case whose prompts have these labels, in their order."""
    names: list[str] = []
    for label in labels:
        name, number = f"{case}__{label}", 1
        while name in names:
            number += 1
            name = f"{case}__{label}_{number}"
        names.append(name)
    return names


def region_settings(plan: Plan) -> dict[str, Any]:
    """Return those decisions of a plan that a region depends on, as JSON data."""
    return {
        "spacing": list(plan.spacing),
        "cut": {key: [list(side) for side in value] for key, value in asdict(plan.cut).items()},
        "normalisation": [asdict(normalisation) for normalisation in plan.normalisation],
        "divisor": list(plan.network.divisor),
        "smallest": list(plan.network.smallest),
        **_grid_settings(plan),
    }


def _grid_settings(plan: Plan) -> dict[str, Any]:
    """Return what an object grid adds; regions of one spacing stay what they are."""
    of_any = (
        {"clipped": ["where it is CT, padded or with metal"]} if is_any(plan.modalities) else {}
    )
    if plan.grid is None:
        return of_any
    depth = plan.grid.depth_mm
    return {
        "grid": {"depth_mm": list(depth) if depth else None},
        "clipped": [list(HOUNSFIELD) if is_ct(name) else None for name in plan.modalities],
        **of_any,
        "sample_shape": list(plan.sample_shape),
    }


def save_region(
    folder: Path, name: str, region: Region, key: CacheKey | None = None, *, spread: bool = False
) -> None:
    """Write a region's arrays, and then its geometry, without which it counts as unfinished.

    key: what it is made from.  spread: into a subfolder, of which there are many.
    """
    places = folder, subfolder(folder, name)
    for place in places:  # wherever it was before
        remove(place / f"{name}.json")
    remove(places[not spread] / f"{name}.npz")
    path = places[spread] / f"{name}.npz"
    arrays: dict[str, Array] = {"image": region.image}
    if region.label is not None:
        arrays["label"] = region.label
    with replacing(path) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)
        size = temporary.stat().st_size
    content = {
        "case": region.case,
        "label": region.prompt.label,
        "name": region.prompt.name,
        "points": region.prompt.points.tolist(),
        **({DEPTH: list(region.prompt.depth_mm)} if region.prompt.depth_mm else {}),
        "grid": _geometry(region.grid),
        "source": _geometry(region.source),
        "start": region.start.tolist(),
        "stop": region.stop.tolist(),
        "coverage": region.coverage,
        VOLUME: list(region.volume_ml) if region.volume_ml else None,
        "bytes": size,
        MADE_FROM: key.content if key else {},
    }
    write_json(path.with_suffix(".json"), content)


def load_region(folder: Path, name: str, plan: Plan) -> Region:
    """Read a region back.

    Raises DataError where it is missing, unfinished or damaged, or was made for another plan.
    """
    path = record_path(folder, name)
    content = read_json(path)
    try:
        if content[MADE_FROM]["settings"] != region_settings(plan):
            raise DataError(
                f"{path}: was made with settings other than the plan's",
                remedy=f"run `plan(task={plan.task!r})` again",
            )
        with open_arrays(path.with_name(f"{name}.npz")) as arrays:
            image = arrays["image"]
            label = arrays.get("label")
        if image.shape[1:] != tuple(content["grid"]["shape"]):
            noted = tuple(content["grid"]["shape"])
            raise ValueError(f"the image has shape {image.shape}, but its record says {noted}")
        with naming(path):
            return Region(
                case=SafeName(content["case"], "field case"),
                prompt=Prompt(
                    content["label"],
                    np.array(content["points"]),
                    content["name"],
                    depth_mm=_depth_of(content),
                ),
                image=image,
                label=label,
                grid=Geometry(tuple(content["grid"]["shape"]), np.array(content["grid"]["affine"])),
                source=Geometry(
                    tuple(content["source"]["shape"]), np.array(content["source"]["affine"])
                ),
                start=np.array(content["start"], dtype=np.intp),
                stop=np.array(content["stop"], dtype=np.intp),
                coverage=content["coverage"],
                simulation=simulation_of(content[MADE_FROM]),
                volume_ml=volume_of(content),
            )
    except (
        OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, OverflowError,
        zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise DataError(
            f"{path.with_suffix('.npz')}: is damaged, or is not a region: {one_line(error)}",
            remedy=f"`plan(task={plan.task!r}, overwrite=True)` makes it again",
        ) from error


def _depth_of(record: Mapping[str, Any]) -> tuple[float, float, float] | None:
    """Return how deep a prompt's points lie, mm; None where nobody said."""
    if DEPTH not in record:
        return None
    x, y, z = (float(mm) for mm in record[DEPTH])
    return x, y, z


def is_empty(folder: Path, name: str) -> bool:
    """Whether no voxel of a region's label is left on the target grid.

    Raises DataError where the region cannot be read.
    """
    path = record_path(folder, name)
    if volume := region_record(path).volume_ml:
        return volume[1] == 0
    try:  # of an earlier version
        with open_arrays(path.with_suffix(".npz")) as arrays:
            return "label" in arrays and not arrays["label"].any()
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path.with_suffix('.npz')}: is damaged, or is not a region: {one_line(error)}"
        ) from error


def record_digest(path: Path) -> str:
    """SHA-256 of a region's record, in hex; what earlier versions lack, and all follows, aside."""
    return region_record(path).digest


def simulation_of(made_from: Mapping[str, Any]) -> SimulationOptions | None:
    """Return how the points of what is made from this were simulated; None for a person's."""
    settings = made_from.get("simulation")
    return None if settings is None else SimulationOptions(**settings)


def _geometry(grid: Geometry) -> dict[str, Any]:
    return {"shape": list(grid.shape), "affine": grid.affine.tolist()}
