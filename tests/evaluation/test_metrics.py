"""Metrics equal plain implementations, analytic cases, and MONAI's where it defines the same."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics import compute_hausdorff_distance, compute_surface_dice
from scipy.spatial.distance import cdist

from interactivenet.errors import DataError
from interactivenet.evaluation import evaluate_masks
from interactivenet.evaluation.metrics import dice_score

spacings = st.tuples(*[st.sampled_from([0.5, 1.0, 1.7, 3.3])] * 3)
shapes = st.tuples(*[st.integers(1, 9)] * 3)


def plain_surface(mask):
    """Voxels with a face neighbour outside, one by one."""
    surface = []
    for voxel in np.argwhere(mask):
        for axis in range(3):
            for step in (-1, 1):
                neighbour = voxel.copy()
                neighbour[axis] += step
                inside = (neighbour >= 0).all() and (neighbour < mask.shape).all()
                if not inside or not mask[tuple(neighbour)]:
                    surface.append(tuple(voxel))
    return np.array(sorted(set(surface)))


def plain(prediction, label, spacing, tolerance):
    a, b = plain_surface(prediction) * spacing, plain_surface(label) * spacing
    distances = cdist(a, b)
    forth, back = distances.min(axis=1), distances.min(axis=0)
    distances = np.concatenate([forth, back])
    return {
        "dice": 2 * (prediction & label).sum() / (prediction.sum() + label.sum()),
        "nsd": (distances <= tolerance).mean(),
        "hd": distances.max(),
        "hd95": max(np.percentile(forth, 95), np.percentile(back, 95)),
        "assd": distances.mean(),
        "volume_prediction_ml": prediction.sum() * np.prod(spacing) / 1000,
        "volume_label_ml": label.sum() * np.prod(spacing) / 1000,
    }


def two_masks(shape, seed):
    rng = np.random.default_rng(seed)
    masks = [rng.random(shape) > rng.uniform(0.2, 0.9) for _ in range(2)]
    for mask in masks:
        mask[tuple(rng.integers(shape))] = True
    return masks


@given(shapes, spacings, st.integers(0, 1000), st.sampled_from([0.5, 1.0, 2.0, 4.0]))
@settings(max_examples=150)
def test_equal_to_pairwise_distances(shape, spacing, seed, tolerance):
    prediction, label = two_masks(shape, seed)
    metrics = evaluate_masks(prediction, label, spacing, tolerance)
    assert metrics == pytest.approx(plain(prediction, label, spacing, tolerance))


@given(shapes, spacings, st.integers(0, 1000), st.permutations([0, 1, 2]))
@settings(max_examples=50)
def test_symmetric_and_the_same_in_any_orientation(shape, spacing, seed, order):
    prediction, label = two_masks(shape, seed)
    metrics = evaluate_masks(prediction, label, spacing)
    swapped = evaluate_masks(label, prediction, spacing)
    for name in ("dice", "nsd", "hd", "hd95", "assd"):
        assert swapped[name] == pytest.approx(metrics[name])
    assert swapped["volume_label_ml"] == metrics["volume_prediction_ml"]
    turned = [np.flip(mask, (0, 2)).transpose(order) for mask in (prediction, label)]
    again = evaluate_masks(*turned, [spacing[axis] for axis in order])
    assert again == pytest.approx(metrics)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 1.3, 4.0)])
def test_equal_to_monais(spacing):
    rng = np.random.default_rng(3)
    grids = np.indices((30, 28, 26))
    masks = []
    for centre in ((14, 13, 12), (15, 15, 12)):
        away = sum(
            ((grid - c) / r) ** 2 for grid, c, r in zip(grids, centre, (9, 7, 6), strict=True)
        )
        masks.append(away + rng.normal(0, 0.05, away.shape) <= 1)
    metrics = evaluate_masks(*masks, spacing, 2.0)
    both = [torch.from_numpy(mask)[None, None].float() for mask in masks]
    # MONAI's surface is the mask's, too; but it is one voxel off for shapes that touch the border
    options = {"include_background": True, "spacing": spacing}
    hausdorff = compute_hausdorff_distance(*both, **options)
    assert metrics["hd"] == pytest.approx(float(hausdorff), rel=1e-5)
    hd95 = compute_hausdorff_distance(*both, percentile=95, **options)
    assert metrics["hd95"] == pytest.approx(float(hd95), rel=1e-5)
    nsd = compute_surface_dice(*both, class_thresholds=[2.0], **options)
    assert metrics["nsd"] == pytest.approx(float(nsd), rel=1e-5)


def test_shifted_cubes():
    label = np.zeros((40, 40, 40), bool)
    label[10:20, 10:20, 10:20] = True
    metrics = evaluate_masks(np.roll(label, 3, axis=2), label, (1.0, 1.0, 2.0), 2.0)
    assert metrics["dice"] == pytest.approx(0.7) and metrics["hd"] == pytest.approx(6.0)
    assert metrics["volume_label_ml"] == pytest.approx(2.0)
    assert evaluate_masks(label, label, (1, 1, 1)) == pytest.approx(
        {"dice": 1, "nsd": 1, "hd": 0, "hd95": 0, "assd": 0,
         "volume_prediction_ml": 1, "volume_label_ml": 1}
    )  # fmt: skip


def test_concentric_spheres():
    grids = np.indices((60, 60, 60)) - 29.5
    away = np.sqrt((grids**2).sum(axis=0))
    metrics = evaluate_masks(away <= 25, away <= 20, (1, 1, 1), 2.0)
    for name in ("hd", "hd95", "assd"):
        assert metrics[name] == pytest.approx(5, abs=0.8)
    assert metrics["nsd"] == 0 and metrics["dice"] == pytest.approx(
        2 * 8000 / (8000 + 15625), abs=0.01
    )


def test_empty_masks():
    empty, full = np.zeros((4, 4, 4), bool), np.ones((4, 4, 4), bool)
    both = evaluate_masks(empty, empty, (1, 1, 1))
    assert (both["dice"], both["nsd"], both["hd"], both["hd95"], both["assd"]) == (1, 1, 0, 0, 0)
    for pair in ((empty, full), (full, empty)):
        metrics = evaluate_masks(*pair, (1, 1, 1))
        assert (metrics["dice"], metrics["nsd"]) == (0, 0)
        assert all(np.isnan(metrics[name]) for name in ("hd", "hd95", "assd"))
    assert evaluate_masks(full, full, (1, 1, 1))["dice"] == 1


def test_one_voxel_each():
    prediction, label = np.zeros((9, 9, 9), bool), np.zeros((9, 9, 9), bool)
    prediction[0, 0, 0] = label[0, 3, 2] = True
    metrics = evaluate_masks(prediction, label, (1.0, 1.0, 2.0))
    assert metrics["hd"] == metrics["hd95"] == metrics["assd"] == pytest.approx(5.0)


@given(shapes, st.integers(0, 1000))
@settings(max_examples=50)
def test_dice_alone(shape, seed):
    prediction, label = two_masks(shape, seed)
    expected = 2 * (prediction & label).sum() / (prediction.sum() + label.sum())
    assert dice_score(prediction, label) == pytest.approx(expected)
    empty = np.zeros(shape, bool)
    assert (dice_score(empty, empty), dice_score(prediction, empty)) == (1, 0)
    with pytest.raises(DataError, match="share one shape"):
        dice_score(prediction, label[:-1])


@pytest.mark.parametrize(
    ("prediction", "label", "spacing", "message"),
    [
        ((3, 3, 3), (3, 3, 4), (1, 1, 1), "share one shape"),
        ((3, 3), (3, 3), (1, 1, 1), "share one shape"),
        ((3, 3, 3), (3, 3, 3), (1, 1), "three positive lengths"),
        ((3, 3, 3), (3, 3, 3), (1, 0, 1), "three positive lengths"),
        ((3, 3, 3), (3, 3, 3), (1, np.nan, 1), "three positive lengths"),
    ],
)
def test_refused(prediction, label, spacing, message):
    with pytest.raises(DataError, match=message):
        evaluate_masks(np.ones(prediction), np.ones(label), spacing)
