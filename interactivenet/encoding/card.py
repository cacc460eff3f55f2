"""A graphics card for the geodesic distance: made ready beside the work, held against the CPU.

Compiling takes some seconds, once, in a thread of its own; the CPU computes meanwhile. Before a
card is used it must give the CPU's numbers, to the bit, for some small volumes: where a card, a
driver or a CPU is of a kind for which that is not so, the CPU is used for all.

Importing this module imports torch.
"""

from __future__ import annotations

import threading
import warnings
from functools import cache

import numpy as np
import torch

from interactivenet.encoding.card_kernels import CardLauncher, Launcher, load_kernels
from interactivenet.encoding.layout import FAR
from interactivenet.encoding.on_card import geodesic_on_card
from interactivenet.encoding.on_cpu import geodesic_on_cpu
from interactivenet.encoding.step_cost import StepCost
from interactivenet.errors import one_line

#: metrics, channels and bounds of the test: all forms of a step's cost
_TESTED = (
    (StepCost(), 1, float(FAR)),
    (StepCost(lamb=0.7), 2, 3.0),
    (StepCost("gradient"), 1, float(FAR)),
)


class _Preparation:
    """The compiling for one card, in a thread that nobody has to wait for."""

    def __init__(self, device: torch.device) -> None:
        self.launcher: CardLauncher | None = None
        self.reason = ""
        self._said = False
        self._lock = threading.Lock()
        # no daemon: a process that ends while NVRTC works could crash, and what it compiles is kept
        self._thread = threading.Thread(target=self._prepare, args=(device,))
        self._thread.start()

    def _prepare(self, device: torch.device) -> None:
        try:
            launcher = load_kernels(device)
            if agrees(launcher, device):
                self.launcher = launcher
            else:
                self.reason = "what it computes differs from what the CPU does"
        except Exception as error:  # a library of an unforeseen kind must not end a segmentation
            self.reason = one_line(str(error)) or type(error).__name__

    def wait(self) -> None:
        """Wait until it is over."""
        self._thread.join()

    def say(self) -> None:
        """Warn, once, where it has failed."""
        with self._lock:
            saying = bool(self.reason) and not self._said
            self._said |= saying
        if saying:
            warnings.warn(
                f"geodesic maps are computed by the CPU, not the graphics card: {self.reason}",
                RuntimeWarning,
                stacklevel=2,
            )


@cache
def _preparation(device: torch.device) -> _Preparation:
    return _Preparation(device)


def launcher_for(device: torch.device, *, wait: bool = False) -> CardLauncher | None:
    """Return what starts the kernels on a device; None where that is not ready, or cannot be.

    device: with its number, as a tensor has it.  wait: until it is ready. Why it cannot be is said
    once, as a RuntimeWarning.
    """
    if device.type != "cuda" or torch.version.cuda is None:  # ROCm calls its devices cuda, too
        return None
    preparation = _preparation(device)
    if wait:
        preparation.wait()
    preparation.say()
    return preparation.launcher


def reason_against(device: torch.device) -> str:
    """Wait until a card is ready, or has failed; return why it is not used, '' where it is."""
    if device.type != "cuda" or torch.version.cuda is None:
        return "there is a kernel for CUDA alone"
    preparation = _preparation(device)
    preparation.wait()
    return preparation.reason


def agrees(launcher: Launcher, device: torch.device | str) -> bool:
    """Tell whether a device gives the CPU's distances, to the bit."""
    shape, spacing = (20, 17, 12), (1.0, 0.8, 2.5)
    random = np.random.default_rng(0)
    seeds = np.zeros(shape, bool)
    seeds[3, 4, 5] = seeds[15, 12, 9] = True
    for metric, channels, bound in _TESTED:
        image = random.standard_normal((channels, *shape)).astype(np.float32)
        expected = geodesic_on_cpu(image, seeds, spacing, "exact", 1, bound, metric)
        on_device = torch.from_numpy(image).to(device), torch.from_numpy(seeds).to(device)
        distance, _ = geodesic_on_card(*on_device, spacing, metric, bound, launcher)
        if not np.array_equal(distance.cpu().numpy(), expected):
            return False
    return True
