"""How deep margin points lie, and which voxels take them."""

import numpy as np
import pytest

from interactivenet.prompts.margin_points import margin_depths, nearest_free_voxel

ONE = (1.0, 1.0, 1.0)


def test_depth_is_at_most_a_third_of_the_extent_and_can_be_given_in_mm():
    extent = np.array([1, 2, 3, 4, 7, 10, 16, 17, 40])
    depths = [margin_depths(np.array([n, n, n]), ONE)[0] for n in extent]
    assert depths == [0, 0, 0, 1, 2, 3, 5, 5, 5]
    assert (3 * np.array(depths) <= extent).all()
    given_mm = margin_depths(np.array([40, 40, 40]), (1.0, 0.5, 4.0), depth_mm=4.0)
    assert given_mm.tolist() == [4, 8, 1]


def test_a_voxel_that_is_taken_is_not_chosen_again():
    line = np.array([[x, 0, 0] for x in range(5)])
    elsewhere = np.array([[9, 9, 9]])
    target, taken = np.array([1.2, 0, 0]), []
    for expected in (1, 2, 0, 3, 4):
        taken.append(nearest_free_voxel(target, (line,), taken, ONE, None))
        assert taken[-1].tolist() == [expected, 0, 0]
    voxel = nearest_free_voxel(target, (line, elsewhere), taken, ONE, None)
    assert voxel.tolist() == [9, 9, 9]
    with pytest.raises(ValueError, match="more points than voxels"):
        nearest_free_voxel(target, (line,), taken, ONE, None)
