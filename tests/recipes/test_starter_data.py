"""The recipe of the starter: what it reads beside the images."""

import numpy as np
import pytest

from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.volume import Volume
from interactivenet.preprocessing.region import make_region
from recipes.starter.data import labels_on
from tests.sample_cases import make_scan, stored_grid
from tests.training.test_object_samples import object_plan


def test_labels_come_from_the_nearest_voxels():
    values = np.arange(2 * 3 * 4, dtype=np.uint16).reshape(1, 2, 3, 4) * 20
    label = Volume.from_ras(values, np.diag([2.0, 1.0, 1.0, 1.0]))
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[:3, 3] = (0.1, 1.0, 0.9)
    found = labels_on(label, Geometry((3, 5, 2), affine))
    expected = values[0][np.ix_([0, 1, 1], [1, 2, 2, 2, 2], [1, 3])]
    assert np.array_equal(found, np.minimum(expected, 255)) and found.dtype == np.uint8


@pytest.mark.parametrize("axes", [((0, 1, 2), (1, 1, 1)), ((2, 0, 1), (-1, 1, -1))])
def test_labels_lie_where_the_region_has_its_object(axes):
    source = stored_grid((44, 40, 30), (1.0, 1.1, 1.4), *axes)
    scan = make_scan(source, radii=(12, 9, 7), seed=1)
    region = make_region(scan, scan.prompts[0], object_plan())
    found = labels_on(scan.label, region.grid)
    assert np.array_equal(found == scan.prompts[0].label, region.label > 0)
