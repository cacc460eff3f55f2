"""Saving what was outlined: into a raw task, a folder, or a zip."""
