"""Corrected cases, fold by fold and averaged, are those of all folds at once, to the voxel."""

from dataclasses import replace

import numpy as np
import pytest

from interactivenet.datasets.task import Case
from interactivenet.imaging.io import read_label, write_volume
from interactivenet.inference.batch import predict_cases
from interactivenet.inference.ensemble import ensemble_cases
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.outputs import Output
from interactivenet.models.model import Model
from interactivenet.postprocessing.components import Postprocessing
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.io import write_prompts
from tests.inference.predictors import random_weights
from tests.sample_cases import make_plan, make_scan, stored_grid


@pytest.mark.parametrize("sees", [False, True])
@pytest.mark.parametrize("way", ["probability", "label"])
def test_stored_probabilities_and_all_folds_at_once(tmp_path, sees, way):
    source = stored_grid((24, 22, 20), (1.0, 1.2, 1.5), (2, 0, 1), (-1, 1, -1), (0.2, -0.1, 0.3))
    scan = make_scan(source)
    plan = make_plan((1.3, 1.2, 1.5), corrections=sees, labels={1: "a", 2: "a+"})
    (prompt,) = scan.prompts
    clicks = [((12, 11, 10), False), ((1, 20, 18), True), ((13, 11, 12), True), ((14, 9, 9), False)]
    corrections = [
        Correction(tuple(scan.image.grid.voxel_to_world([voxel])[0]), positive)
        for voxel, positive in clicks
    ]
    prompts = [replace(prompt, corrections=corrections[:3]),
               replace(prompt, name="a+", label=2, corrections=corrections[3:])]  # fmt: skip
    image, points = tmp_path / "case.nii.gz", tmp_path / "points.json"
    write_volume(image, scan.image.array[0], source)
    write_prompts(points, prompts, labels=plan.label_names)
    cases = [Case("case", (image,), interaction=points)]
    weights = tuple(random_weights(tmp_path / f"{n}.safetensors", plan, n) for n in range(2))
    model = Model(plan, weights, (0, 1), postprocessing=Postprocessing(True, "largest"))
    options = InferenceOptions(mirrored=False, restore=way, precision="fp32", device="cpu")
    folds = [Output(tmp_path / f"fold_{n}", (n,), probabilities=True) for n in range(2)]
    for number, output in enumerate(folds):
        (result,) = predict_cases(cases, model.fold(number), [output], options)
        assert not result.error
    mean, whole = (Output(tmp_path / name, (0, 1)) for name in ("mean", "whole"))
    (averaged,) = ensemble_cases(cases, model, folds, mean)
    (at_once,) = predict_cases(cases, model, [whole], options)
    assert not averaged.error and not at_once.error
    first, second = (read_label(each.label_map("case")).array[0] for each in (mean, whole))
    np.testing.assert_array_equal(first, second)
    assert averaged.record["objects"] == at_once.record["objects"]
    for voxel, positive in clicks[:3]:
        assert (first[voxel] == 1) == positive
