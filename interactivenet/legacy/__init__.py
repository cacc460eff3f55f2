"""What the original program (InteractiveNet 0.2.x) has trained, for use with this one."""

from interactivenet.legacy.converting import convert_model

__all__ = ["convert_model"]
