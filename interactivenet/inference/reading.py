"""Reading a case as a model wants it: its images, and what the names of its points mean."""

from __future__ import annotations

from interactivenet.datasets.case import Scan, read_scan
from interactivenet.datasets.modalities import modalities_of
from interactivenet.datasets.task import Case
from interactivenet.planning.plan import Plan


def read_case(case: Case, plan: Plan) -> Scan:
    """Read a case for a model; raises DataError, naming the file, where one cannot be used."""
    expected = modalities_of(plan.modalities, len(case.images))
    return read_scan(case, len(expected), plan.label_names)
