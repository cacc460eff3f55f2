"""Graphics cards: which there are, and whether the driver, torch and the cards work together."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from interactivenet.doctor.checks import Check, gigabytes
from interactivenet.errors import one_line

#: lowest driver on Linux for any CUDA of a major version: docs.nvidia.com/deploy/
#: cuda-compatibility/minor-version-compatibility.html, and the toolkit's release notes, table 2
MINIMUM_DRIVERS = {11: "450.80.02", 12: "525.60.13", 13: "580"}
_PASS_GPU = "docker run --gpus all, apptainer exec --nv"
_OTHER_BUILD = "use an image with another CUDA build of torch (docs/how-to/containers.md)"
_GET_GPU = f"use a machine with an NVIDIA driver, {_PASS_GPU}, and a CUDA build of torch"
_SLOW = "the CPU will be used, on which training is slow"


@dataclass(frozen=True)
class Card:
    """A graphics card.  memory: bytes."""

    name: str
    memory: int
    capability: tuple[int, int]
    bf16: bool


@dataclass(frozen=True)
class GpuFacts:
    """What is known of CUDA on a machine, or in a container.

    torch_cuda: version that torch was built for; None for a build without CUDA.  archs: as torch
    names them.  driver: of the machine's kernel, which a container sees even without a card.
    driver_cuda: newest CUDA that the driver's library supports; None without that library.  nodes:
    number of device files.  hidden: whether CUDA_VISIBLE_DEVICES hides all cards.  reason: torch's,
    for using none.
    """

    torch_cuda: str | None = None
    archs: tuple[str, ...] = ()
    driver: str | None = None
    driver_cuda: tuple[int, int] | None = None
    nodes: int = 0
    hidden: bool = False
    reason: str = ""
    cards: tuple[Card, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether torch sees a card."""
        return bool(self.cards)


def read_gpu() -> GpuFacts:
    """Ask torch, the driver and the device files."""
    import torch

    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        usable = torch.cuda.is_available()
        cards = tuple(_card(number) for number in range(torch.cuda.device_count() * usable))
    return GpuFacts(
        torch_cuda=torch.version.cuda,
        archs=tuple(torch.cuda.get_arch_list()),
        driver=_driver(),
        driver_cuda=_driver_cuda(),
        nodes=sum(1 for _ in Path("/dev").glob("nvidia[0-9]*")),
        hidden=os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1", "NoDevFiles"),
        reason="" if usable or not raised else one_line(str(raised[0].message)),
        cards=cards,
    )


def judge_gpu(facts: GpuFacts, *, required: bool) -> list[Check]:
    """Judge the driver, then each card, or that there is none.

    required: whether it is a problem that none can be used.
    """
    driver = judge_driver(facts)
    checks = [driver] if driver else []
    if facts.usable:
        return [*checks, *(judge_card(i, card, facts) for i, card in enumerate(facts.cards))]
    none = judge_absence(facts)
    if required:
        none = replace(none, status="problem", remedy=none.remedy or _GET_GPU)
    return [*checks, none]


def judge_driver(facts: GpuFacts) -> Check | None:
    """Judge whether the driver supports the CUDA of torch; None where there is nothing to judge."""
    if facts.torch_cuda is None or (facts.driver is None and facts.driver_cuda is None):
        return None
    major = int(facts.torch_cuda.partition(".")[0])
    least = MINIMUM_DRIVERS.get(major)
    finding = f"NVIDIA driver {facts.driver or 'of unknown version'}"
    remedy = f"install driver >= {least}, or {_OTHER_BUILD}" if least else _OTHER_BUILD
    too_old = f"too old for torch's CUDA {facts.torch_cuda}"
    if facts.driver_cuda is not None:
        newest = ".".join(map(str, facts.driver_cuda))
        finding += f", for CUDA up to {newest}"
        if facts.driver_cuda[0] < major:
            return Check("driver", "problem", f"{finding}: {too_old}", remedy)
        return Check("driver", "ok", f"{finding}; torch was built for CUDA {facts.torch_cuda}")
    # without the driver's library nothing uses a card here, so that this is no problem yet
    if least and facts.driver and _numbers(facts.driver) < _numbers(least):
        return Check("driver", "note", f"{finding}: {too_old}", remedy)
    return Check("driver", "ok", f"{finding}; torch was built for CUDA {facts.torch_cuda}")


