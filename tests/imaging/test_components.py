"""Components touch by corners; boxes are tight; voxels of labels are counted in any type."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from interactivenet.imaging.components import bounding_box, label_components, label_counts


def test_components_touch_by_faces_edges_and_corners():
    mask = np.zeros((6, 6, 6), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[2, 2, 1] = mask[2, 2, 0] = True
    mask[5, 5, 5] = True
    numbers, count = label_components(mask)
    assert count == 2
    assert numbers[0, 0, 0] == numbers[1, 1, 1] == numbers[2, 2, 1] == numbers[2, 2, 0] == 1
    assert numbers[5, 5, 5] == 2 and numbers[~mask].max() == 0
    assert label_components(np.zeros((2, 2, 2), bool))[1] == 0


@given(st.tuples(*[st.integers(1, 7)] * 3), st.integers(0, 999), st.floats(0.6, 1.0))
@settings(max_examples=100)
def test_boxes_equal_scipys(shape, seed, threshold):
    mask = np.random.default_rng(seed).random(shape) > threshold
    boxes = ndimage.find_objects(mask.astype(np.uint8))
    assert bounding_box(mask) == (boxes[0] if boxes else None)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32, np.int64])
def test_voxels_of_each_label(kind):
    label = np.zeros((4, 5, 6), kind)
    label[0, :2] = 3
    label[3, 4, 5] = 200
    assert label_counts(label) == {3: 12, 200: 1}
    assert label_counts(np.zeros((2, 2, 2), kind)) == {}
