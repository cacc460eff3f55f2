"""What a training runs on: chosen by the machine, or as asked for."""

from collections import namedtuple

import pytest
import torch

from interactivenet.errors import RequestError
from interactivenet.models import device
from tests.sample_cases import make_plan

Usage = namedtuple("Usage", "total used free")


def cuda(monkeypatch, *, bf16=True):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bf16)


def shared_memory(monkeypatch, tmp_path, free):
    monkeypatch.setattr(device, "_SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(device.shutil, "disk_usage", lambda _: Usage(free, 0, free))


def test_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.choose_device("auto") == device.choose_device("cpu") == "cpu"
    with pytest.raises(
        RequestError,
        match=r"`device='cuda'`: there is no CUDA device .*run `doctor\(\)` to see why",
    ):
        device.choose_device("cuda")
    cuda(monkeypatch)
    assert device.choose_device("auto") == device.choose_device("cuda") == "cuda"
    assert device.choose_device("cpu") == "cpu"


def test_precision(monkeypatch):
    cuda(monkeypatch)
    assert device.choose_precision("auto", "cuda") == "bf16"
    cuda(monkeypatch, bf16=False)
    assert device.choose_precision("auto", "cuda") == "fp32"
    assert device.choose_precision("fp16", "cuda") == "fp16"
    instructions = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    for has in [(False, False), (True, False), (False, True)]:
        for name, supported in zip(instructions, has, strict=True):
            monkeypatch.setattr(torch.cpu, name, lambda supported=supported: supported)
        assert device.choose_precision("auto", "cpu") == ("bf16" if any(has) else "fp32")
    for name in instructions:
        monkeypatch.delattr(torch.cpu, name)
    assert device.choose_precision("auto", "cpu") == "fp32"
    assert set(device.PRECISIONS) == {"bf16", "fp16", "fp32"}


def test_workers_by_device_and_cores(monkeypatch, tmp_path):
    shared_memory(monkeypatch, tmp_path, 10**12)
    plan = make_plan((1.0, 1.0, 1.0))
    monkeypatch.setattr(device, "available_cores", lambda: 8)
    assert device.choose_workers(None, "cpu", plan) == (0, "")
    assert device.choose_workers(None, "cuda", plan) == (7, "")
    assert device.choose_workers(3, "cpu", plan) == (3, "")
    monkeypatch.setattr(device, "available_cores", lambda: 128)
    assert device.choose_workers(None, "cuda", plan) == (12, "")
    monkeypatch.setattr(device, "available_cores", lambda: 1)
    assert device.choose_workers(None, "cuda", plan) == (0, "")


def test_too_little_shared_memory_is_noticed(monkeypatch, tmp_path):
    """A container's 64 MB."""
    shared_memory(monkeypatch, tmp_path, 64 * 10**6)
    large = make_plan((1.0, 1.0, 1.0), sample_shape=(128, 128, 64), batch_size=2)
    workers, warning = device.choose_workers(8, "cuda", large)
    assert (
        workers == 0
        and "has 64 MB, 8 workers need" in warning
        and "run `doctor()` to see how" in warning
    )
    small = make_plan((1.0, 1.0, 1.0))
    assert device.choose_workers(8, "cuda", small) == (8, "")
    assert device.choose_workers(0, "cuda", large) == (0, "")


def test_rank(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert device.rank(4) == 0
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert device.rank(4) == 3
    assert device.rank(1) == 0  # whatever a cluster's environment says


def test_more_cards_than_there_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    device.check_devices(2, "cuda")
    device.check_devices(5, "cpu")
    with pytest.raises(RequestError, match="`devices=3`: expected at most 2"):
        device.check_devices(3, "cuda")


def test_half_precision_needs_cuda():
    with pytest.raises(RequestError, match="`precision='fp16'`: needs CUDA"):
        device.choose_precision("fp16", "cpu")


@pytest.mark.parametrize(("threads", "cores", "left"), [(64, 2, 2), (2, 64, 2), (3, 3, 3)])
def test_torch_gets_no_more_threads_than_cores(monkeypatch, threads, cores, left):
    """As in docker run --cpus 2 on a large machine."""
    before = torch.get_num_threads()
    monkeypatch.setattr(device, "available_cores", lambda: cores)
    try:
        torch.set_num_threads(threads)
        device.choose_device("cpu")
        assert torch.get_num_threads() == left
    finally:
        torch.set_num_threads(before)
