"""A painted mask takes the place of an outline, and of what it covers of others."""

import numpy as np
import pytest

from interactivenet.errors import DataError, RequestError
from interactivenet.viewer.sessions.brush import paint, painted_over, read_mask
from tests.viewer.annotated import GRID, outlined
from tests.viewer.serving import nifti_of

#: voxels of one of the boxes of ``outlined``, and ml of a voxel
BOX, ML = 5 * 5 * 4, float(np.prod(GRID.spacing)) / 1000


@pytest.fixture
def result():
    return outlined((3, "liver"), (7, "tumour"))


def mask_of(*slices):
    mask = np.zeros(GRID.ras.shape, bool)
    mask[slices] = True
    return mask


def test_it_is_the_outline_and_what_it_covers_is_its_own(result):
    mask = mask_of(slice(12, 16), slice(10, 13), slice(9, 13))  # a part of the tumour's box
    taken = int((mask & (result.instance_map == 2)).sum())
    assert taken
    painted = painted_over(result, {0: paint((), mask)})
    np.testing.assert_array_equal(painted.instance_map == 1, mask)
    np.testing.assert_array_equal(painted.label == 3, mask)
    assert int((painted.label == 7).sum()) == BOX - taken
    liver, tumour = painted.objects
    assert liver.volume_ml == pytest.approx(mask.sum() * ML)
    assert tumour.volume_ml == pytest.approx((BOX - taken) * ML)
    assert liver.points_inside == 0 and liver.components == 1
    assert liver.untouched_components == 1  # no point lies in it
    assert liver.expected_dice is None and liver.needs_review is None and liver.reasons == ()
    assert result.instance_map[5, 5, 4] == 1  # the result itself is as it was


def test_without_any_the_result_is_itself(result):
    assert painted_over(result, {}) is result


def test_an_object_that_nothing_was_taken_from_stays_as_it_is(result):
    mask = mask_of(slice(0, 2), slice(0, 2), slice(0, 2))
    painted = painted_over(result, {0: paint((), mask)})
    assert painted.objects[1] is result.objects[1]


def test_an_empty_mask_is_refused():
    with pytest.raises(RequestError, match="the mask is empty"):
        paint((), mask_of(slice(0)))


def test_a_mask_is_read_on_the_scans_grid(tmp_path):
    mask = mask_of(slice(2, 9), slice(3, 5), slice(1, 6))
    np.testing.assert_array_equal(read_mask(nifti_of(mask, GRID), GRID, tmp_path), mask)
    np.testing.assert_array_equal(read_mask(nifti_of(mask, GRID.ras), GRID, tmp_path), mask)
    assert not list(tmp_path.iterdir())


def test_a_mask_that_lies_elsewhere_is_refused_without_a_path(tmp_path):
    from interactivenet.imaging.geometry import Geometry

    affine = np.array(GRID.affine)
    affine[0, 3] += 0.37
    with pytest.raises(DataError) as refused:
        read_mask(nifti_of(mask_of(), Geometry(GRID.shape, affine)), GRID, tmp_path)
    assert "the mask" in str(refused.value) and str(tmp_path) not in str(refused.value)
    assert not list(tmp_path.iterdir())
