"""The test of a card, with the processor in place of it."""

import math

import pytest
import torch

from interactivenet.doctor import cuda
from interactivenet.doctor.checks import Check

CPU = torch.device("cpu")


def test_a_device_that_computes_the_same_is_good():
    check = cuda.check_device("gpu 0 test", CPU)
    assert check.status == "ok" and "agree with the processor's" in check.found


def test_a_step_has_an_output_and_all_gradients():
    output, *gradients = cuda.network_step(CPU)
    assert output.shape == (1, 2, 8, 8, 8)
    assert [tuple(one.shape) for one in gradients] == [
        (1, 2, 16, 16, 16), (4, 2, 3, 3, 3), (2, 4, 3, 3, 3)
    ]  # fmt: skip
    assert all(one.abs().max() > 0 for one in (output, *gradients))


def test_a_device_that_computes_otherwise_is_a_problem(monkeypatch):
    monkeypatch.setattr(cuda, "geodesic_sweeps", lambda image, *_: image[0] * 0)
    check = cuda.check_device("gpu 0 test", CPU)
    assert check.status == "problem" and "geodesic distance differs" in check.found
    assert check.remedy


@pytest.mark.parametrize("step", [0.01, math.nan, math.inf])
def test_a_wrong_step_is_a_problem(step):
    check = cuda.judge_differences("gpu 0 test", step, 0.0, 1.0)
    assert check.status == "problem" and "network's step differs" in check.found


def test_a_failure_is_a_problem(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("CUDA error: no kernel image\nis available")

    monkeypatch.setattr(cuda, "conv3d", fail)
    check = cuda.check_device("gpu 0 test", CPU)
    assert check.status == "problem" and "no kernel image is available" in check.found


def test_differences_are_relative_and_nan_is_the_largest():
    one, two = torch.tensor([1.0, 100.0]), torch.tensor([1.0, 101.0])
    assert cuda.difference([one, one], [one, two]) == pytest.approx(0.01)
    assert math.isnan(cuda.difference([one, one], [two, one * math.nan]))
    assert math.isnan(cuda.difference([one, one], [one * math.nan, two]))


def test_maps_by_the_cards_own_kernel_are_noted(monkeypatch):
    monkeypatch.setattr(cuda, "check_device", lambda subject, _: Check(subject, "ok", "good"))
    monkeypatch.setattr(cuda, "reason_against", lambda device: "")
    first, maps = cuda.check_card(0)
    assert (first.subject, maps.subject, maps.status) == ("gpu 0 test", "gpu 0 maps", "ok")
    assert "to the bit" in maps.found


def test_why_the_kernel_is_not_used_is_noted(monkeypatch):
    monkeypatch.setattr(cuda, "check_device", lambda subject, _: Check(subject, "ok", "good"))
    monkeypatch.setattr(cuda, "reason_against", lambda device: "the library NVRTC is missing")
    maps = cuda.check_card(0)[1]
    assert maps.status == "note" and maps.found.endswith("the library NVRTC is missing")


def test_a_card_that_does_not_compute_is_asked_for_no_maps(monkeypatch):
    monkeypatch.setattr(cuda, "check_device", lambda subject, _: Check(subject, "problem", "bad"))
    assert len(cuda.check_card(0)) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_real_card():
    assert cuda.check_card(0)[0].status == "ok"
