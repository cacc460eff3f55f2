"""Modules that are loaded at their first use are then what they would have been."""

import subprocess
import sys

import pytest

_LATER = "from interactivenet.system.later_imports import import_later; import_later()\n"


def run(code: str, later: bool = True) -> str:
    done = subprocess.run(
        [sys.executable, "-c", (_LATER if later else "") + code], capture_output=True, text=True
    )
    assert not done.returncode, done.stderr
    return done.stdout


def test_only_what_is_used_is_loaded_and_once():
    """Whoever looks through all modules, as ``inspect`` does, loads none."""
    code = """
import inspect, sys, threading, time
import numpy.testing
from scipy import ndimage
module = sys.modules["numpy.testing"]
inspect.getmodule(run := lambda: None, "elsewhere.py")
assert "numpy.testing._private" not in sys.modules and "numpy.f2py.f2py2e" not in sys.modules
assert module.__spec__.loader is module.__loader__ and module.__file__.endswith("__init__.py")
found = []
threads = [
    threading.Thread(target=lambda: found.append(module.assert_array_equal)) for _ in range(8)
]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len(found) == 8 and len(set(map(id, found))) == 1
assert type(module) is type(sys) and numpy.testing is module
from numpy.testing import assert_allclose
try:
    module.no_such_name
except AttributeError as error:
    print(error)
import numpy.f2py
print(numpy.f2py.get_include.__name__)
"""
    assert run(code).split("\n")[:2] == [
        "module 'numpy.testing' has no attribute 'no_such_name'", "get_include"
    ]  # fmt: skip


def test_a_module_that_cannot_be_loaded_says_so_every_time(tmp_path):
    (tmp_path / "yaml.py").write_text("import sys; sys.tries += 1; 1 / 0", encoding="utf-8")
    code = f"""
import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.tries = 0
import yaml
for _ in range(2):
    try:
        yaml.load
    except ZeroDivisionError:
        pass
print(sys.tries)
"""
    assert run(code) == "2\n"


_EXTENSION = r"""
import sys, io
import nibabel, numpy as np
from nibabel import nifti1
assert ("pydicom" in sys.modules) != LATER
content = b"\x10\x00\x10\x00PN\x04\x00A^B "
image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4))
image.header.extensions.append(nifti1.Nifti1Extension(2, content))
again = nibabel.Nifti1Image.from_bytes(image.to_bytes())
extension = again.header.extensions[0]
print(type(extension).__name__, extension.get_content()["PatientName"].value)
print(again.to_bytes() == image.to_bytes(), again.header.extensions.count("dicom"))
print(nifti1.have_dicom, nifti1.pdcm.Dataset, nifti1.extension_codes.label[2])
print(nifti1.Nifti1DicomExtension(2).get_content())
import pydicom
assert pydicom.Dataset is nifti1.pdcm.Dataset
try:
    nifti1.Nifti1DicomExtension(2, b"\xff" * 8)
except ValueError as error:
    print(error)
"""


def test_extensions_that_hold_dicom_are_read_as_ever():
    pytest.importorskip("pydicom")
    later = run(_EXTENSION.replace("LATER", "True"))
    assert later == run(_EXTENSION.replace("LATER", "False"), later=False)
    assert later.startswith("Nifti1DicomExtension A^B\n")


def test_another_thread_has_its_pydicom():
    """Only the import of nibabel's module does without, and only on its own thread."""
    code = """
import sys, threading
from interactivenet.system import later_imports
finder = sys.meta_path[0]
finder.without.add(threading.get_ident())
try:
    import pydicom
except ModuleNotFoundError as error:
    print(error)
thread = threading.Thread(target=lambda: __import__("pydicom"))
thread.start(); thread.join()
print("pydicom" in sys.modules)
finder.without.clear()
import nibabel.nifti1
print(type(nibabel.nifti1.pdcm).__name__, len(sys.meta_path) == len({id(f) for f in sys.meta_path}))
import_later()
print(sum(f is finder for f in sys.meta_path), type(sys.meta_path[1]) is type(finder))
"""
    assert run(code).split("\n") == [
        "No module named 'pydicom'", "True", "module True", "1 False", ""
    ]  # fmt: skip
