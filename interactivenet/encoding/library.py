"""Is the library there that a kernel of the geodesic distance stands for?"""

from __future__ import annotations

from importlib import import_module

from interactivenet.errors import RequestError

#: the kernel that is another library's
LIBRARY_KERNEL = "geodistk"


def check_library(kernel: str) -> None:
    """Raise RequestError where a kernel needs the library GeodisTK, and that is not installed."""
    if kernel != LIBRARY_KERNEL:
        return
    try:
        import_module("GeodisTK")
    except ImportError:
        raise RequestError(
            field="kernel",
            value=LIBRARY_KERNEL,
            expected="the library GeodisTK, which is not installed",
            remedy='install it, or choose `kernel="scan"`, which gives the same distances',
        ) from None
