"""Saving what was outlined: label map, points with corrections, and a record of what made them."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from interactivenet import __version__
from interactivenet.datasets.inference_cases import check_output
from interactivenet.datasets.task import Case
from interactivenet.errors import RequestError
from interactivenet.imaging.io import write_label_array
from interactivenet.inference.outputs import case_key, input_hashes
from interactivenet.inference.sources import SOURCES
from interactivenet.postprocessing.merging import Segmentation
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import MARGIN_POINTS, LabelNames, Prompt
from interactivenet.system.archives import zip_folder
from interactivenet.system.cache_key import MADE_FROM, CacheKey
from interactivenet.system.files import read_bytes, remove, sha256, write_json
from interactivenet.system.written import FILES, noted_files
from interactivenet.viewer.annotation_files import MADE_BY, AnnotationFiles
from interactivenet.viewer.records import scan_sources
from interactivenet.viewer.worklist import WorklistEntry

if TYPE_CHECKING:
    from interactivenet.inference.predictor import Predictor

#: a model; a model and clicks on what it got wrong; voxels drawn on its outline; a person alone
MadeBy = Literal["model", "corrections", "brush", "person"]
#: in a record, what only the viewer knows
ANNOTATION = "annotation"
#: one at a time: two cases of a task change the same list
_SAVING = threading.Lock()


@dataclass(frozen=True, eq=False)
class Provenance:
    """Who or what made outlines.

    model: its name.  digest: of its weights.  made_by: by what each object's outline was made
    last, in the order of the objects.  predictor: that made them, with which ``made_from`` is as
    ``infer`` writes it.  date: UTC, ISO 8601; now, by default.
    """

    model: str
    digest: str
    made_by: tuple[MadeBy, ...] = ()
    predictor: Predictor | None = None
    date: str = field(
        default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds")
    )

    @property
    def modalities(self) -> tuple[str, ...]:
        """What the model calls the images; () where they may be of any modality, or unknown."""
        from interactivenet.datasets.modalities import is_any

        names = self.predictor.plan.modalities if self.predictor else ()
        return () if is_any(names) else tuple(names)

    def key(self, inputs: Mapping[str, str]) -> CacheKey:
        """Return all that decided the outlines; inputs: as of ``input_hashes``."""
        content: dict[str, Any] = {
            "version": __version__, "inputs": dict(inputs), "model": self.model,
            "digest": self.digest,
        }  # fmt: skip
        if self.predictor is not None:
            used, model = self.predictor, self.predictor.model
            options = {
                "mirrored": used.mirrored, "restore": used.restore, "precision": used.precision,
            }  # fmt: skip
            content = dict(case_key(inputs, model, model.folds, options).content)
        if others := [by for by in self.made_by if by in ("brush", "person")]:
            content["drawn"] = len(others)  # nothing else can make it again
        return CacheKey(content)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON data, without what is said of each object."""
        return {
            "by": "viewer", "version": __version__, "date": self.date,
            "model": {"name": self.model, "digest": self.digest},
        }  # fmt: skip


@dataclass(frozen=True)
class Target:
    """Where annotations are saved: a raw task, or else a folder; with neither, they are only sent.

    folder: label maps, with points in ``points/``.  task: folder of the raw task, which need not
    exist yet.
    """

    folder: Path | None = None
    task: Path | None = None

    @property
    def kind(self) -> Literal["task", "folder", "download"]:
        """What it is."""
        if self.task is not None:
            return "task"
        return "download" if self.folder is None else "folder"


@dataclass(frozen=True)
class Saved:
    """What was written, and what a user should know of it: a sentence each."""

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Annotation:
    """What is to be written of a case.

    case: what its files are called.  sources, inputs: as of a record; inputs of the images alone.
    labels: names of the labels, where they are known.
    """

    case: str
    result: Segmentation
    prompts: tuple[Prompt, ...]
    provenance: Provenance
    sources: Mapping[str, Any]
    inputs: Mapping[str, str]
    labels: LabelNames | None = None


