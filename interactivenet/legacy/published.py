"""A published model of the original program (0.2.x) as it lies in a folder or a zip."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar, cast

from pydantic import Field

from interactivenet.datasets.roots import check_task_name
from interactivenet.errors import DataError, RequestError
from interactivenet.planning.plan import Floats, Ints
from interactivenet.system.files import read_json
from interactivenet.system.schema import parse_json_as

PLANS, POSTPROCESSINGS = "plans.json", "postprocessings.json"
#: most bytes of a JSON file
MAX_JSON_BYTES = 16 << 20
_STRICT = {"extra": "forbid", "strict": True, "allow_inf_nan": False}
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class OriginalFingerprint:
    """What the original measured; triples run along the axes as stored, sizes are in voxels."""

    anisotropic: Annotated[bool, Field(alias="Anisotropic")]
    ct: Annotated[bool, Field(alias="CT")]
    clipping: Annotated[tuple[float, float] | tuple[()], Field(alias="Clipping")]
    mean: Annotated[float, Field(alias="Intensity_mean")]
    std: Annotated[float, Field(alias="Intensity_std")]
    size: Annotated[Floats, Field(alias="Median size")]
    box: Annotated[Floats, Field(alias="Median size bbox")]
    resampled: Annotated[Floats, Field(alias="Median size resampled")]
    final: Annotated[Floats, Field(alias="Median final shape")]
    resampling: Annotated[Literal["Median", "Anisotropic"], Field(alias="Resampling")]
    spacing: Annotated[Floats, Field(alias="Target spacing")]
    in_mask: Annotated[bool, Field(alias="In mask")]

    __pydantic_config__: ClassVar[Any] = _STRICT

    def __post_init__(self) -> None:
        if self.ct != bool(self.clipping):
            raise ValueError(f"CT is {self.ct}, but Clipping is {list(self.clipping)}")


@dataclass(frozen=True)
class OriginalDecisions:
    """What the original decided."""

    kernels: tuple[Ints, ...]
    strides: tuple[Ints, ...]
    deep_supervision: Annotated[int, Field(alias="deep supervision")]
    weights: Annotated[tuple[float, ...], Field(alias="deep supervision weights")]
    divisor: Annotated[Ints, Field(alias="divisible by")]
    padding: float
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    folds: Annotated[int, Field(alias="number of folds")]
    #: names patients: skipped, never kept
    splits: Any = None

    __pydantic_config__: ClassVar[Any] = _STRICT

    def __post_init__(self) -> None:
        sizes = [size for triple in (*self.kernels, *self.strides) for size in triple]
        if not 3 <= len(self.kernels) == len(self.strides) <= 10 or not all(
            1 <= size <= 7 for size in sizes
        ):
            raise ValueError(
                "kernels and strides must have 3 to 10 stages, each from 1 to 7 voxels wide"
            )
        if not 1 <= self.deep_supervision < len(self.strides) - 1:
            raise ValueError(f"deep supervision is {self.deep_supervision}, beyond the stages")


@dataclass(frozen=True)
class OriginalPlans:
    """The content of ``plans.json``."""

    fingerprint: Annotated[OriginalFingerprint, Field(alias="Fingerprint")]
    decided: Annotated[OriginalDecisions, Field(alias="Plans")]
    #: names patients: skipped, never kept
    cases: Annotated[Any, Field(alias="Cases")] = None

    __pydantic_config__: ClassVar[Any] = _STRICT


@dataclass(frozen=True)
class OriginalChoice:
    """What was chosen for a fold; whether the published weights are the best checkpoint's."""

    using_checkpoint: bool
    postprocessing: Literal[
        False, "fillholes", "largestcomponent", "fillholes_and_largestcomponent"
    ]

    __pydantic_config__: ClassVar[Any] = _STRICT


@dataclass(frozen=True)
class OriginalModel:
    """A model, read but for its weights: fold -> its choice, and its ``model.pth``."""

    plans: OriginalPlans
    choices: dict[int, OriginalChoice]
    weights: dict[int, Path]


def task_name(source: Path, name: str | None = None) -> str:
    """Return the task's name: the one given, else that of the folder or zip.

    Raises RequestError where it is not of the form TaskXXX_NAME.
    """
    if name is None:
        source = source.resolve()
        name = source.name if source.is_dir() else source.name.removesuffix(".zip")
        try:
            check_task_name(name)
        except RequestError as error:
            raise RequestError(
                f"{source}: its name cannot be used as a task name: {error}",
                remedy="give another name with `task`",
            ) from error
    check_task_name(name)
    return name


@contextmanager
def published_folder(source: Path) -> Iterator[Path]:
    """Give the folder of a published model, unpacked where it is a zip, while it is needed.

    Its files are in the source itself or in a single folder inside. Raises RequestError where
    there is no such source, DataError where it holds no such model.
    """
    if source.is_dir():
        yield _root(source, source)
    elif source.is_file():
        from interactivenet.system.archives import unzip

        with tempfile.TemporaryDirectory() as folder:
            unzip(source, Path(folder))
            try:
                yield _root(Path(folder), source)
            except DataError as error:  # of a file that will be gone: where it is in the zip
                raise DataError(str(error).replace(folder, str(source))) from error
    else:
        raise RequestError(f"{source} does not exist: expected the folder or zip of a model")


def read_published(folder: Path) -> OriginalModel:
    """Read a published model's JSON files and find its weights.

    Raises DataError, naming the file and the field, for anything that is not understood.
    """
    plans = _read(folder / PLANS, OriginalPlans)
    path = folder / POSTPROCESSINGS
    choices: dict[int, OriginalChoice] = {}
    for fold, choice in _read(path, dict[str, OriginalChoice]).items():
        choices[_fold(fold, path)] = choice
    weights: dict[int, Path] = {}
    model = folder / "model"
    for folder_of_fold in sorted(model.iterdir()) if model.is_dir() else []:
        if not folder_of_fold.name.startswith("."):
            number = _fold(folder_of_fold.name, model)
            weights[number] = folder_of_fold / "data" / "model.pth"
    if not weights:
        raise DataError(f"{model}: holds no fold, expected model/0/data/model.pth")
    if set(weights) != set(choices):
        raise DataError(
            f"{path}: lists the folds {_listed(choices)}, but {model} holds {_listed(weights)}"
        )
    return OriginalModel(plans, choices, weights)


def _root(folder: Path, source: Path) -> Path:
    if (folder / PLANS).is_file():
        return folder
    inside = [path for path in sorted(folder.iterdir()) if (path / PLANS).is_file()]
    if len(inside) != 1:
        raise DataError(
            f"{source}: holds {len(inside)} models of the original program, expected one: {PLANS},"
            f" {POSTPROCESSINGS}, model/FOLD/data/model.pth"
        )
    return inside[0]


def _read(path: Path, kind: type[Kind]) -> Kind:
    if path.is_file() and path.stat().st_size > MAX_JSON_BYTES:
        raise DataError(f"{path}: has {path.stat().st_size} bytes, expected up to {MAX_JSON_BYTES}")
    try:
        return cast(Kind, parse_json_as(kind, read_json(path), "top"))
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    except RecursionError as error:
        raise DataError(f"{path}: is nested too deeply") from error


def _fold(name: str, path: Path) -> int:
    if not (name.isascii() and name.isdigit() and len(name) <= 3) or str(int(name)) != name:
        raise DataError(f"{path}: holds {name[:40]!r}, expected a fold's number")
    return int(name)


def _listed(folds: dict[int, Any]) -> str:
    return ", ".join(map(str, sorted(folds))) or "none"
