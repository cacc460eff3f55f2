"""Phantoms: a believable 3D segmentation task made from random numbers, without any download.

A case is a body with fat, tissue, a bone, a few organs and lobulated objects to segment. All
shapes and textures are laid out in millimetres along the patient's axes, so that coarse slices
cut the same anatomy. The edges are blurred as a scanner blurs them, by a part of a voxel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from interactivenet.errors import RequestError
from interactivenet.imaging.components import NEIGHBOURS_26, label_components
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.io import write_label_array, write_volume

MIN_AXIS = 16  # voxels along an axis
MIN_VOXELS = 10  # of an object: smaller ones are not worth segmenting
GAP = 2  # voxels of background between two objects, and between an object and the border
TRIES = 120  # places tried for one object, ever smaller down to half its size
TILTED_AXIS = np.array([1.0, 0.5, 0.3]) / np.linalg.norm([1.0, 0.5, 0.3])  # RAS, of oblique grids
RAS_AXIS = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}

Mask = NDArray[np.bool_]
Rng = np.random.Generator
Placed = tuple[tuple[slice, slice, slice], Mask]  # a part of the volume, and the object in it


@dataclass(frozen=True)
class PhantomSettings:
    """What the task looks like.

    cases, test_cases: number of cases with a label for training, and for testing.
    modalities: names of the channels; 'CT', in any case, is in Hounsfield units, others like MR.
    labels: names of the label values 1, 2 ...; objects: separate objects per label and case.
    shape: voxels along the stored axes; spacing: mm along the stored axes.
    oblique: degrees that the grid is turned about a tilted axis, from -45 to 45.
    orientation: to which side of the patient each stored axis runs, such as 'LPS' or 'PIR'.
    seed: the same settings with the same seed give the same voxels.

    Raises RequestError where a setting makes no sense.
    """

    cases: int = 10
    test_cases: int = 2
    modalities: tuple[str, ...] = ("MR",)
    labels: tuple[str, ...] = ("tumour",)
    objects: int = 1
    shape: tuple[int, int, int] = (64, 64, 32)
    spacing: tuple[float, float, float] = (1.0, 1.0, 2.0)
    oblique: float = 0.0
    orientation: str = "LPS"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("cases", 1), ("test_cases", 0), ("objects", 1), ("seed", 0)):
            self._check(name, getattr(self, name) >= least, f"{least} or more")
        for name in ("modalities", "labels"):
            names = getattr(self, name)
            unique = not isinstance(names, str) and len(set(names)) == len(names)
            self._check(
                name, unique and all(names) and 1 <= len(names) <= 255, "1 to 255 different names"
            )
        large = len(self.shape) == 3 and min(self.shape) >= MIN_AXIS
        self._check("shape", large, f"three numbers of {MIN_AXIS} or more")
        positive = all(np.isfinite(mm) and mm > 0 for mm in self.spacing)
        self._check("spacing", len(self.spacing) == 3 and positive, "three positive lengths in mm")
        self._check("oblique", -45 <= self.oblique <= 45, "-45 to 45 degrees")
        axes = [RAS_AXIS.get(letter, -1) for letter in self.orientation]
        letters = "one letter each of R or L, A or P, and S or I"
        self._check("orientation", sorted(axes) == [0, 1, 2], letters)

    def _check(self, field: str, right: bool, expected: str) -> None:
        if not right:
            raise RequestError(field=field, value=getattr(self, field), expected=expected)


def make_phantom(settings: PhantomSettings, index: int) -> tuple[Array, Array, Geometry]:
    """Make one case; ``settings.seed`` and ``index``, from 0, decide all that is random.

    Returns, on the stored grid:
    images: (C, X, Y, Z) int16, a channel per modality, CT in Hounsfield units, MR from 0 to 1500.
    label: (X, Y, Z) uint8, 0 for background and 1 to the number of labels; each object is one
        26-connected component that touches no other object.
    geometry: of the stored grid, in RAS+ mm.

    Raises RequestError where the objects do not fit into the volume.
    """
    rng = np.random.default_rng([settings.seed, index])
    stored = _geometry(settings, rng)
    grid = stored.ras
    spacing = np.array(grid.spacing)
    extent = spacing * grid.shape
    scale = float(np.cbrt(extent.prod()))
    x, y, z = (
        ((np.arange(n) - (n - 1) / 2) * mm).astype(np.float32).reshape(np.roll((-1, 1, 1), axis))
        for axis, (n, mm) in enumerate(zip(grid.shape, grid.spacing, strict=True))
    )
    coarse = _noise(rng, grid.shape, 0.07 * scale / spacing)
    fine = _noise(rng, grid.shape, 0.018 * scale / spacing)

    # 0 at the centre, 1 on the skin; the body goes on beyond the first and the last slice
    width, depth, height = (extent * (0.46, 0.42, 1) * rng.uniform(0.92, 1, 3)).tolist()
    depth = min(depth, 1.1 * width)
    radius = np.sqrt((x / width) ** 2 + (y / depth) ** 2 + (z / height) ** 2) + 0.012 * coarse
    tissue = radius < rng.uniform(0.84, 0.9)  # the rest of the body is fat
    thick = rng.uniform(0.17, 0.24) * min(width, depth)
    back = np.sqrt((x / thick / 1.25) ** 2 + ((y + 0.55 * depth) / thick) ** 2 + (z / height) ** 2)
    bone = back + 0.1 * coarse  # below 1; above 0.7 it is compact
    organs: list[Mask] = []
    for _ in range(rng.integers(4, 7)):
        middle = rng.uniform(-0.55, 0.55, 3) * (width, depth, 0.45 * extent[2])
        axes = rng.uniform(0.14, 0.34, 3) * scale
        organs.append((_ellipsoid((x, y, z), middle, axes, rng) + 0.06 * coarse < 1) & tissue)

    inside = (radius < 0.8) & (bone > 1.1)
    inside &= np.pad(np.ones(np.array(grid.shape) - 2 * GAP, dtype=bool), GAP)
    objects = _place_objects(settings, index, inside, spacing, rng)

    images = []
    for modality in settings.modalities:
        ct = modality.upper() == "CT"
        image = np.full(grid.shape, -1000 if ct else 15, dtype=np.float32)
        image[radius < 1] = -100 if ct else rng.uniform(850, 1000)
        image[tissue] = 50 if ct else 500
        for organ in organs:
            image[organ] = rng.uniform(20, 100) if ct else rng.uniform(400, 680)
        image[bone < 1] = 650 if ct else 150
        image[bone < 0.7] = 250 if ct else 700
        texture = (11 if ct else 50) * (0.7 * coarse + 0.6 * fine)
        image += np.where(radius < 1, texture, 0)
        lowest, highest = (35, 70) if ct else (110, 210)  # of the contrast; its sign alternates
        contrast = rng.uniform(lowest, highest, len(settings.labels)) * rng.choice([-1, 1])
        contrast[::2] *= -1
        for value, (box, mask) in objects:
            step = contrast[value - 1]  # from the brightest, or the darkest, of what it replaces
            level = np.quantile(image[box][mask], 0.9 if step > 0 else 0.1) + step
            image[box][mask] = level + 1.5 * texture[box][mask]
        image = ndimage.gaussian_filter(image, np.maximum(0.6, 0.007 * scale / spacing))
        if ct:
            image = np.clip(image + 11 * _noise(rng, grid.shape, np.full(3, 0.5)), -1024, 3071)
        else:
            waves = (rng.uniform(-0.4, 0.4, (2, 3)) / (extent, extent**2)).T.tolist()
            bias = sum(a * p + b * p**2 for p, (a, b) in zip((x, y, z), waves, strict=True))
            noise = rng.uniform(18, 30) * rng.standard_normal((2, *grid.shape), dtype=np.float32)
            image *= rng.uniform(0.8, 1.15) * np.exp(bias)
            image = np.clip(np.hypot(image + noise[0], noise[1]), 0, 1500)
        images.append(np.rint(image).astype(np.int16))

    label = np.zeros(grid.shape, dtype=np.uint8)
    for value, (box, mask) in objects:
        label[box][mask] = value
    channels = np.ascontiguousarray(stored.from_ras(np.stack(images)))
    return channels, np.ascontiguousarray(stored.from_ras(label)), stored


def write_phantom_task(folder: Path, settings: PhantomSettings) -> None:
    """Write all cases into ``folder``, made where needed, as compressed NIfTI files.

    Training cases go to imagesTr/CASE_0000.nii.gz (_0001 ... for further modalities) and
    labelsTr/CASE.nii.gz, test cases to imagesTs and labelsTs; CASE is phantom_000, phantom_001
    ..., test cases continue the numbers. The folder gets its name when it is complete. Raises
    RequestError where the objects do not fit.
    """
    partial = folder.with_name(f".{folder.name}.making")
    for index in range(settings.cases + settings.test_cases):
        stored, label, grid = make_phantom(settings, index)
        case, part = f"phantom_{index:03d}", "Tr" if index < settings.cases else "Ts"
        images, labels = (partial / f"{kind}{part}" for kind in ("images", "labels"))
        for channel, image in enumerate(stored):
            write_volume(images / f"{case}_{channel:04d}.nii.gz", grid.to_ras(image), grid)
        write_label_array(labels / f"{case}.nii.gz", grid.to_ras(label), grid)
    partial.rename(folder)


def _place_objects(
    settings: PhantomSettings, index: int, free: Mask, spacing: Array, rng: Rng
) -> list[tuple[int, Placed]]:
    """Place every object on free voxels, which are used up; each as (label value, place)."""
    extent = spacing * free.shape
    wanted = settings.objects * len(settings.labels)
    largest = min(0.16 * np.cbrt(extent.prod()), 0.3 * extent.min())
    largest /= np.cbrt(max(1.0, wanted / 3))
    placed: list[tuple[int, Placed]] = []
    for number in range(wanted):
        places = np.flatnonzero(free)
        size = largest * rng.uniform(0.65, 1.0)
        for attempt in range(TRIES if places.size else 0):
            centre = np.array(np.unravel_index(rng.choice(places), free.shape))
            radius = size * (1 - 0.5 * attempt / TRIES)
            box, mask = _lobulated(centre, radius, spacing, np.array(free.shape), rng)
            if mask.sum() >= MIN_VOXELS and free[box][mask].all():
                around = ndimage.binary_dilation(mask, NEIGHBOURS_26, iterations=GAP)
                free[box][around] = False
                placed.append((number % len(settings.labels) + 1, (box, mask)))
                break
        else:
            raise RequestError(
                f"only {number} of {wanted} objects fit into phantom_{index:03d}",
                remedy="choose fewer `objects` or a larger `shape`",
            )
    return placed


def _lobulated(centre: Array, size: float, spacing: Array, shape: Array, rng: Rng) -> Placed:
    """Join overlapping ellipsoids about a voxel into one object of radius ``size`` mm or so."""
    reach = np.ceil(1.8 * size / spacing).astype(int) + GAP + 1
    low, high = np.maximum(centre - reach, 0), np.minimum(centre + reach + 1, shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    points = np.ix_(*((np.arange(low[i], high[i]) - centre[i]) * spacing[i] for i in range(3)))
    depth = (_ellipsoid(points, np.zeros(3), size * rng.uniform(0.65, 0.95, 3), rng) - 1) * size
    for _ in range(rng.integers(3, 6)):
        aside = rng.standard_normal(3)
        aside *= size * rng.uniform(0.55, 0.8) / np.linalg.norm(aside)
        axes = size * rng.uniform(0.35, 0.6, 3)
        depth = np.minimum(depth, (_ellipsoid(points, aside, axes, rng) - 1) * axes.mean())
    depth += 0.07 * size * _noise(rng, depth.shape, 0.22 * size / spacing)
    numbers, count = label_components(depth < 0)
    largest = np.bincount(numbers.ravel())[1:].argmax() + 1 if count else -1
    return (box[0], box[1], box[2]), np.asarray(numbers == largest)


def _ellipsoid(points: tuple[Array, ...], centre: Array, axes: Array, rng: Rng) -> Array:
    """How far points are from the centre of a randomly turned ellipsoid; 1 on its surface."""
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    x, y, z = (axis - float(at) for axis, at in zip(points, centre, strict=True))
    rows = (turn / axes[:, None]).tolist()  # plain numbers: they keep float32 arrays float32
    return np.asarray(np.sqrt(sum((a * x + b * y + c * z) ** 2 for a, b, c in rows)))


def _noise(rng: Rng, shape: tuple[int, ...], sigma: Array) -> NDArray[np.float32]:
    """Smooth noise, standard deviation 1; sigma in voxels along each axis."""
    field = rng.standard_normal(shape, dtype=np.float32)
    field = ndimage.gaussian_filter(field, sigma, truncate=3)
    return np.asarray(field / field.std(), dtype=np.float32)


def _geometry(settings: PhantomSettings, rng: Rng) -> Geometry:
    """Lay the stored grid into the patient, its middle somewhere near the origin."""
    axes = np.zeros((3, 3))
    for column, letter in enumerate(settings.orientation):
        axes[RAS_AXIS[letter], column] = 1 if letter in "RAS" else -1
    turn = Rotation.from_rotvec(np.radians(settings.oblique) * TILTED_AXIS).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ axes * settings.spacing
    affine[:3, 3] = rng.uniform(-40, 40, 3) - affine[:3, :3] @ (np.array(settings.shape) - 1) / 2
    return Geometry(settings.shape, affine)
