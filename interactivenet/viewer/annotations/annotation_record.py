"""What is written of a case: label map, points with corrections, and who or what made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from interactivenet import __version__
from interactivenet.datasets.modalities import is_any
from interactivenet.imaging.io import write_label_array
from interactivenet.inference.case_keys import case_key
from interactivenet.inference.model_record import LABELS, describe_made_by, label_names
from interactivenet.inference.sources import SOURCES
from interactivenet.inference.stale_files import stale_note
from interactivenet.postprocessing.merging import Segmentation
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import MARGIN_POINTS, LabelNames, Prompt
from interactivenet.system.cache_key import MADE_FROM, CacheKey
from interactivenet.system.files import remove, sha256, write_json
from interactivenet.system.written import FILES, noted_files
from interactivenet.viewer.annotations.annotation_files import DRAWN, MADE_BY, AnnotationFiles
from interactivenet.viewer.annotations.records import mark_of

if TYPE_CHECKING:
    from interactivenet.inference.predictor import Predictor

#: a model; a model and clicks on what it got wrong; voxels drawn on its outline; a person alone
MadeBy = Literal["model", "corrections", "brush", "person"]
#: in a record, what only the viewer knows
ANNOTATION = "annotation"


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
            content = dict(case_key(inputs, model, model.folds, used.settings).content)
        if others := [by for by in self.made_by if by in DRAWN]:
            content["drawn"] = len(others)  # nothing else can make it again
        return CacheKey(content)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON data, without what is said of each object."""
        return {
            "by": "viewer", "version": __version__, "date": self.date,
            "model": {"name": self.model, "digest": self.digest},
        }  # fmt: skip


@dataclass(frozen=True)
class Saved:
    """What was written, and what a user should know of it: a sentence each.

    mark: of the record, as :func:`mark_of` gives it.
    """

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    mark: str = ""


@dataclass(frozen=True, eq=False)
class Annotation:
    """What is to be written of a case.

    case: what its files are called.  scan: what a person reads of it.  sources, inputs: as of a
    record; inputs of the images alone.  labels: names of the labels, where they are known.
    over: mark of the record, as :func:`mark_of` gives it, that whoever saves this knows of: what
    another has saved since is set aside. None where nobody can tell.
    """

    case: str
    scan: str
    result: Segmentation
    prompts: tuple[Prompt, ...]
    provenance: Provenance
    sources: Mapping[str, Any]
    inputs: Mapping[str, str]
    labels: LabelNames | None = None
    over: str | None = None


def with_free_name(made: Annotation, files: AnnotationFiles) -> Annotation:
    """Return an annotation under a name that no other scan has among some files."""
    return replace(made, case=files.name_of(made.case, made.sources, made.inputs))


def renamed(before: Annotation, named: Annotation) -> list[str]:
    """Say that a case got another name, where it did."""
    if named.case == before.case:
        return []
    return [f"{before.case} is the name of another scan: saved as {named.case}"]


def _made_by(made: Annotation) -> dict[str, Any]:
    """Return what the record says of the model and the labels, as that of ``infer`` does."""
    if made.provenance.predictor is None:
        return {LABELS: label_names(made.labels.names if made.labels else {}, made.prompts)}
    model = made.provenance.predictor.model
    described = describe_made_by(model, model.folds, made.prompts)
    if made.labels is not None:  # a task has values of its own
        described[LABELS] = label_names(made.labels.names, made.prompts)
    return described


def _unseen(record: Mapping[str, Any], over: str) -> str:
    """Say what files of a record are that whoever knows of ``over`` has not seen; '' for none.

    Of a save that was broken off, nobody knows which files are of before, and whose.
    """
    if record.get("unfinished"):
        return "of a save that was broken off"
    return "which another has saved meanwhile" if mark_of(record) not in ("", over) else ""


def write_annotation(files: AnnotationFiles, made: Annotation) -> Saved:
    """Write the files of a case, its record last; what is not ours is set aside before."""
    case, result, provenance = made.case, made.result, made.provenance
    brushed = sum(by in DRAWN for by in provenance.made_by)
    unseen = "" if made.over is None else _unseen(files.read_record(case), made.over)
    notes = files.make_way(case, brushed, unseen=unseen)
    earlier = files.earlier(case)
    whose: dict[str, Any] = {"case": case, SOURCES: dict(made.sources)}
    # while files change, none is marked done, and all are known to be ours
    begun = dict(earlier.files) | earlier.begun(files.targets(case))
    write_json(files.record(case), {**whose, "unfinished": True, FILES: begun})
    written = []
    inputs = dict(made.inputs)
    whole = [prompt for prompt in made.prompts if len(prompt.points) >= MARGIN_POINTS]
    if lacking := [prompt for prompt in made.prompts if prompt not in whole]:
        few = ", ".join(
            f"{p.name or p.label} ({len(p.points)} of {MARGIN_POINTS})" for p in lacking
        )
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
        elif path not in written:
            notes.append(stale_note(path))
    empty = [prompt.name or str(prompt.label) for number, prompt in enumerate(made.prompts, 1)
             if not np.any(result.instance_map == number)]  # fmt: skip
    if empty:
        notes.append(f"not a voxel was outlined of {', '.join(empty)}")
    record: dict[str, Any] = {
        **whose,
        MADE_FROM: dict(provenance.key(inputs).content),
        **_made_by(made),
        "notes": list(result.notes),
        "objects": [
            {**segmented.as_json(), MADE_BY: by}
            for segmented, by in zip(result.objects, provenance.made_by, strict=True)
        ],
        ANNOTATION: {"scan": made.scan, **provenance.as_json()},
        FILES: noted_files(files.folder, written),
    }
    write_json(files.record(case), record)
    return Saved((*written, files.record(case)), tuple(notes), mark_of(files.read_record(case)))
