"""Structures as RTSTRUCT, DICOM SEG and 3D Slicer's segmentations."""
