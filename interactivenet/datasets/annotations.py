"""What annotating leaves in a raw task beside its cases: records, and files that made way."""

from __future__ import annotations

import os
from pathlib import Path

from interactivenet.imaging.io import suffix_of
from interactivenet.prompts.io import PROMPT_SUFFIXES

#: folders of a raw task, with 'Tr' or 'Ts': what is known of cases that were saved in the viewer
ANNOTATIONS = "annotations"
#: folder of a raw task: files of a person that others have taken the place of
SET_ASIDE = "set_aside"


def is_being_annotated(task: Path, subset: str) -> bool:
    """Whether cases of a raw task are outlined one by one, so that some have no label yet."""
    return (task / f"{ANNOTATIONS}{subset}").is_dir()


def place_aside(task: Path, path: Path) -> Path:
    """Return a free path for a file of a raw task that makes way for another.

    It is below ``set_aside``: among the others, it would be taken for one of a case.
    """
    place = task / SET_ASIDE / path.parent.relative_to(task) / path.name
    return place if not os.path.lexists(place) else free_path(place)


def free_path(path: Path) -> Path:
    """Return a path beside another, NAME.1, NAME.2 and so on, where nothing is."""
    suffix = suffix_of(path, PROMPT_SUFFIXES) or path.suffix
    stem = path.name[: len(path.name) - len(suffix)]
    number = 1
    while os.path.lexists(free := path.with_name(f"{stem}.{number}{suffix}")):
        number += 1
    return free
