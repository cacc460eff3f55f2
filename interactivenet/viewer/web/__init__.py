"""Requests: who may ask, how they are read, answered and logged."""
