"""Postprocessing and merging of large objects: the same voxels as on the whole grid."""

import numpy as np
import pytest
from scipy import ndimage

from interactivenet.imaging.components import component_sizes
from interactivenet.postprocessing.components import CANDIDATES
from interactivenet.postprocessing.merging import PromptProbability, average, merge
from interactivenet.prompts.prompt import Prompt
from tests.sample_cases import stored_grid


def plain(process, mask, points):
    """Postprocessing of a whole mask, as its description reads."""
    result = mask
    if process.component != "all":
        numbers, count = ndimage.label(mask, np.ones((3, 3, 3)))
        if count > 1:
            sizes = np.bincount(numbers.ravel())
            sizes[0] = 0
            touched = np.unique(numbers[tuple(points.T)])
            touched = touched[touched > 0]
            if process.component == "touched" and len(touched):
                result = np.isin(numbers, touched)
            else:
                some = process.component != "largest" and len(touched)
                chosen = touched if some else np.arange(1, count + 1)
                result = numbers == chosen[sizes[chosen].argmax()]
    return ndimage.binary_fill_holes(result) if process.fill_holes else result


@pytest.mark.parametrize("process", CANDIDATES, ids=lambda process: process.name)
@pytest.mark.parametrize("margin", [0, 3])
def test_the_part_around_a_mask_is_all_that_counts(process, margin):
    rng = np.random.default_rng(0)
    for _ in range(5):
        inner = ndimage.gaussian_filter(rng.normal(size=(14, 15, 16)), 1.2) > 0.1
        mask = np.pad(inner, margin)
        points = rng.integers(0, mask.shape, (4, 3))
        assert np.array_equal(process.apply(mask, points), plain(process, mask, points))
    empty = np.zeros((4, 4, 4), bool)
    assert process.apply(empty, points) is empty


def test_sizes_of_components_are_counted_slab_by_slab():
    numbers = np.random.default_rng(0).integers(0, 6, (9, 8, 7), np.int32)
    expected = np.bincount(numbers.ravel())
    expected[0] = 0
    assert component_sizes(numbers, 5).tolist() == expected.tolist()


def test_the_mean_of_one_network_is_its_own():
    values = np.random.default_rng(0).random((3, 4, 5)).astype(np.float16)
    one = PromptProbability(Prompt(1, [[0.0, 0, 0]]), values, (0, 0, 0), 0.5)
    assert average([one]) is one


def test_every_voxel_goes_to_the_most_probable_prompt_wherever_the_boxes_lie():
    grid = stored_grid((20, 21, 22), (1.0, 1.0, 1.0))
    rng = np.random.default_rng(0)
    whole = np.zeros((3, *grid.shape), np.float16)
    claims = []
    for number, start in enumerate([(2, 3, 4), (8, 1, 6), (5, 9, 2)]):
        values = rng.random((10, 11, 12)).astype(np.float16)
        point = grid.voxel_to_world([start])
        claims.append(PromptProbability(Prompt(number + 1, point), values, start, 0.5))
        x, y, z = start
        whole[number, x : x + 10, y : y + 11, z : z + 12] = values
    expected = np.where(whole.max(axis=0) >= 0.5, whole.argmax(axis=0) + 1, 0)
    merged = merge(claims, grid)
    assert np.array_equal(merged.label, expected)
    assert np.array_equal(merged.instance_map, expected)
