"""Outlined structures that tests write."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import generate_uid

from interactivenet.imaging.dicom.reading import grid_of as grid_of
from interactivenet.imaging.structures.codes.code_tables import codes_of
from interactivenet.imaging.structures.structure import Structure, StructureSet

MODEL = {"model": "Task101_SARCOMA", "model_digest": "ab" * 32,
         "description": "InteractiveNet Task101_SARCOMA, expected Dice 0.84"}  # fmt: skip


def structure(number, name, **settings):
    label = settings.pop("label", name)
    uid = generate_uid(entropy_srcs=[name, str(number)])
    codes = settings.pop("codes", None) or codes_of(label)
    return Structure(number, name, label, codes, uid, **settings)


def outlines(stored, grid, *structures, **settings):
    """Structures of a map as it is stored on a grid."""
    known = structures or (structure(1, "tumour", expected_dice=0.84),)
    return StructureSet(grid.to_ras(stored), grid, known, **{**MODEL, **settings})


def ring_and_more(shape):
    """A map (columns, rows, slices) with holes, an island, pieces at corners, and all borders."""
    x, y, z = np.indices(shape)
    apart = np.hypot(x - shape[0] * 0.4, y - shape[1] * 0.45)
    radius = min(shape[:2])
    stored = np.zeros(shape, np.uint8)
    stored[(apart < radius * 0.35) & (apart > radius * 0.2) & (z % 5 != 3)] = 1
    stored[apart < radius * 0.1] = 1  # an island in the hole
    stored[((x + y + z) % 11 == 0) & (x < 24) & (y < 24)] = 2  # pieces that touch at corners
    stored[-3:, -2:, : shape[2] // 2] = 4
    return stored


RING = (structure(1, "tumour", expected_dice=0.84), structure(2, "edema"),
        structure(4, "kidney_left", is_manual=True))  # fmt: skip


def run_dcmqi(path, folder, kind):
    """The folder into which dcmqi writes the segments of a SEG; skips the test where it lacks.

    kind: 'nrrd' or 'nii'.
    """
    beside = Path(sys.executable).with_name("segimage2itkimage")
    program = str(beside) if beside.exists() else shutil.which("segimage2itkimage")
    if program is None:
        pytest.skip("needs dcmqi, another reader of DICOM SEG")
    folder.mkdir()
    words = ["--inputDICOM", path, "--outputDirectory", folder, "--outputType", kind]
    done = subprocess.run([program, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def complaints(path):
    """The errors that dciodvfy has about a file; skips the test where there is no dciodvfy."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("needs dciodvfy, the standard's checker (Debian's dicom3tools)")
    done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, errors="replace")
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]
