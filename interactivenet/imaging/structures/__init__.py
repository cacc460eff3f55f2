"""Outlines as other programs keep them: DICOM SEG, RTSTRUCT, 3D Slicer's; read and written."""
