"""The stages, from a raw task to a deployed model, as functions."""
