"""The starter's objects in one file, for a machine that has neither the data nor its readers.

    python -m recipes.starter.packing SHARED_DATA objects.pt [--levels 256]

Images are kept with so many values each, closer where an image has more voxels, and read back with
noise of a step: a step is below their own noise.
"""

from __future__ import annotations

import argparse
import lzma
from dataclasses import fields, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from interactivenet.training.made_up import LabelledImage
from interactivenet.training.random_fields import RandomSource
from recipes.starter.data import read_objects

#: of how finely values are told apart, the share that follows how frequent they are
_BY_FREQUENCY = 0.5


def pack(objects: list[tuple[str, LabelledImage]], path: Path, levels: int = 256) -> None:
    """Write objects, compressed, each image in 2 to 256 values."""
    content = []
    for kind, thing in objects:
        values = {field.name: getattr(thing, field.name) for field in fields(thing)}
        coded = [_coded(channel.cpu().numpy(), levels) for channel in thing.image]
        values["image"] = torch.stack([code for code, _ in coded])
        values["levels"] = torch.stack([of_code for _, of_code in coded])
        content.append((kind, values))
    buffer = BytesIO()
    torch.save(content, buffer)
    path.write_bytes(lzma.compress(buffer.getvalue(), preset=3))


def read_packed(path: Path, without: list[str], device: str) -> list[tuple[str, LabelledImage]]:
    """Read what :func:`pack` wrote, but for some kinds, to a device."""
    content = torch.load(BytesIO(lzma.decompress(path.read_bytes())), weights_only=True)
    objects = []
    random = RandomSource([0], device)
    for kind, values in content:
        if kind in without:
            continue
        values = {name: None if v is None else v.to(device) for name, v in values.items()}
        levels = values.pop("levels")
        thing = LabelledImage(**values)
        image = [_decoded(*coded, random) for coded in zip(thing.image, levels, strict=True)]
        objects.append((kind, replace(thing, image=torch.stack(image))))
    return objects


def _coded(image: NDArray[np.float32], count: int) -> tuple[Tensor, Tensor]:
    """Return the codes (X, Y, Z) uint8 of an image's voxels, and the value of each code."""
    ordered = np.sort(image, axis=None)
    # where the steps lie: between evenly over the range, and evenly over the voxels
    shares = np.linspace(0, 1, count)
    by_rank = ordered[np.rint(shares * (ordered.size - 1)).astype(np.intp)]
    even = ordered[0] + shares * (ordered[-1] - ordered[0])
    fine = np.unique(np.concatenate([by_rank, even]))
    ranks = np.searchsorted(ordered, fine) / ordered.size
    spread = max(float(fine[-1] - fine[0]), 1e-6)
    at = _BY_FREQUENCY * ranks + (1 - _BY_FREQUENCY) * (fine - fine[0]) / spread
    levels = np.interp(shares * at[-1], at, fine).astype(np.float32)
    codes = np.searchsorted((levels[1:] + levels[:-1]) / 2, image).astype(np.uint8)
    return torch.from_numpy(codes), torch.from_numpy(levels)


def _decoded(codes: Tensor, levels: Tensor, random: RandomSource) -> Tensor:
    """Return an image (X, Y, Z): of each code's values, any half the way to its neighbours'."""
    edges = (levels[1:] + levels[:-1]) / 2
    edges = torch.cat([levels[:1], edges, levels[-1:]])
    low, high = edges[:-1][codes.int()], edges[1:][codes.int()]
    return torch.lerp(low, high, random.fractions(*codes.shape))


def main() -> None:
    """Pack the shared data's objects."""
    from recipes.starter.train import starter_plan

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--levels", type=int, default=256)
    options = parser.parse_args()
    objects = read_objects(options.shared, starter_plan(), [], "cpu")
    pack(objects, options.file, options.levels)


if __name__ == "__main__":
    main()
