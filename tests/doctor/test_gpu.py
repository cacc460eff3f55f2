"""Drivers, cards and builds of torch that do or do not fit each other."""

from dataclasses import replace

import pytest

from interactivenet.doctor.gpu import (
    Card,
    GpuFacts,
    covers,
    judge_absence,
    judge_card,
    judge_driver,
    judge_gpu,
    read_gpu,
)

H100 = Card("NVIDIA H100", 80 * 10**9, (9, 0), bf16=True)
GOOD = GpuFacts(
    torch_cuda="13.0", archs=("sm_75", "sm_80", "sm_90", "sm_120"), driver="580.95.05",
    driver_cuda=(13, 0), nodes=1, cards=(H100,),
)  # fmt: skip


@pytest.mark.parametrize(
    ("torch_cuda", "driver_cuda", "status", "remedy"),
    [
        ("13.0", (13, 0), "ok", ""),
        ("12.8", (12, 4), "ok", ""),  # within a major version, older drivers do
        ("12.8", (13, 1), "ok", ""),
        ("13.0", (12, 8), "problem", "install driver >= 580, or use an image"),
        ("12.6", (11, 4), "problem", "install driver >= 525.60.13, or use an image"),
        ("11.8", (10, 2), "problem", "install driver >= 450.80.02, or use an image"),
        ("14.0", (13, 0), "problem", "use an image with another CUDA build"),
    ],
)
def test_a_driver_by_its_cuda(torch_cuda, driver_cuda, status, remedy):
    check = judge_driver(replace(GOOD, torch_cuda=torch_cuda, driver_cuda=driver_cuda))
    assert check.status == status and check.remedy.startswith(remedy)
    assert bool(remedy) == bool(check.remedy)
    assert ".".join(map(str, driver_cuda)) in check.found and torch_cuda in check.found


@pytest.mark.parametrize(
    ("driver", "status"),
    [("525.60.13", "ok"), ("525.60.9", "note"), ("470.256.02", "note"), ("580.65", "ok")],
)
def test_a_driver_without_its_library_by_its_version(driver, status):
    facts = replace(GOOD, torch_cuda="12.8", driver=driver, driver_cuda=None, cards=())
    assert judge_driver(facts).status == status


def test_no_driver_or_no_cuda_in_torch_is_nothing_to_judge():
    assert judge_driver(replace(GOOD, torch_cuda=None)) is None
    assert judge_driver(replace(GOOD, driver=None, driver_cuda=None)) is None


NOTHING = GpuFacts(torch_cuda="13.0", archs=GOOD.archs)


@pytest.mark.parametrize(
    ("facts", "status", "found", "remedy"),
    [
        (NOTHING, "note", "no NVIDIA driver", ""),
        (replace(NOTHING, torch_cuda=None), "note", "build without CUDA", ""),
        (replace(GOOD, torch_cuda=None), "note", "build without CUDA", "CUDA build"),
        (replace(NOTHING, driver="580.1"), "note", "no card is visible", "--gpus all"),
        (replace(GOOD, nodes=0, driver_cuda=None), "note", "no card is visible", "exec --nv"),
        (replace(GOOD, driver_cuda=None), "note", "libcuda.so.1 is missing", "--gpus all"),
        (replace(GOOD, hidden=True), "note", "CUDA_VISIBLE_DEVICES hides", "unset"),
        (replace(GOOD, reason="error 803"), "problem", "error 803", "nvidia-smi"),
    ],
)
def test_why_no_card_can_be_used(facts, status, found, remedy):
    facts = replace(facts, cards=())
    check = judge_absence(facts)
    assert check.status == status
    assert found in check.found and remedy in check.remedy
    required = judge_gpu(facts, required=True)[-1]
    assert required.status == "problem" and required.remedy
    assert judge_gpu(facts, required=False)[-1] == check


def test_a_good_card_is_no_problem_though_required():
    checks = judge_gpu(GOOD, required=True)
    assert [check.status for check in checks] == ["ok", "ok"]
    assert "H100, 80.0 GB, compute capability 9.0, bf16" in checks[1].found


@pytest.mark.parametrize(
    ("capability", "archs", "covered"),
    [
        ((8, 6), ("sm_80",), True),  # later ones of the major version run it
        ((8, 0), ("sm_86",), False),
        ((9, 0), ("sm_80", "sm_86"), False),
        ((9, 0), ("sm_80", "compute_80"), True),  # compiled by the driver
        ((7, 5), ("compute_80",), False),
        ((6, 1), ("sm_75", "sm_80", "sm_90", "compute_90"), False),
        ((12, 0), ("sm_90", "sm_100", "sm_120"), True),
        ((12, 1), ("sm_120",), True),
        ((10, 3), ("sm_100a", "compute_100a"), False),
        ((10, 0), ("sm_100a",), True),
        ((10, 3), ("sm_100f",), True),
        ((12, 0), ("compute_100f",), False),
        ((9, 0), (), True),
        ((9, 0), ("gfx90a",), False),
    ],
)
def test_cards_that_code_runs_on(capability, archs, covered):
    assert covers(capability, archs) == covered
    check = judge_card(1, replace(H100, capability=capability), replace(GOOD, archs=archs))
    assert check.status == ("ok" if covered else "problem") and check.subject == "gpu 1"


def test_reading_a_machine_without_cuda(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    facts = read_gpu()
    assert not facts.usable and facts.hidden and facts.torch_cuda == torch.version.cuda
