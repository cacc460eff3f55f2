"""Files of points as the tests write them, and what must survive of their prompts."""

import json

import numpy as np
from scipy.spatial.transform import Rotation

from interactivenet.imaging.geometry import Geometry
from interactivenet.prompts.corrections import BACKGROUND, Correction
from interactivenet.prompts.prompt import LabelNames, Prompt

LABELS = LabelNames({1: "tumour", 2: "oedema"})
TEXT = [".json", ".mrk.json", ".fcsv", ".csv"]


def oblique_grid():
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [10, -20, 100], degrees=True).as_matrix()
    affine[:3, :3] *= [0.9, 0.8, 3.1]
    affine[:3, 3] = [-17.3, 40.2, -300.7]
    return Geometry((31, 29, 11), affine)


def some_prompts(grid, seed=0, labels=(1, 2)):
    rng = np.random.default_rng(seed)
    return [
        Prompt(
            label,
            grid.voxel_to_world(rng.uniform(0, np.array(grid.shape) - 1, (6, 3))),
            LABELS.names[label],
        )
        for label in labels
    ]


def assert_same(prompts, expected, atol=0.0):
    assert [p.label for p in prompts] == [p.label for p in expected]
    assert [p.name for p in prompts] == [p.name for p in expected]
    for a, b in zip(prompts, expected, strict=True):
        np.testing.assert_allclose(b.points, a.points, rtol=0, atol=atol)


def click_files(folder, tumour, background):
    """The two forms of autoPET's clicks."""
    points = [{"point": p, "name": "tumor"} for p in tumour]
    points += [{"point": p, "name": "background"} for p in background]
    sent = {"version": {"major": 1, "minor": 0}, "type": "Multiple points", "points": points}
    (folder / "lesion-clicks.json").write_text(json.dumps(sent))
    kept = {"tumor": tumour, "background": background}
    (folder / "training.json").write_text(json.dumps(kept))
    return folder / "lesion-clicks.json", folder / "training.json"


def slicer(path, name, system="LPS", count=3):
    controls = [{"label": f"{name}-{n}", "position": [n, 2, 3.5]} for n in range(1, count + 1)]
    path.write_text(
        json.dumps({"markups": [{"coordinateSystem": system, "controlPoints": controls}]})
    )
    return path


def of_background(positions):
    """Corrections as the background's points are."""
    return tuple(Correction(position, False, BACKGROUND) for position in positions)
