"""What the original program (InteractiveNet 0.2.x) has trained, for use with this one."""

from interactivenet.legacy.converting import convert_model
from interactivenet.legacy.published import task_name
from interactivenet.legacy.sample import make_legacy_sample

__all__ = ["convert_model", "make_legacy_sample", "task_name"]
