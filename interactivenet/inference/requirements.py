"""What a model needs that a machine may lack, found out before its weights are read."""

from __future__ import annotations

import math

from interactivenet.encoding.library import check_library
from interactivenet.errors import DataError, RequestError
from interactivenet.models.model import Model
from interactivenet.planning.architecture import segmenting_bytes
from interactivenet.planning.plan import Plan
from interactivenet.system.memory import SMALL, available_memory, in_gb

#: bytes of a number in float32
_FLOAT = 4


def check_model(model: Model, device: str) -> None:
    """Raise where a model cannot be used here: memory, or a library that its points need.

    device: 'cpu' or 'cuda'.
    Raises DataError where the least that its plan asks for is more memory than there is,
    RequestError where the library is missing.
    """
    check_plan(model.plan)
    needed = least_bytes(model.plan, len(model.weights))
    free, kind = available_memory(), "memory"
    if device == "cuda":
        import torch

        needed //= 2  # in half precision
        free, kind = torch.cuda.mem_get_info()[0], "the graphics card's memory"
    if needed > SMALL and needed > free:
        shape = "x".join(map(str, model.plan.sample_shape))
        raise DataError(
            f"{model.name or model.plan.task}: its plan has samples of {shape} voxels and"
            f" {max(model.plan.network.features)} features: that takes at least {in_gb(needed)} of"
            f" {kind}, {in_gb(free)} are available"
        )


def check_plan(plan: Plan) -> None:
    """Raise RequestError where a plan's maps need a library that is not installed."""
    if plan.encoding.kind != "geodesic":
        return
    try:
        check_library(plan.encoding.kernel)
    except RequestError as error:
        raise RequestError(
            f"the plan of {plan.task} encodes points with GeodisTK, which is not installed",
            remedy="install it",
        ) from error


def least_bytes(plan: Plan, networks: int) -> int:
    """Estimate the least memory that segmenting one sample takes, one mirrored copy at a time.

    The sample padded and as a batch, the probabilities of every network, and the network at work.
    """
    voxels = math.prod(plan.sample_shape)
    arrays = _FLOAT * voxels * (2 * plan.channels + networks)
    return arrays + segmenting_bytes(plan.network, plan.sample_shape, plan.channels, networks)