def save_annotation(
    entry: WorklistEntry,
    result: Segmentation,
    prompts: Sequence[Prompt],
    provenance: Provenance,
    target: Target,
) -> Saved:
    """Write the label map, the points with their corrections, and the record of a case.

    The label map lies on the scan's own grid; ``CASE.json`` is as ``infer`` writes it, and says
    besides by what each outline was made. A file that the viewer did not write is never lost: one
    that would be replaced is set aside, as NAME.1, and the notes say so. A case whose name another
    scan has already is saved as CASE-2.

    Args:
        entry: The scan. A case of a raw task is saved into that, whatever the target is.
        result: What was outlined.
        prompts: What it was outlined from, one for each of its objects.
        provenance: Who or what made it.
        target: Where it is saved. Into a raw task, the images of other scans are copied, too.

    Returns:
        The files, and what there is to say of them.

    Raises:
        RequestError: Nothing is outlined, or the folder is one that must not be written to.
        DataError: A file cannot be written, or the scan does not fit the task.
    """
    if len(prompts) != len(result.objects) or len(provenance.made_by) != len(prompts):
        raise ValueError(f"{len(result.objects)} objects, {len(prompts)} prompts")
    if not prompts or not result.instance_map.any():
        raise RequestError("nothing is outlined", expected="an object with an outline")
    with _SAVING:
        inputs = input_hashes(Case(entry.case, entry.images))
        sources = scan_sources(entry.images, entry.series)
        made = Annotation(entry.case, result, tuple(prompts), provenance, sources, inputs)
        folder = entry.task or target.task
        if folder is not None:
            from interactivenet.viewer.task_saving import save_into_task

            return save_into_task(folder, entry, made)
        if target.folder is None:
            raise RequestError("there is no folder to save to", remedy="download it instead")
        check_output(target.folder, entry.images)
        files = AnnotationFiles(target.folder)
        return write_annotation(files, replace_name(made, files))


def packed(
    entry: WorklistEntry,
    result: Segmentation,
    prompts: Sequence[Prompt],
    provenance: Provenance,
) -> bytes:
    """Return as a zip what :func:`save_annotation` writes into a folder."""
    with tempfile.TemporaryDirectory(prefix="interactivenet-") as place:
        alone = Path(place, "case")
        files = AnnotationFiles(alone)
        inputs = input_hashes(Case(entry.case, entry.images))
        sources = scan_sources(entry.images, entry.series)
        if not prompts or not result.instance_map.any():
            raise RequestError("nothing is outlined", expected="an object with an outline")
        made = Annotation(entry.case, result, tuple(prompts), provenance, sources, inputs)
        write_annotation(files, made)
        path = Path(place, "case.zip")
        zip_folder(alone, path, entry.case)
        return read_bytes(path)


def replace_name(made: Annotation, files: AnnotationFiles) -> Annotation:
    """Return an annotation under a name that no other scan has among some files."""
    from dataclasses import replace

    return replace(made, case=files.name_of(made.case, made.sources, made.inputs))


def write_annotation(files: AnnotationFiles, made: Annotation) -> Saved:
    """Write the files of a case, its record last; what is not ours is set aside before."""
    case, result, provenance = made.case, made.result, made.provenance
    notes = files.make_way(case, sum(by in ("brush", "person") for by in provenance.made_by))
    earlier = files.earlier(case)
    whose = {"case": case, SOURCES: dict(made.sources)}
    # while files change, none is marked done, and all are known to be ours
    begun = dict(earlier.files) | earlier.begun(files.targets(case))
    write_json(files.record(case), {**whose, "unfinished": True, FILES: begun})
    written = []
    inputs = dict(made.inputs)
    whole = [prompt for prompt in made.prompts if len(prompt.points) >= MARGIN_POINTS]
    if lacking := [prompt for prompt in made.prompts if prompt not in whole]:
        few = ", ".join(f"{p.name or p.label} ({len(p.points)} of {MARGIN_POINTS})" for p in lacking)
        notes.append(f"points that are not complete are not saved: {few}")
    if whole:
        points = files.points(case)
        notes += write_prompts(points, whole, image=result.source, labels=made.labels)
        inputs["points"] = sha256(points)
        written.append(points)
    written.append(files.label_map(case))
    write_label_array(written[-1], result.label, result.source)
    if result.shares_labels:
        written.append(files.object_map(case))
        write_label_array(written[-1], result.instance_map, result.source)
    for path in earlier.paths:
        if path not in written and earlier.is_own(path):
            remove(path)
    empty = [prompt.name or str(prompt.label) for number, prompt in enumerate(made.prompts, 1)
             if not np.any(result.instance_map == number)]  # fmt: skip
    if empty:
        notes.append(f"not a voxel was outlined of {', '.join(empty)}")
    record = {
        **whose,
        MADE_FROM: dict(provenance.key(inputs).content),
        "notes": list(result.notes),
        "objects": [
            {**segmented.as_json(), MADE_BY: by}
            for segmented, by in zip(result.objects, provenance.made_by, strict=True)
        ],
        ANNOTATION: provenance.as_json(),
        FILES: noted_files(files.folder, written),
    }
    write_json(files.record(case), record)
    return Saved((*written, files.record(case)), tuple(notes))
