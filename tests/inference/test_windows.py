"""Blending windows gives what MONAI's sliding window gives, to the bit."""

import numpy as np
import pytest
import torch
from monai.data.utils import compute_importance_map
from monai.inferers import sliding_window_inference

from interactivenet.inference.windows import blend_windows, gaussian_weights

SHAPES = [
    ((16, 16, 16), (16, 16, 16)), ((24, 16, 17), (16, 16, 16)), ((20, 33, 9), (8, 12, 5)),
    ((7, 7, 30), (7, 1, 6)), ((50, 20, 20), (12, 20, 2)),
]  # fmt: skip


def two_channels(windows):
    """Depends on the place in the window, as a network with padding does."""
    ramp = torch.linspace(0.5, 2, windows[0, 0].numel()).reshape(windows.shape[2:])
    return torch.cat([windows[:, :1] * ramp, windows[:, 1:] ** 2 + ramp], 1)


@pytest.mark.parametrize(("shape", "window"), SHAPES)
@pytest.mark.parametrize("batch", [1, 3])
def test_as_monai(shape, window, batch):
    torch.manual_seed(0)
    images = torch.randn(2, 2, *shape)
    sizes = []

    def forward(windows):
        sizes.append(len(windows))
        return two_channels(windows)

    blended = blend_windows(images, window, batch, forward)
    expected = sliding_window_inference(
        images, window, batch, two_channels, overlap=0.5, mode="gaussian"
    )
    assert torch.equal(blended, expected) and blended.shape == images.shape
    assert max(sizes) == min(batch, sum(sizes))


@pytest.mark.parametrize("window", [(16, 16, 16), (5, 64, 9), (1, 2, 3)])
def test_weights_are_monais(window):
    weights = gaussian_weights(window)
    assert torch.equal(weights, compute_importance_map(window, mode="gaussian"))
    assert weights.min() >= 1e-3 and weights.max() <= 1


def test_what_does_not_depend_on_the_window_is_left_as_it_is():
    images = torch.randn(1, 1, 30, 21, 12)
    blended = blend_windows(images, (8, 8, 8), 2, lambda windows: windows)
    np.testing.assert_allclose(blended, images, rtol=1e-5, atol=1e-6)


def test_windows_larger_than_the_image_are_refused():
    with pytest.raises(ValueError, match="a window of 16 voxels does not fit into 12"):
        blend_windows(torch.zeros(1, 1, 12, 16, 16), (16, 16, 16), 1, lambda windows: windows)
