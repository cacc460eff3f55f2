"""A correction: where it is, what it says, and what messages call it."""

import numpy as np
import pytest

from interactivenet.errors import DataError
from interactivenet.prompts.corrections import (
    BACKGROUND,
    Correction,
    call_correction,
    positions_of,
)
from interactivenet.prompts.prompt import Prompt


@pytest.mark.parametrize("position", [(1, 2), (1, 2, np.nan), "abc", ((1, 2, 3),), (1, 2, None)])
def test_a_position_is_three_finite_numbers(position):
    with pytest.raises(DataError, match="a correction's position must be three finite numbers"):
        Correction(position, True)


def test_positions_by_sign_keep_their_order():
    corrections = [Correction(np.array([n, 0, 0]), n % 3 == 0) for n in range(6)]
    prompt = Prompt(1, [[0, 0, 0]], corrections=corrections)
    assert isinstance(prompt.corrections, tuple) and corrections[1].position == (1.0, 0.0, 0.0)
    assert prompt.positive[:, 0].tolist() == [0, 3]
    assert prompt.negative[:, 0].tolist() == [1, 2, 4, 5]
    assert positions_of(corrections)[:, 0].tolist() == list(range(6))
    assert positions_of(()).shape == Prompt(1, [[0, 0, 0]]).positive.shape == (0, 3)


def test_names_in_messages():
    background = Correction((0, 0, 0), False, BACKGROUND)
    given = [
        Correction((0, 0, 0), True, "F+-1"), background, Correction((1, 0, 0), False), background,
        Correction((2, 0, 0), True), Correction((3, 0, 0), False, "-"),
    ]  # fmt: skip
    names = ["F+-1", "background point 1", "correction -3", "background point 2", "correction +5",
             "correction -6"]  # fmt: skip
    assert [call_correction(given, number) for number in range(6)] == names
    prompt = Prompt(1, [[0, 0, 0]], corrections=given)
    assert [prompt.call_correction(number) for number in range(6)] == names
