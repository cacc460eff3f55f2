"""How a trained model is used: what decides a segmentation beside the model and the files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from interactivenet.errors import RequestError
from interactivenet.models.model import Mirrored

#: how results get back to the grid of the scan: the probability linearly, or the nearest label
Restore = Literal["probability", "label"]
Precision = Literal["auto", "bf16", "fp16", "fp32"]
Device = Literal["auto", "cpu", "cuda"]
#: what computes the networks; OpenVINO is faster on a CPU, where it is installed
Backend = Literal["auto", "torch", "openvino"]


@dataclass(frozen=True)
class InferenceOptions:
    """How a trained model is used.

    Args:
        mirrored: Average over all mirrored copies of a sample: better, but eight times the work.
            ``"adaptive"`` asks no more of them where those that were asked agree.
        restore: What is resampled to the grid of the scan: the ``"probability"``, interpolated, or
            the ``"label"`` of the nearest voxel: faster, but with stepped surfaces.
        precision: Of the network's arithmetic; ``"auto"`` for the one that the device is fast in.
        device: Device that the network runs on; ``"auto"`` for a graphics card if there is one.
        backend: What computes the network: ``"torch"``, or ``"openvino"``, which is faster on a CPU
            and has to be installed (``interactivenet[openvino]``); ``"auto"`` for the faster one of
            those that there are.

    Raises:
        RequestError: A value is none of these.
    """

    mirrored: Mirrored = True
    restore: Restore = "probability"
    precision: Precision = "auto"
    device: Device = "auto"
    backend: Backend = "torch"

    def __post_init__(self) -> None:
        if self.mirrored not in (True, False, "adaptive"):
            raise RequestError(
                field="mirrored", value=self.mirrored, expected="True, False or 'adaptive'"
            )
        for field, choices in (
            ("restore", Restore), ("precision", Precision), ("device", Device),
            ("backend", Backend),
        ):  # fmt: skip
            value, allowed = getattr(self, field), get_args(choices)
            if value not in allowed:
                raise RequestError(
                    field=field, value=value, expected=f"one of {', '.join(allowed)}"
                )

    @property
    def chosen_device(self) -> str:
        """'cpu' or 'cuda'; raises RequestError for 'cuda' where there is none."""
        from interactivenet.models.device import choose_device

        return choose_device(self.device)

    @property
    def chosen_precision(self) -> str:
        """'bf16', 'fp16' or 'fp32'; raises RequestError for one that the device cannot do."""
        from interactivenet.models.device import choose_precision

        return choose_precision(self.precision, self.chosen_device)

    @property
    def possible_devices(self) -> list[str]:
        """The chosen device first, then what 'auto' is on other machines."""
        return _possible(self.device, self.chosen_device, get_args(Device))

    def possible_settings(self, backends: Iterable[str] = ()) -> list[dict[str, Any]]:
        """What :meth:`as_json` returns here first, then what it returns on other machines.

        That differs in what is left to 'auto' alone: the precision that a device is fast in, and
        the backend.  backends: those that records name there, with their versions.
        """
        from interactivenet.models.backend import OPENVINO

        precisions = _possible(self.precision, self.chosen_precision, get_args(Precision))
        here = self.as_json()
        own = str(here.pop("backend", ""))
        others = ["", *(name for name in backends if name.split(" ")[0] == OPENVINO)]
        return [
            {**here, **({"backend": backend} if backend else {}), "precision": precision}
            for backend in _possible(self.backend, own, others)
            for precision in precisions
        ]

    @property
    def chosen_backend(self) -> str:
        """'torch' or 'openvino'; raises RequestError for one that is not there, or cannot."""
        from interactivenet.models.backend import choose_backend

        return choose_backend(self.backend, self.chosen_device)

    def as_json(self) -> dict[str, Any]:
        """Return what decides a result, for the record of each case: the device does not.

        A backend other than PyTorch does, with its version.
        """
        return recorded_settings(
            self.mirrored, self.restore, self.chosen_precision, self.chosen_backend
        )


def _possible(given: str, chosen: str, others: Iterable[str]) -> list[str]:
    """Return what was chosen, and of 'auto' the others that it might have been."""
    more = [name for name in others if name != "auto"] if given == "auto" else []
    return list(dict.fromkeys([chosen, *more]))


def recorded_settings(
    mirrored: Mirrored, restore: str, precision: str, backend: str
) -> dict[str, Any]:
    """Return how networks are used as all records have it; precision and backend: those chosen."""
    from interactivenet.models.backend import describe_backend

    described = describe_backend(backend)
    return {
        **({"backend": described} if described else {}),
        "mirrored": mirrored,
        "restore": restore,
        "precision": precision,
    }