def judge_absence(facts: GpuFacts) -> Check:
    """Say why no card can be used, where the machine says so."""
    if facts.torch_cuda is None:
        if facts.nodes:
            finding = "there is a graphics card, but torch is a build without CUDA"
            return Check(
                "gpu",
                "note",
                f"{finding}: {_SLOW}",
                f"install a CUDA build of torch, or {_OTHER_BUILD}",
            )
        return Check("gpu", "note", f"torch is a build without CUDA: {_SLOW}")
    if facts.hidden:
        finding = f"CUDA_VISIBLE_DEVICES hides all cards: {_SLOW}"
        return Check("gpu", "note", finding, "unset CUDA_VISIBLE_DEVICES")
    if facts.driver is None and facts.driver_cuda is None and not facts.nodes:
        return Check("gpu", "note", f"no NVIDIA driver: {_SLOW}")
    if not facts.nodes and facts.driver:
        finding = f"the machine has an NVIDIA driver, but no card is visible here: {_SLOW}"
        return Check("gpu", "note", finding, f"pass the card on: {_PASS_GPU}")
    if facts.driver_cuda is None:
        finding = f"the driver's library libcuda.so.1 is missing: {_SLOW}"
        return Check(
            "gpu",
            "note",
            finding,
            f"pass it on: {_PASS_GPU}; with NVIDIA_DRIVER_CAPABILITIES=compute,utility",
        )
    finding = f"torch cannot use the card: {facts.reason or 'it gives no reason'}"
    return Check("gpu", "problem", finding, "see the line of the driver, and what nvidia-smi says")


def judge_card(number: int, card: Card, facts: GpuFacts) -> Check:
    """Judge whether torch was built for a card."""
    capability = ".".join(map(str, card.capability))
    finding = (
        f"{card.name}, {gigabytes(card.memory)}, compute capability {capability},"
        f" {'bf16' if card.bf16 else 'no bf16: fp32 is used'}"
    )
    subject = f"gpu {number}"
    if not covers(card.capability, facts.archs):
        fault = f"{finding}: torch was built for {' '.join(facts.archs)}"
        return Check(subject, "problem", fault, _OTHER_BUILD)
    return Check(subject, "ok", finding)


def covers(capability: tuple[int, int], archs: tuple[str, ...]) -> bool:
    """Whether code for architectures runs on a card.

    sm_86 runs on 8.6 and later ones of the same major version; compute_86, which the driver
    compiles, on all later ones. With an 'a' at the end on exactly that one; with an 'f' within the
    major version.
    """
    if not archs:  # nothing is known
        return True
    for arch in archs:
        match = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", arch)
        if not match:
            continue
        built = int(match[2]), int(match[3])
        if capability == built:
            return True
        forward = match[1] == "compute" and not match[4]
        family = capability[0] == built[0] and match[4] != "a"
        if capability > built and (forward or family):
            return True
    return False


def _card(number: int) -> Card:
    import torch

    card = torch.cuda.get_device_properties(number)
    capability = (card.major, card.minor)
    # what torch.cuda.is_bf16_supported asks of the current card
    return Card(card.name, card.total_memory, capability, bf16=capability >= (8, 0))


def _driver() -> str | None:
    """Return the version of the kernel's driver."""
    with suppress(OSError):
        text = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8", errors="replace")
        if match := re.search(r"Kernel Module.*?(\d+\.\d[\d.]*)", text):
            return match[1]
    program = shutil.which("nvidia-smi")
    if program:  # Windows' Linux has no such file
        command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
        with suppress(OSError, subprocess.SubprocessError):
            printed = subprocess.run(command, capture_output=True, text=True, timeout=10).stdout
            if match := re.match(r"\d+\.[\d.]+", printed):
                return match[0]
    return None


def _driver_cuda() -> tuple[int, int] | None:
    """Return the newest CUDA that the driver's library supports."""
    version = ctypes.c_int()
    try:
        if ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version)) or not version:
            return None
    except (OSError, AttributeError):
        return None
    return version.value // 1000, version.value % 1000 // 10


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))
