"""The plan alone of a deployed model, in a folder or a zip."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from interactivenet.errors import DataError, RequestError
from interactivenet.models.bundle import read_bundle
from interactivenet.models.unpacking import is_legacy, unpacked
from interactivenet.planning.plan import Plan


def read_bundle_plan(path: Path | str) -> Plan:
    """Read the plan of a bundle, its weights checked; path: its folder, or a zip of it.

    Raises RequestError where there is no such file or folder, or it is a model of the original
    program; DataError, naming it, where it is no bundle or not whole.
    """
    path = Path(path)
    if not path.exists():
        raise RequestError(f"{path} does not exist", expected="the folder or the zip of a model")
    with TemporaryDirectory() as scratch, unpacked(path, Path(scratch)) as (folder, _):
        if is_legacy(folder):
            raise RequestError(f"{path}: is a model of the original program", expected="a bundle")
        try:
            return read_bundle(folder).plan
        except DataError as error:  # nobody knows the folder of a zip
            raise DataError(str(error).replace(f"{folder}{os.sep}", f"{path}: ")) from error
