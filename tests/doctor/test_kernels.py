"""The test of the geodesic kernels."""

from pathlib import Path

import numpy as np
import pytest

from interactivenet.doctor import kernels
from interactivenet.doctor.kernels import KernelFacts, check_kernels, judge_kernels

GOOD = {"error": 1e-6, "compiled": 0, "loaded": 2, "folder": Path("/kept"), "seconds": 0.5}


def test_these_kernels_are_right():
    (check,) = check_kernels()
    assert check.status == "ok" and "are right" in check.found and "kept in" in check.found


def test_a_wrong_kernel_is_a_problem(monkeypatch):
    monkeypatch.setattr(
        kernels, "geodesic_distance", lambda image, *_, **__: np.ones_like(image)
    )  # fmt: skip
    (check,) = check_kernels()
    assert check.status == "problem" and "wrong by" in check.found


@pytest.mark.parametrize(
    ("facts", "status", "found"),
    [
        ({}, "ok", "already compiled, kept in /kept"),
        ({"compiled": 2}, "ok", "compiled now, kept in /kept"),
        ({"folder": None}, "note", "every start takes some seconds longer"),
        ({"error": 0.1}, "problem", "wrong by 0.1"),
        ({"error": float("nan")}, "problem", "wrong by nan"),
    ],
)
def test_judging(facts, status, found):
    check = judge_kernels(KernelFacts(**{**GOOD, **facts}))
    assert check.status == status and found in check.found
