"""Results of a case in the formats of archives, planning systems and 3D Slicer."""
