"""How good segmentations are: metrics in mm, and pictures."""

from interactivenet.evaluation.metrics import evaluate_masks

__all__ = ["evaluate_masks"]
