"""A session that corrects by painting: what stands for a model that heeds clicks, or does not."""

from dataclasses import replace

import numpy as np

from interactivenet.evaluation.click_robots import Click, paint
from interactivenet.postprocessing.merging import Segmentation


class PaintingSession:
    """Paints a ball into the clicked instance, or out of it.

    segment: prompts -> Segmentation.  deaf: changes nothing.  calls: what it was asked, in order.
    """

    def __init__(self, segment, grid, radius=1, deaf=False):
        self._segment, self._grid, self._radius, self._deaf = segment, grid, radius, deaf
        self.result, self.calls, self.prompts = None, [], ()

    def segment(self, prompts):
        self.prompts, self.result = tuple(prompts), self._segment(prompts)
        return self.result

    def correct(self, *, positive=None, negative=None, instance=1):
        assert (positive is None) != (negative is None)
        points = negative if positive is None else positive
        assert points.shape == (1, 3)
        voxel = tuple(map(int, self._grid.nearest_voxel(points)[0]))
        np.testing.assert_allclose(self._grid.voxel_to_world([voxel]), points)  # a voxel's centre
        click = Click(voxel, positive is not None)
        self.calls.append((instance, click))
        if not self._deaf:
            instances = self.result.instance_map.copy()
            mask = paint(instances == instance, click, self._radius)
            instances[(instances == instance) & ~mask] = 0
            instances[mask] = instance
            self.result = replace(self.result, instance_map=instances)
        return self.result


def segmentation(masks, grid, notes=()):
    """A result of these masks, of which a later one takes voxels from those before."""
    instances = np.zeros(grid.shape, np.int16)
    for number, mask in enumerate(masks, 1):
        instances[mask] = number
    return Segmentation((instances > 0).astype(np.uint16), instances, grid, (), tuple(notes))
