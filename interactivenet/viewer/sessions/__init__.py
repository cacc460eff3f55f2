"""Open scans: their objects, points and outlines, and the networks that they share."""
