"""Made-up objects whose outline is lost in places."""

import numpy as np
import torch

from interactivenet.training import made_up
from interactivenet.training.random_fields import RandomSource

SIDE = 32


def filled(monkeypatch, share, seed):
    """A ball in one kind of tissue, and the same with its outline lost or not."""
    monkeypatch.setattr(made_up, "FADED", share)
    line = torch.linspace(-1, 1, SIDE)
    radius = sum(axis**2 for axis in torch.meshgrid(line, line, line, indexing="ij")) / 0.3
    region = torch.zeros((SIDE,) * 3, dtype=torch.long)
    image = made_up._filled(region, 1, radius < 1, radius, RandomSource([seed]))
    return image, radius < 1


def test_what_surrounds_an_object_stays_and_the_object_becomes_more_like_it(monkeypatch):
    contrasts = []
    for seed in range(12):
        (clear, mask), (faded, _) = (filled(monkeypatch, share, seed) for share in (0.0, 1.0))
        assert torch.equal(clear[~mask], faded[~mask])
        assert not torch.equal(clear[mask], faded[mask])
        around = clear[~mask].mean()
        contrasts.append([float((image[mask].mean() - around).abs()) for image in (clear, faded)])
    clear, faded = np.mean(contrasts, axis=0)
    assert faded < 0.8 * clear
