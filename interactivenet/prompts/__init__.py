"""What a clinician points at: points, their meaning, simulation, checks and files."""
