import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import interactivenet
from interactivenet.encoding import compiling

posix = pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners and modes are POSIX's")


@pytest.fixture
def places(monkeypatch, tmp_path):
    """All the places there are, as folders of this test, none of them chosen before."""
    names = ("wanted", "source", "home", "temporary")
    for name in names:
        (tmp_path / name).mkdir()
    monkeypatch.setattr(compiling, "_IN_TREE", tmp_path / "source" / "__pycache__")
    monkeypatch.setattr(compiling, "temporary_folder", lambda: tmp_path / "temporary")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    compiling.cache_folder.cache_clear()
    yield tmp_path
    compiling.cache_folder.cache_clear()


def unwritable(monkeypatch, *folders):
    """Make folders unwritable, for root too."""
    check = compiling._is_writable
    refused = [str(folder) for folder in folders]
    monkeypatch.setattr(
        compiling,
        "_is_writable",
        lambda folder: not str(folder).startswith(tuple(refused)) and check(folder),
    )


def test_the_order_of_places(places, monkeypatch):
    user = places / "home" / ".cache" / "interactivenet"
    temporary = places / "temporary" / f"interactivenet-{compiling._user()}"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(places / "wanted"))
    expected = [places / "wanted", places / "source" / "__pycache__", user, temporary, None]
    folders = []
    for count in range(len(expected)):
        with monkeypatch.context() as patch:
            unwritable(patch, *(place for place in expected[:count] if place))
            compiling.cache_folder.cache_clear()
            folders.append(compiling.cache_folder())
    assert folders == expected


def test_no_home_is_no_error(places, monkeypatch):
    def no_home(*_, **__):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr(compiling, "user_cache_path", no_home)
    unwritable(monkeypatch, places / "source")
    assert compiling.cache_folder().parent == places / "temporary"


def test_without_temporary_files_nothing_is_kept(places, monkeypatch):
    monkeypatch.setattr(compiling, "temporary_folder", lambda: None)
    unwritable(monkeypatch, places / "source", places / "home")
    assert compiling.cache_folder() is None


@posix
def test_a_folder_of_somebody_else_is_not_used(places, monkeypatch):
    unwritable(monkeypatch, places / "source", places / "home")
    private = places / "temporary" / f"interactivenet-{os.getuid()}"
    assert compiling.cache_folder() == private and private.stat().st_mode & 0o777 == 0o700

    private.chmod(0o777)  # others may write
    compiling.cache_folder.cache_clear()
    assert compiling.cache_folder() is None

    private.rmdir()
    (places / "elsewhere").mkdir(mode=0o700)
    private.symlink_to(places / "elsewhere")  # a link may be turned to another place
    compiling.cache_folder.cache_clear()
    assert compiling.cache_folder() is None

    private.unlink()
    uid = os.getuid()
    (places / "temporary" / f"interactivenet-{uid + 1}").mkdir(mode=0o700)
    monkeypatch.setattr(compiling.os, "getuid", lambda: uid + 1)  # that belongs to uid
    compiling.cache_folder.cache_clear()
    assert compiling.cache_folder() is None


USE = """
import numpy as np
from interactivenet.encoding import geodesic_distance
from interactivenet.encoding import compiling
image, seeds = np.zeros((3, 4, 5), np.float32), np.ones((3, 4, 5), bool)
assert (geodesic_distance(image, seeds, (1, 1, 1), kernel="scan") == 0).all()
from interactivenet.encoding.kernels import raster_scan
print(sum(raster_scan.stats.cache_hits.values()) if compiling.cache_folder() else "no cache")
"""


@posix
def test_starts_cold_without_home_beside_unwritable_source(tmp_path):
    """Several at once, then one that finds what they have compiled; nothing may be written."""
    package = tmp_path / "code" / "interactivenet"
    shutil.copytree(
        Path(interactivenet.__file__).parent,
        package,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    # a file where the folder would be: this stops root as well
    (package / "encoding" / "__pycache__").touch()
    (tmp_path / "temporary").mkdir()
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")
    }
    environment |= {"HOME": "/dev/null", "TMPDIR": str(tmp_path / "temporary")}
    environment |= {"PYTHONPATH": str(tmp_path / "code"), "PYTHONDONTWRITEBYTECODE": "1"}

    def start():
        return subprocess.Popen(
            [sys.executable, "-c", USE],
            cwd=tmp_path,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    for together, hits in ((3, None), (1, "1")):
        for process in [start() for _ in range(together)]:
            output, errors = process.communicate(timeout=120)
            assert process.returncode == 0 and not errors, errors
            assert hits is None or output.strip() == hits
    assert [folder.name for folder in (tmp_path / "temporary").iterdir()] == [
        f"interactivenet-{os.getuid()}"
    ]


@pytest.mark.parametrize(
    ("features", "given", "expected"),
    [
        (compiling._COMMON, {}, ("x86-64-v3", "")),
        ((*compiling._COMMON, "avx512f"), {}, ("x86-64-v3", "")),
        (compiling._COMMON[1:], {}, (None, None)),  # an old processor: numba looks at it itself
        ((), {}, (None, None)),  # another architecture
        (compiling._COMMON, {"NUMBA_CPU_NAME": "generic"}, ("generic", "")),
    ],
)
def test_kernels_are_for_the_common_processors(monkeypatch, features, given, expected):
    names = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with monkeypatch.context() as patch:
        patch.setattr(compiling.numba.config, "reload_config", lambda: None)
        compiling.choose_processor(dict.fromkeys(features, True) | {"sse2": True, "adx": False})
        values = tuple(os.environ.pop(name, None) for name in names)
    assert values == expected


def test_kernels_compiled_elsewhere_are_loaded(tmp_path):
    """What one process has compiled another one loads: numba compares processors by name."""
    program = (
        "from interactivenet.encoding import kernels, precompile; precompile.precompile();"
        "functions = kernels.settle, kernels.raster_scan\n"
        "print(sum(sum(f.stats.cache_misses.values()) for f in functions))"
    )
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"):
        env.pop(name, None)
    for _ in range(2):  # the first may take over the kernels of the tree, or compile
        words = [sys.executable, "-c", program]
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
