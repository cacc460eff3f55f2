"""What an algorithm's interfaces are called: one JSON beside the model, all of it optional."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from interactivenet.errors import DataError, RequestError
from interactivenet.models.model import Mirrored
from interactivenet.planning.plan import Plan
from interactivenet.prompts.corrections import BACKGROUND
from interactivenet.prompts.point_names import part_name
from interactivenet.system.files import read_json
from interactivenet.system.schema import parse_json_as

#: its name in the model's folder
FILE = "algorithm.json"
#: slug of the points, where the settings name none
POINTS = "interior-margin-points"
#: stands for every name of a point that is not given
ANY_NAME = "*"
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class AlgorithmSettings:
    """The interfaces of an algorithm, by their slugs.

    images: modality -> slug; where not given, 'ct' or 'ct-image' for CT and so on, or, of one
        modality, the only image there is.
    points: slug of the points; by default POINTS, or the only value there is.
    coordinates: of the points: 'mm' (LPS, what grand-challenge sends) or 'voxels' (indices of the
        image as stored, autoPET's clicks).
    names: a point's name -> the label that is meant, '' to leave it out, 'background', or the label
        and '+' or '-' for corrections of it; '*' for all other names. Points named background are
        negative corrections of all objects without being named here.
    any_points: whether other than six margin points per object are taken.
    use_form: which position of a NIfTI header counts where it has two that differ, or none:
        'sform' or 'qform'; '' refuses points in mm on such an image.
    output: slug of the segmentation; by default the label's name and '-segmentation', or
        'segmentation' for several labels.
    outputs: label's name -> slug, to write one image of 0 and 1 for each label instead.
    mirrored: whether to average over mirrored copies (8 times the work, better); 'adaptive': over
        no more than are needed, where they agree.
    """

    images: Mapping[str, str] = field(default_factory=dict)
    points: str = ""
    coordinates: Literal["mm", "voxels"] = "mm"
    names: Mapping[str, str] = field(default_factory=dict)
    any_points: bool = False
    use_form: Literal["", "sform", "qform"] = ""
    output: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    mirrored: Mirrored = True

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "strict": True}

    def __post_init__(self) -> None:
        slugs = [*self.images.values(), *self.outputs.values()]
        for slug in (*slugs, self.points, self.output):
            if slug and not _SLUG.fullmatch(slug):
                raise ValueError(
                    f"'{slug}' is not a slug: expected lower-case letters, digits and '-'"
                )
        if self.output and self.outputs:
            raise ValueError("output and outputs cannot both be set")
        for name in ("images", "outputs"):
            if "" in getattr(self, name).values():
                raise ValueError(f"{name}: a slug is empty")
        for new in self.names.values():
            if "#" in new:
                raise ValueError(f"names: '{new}' has a '#': leave out the number of the object")

    @staticmethod
    def load(path: Path) -> AlgorithmSettings:
        """Read settings; raises RequestError where there are none, DataError naming the field."""
        if not path.is_file():
            raise RequestError(
                f"{path}: does not exist", expected="a JSON file of the algorithm's settings"
            )
        content = read_json(path)
        try:
            settings = parse_json_as(AlgorithmSettings, content, "settings")
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error
        assert isinstance(settings, AlgorithmSettings)
        return settings

    def as_json(self) -> dict[str, Any]:
        """Return the settings as JSON data."""
        return {**asdict(self), "images": dict(self.images), "names": dict(self.names),
                "outputs": dict(self.outputs)}  # fmt: skip

    def check(self, plan: Plan) -> None:
        """Raise RequestError where the settings name what the model does not have."""
        labels = set(plan.labels.values())
        named = {
            "images": (set(self.images), set(plan.modalities), "modality"),
            "outputs": (set(self.outputs), labels, "label"),
            "names": (self._named_labels(plan), labels, "label"),
        }  # fmt: skip
        for name, (given, expected, kind) in named.items():
            if unknown := sorted(given - expected):
                raise RequestError(
                    f"settings of the algorithm: {name} has the {kind} '{unknown[0]}', the model"
                    f" has {', '.join(sorted(expected))}"
                )
        inputs = [*(self.image_slugs(name)[0] for name in plan.modalities), self.points or POINTS]
        for group, slugs in (
            ("images and points", inputs),
            ("outputs", list(self.outputs.values())),
        ):
            if twice := [slug for slug in slugs if slugs.count(slug) > 1]:
                raise RequestError(
                    f"settings of the algorithm: {group} have the slug '{twice[0]}' twice",
                    remedy="give each its own slug under 'images', 'points' or 'outputs'",
                )
        if self.outputs and set(self.outputs) != labels:
            missing = ", ".join(sorted(labels - set(self.outputs)))
            raise RequestError(f"settings of the algorithm: outputs lacks the label {missing}")

    def _named_labels(self, plan: Plan) -> set[str]:
        """Return the labels that names of points are given to, themselves or as corrections."""
        meant = {part_name(new, plan.label_names).base for new in self.names.values() if new}
        return {name for name in meant if name.casefold() != BACKGROUND}

    def image_slugs(self, modality: str) -> tuple[str, ...]:
        """Return the slugs that an image of a modality may have, the first one the default."""
        if modality in self.images:
            return (self.images[modality],)
        return (f"{slug(modality)}-image", slug(modality))

    def output_slug(self, plan: Plan) -> str:
        """Return the slug of the one segmentation."""
        names = list(plan.labels.values())
        return self.output or (f"{slug(names[0])}-segmentation" if len(names) == 1
                               else "segmentation")  # fmt: skip


def slug(name: str) -> str:
    """Turn a name into a slug: small letters, digits and '-'."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "image"
