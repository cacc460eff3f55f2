"""How long the steps of a training take on this machine, from a few of them."""

from __future__ import annotations

import time

import torch
from torch.nn.functional import cross_entropy

from interactivenet.errors import RequestError
from interactivenet.models.device import choose_device, choose_precision
from interactivenet.models.network import build_network
from interactivenet.planning.plan import Plan
from interactivenet.system.memory import available_memory
from interactivenet.training.recipe import recipe_for

#: seconds after which no further step is measured; less for networks that are to be quick
_ENOUGH, _ENOUGH_TINY = 2.0, 0.2
#: steps that are measured at most
_MOST = 5
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def seconds_per_step(plan: Plan, device: str = "auto", precision: str = "auto") -> float:
    """Measure a step of a plan's network, s: forward, backward and the optimiser's, nothing else.

    On random numbers, for about two seconds after a first step that does not count, unless it took
    that long itself. On a CPU with a batch of one, of which the time is taken as often as the batch
    is large. The process's random numbers stay as they are. device, precision: as of a training.

    Raises RequestError where the memory does not suffice or there is no such device.
    """
    device = choose_device(device)
    kind = _TYPES[choose_precision(precision, device)]
    batch = plan.batch_size if device == "cuda" else 1
    _check_memory(plan, device)
    most = _ENOUGH_TINY if plan.preset == "tiny" else _ENOUGH
    with torch.random.fork_rng(range(torch.cuda.device_count()) if device == "cuda" else ()):
        network = build_network(plan.network, plan.channels).to(device)
        optimiser = recipe_for(plan).build(network.parameters())
        image = torch.randn(batch, plan.channels, *plan.sample_shape, device=device)
        label = torch.zeros(batch, *plan.sample_shape, dtype=torch.long, device=device)

        times: list[float] = []

        def step() -> float:
            start = time.perf_counter()
            with torch.autocast(device, kind, enabled=kind != torch.float32):
                outputs = network(image)
            losses = [cross_entropy(output.float(), label) for output in outputs.unbind(1)]
            optimiser.zero_grad()
            torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if device == "cuda":
                torch.cuda.synchronize()
            return time.perf_counter() - start

        try:
            first = step()
            # one that is warm, even where it is to be quick: the first takes a multiple
            while first < _ENOUGH and (
                not times or (first + sum(times) < most and len(times) < _MOST)
            ):
                times.append(step())
        except torch.OutOfMemoryError as error:
            raise RequestError("the graphics card does not have enough memory") from error
    return min(times, default=first) * plan.batch_size / batch


def _check_memory(plan: Plan, device: str) -> None:
    """Raise RequestError where a step would take more memory than there is."""
    needed = plan.estimated_gb * 1e9
    free = torch.cuda.mem_get_info()[0] if device == "cuda" else available_memory()
    if needed > free:
        raise RequestError(
            f"a step takes about {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} are free"
        )
