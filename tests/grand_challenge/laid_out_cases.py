"""Cases as grand-challenge lays them out for an algorithm."""

import json
from dataclasses import replace

import numpy as np

from interactivenet.imaging.io import write_volume
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt
from tests.sample_cases import make_plan, make_scan, stored_grid

GRIDS = {
    "oblique": stored_grid((22, 24, 20), (1.0, 1.2, 1.5), angles=(0.2, -0.1, 0.3)),
    "turned": stored_grid((22, 24, 20), (1.0, 1.2, 1.5), (2, 0, 1), (-1, 1, -1)),
}
PLAN = replace(
    make_plan((1.0, 1.0, 1.5)), modalities=("CT", "PET"), labels={1: "tumour", 2: "node"},
    normalisation=make_plan((1.0, 1.0, 1.5)).normalisation * 2,
)  # fmt: skip


def lay_out(folder, grid, *, listed=True, word="interface", ct="ct-image", pet="pet-image",
            points="interior-margin-points", voxels=False, names=("tumour", "node")):  # fmt: skip
    """Write a case with two objects as grand-challenge does; returns the images and points."""
    scan = make_scan(grid)
    first = scan.prompts[0].points
    inner = grid.ras.nearest_voxel((first + first.mean(axis=0)) / 2)
    prompts = [Prompt(1, first, names[0]), Prompt(2, grid.ras.voxel_to_world(inner), names[1])]
    rng = np.random.default_rng(1)
    images, entries = [], []
    for slug in (ct, pet):
        values = rng.normal(0, 1, grid.ras.shape).astype(np.float32)
        images.append(folder / "images" / slug / f"0000-{slug}.mha")
        write_volume(images[-1], values, grid)
        entries.append((slug, "Image", "Image", f"images/{slug}"))
    path = folder / f"{points}.json"
    write_prompts(path, prompts, image=grid, voxels=voxels)
    entries.append((points, "Multiple points", "Value", f"{points}.json"))
    if listed:
        keys = ("slug", "kind", "super_kind", "relative_path")
        other = "interface" if word == "socket" else "socket"
        content = [{word: {"pk": 7, **dict(zip(keys, entry, strict=True))}, other: None,
                    "image": None, "value": None, "file": None} for entry in entries]  # fmt: skip
        (folder / "inputs.json").write_text(json.dumps(content))
    return images, path


def settings(bundle, target, **content):
    """A copy of the bundle, by links, with settings."""
    target.mkdir()
    for path in bundle.iterdir():
        (target / path.name).symlink_to(path)
    (target / "algorithm.json").write_text(json.dumps(content))
    return target


def no_points(folder):
    path = folder / "interior-margin-points.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"points": []}))
