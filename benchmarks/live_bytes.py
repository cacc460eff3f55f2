"""What one training step holds at its peak, counted by PyTorch's own dispatcher, without computing.

Under ``FakeTensorMode`` every operation of the forward and the backward pass and of the optimiser
makes its tensors without memory; a mode above it adds up the bytes of those that are alive. It is
what ``torch.cuda.max_memory_allocated`` would say without the allocator's rounding. What lies
outside of tensors is not in it: CUDA's context and the workspace of its kernels.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from interactivenet.planning.plan import Plan
from interactivenet.training.lightning_module import Segmenter

_VALUE = torch.ops.aten._local_scalar_dense.default


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the bytes of the storages that are alive. peak: the most there were at once."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._sizes: dict[int, int] = {}
        self._first: dict[int, int] = {}

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is _VALUE:  # a fake tensor has none: MONAI asks for those of ``arange``
            # and AdamW for the number of the step, of which nothing here depends
            return self._first.get(_key(args[0]), 1) + args[0].storage_offset()
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._note(tensor)
        if func.overloadpacket is torch.ops.aten.arange:  # type: ignore[attr-defined]
            self._first[_key(result)] = args[0] if len(args) > 1 else 0
        return result

    def _note(self, tensor: Tensor) -> None:
        key = _key(tensor)
        if key in self._sizes:
            return
        storage = tensor.untyped_storage()
        self._sizes[key] = storage.nbytes()
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.now -= self._sizes.pop(key)


def training_bytes(plan: Plan, *, half: bool = False, fake: bool = True) -> int:
    """Count the peak of the second of two training steps of a plan: the optimiser has its state.

    half: under autocast to bfloat16.  fake: False computes it all, to compare.
    """
    fakes = FakeTensorMode()
    with fakes if fake else torch.enable_grad(), LiveBytes() as live:
        segmenter = Segmenter(plan, 10)
        optimizer = segmenter.recipe.build(segmenter.network.parameters())
        image = torch.zeros(plan.batch_size, plan.channels, *plan.sample_shape)
        label = torch.zeros(plan.batch_size, 1, *plan.sample_shape)
        for _ in range(2):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                loss = segmenter.loss(segmenter.network(image), label)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            del loss
    return int(live.peak)


def _key(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
