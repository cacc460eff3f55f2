"""Training: draws of samples, their augmentation, the Lightning module, the run of a fold."""
