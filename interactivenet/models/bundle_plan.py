"""The plan alone of a trained model."""

from __future__ import annotations

import os
from pathlib import Path

from interactivenet.datasets.roots import Roots
from interactivenet.errors import DataError, RequestError
from interactivenet.models.bundle import read_bundle
from interactivenet.models.finding import model_folder
from interactivenet.models.unpacking import is_legacy
from interactivenet.planning.plan import Plan


def read_bundle_plan(model: Path | str, roots: Roots) -> Plan:
    """Read the plan of a bundle, its weights checked.

    model: as for :func:`~interactivenet.models.finding.find_model`. Raises RequestError where there
    is no such model, or it is one of the original program; DataError, naming it, where it is no
    bundle or not whole.
    """
    with model_folder(model, roots, "like") as folder:
        if is_legacy(folder):
            raise RequestError(f"{model}: is a model of the original program", expected="a bundle")
        try:
            return read_bundle(folder).plan
        except DataError as error:  # nobody knows the folder of a zip
            raise DataError(str(error).replace(f"{folder}{os.sep}", f"{model}: ")) from error
