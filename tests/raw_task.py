"""Small raw tasks on disk for the tests."""

import json

import numpy as np

from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import write_label_array, write_volume
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt

SHAPE = (20, 18, 16)
#: LPS stored axes, oblique enough to notice a mix-up, anisotropic
GRID = Geometry(
    SHAPE, [[-0.9, 0.0, 0.0, 30.0], [0.0, -1.1, 0.0, 20.0], [0.0, 0.0, 2.0, -40.0], [0, 0, 0, 1]]
)
#: six points inside the box object of ``label_array``, voxels along RAS+
POINTS = [[6, 8, 8], [13, 8, 8], [9, 6, 8], [9, 11, 8], [9, 8, 5], [9, 8, 10]]


def image_array(seed=0):
    return np.random.default_rng(seed).integers(-500, 500, SHAPE).astype(np.int16)


def label_array(value=1):
    label = np.zeros(SHAPE, np.uint8)
    label[5:15, 5:13, 4:12] = value
    return label


def write_case(task, name, *, subset="Tr", modalities=1, label=True, prompt=False, grid=GRID):
    for index in range(modalities):
        path = task / f"images{subset}" / f"{name}_{index:04d}.nii.gz"
        write_volume(path, image_array(index), grid)
    if label:
        write_label_array(task / f"labels{subset}" / f"{name}.nii.gz", label_array(), grid)
    if prompt:
        write_points(task / f"interactions{subset}" / f"{name}.nii.gz", POINTS, grid=grid)


def write_points(path, voxels, *, label=1, grid=GRID):
    points = grid.ras.voxel_to_world(np.array(voxels, dtype=float))
    write_prompts(path, [Prompt(label, points, "tumour")], image=grid)


def read(path):
    return json.loads(path.read_text())
