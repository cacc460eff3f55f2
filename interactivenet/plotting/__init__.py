"""Pictures: planes of a scan, overlays, figures, curves."""
