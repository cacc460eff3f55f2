"""Reading DICOM folders as a user asks for them."""

import numpy as np

from interactivenet.imaging.io import ReadOptions, read_image
from tests.imaging.spoiled_files import refusal
from tests.imaging.written_dicom import stored, values_of

CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
TREE = "STUDY01/SER0{}/IM{{:04d}}"  # as on a CD: no suffixes


def chosen(folder, series):
    return read_image(folder, ReadOptions(series=series))


def refused(folder, series=""):
    return refusal(folder, lambda path: chosen(path, series))


def is_plain(volume):
    """Whether it is the series that ``write_series`` writes by itself."""
    return np.array_equal(values_of(volume), stored() - 1000)
