"""A tree of DICOM studies as cases: which series and structure sets belong together, and why."""
