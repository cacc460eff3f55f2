"""InteractiveNet: minimally interactive 3D medical image segmentation."""

__version__ = "0.3.0"
