"""Voxels and their place in the patient: grids, resampling, and image files of every format."""
