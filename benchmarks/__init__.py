"""Measurements behind the choices in the code; run one with ``python -m benchmarks.NAME``."""
