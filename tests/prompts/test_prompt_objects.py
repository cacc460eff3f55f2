"""Which voxels belong to a prompt when labels have several components and prompts."""

import numpy as np

from interactivenet.imaging.geometry import Geometry
from interactivenet.prompts.prompt import Prompt
from interactivenet.prompts.prompt_objects import PromptObjects

GRID = Geometry((20, 10, 6), np.diag([1.0, 2.0, 3.0, 1.0]))


def prompt(*voxels, label=1):
    return Prompt(label, GRID.voxel_to_world(np.array(voxels, dtype=float)))


def two_cubes():
    label = np.zeros(GRID.shape, np.uint8)
    label[2:5, 2:5, 1:4] = 1
    label[10:14, 2:5, 1:4] = 1
    label[16:18, 8:10, 4:6] = 1
    return label


def test_voxels_of_touched_components():
    objects = PromptObjects(two_cubes())
    assert objects.count(1) == 3 and objects.count(2) == 0
    voxels = objects.voxels(prompt([3, 3, 2], [4, 4, 3], [0, 0, 0]), GRID)
    assert sorted(map(tuple, voxels)) == sorted(map(tuple, np.argwhere(two_cubes())[:27]))
    assert objects.voxels(prompt([0, 0, 0]), GRID).shape == (0, 3)
    assert objects.voxels(prompt([3, 3, 2], label=2), GRID).shape == (0, 3)
    assert PromptObjects(None).voxels(prompt([3, 3, 2]), GRID).shape == (0, 3)


def test_a_label_with_one_prompt_is_one_object():
    alone = prompt([3, 3, 2])
    mask = PromptObjects(two_cubes()).mask(alone, [alone], GRID)
    assert np.array_equal(mask, two_cubes() == 1)


def test_components_of_other_prompts_are_left_out():
    first, second = prompt([3, 3, 2]), prompt([11, 3, 2], [12, 3, 2])
    objects = PromptObjects(two_cubes())
    expected = two_cubes() == 1
    expected[10:14] = False
    assert np.array_equal(objects.mask(first, [first, second], GRID), expected)
    # another draw in the second object, which is not among the prompts
    draw = prompt([13, 4, 3])
    assert np.array_equal(
        objects.mask(draw, [first, second], GRID), objects.mask(second, [first, second], GRID)
    )
    # a component that both touch is both's; points of another label do not count
    both = prompt([3, 3, 2], [11, 3, 2])
    other_label = prompt([11, 3, 2], label=2)
    prompts = [first, both, second, other_label]
    assert np.array_equal(objects.mask(both, prompts, GRID), two_cubes() == 1)
