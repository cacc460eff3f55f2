"""Interpolation at positions along the axes: equal to SciPy's, axis by axis."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from interactivenet.imaging.interpolation import interpolate_at


@given(
    st.tuples(*[st.integers(1, 9)] * 3),
    st.tuples(*[st.integers(1, 7)] * 3),
    st.integers(0, 1000),
    st.booleans(),
)
@settings(max_examples=150)
def test_it_is_what_scipy_computes(shape, counts, seed, nearest):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(2, *shape)).astype(np.float32)
    # beyond the volume as well, and never halfway, where the nearest voxel is anybody's choice
    sizes = zip(shape, counts, strict=True)
    positions = [rng.integers(-20, 10 * n + 20, m) / 10 + 0.013 for n, m in sizes]
    result = interpolate_at(values, positions, nearest=nearest)
    grid = np.stack(np.meshgrid(*positions, indexing="ij"))
    order = 0 if nearest else 1
    expected = [map_coordinates(v, grid, order=order, mode="nearest") for v in values]
    assert result.shape == (2, *counts) and result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=2e-6)


def test_what_is_constant_stays_exactly_what_it_is():
    values = np.full((5, 6, 7), np.float32(0.1))
    result = interpolate_at(values, [np.linspace(-1, 8, 13)] * 3)
    assert (result == np.float32(0.1)).all()
