"""From a fingerprint to a plan: every rule in one place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from interactivenet import __version__
from interactivenet.datasets.modalities import CT_NAMES, is_ct
from interactivenet.errors import DataError
from interactivenet.imaging.geometry import coarse_axes
from interactivenet.planning.architecture import LARGEST_BATCH, PRESETS, fit
from interactivenet.planning.extent import plan_extent_prior
from interactivenet.planning.fingerprint import Fingerprint
from interactivenet.planning.grid_choice import choose_grid
from interactivenet.planning.object_grid import make_object_plan
from interactivenet.planning.options import PlanningOptions
from interactivenet.planning.plan import (
    CropMargins,
    Floats,
    Normalisation,
    Plan,
    Sides,
    sample_channels,
)
from interactivenet.prompts.prompt import LabelNames

#: percentiles of the training set's foreground that CT values are clipped to
CT_PERCENTILES = (0.5, 99.5)
#: percentile of spacings that the coarse axis of an anisotropic dataset takes
COARSE_PERCENTILE = 10.0
#: voxels of the target grid that the extent of a small object takes along each axis: a ball of 4
#: voxels keeps at least 0.84 of its volume there, one of 3 0.57, and one of 2 may be lost
SMALL_OBJECT_VOXELS = 4
#: percentile of what objects ask of the spacing that is granted: a tenth may be smaller
SMALL_OBJECT_PERCENTILE = 10.0
#: percentile of cut sizes that a training sample holds whole
SAMPLE_PERCENTILE = 95.0
#: voxels of the target grid that a cut gets beyond what the training set needs: points that
#: lie a little deeper than any in the training set
SAFETY_FINE, SAFETY_COARSE = 2, 1


def make_plan(
    task: str, labels: LabelNames, fingerprint: Fingerprint, options: PlanningOptions
) -> Plan:
    """Derive the plan of a task. Raises RequestError where nothing fits the memory."""
    choice = choose_grid(fingerprint, options)
    if choice.grid == "object":
        return make_object_plan(task, labels, fingerprint, options, choice.notes)
    usual = options.spacing or target_spacing(fingerprint.spacings)
    spacing = options.spacing or spacing_for_small_objects(usual, fingerprint)
    cut = plan_cut(fingerprint.boxes, fingerprint.overhangs, spacing, options.relax)
    sizes = cut_sizes(fingerprint.boxes, cut, spacing, fingerprint)
    shape = np.ceil(np.percentile(sizes, SAMPLE_PERCENTILE, axis=0)).astype(int)
    preset = PRESETS[options.preset]
    largest = max(round(LARGEST_BATCH * len(sizes)), 2)
    preset = replace(preset, batch=min(preset.batch, largest))
    channels = sample_channels(
        fingerprint.modalities, options.encoding, corrections=options.corrections
    )
    network, sample_shape, batch, needed = fit(shape, spacing, channels, preset, options.memory_gb)
    larger = int((sizes > np.array(sample_shape)).any(axis=1).sum())
    notes = []
    if spacing != usual:
        notes.append(
            f"spacing {_times(spacing)} mm instead of the usual {_times(usual)} mm, at which small"
            " objects of finer scans would be lost"
        )
    if larger:
        notes.append(
            f"{larger} of {len(sizes)} cuts are larger than the sample shape: they are trained in"
            " patches"
        )
    notes += [
        f"modality {name} is not treated as CT: only the names {', '.join(sorted(CT_NAMES))} are"
        for name in fingerprint.modalities
        if "ct" in name.lower() and not is_ct(name)
    ]
    prior, _ = plan_extent_prior(fingerprint, own_grid=False)
    notes += choice.notes
    return Plan(
        task=task,
        version=__version__,
        modalities=fingerprint.modalities,
        labels=dict(labels.names),
        preset=options.preset,
        seed=options.seed,
        spacing=spacing,
        cut=cut,
        normalisation=tuple(
            plan_normalisation(fingerprint, index) for index in range(len(fingerprint.modalities))
        ),
        encoding=options.encoding,
        network=network,
        sample_shape=sample_shape,
        batch_size=batch,
        memory_gb=options.memory_gb,
        estimated_gb=round(needed, 3),
        notes=tuple(notes),
        corrections=options.corrections,
        extent_prior=prior,
    )


def target_spacing(spacings: NDArray[np.float64]) -> Floats:
    """Choose the spacing of the target grid from those of the cases (N, 3), mm.

    The median; where that is anisotropic, the coarsest axis takes a low percentile instead, so
    that the finer scans keep their slices, but is not made finer than the other axes.
    """
    target = np.median(spacings, axis=0)
    if coarse_axes(target).any():
        axis = int(target.argmax())
        fine = np.delete(target, axis).max()
        target[axis] = max(float(np.percentile(spacings[:, axis], COARSE_PERCENTILE)), float(fine))
    x, y, z = target.tolist()
    return x, y, z


def spacing_for_small_objects(spacing: Floats, fingerprint: Fingerprint) -> Floats:
    """Make a target spacing finer along the axes on which small objects would be lost.

    An object asks for ``SMALL_OBJECT_VOXELS`` voxels along each axis, but never for finer ones than
    its own scan has. What all but a tenth of the objects ask for at the most is granted: where the
    scans with the smallest objects are no finer than the others, or no object is small, the spacing
    stays as it is.
    """
    asked = _asked_spacings(fingerprint)
    granted = np.percentile(asked, SMALL_OBJECT_PERCENTILE, axis=0, method="lower")
    x, y, z = np.minimum(spacing, granted).tolist()
    return x, y, z


def cases_of_small_objects(spacing: Floats, fingerprint: Fingerprint) -> list[tuple[str, str]]:
    """Name the cases whose objects made the chosen spacing finer than usual: (case, message)."""
    usual = target_spacing(fingerprint.spacings)
    finer = np.less(spacing, usual)
    small = (finer & (_asked_spacings(fingerprint) < usual)).any(axis=1)
    names = [case.name for case in fingerprint.cases for _ in case.prompts]
    message = (
        f"has objects that are small for the usual spacing of {_times(usual)} mm, where they could"
        f" be lost: planned are {_times(spacing)} mm"
    )
    return [(name, message) for name in dict.fromkeys(np.array(names)[small].tolist())]


def _asked_spacings(fingerprint: Fingerprint) -> NDArray[np.float64]:
    """Return the spacing (N, 3) that every object asks for."""
    own = np.array([case.spacing for case in fingerprint.cases for _ in case.prompts])
    extents = np.array([prompt.object_mm for prompt in fingerprint.prompts])
    return np.asarray(np.maximum(own, extents / SMALL_OBJECT_VOXELS))


def _times(spacing: Floats) -> str:
    return "x".join(f"{mm:.4g}" for mm in spacing)


def plan_cut(
    boxes: NDArray[np.float64], overhangs: NDArray[np.float64], spacing: Floats, relax: float
) -> CropMargins:
    """Choose the margins that hold every object of the training set, and few voxels more.

    boxes: (N, 3) extents of the points' boxes, mm.  overhangs: (N, 3, 2) what reaches beyond.
    For each side of each axis: a fraction of the extent, at least ``relax``, and a length, such
    that together they reach as far as every object. Of all such pairs, the one with the
    smallest margins on the mean: points lie about as deep in large objects as in small ones, so
    a fraction alone, from the smallest object, would be far too much for the largest.
    """
    lengths = np.zeros((3, 2))
    fractions = np.zeros((3, 2))
    safety = np.where(coarse_axes(spacing), SAFETY_COARSE, SAFETY_FINE) * np.array(spacing)
    for axis, side in np.ndindex(3, 2):
        extent, overhang = boxes[:, axis], overhangs[:, axis, side]
        most = max(relax, float((overhang / extent).max()))
        candidates = np.linspace(relax, most, 101)
        needed = (overhang[None] - candidates[:, None] * extent[None]).max(axis=1).clip(0)
        best = int((candidates * extent.mean() + needed).argmin())
        fractions[axis, side] = candidates[best]
        lengths[axis, side] = needed[best] + safety[axis]
    return CropMargins(mm=_sides(lengths), fraction=_sides(fractions))


def lone_margins(fingerprint: Fingerprint, spacing: Floats) -> list[tuple[str, str]]:
    """Say which prompts alone make the margins of all cases large: (case, message).

    Those whose object reaches more than twice as far beyond its points as any other's.
    """
    names = [(case.name, prompt.label) for case in fingerprint.cases for prompt in case.prompts]
    reaches: dict[tuple[str, int], float] = {}
    for axis, side in np.ndindex(3, 2):
        overhang = fingerprint.overhangs[:, axis, side]
        if len(overhang) < 3:
            continue
        second, first = np.sort(overhang)[-2:].tolist()
        if first > 2 * second + 3 * spacing[axis]:
            name = names[int(overhang.argmax())]
            reaches[name] = max(reaches.get(name, 0.0), first)
    return [
        (
            case,
            f"label {label}: the object reaches {far:.0f} mm beyond its points, more than twice as"
            " far as any other, which makes every cut larger: are its points right?",
        )
        for (case, label), far in reaches.items()
    ]


def cut_sizes(
    boxes: NDArray[np.float64], cut: CropMargins, spacing: Floats, fingerprint: Fingerprint
) -> NDArray[np.int_]:
    """Return the voxels (N, 3) of every prompt's cut on the target grid."""
    limits = np.array(
        [np.array(case.shape) * case.spacing for case in fingerprint.cases for _ in case.prompts]
    )
    points = np.maximum(np.rint(boxes / spacing), 1)
    margins = np.array([cut.voxels(box, spacing).sum(axis=1) for box in boxes])
    return np.asarray(np.minimum(points + margins, np.rint(limits / spacing)).clip(1).astype(int))


def plan_normalisation(fingerprint: Fingerprint, modality: int) -> Normalisation:
    """Choose how the values of a modality, by its number, are normalised; CT by its own rule."""
    name = fingerprint.modalities[modality]
    if not is_ct(name):
        return Normalisation("zscore")
    low, high = (fingerprint.histograms[name].percentile(percent) for percent in CT_PERCENTILES)
    mean, std = fingerprint.moments(modality)
    if not low < high:
        raise DataError(
            f"all objects have the one value {low:g} in modality {name}: nothing can be learned of"
            " it, and it can hardly be a scan"
        )
    return Normalisation("ct", low, high, mean, std or 1.0)


def _sides(values: NDArray[np.float64]) -> Sides:
    x, y, z = ((round(a, 6), round(b, 6)) for a, b in values.tolist())
    return x, y, z
