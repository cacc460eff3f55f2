"""MONAI Label's protocol, as 3D Slicer's extension of this name speaks it, for the same images."""
