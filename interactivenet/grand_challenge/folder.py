"""The folder that an algorithm is built, tried and uploaded from."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from interactivenet import __version__
from interactivenet.datasets.phantom import PhantomSettings, make_phantom
from interactivenet.grand_challenge.earlier import carry_over, check_target, write_record
from interactivenet.grand_challenge.inputs import LIST
from interactivenet.grand_challenge.settings import ANY_NAME, FILE, POINTS, AlgorithmSettings, slug
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.io import write_volume
from interactivenet.models.bundle import bundle_files, read_bundle
from interactivenet.planning.plan import Plan
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt
from interactivenet.prompts.simulation import find_objects, margin_points
from interactivenet.system.files import (
    open_regular,
    replacing,
    resolved,
    write_json,
    write_text,
)
from interactivenet.system.folders import replacing_folder

MODEL, RECIPE = "model.tar.gz", "Dockerfile"
_SCRIPTS = ("do_build.sh", "do_test_run.sh", "do_save.sh")
#: labels of the example at most: more objects than that do not fit into it
_EXAMPLES = 3


def write_algorithm(bundle: Path, folder: Path, settings: AlgorithmSettings, image: str) -> Path:
    """Write the build context of an algorithm for grand-challenge.org, and an example to try.

    bundle: folder of a deployed model.  folder: of an algorithm before is replaced; what its own
    scripts have made stays.  image: the container image that the algorithm's is built on. Raises
    RequestError where settings and model do not fit, or the folder holds anything else.
    """
    plan = read_bundle(bundle).plan
    settings.check(plan)
    check_target(folder)
    with replacing_folder(resolved(folder)) as temporary:
        _write_texts(temporary, plan, settings, image)
        _write_model(temporary / MODEL, bundle, settings)
        _write_example(temporary / "test" / "input", plan, settings)
        write_record(temporary, plan.task)
        carry_over(folder, temporary)
    return folder


def _write_texts(folder: Path, plan: Plan, settings: AlgorithmSettings, image: str) -> None:
    facts = {
        "name": f"{slug(plan.task)}-algorithm",
        "task": plan.task,
        "version": __version__,
        "image": image,
        "images": [(name, settings.image_slugs(name)[0]) for name in plan.modalities],
        "points": settings.points or POINTS,
        "coordinates": "LPS mm" if settings.coordinates == "mm" else "voxel indices",
        "outputs": list(settings.outputs.values()) or [settings.output_slug(plan)],
        "about_points": _about_points(plan, settings),
    }
    texts = Environment(
        loader=PackageLoader("interactivenet.grand_challenge"), undefined=StrictUndefined,
        keep_trailing_newline=True,
    )  # fmt: skip
    for name in (RECIPE, *_SCRIPTS, "README.md"):
        write_text(folder / name, texts.get_template(f"{name}.j2").render(facts))
        if name in _SCRIPTS:
            (folder / name).chmod(0o755)
    write_text(folder / ".dockerignore", f"*\n!{RECIPE}\n")


def _about_points(plan: Plan, settings: AlgorithmSettings) -> str:
    names = ", ".join(plan.labels.values())
    number = "Any number of points" if settings.any_points else "Six interior margin points"
    which = "" if len(plan.labels) == 1 else f" They are named after their label: {names}."
    second = "the names of a second object's points end in '#2'."
    corrections = (
        "points named as the label with '+' or '-' correct the outline, and those named background"
        " belong to no object."
    )
    return f"{number} are expected for each object; {second}{which} Further {corrections}"


def _write_model(path: Path, bundle: Path, settings: AlgorithmSettings) -> None:
    """Write the bundle's files and the settings as a tar.gz, the same bytes every time."""
    text = (json.dumps(settings.as_json(), indent=2) + "\n").encode()

    def add(tar: tarfile.TarFile, name: str, size: int, file: IO[bytes]) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o644
        tar.addfile(entry, file)

    with (
        replacing(path) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile("", "wb", 1, raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for source in bundle_files(bundle):
            with open_regular(source) as file:
                add(tar, source.name, source.stat().st_size, file)
        add(tar, FILE, len(text), io.BytesIO(text))


def _write_example(folder: Path, plan: Plan, settings: AlgorithmSettings) -> None:
    """Make a synthetic case with points, laid out as grand-challenge does."""
    names = list(plan.labels.values())[:_EXAMPLES]
    phantom = PhantomSettings(
        cases=1, test_cases=0, modalities=plan.modalities, labels=tuple(names),
        shape=(64, 64, 32), spacing=plan.spacing, seed=1,
    )  # fmt: skip
    channels, label, grid = make_phantom(phantom, 0)
    inputs = []
    for modality, channel in zip(plan.modalities, channels, strict=True):
        name = settings.image_slugs(modality)[0]
        place = f"images/{name}"
        file = f"{uuid.uuid5(uuid.NAMESPACE_URL, f'{plan.task}/{name}')}.mha"
        write_volume(folder / place / file, grid.to_ras(channel), grid)
        inputs.append(_socket(name, "Image", "Image", place))
    points = settings.points or POINTS
    prompts = list(_prompts(names, plan, grid.to_ras(label), grid, settings))
    voxels = settings.coordinates == "voxels"
    write_prompts(folder / f"{points}.json", prompts, image=grid, voxels=voxels)
    inputs.append(_socket(points, "Multiple points", "Value", f"{points}.json"))
    write_json(folder / LIST, inputs)


def _prompts(
    names: list[str], plan: Plan, label: Array, grid: Geometry, settings: AlgorithmSettings
) -> Iterator[Prompt]:
    rng = np.random.default_rng(1)
    values = {name: value for value, name in plan.labels.items()}
    for number, name in enumerate(names, start=1):
        (example,) = find_objects(label == number, per_component=False, largest_only=False)
        voxels = margin_points(example, grid.ras.spacing, rng)
        # as the points' sender calls it
        sent = [old for old, new in settings.names.items() if new == name and old != ANY_NAME]
        yield Prompt(values[name], grid.ras.voxel_to_world(voxels), (sent or [name])[0])


def _socket(slug: str, kind: str, super_kind: str, path: str) -> dict[str, object]:
    socket = {"slug": slug, "kind": kind, "super_kind": super_kind, "relative_path": path}
    return {"interface": socket, "socket": socket}
