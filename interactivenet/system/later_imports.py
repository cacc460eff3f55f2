"""Modules that others import without needing them: loaded at their first use, if there is one.

A third of what a command imported before it read a scan were these. For programs, which say so
before anything else is imported: a library leaves its user's process as it is.

nibabel's NIfTI module imports the whole of pydicom, for header extensions that hold DICOM, which
hardly any file has. It does without where pydicom is not installed; so it is told, and then given
one that is imported once it is used: such an extension is read as ever.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

#: imported by a star of SciPy's (the first two), by its ``spatial``, and by numba for a settings
#: file that nobody has
UNUSED = ("numpy.f2py", "numpy.testing", "scipy.spatial.transform", "yaml")
_NIFTI, _DICOM = "nibabel.nifti1", "pydicom"


def import_later() -> None:
    """Have this process load what hardly any command uses when it is used."""
    if not any(isinstance(finder, _Later) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Later())


class _Later(MetaPathFinder):
    """Finds the modules that are to be loaded later.

    without: threads that import nibabel's module just now: to them, pydicom is not there.
    """

    def __init__(self) -> None:
        self.without: set[int] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is, to be loaded later; None leaves it to the other finders."""
        if fullname == _DICOM and threading.get_ident() in self.without:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        if fullname not in (*UNUSED, _NIFTI):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        if fullname in UNUSED:
            spec.loader = _LaterLoader(spec.loader)
        elif _DICOM not in sys.modules and PathFinder.find_spec(_DICOM):
            spec.loader = _NiftiLoader(spec.loader, self.without)
        return spec


class _Unloaded(ModuleType):
    """A module that is loaded when anything is asked of it but its name and its place.

    Those are asked by whoever looks through all modules, as torch does; importlib's own LazyLoader
    would load it then. It is loaded once, whatever threads ask.
    """

    def __getattr__(self, name: str) -> Any:
        load = self.__dict__.get("_load")
        if load is not None:
            load(self)
        if type(self) is _Unloaded:  # its own code asks, while it is being loaded
            return object.__getattribute__(self, name)
        return getattr(self, name)


class _LaterLoader(Loader):
    """Loads a module when it is used."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._lock = threading.RLock()
        self._begun = False

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Create the module as it would be created."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Only note how the module is to be loaded."""
        _give_back(module, self._loader)
        module.__class__ = _Unloaded
        module.__dict__["_load"] = self._load

    def _load(self, module: ModuleType) -> None:
        with self._lock:
            if self._begun:  # by another thread, which is done; or by this one, which is within
                return
            self._begun = True
            try:
                self._loader.exec_module(module)
            except BaseException:
                self._begun = False
                raise
            module.__dict__.pop("_load", None)
            module.__class__ = ModuleType


class _NiftiLoader(Loader):
    """Loads nibabel's NIfTI module without pydicom, and has it import that when it is used."""

    def __init__(self, loader: Loader, without: set[int]) -> None:
        self._loader, self._without = loader, without

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Create the module as it would be created."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Load the module, and make it what it would have been with pydicom."""
        content: Any = module
        _give_back(module, self._loader)
        thread = threading.get_ident()
        self._without.add(thread)
        try:
            self._loader.exec_module(module)
        finally:
            self._without.discard(thread)
        if not content.have_dicom:
            content.pdcm, content.have_dicom = _Imported(_DICOM), True
            content.extension_codes.add_codes(((2, "dicom", content.Nifti1DicomExtension),))


class _Imported:
    """Stands for a package, which is imported when something of it is used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._name), name)


def _give_back(module: ModuleType, loader: Loader) -> None:
    """Have a module name the loader that it would have been loaded by."""
    module.__loader__ = loader
    if module.__spec__ is not None:
        module.__spec__.loader = loader
