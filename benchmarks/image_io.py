"""Readers and writers of compressed images: which libraries and levels to use.

A synthetic volume of the size of an abdominal CT and a label map on its grid; each writer goes
from the array to a file, each reader from the file to the array. Run with
``python -m benchmarks.image_io``; some minutes, under 2 GB of memory.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypedDict

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from isal import igzip

from benchmarks.report import machine, median_seconds, print_table, write_result
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.io import read_image, write_volume

SHAPE = (512, 512, 120)
SPACING = (0.8, 0.8, 2.5)  # mm
REPEATS = 5
SEED = 0

Task = Callable[[], object]


class Figures(TypedDict):
    """What one reader or writer took."""

    name: str
    seconds: float
    megabytes: float


def main() -> None:
    """Measure, print the tables and write ``results/image_io.json``."""
    geometry = Geometry(SHAPE, np.diag([*SPACING, 1.0]))
    volume, label = make_volume()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result = {
            "readers of .nii.gz": readers(folder / "read", volume, geometry),
            "writers, CT": writers(folder / "ct", volume, geometry),
            "writers, label map": writers(folder / "label", label, geometry),
        }
    for title, rows in result.items():
        cells = [(row["name"], row["seconds"], row["megabytes"]) for row in rows]
        print_table(title, ("", "s", "MB"), cells)
    content = {
        "machine": machine("numpy", "nibabel", "SimpleITK", "pynrrd", "isal"),
        "volume": {
            "shape": SHAPE,
            "image": f"{volume.dtype}, {volume.nbytes / 1e6:.1f} MB",
            "label map": f"{label.dtype}, {label.nbytes / 1e6:.1f} MB",
            "seed": SEED,
        },
        "repeats": REPEATS,
        "statistic": "median",
        **result,
    }
    print(f"\nwritten: {write_result('image_io', content).name}")


def make_volume() -> tuple[Array, Array]:
    """Make a CT-like int16 volume (X, Y, Z) and a uint8 label map with two labels.

    A body of soft tissue with noise in constant air, as a scanner that masks its field of view
    gives it; bone, and a lesion with a margin in the label map.
    """
    rng = np.random.default_rng(SEED)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij", sparse=True)
    body = (x / 0.85) ** 2 + (y / 0.6) ** 2 + 0.0 * z < 1
    bone = (x / 0.12) ** 2 + ((y + 0.35) / 0.12) ** 2 + 0.0 * z < 1
    lesion = ((x - 0.3) / 0.2) ** 2 + ((y - 0.1) / 0.18) ** 2 + ((z - 0.1) / 0.4) ** 2
    values = 40 + 15 * np.sin(6 * x) * np.cos(5 * y) * np.cos(3 * z)  # tissue, HU
    values[bone] = 500
    values[lesion < 1] += 30
    values += rng.normal(0, 12, SHAPE)
    image = np.where(body, np.rint(values), -1024).astype(np.int16)
    label = ((lesion < 1).astype(np.uint8) + (lesion < 0.7)).astype(np.uint8)
    return image, label


def readers(folder: Path, array: Array, geometry: Geometry) -> list[Figures]:
    """Time readers on one .nii.gz file, as zlib's level 6 writes it."""
    folder.mkdir()
    path = folder / "volume.nii.gz"
    _write_gzip(path, array, geometry, partial(gzip.compress, compresslevel=6))
    tasks: dict[str, Callable[[], Array]] = {
        "nibabel (stdlib gzip)": partial(_read_nibabel, path),
        "SimpleITK": partial(_read_sitk, path),
        "ours": lambda: read_image(path).array[0],
    }
    for name, task in tasks.items():
        if not np.array_equal(task(), array):
            raise AssertionError(f"{name} does not read what was written")
    seconds = median_seconds(tasks, REPEATS)
    size = path.stat().st_size
    return [_figures(name, seconds[name], size) for name in tasks]


def writers(folder: Path, array: Array, geometry: Geometry) -> list[Figures]:
    """Time writers of one array in all formats, and the sizes of their files."""
    folder.mkdir()
    tasks: dict[str, Task] = {}
    paths: dict[str, Path] = {}

    def add(name: str, suffix: str, write: Callable[[Path], object]) -> None:
        paths[name] = folder / f"{len(paths)}{suffix}"
        tasks[name] = partial(write, paths[name])

    for level in (1, 6):
        compress = partial(gzip.compress, compresslevel=level)
        add(
            f".nii.gz  stdlib gzip, level {level}",
            ".nii.gz",
            partial(_write_gzip, array=array, geometry=geometry, compress=compress),
        )
    for level in range(4):
        compress = partial(igzip.compress, compresslevel=level)
        add(
            f".nii.gz  isal, level {level}",
            ".nii.gz",
            partial(_write_gzip, array=array, geometry=geometry, compress=compress),
        )
    for suffix in (".nii.gz", ".mha", ".nrrd"):
        for level in (1, 2, 6):
            add(
                f"{suffix:<7}  SimpleITK, level {level}",
                suffix,
                partial(_write_sitk, array=array, level=level),
            )
    for suffix in (".nii.gz", ".mha", ".nrrd"):
        add(f"{suffix:<7}  ours", suffix, partial(write_volume, array=array, grid=geometry))
    seconds = median_seconds(tasks, REPEATS)
    for name, path in paths.items():
        if not np.array_equal(_read_sitk(path), array):
            raise AssertionError(f"{name} does not hold what was to be written")
    return [_figures(name, seconds[name], paths[name].stat().st_size) for name in tasks]


def _figures(name: str, seconds: float, size: int) -> Figures:
    return {"name": name, "seconds": round(seconds, 3), "megabytes": round(size / 1e6, 2)}


def _write_gzip(
    path: Path, array: Array, geometry: Geometry, compress: Callable[[bytes], bytes]
) -> None:
    path.write_bytes(compress(nib.Nifti1Image(array, geometry.affine).to_bytes()))


def _write_sitk(path: Path, array: Array, level: int) -> None:
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(2, 1, 0)))
    image.SetSpacing(SPACING)
    sitk.WriteImage(image, str(path), True, level)


def _read_nibabel(path: Path) -> Array:
    return np.asarray(nib.load(path).dataobj.get_unscaled())


def _read_sitk(path: Path) -> Array:
    return np.asarray(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).transpose(2, 1, 0))


if __name__ == "__main__":
    main()
