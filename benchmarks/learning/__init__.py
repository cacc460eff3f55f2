"""Whether learning pays: every way to segment, against the ellipsoid through the points.

Run with ``python -m benchmarks.learning --shared FOLDER --work FOLDER``; see ``__main__.py``.
"""
