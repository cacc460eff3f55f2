"""Volumes of all kinds, for hypothesis."""

import numpy as np
from hypothesis import strategies as st

spacings = st.tuples(*[st.sampled_from([0.5, 1.0, 1.7, 6.0])] * 3)


@st.composite
def volumes(draw, longest=9):
    """Image (C, X, Y, Z) and seeds: noise, smooth, constant, with jumps; axes of one voxel."""
    sizes = st.integers(1, longest)
    shape = draw(st.tuples(sizes, sizes, sizes))
    if draw(st.booleans()):  # rows of several segments, which settle one after the other
        shape = (*draw(st.permutations([*shape[:2], draw(st.integers(30, 70))])),)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    image = rng.standard_normal((draw(st.sampled_from([1, 1, 2])), *shape))
    look = draw(st.sampled_from(["noise", "smooth", "constant", "jumps", "steps"]))
    if look == "smooth":
        image = np.cumsum(image, axis=1) * 0.1
    elif look == "constant":
        image[:] = 0.7
    elif look == "jumps":
        image *= 10.0 ** rng.integers(-2, 5, size=image.shape)
    elif look == "steps":
        image = np.round(image)
    seeds = np.zeros(shape, dtype=bool)
    count = draw(st.sampled_from([1, 2, 6, seeds.size]))
    seeds.flat[rng.permutation(seeds.size)[:count]] = True
    return image.astype(np.float32), seeds
