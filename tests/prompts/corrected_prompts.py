"""Prompts with corrections, drawn at random, and what must survive of them."""

import json

import numpy as np
from hypothesis import strategies as st

from interactivenet.prompts.corrections import BACKGROUND, Correction
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.prompts.written_points import to_named_points

OPEN = LabelNames({}, open=True)


def clicks(prompt, names=False):
    """What must survive of an object's corrections: their order, signs and exact places."""
    return [
        (each.positive, each.position, *([each.name == BACKGROUND] if names else []))
        for each in prompt.corrections
    ]


def assert_same(back, prompts, names=False):
    assert [(each.label, each.name) for each in back] == [(p.label, p.name) for p in prompts]
    for one, other in zip(back, prompts, strict=True):
        np.testing.assert_array_equal(one.points, other.points)
        assert clicks(one, names) == clicks(other, names)


numbers = st.floats(-500, 500, allow_nan=False).map(lambda value: value + 0.0)
positions = st.tuples(numbers, numbers, numbers)
own = st.builds(Correction, positions, st.booleans())


@st.composite
def cases(draw, values):
    """Objects of labels ``values`` with corrections, and points of the background in between."""
    shared = [
        Correction(place, False, BACKGROUND) for place in draw(st.lists(positions, max_size=3))
    ]
    prompts = []
    for number, (value, name) in enumerate(draw(st.lists(values, min_size=1, max_size=4))):
        corrections = draw(st.lists(own, max_size=4))
        where = sorted(draw(st.integers(0, len(corrections))) for _ in shared)
        for offset, (index, background) in enumerate(zip(where, shared, strict=True)):
            corrections.insert(index + offset, background)
        points = np.arange(18.0).reshape(6, 3) * 0.1 + number
        prompts.append(Prompt(value, points, name, corrections=tuple(corrections)))
    return prompts


def prompt_of(name, *signs, start=0, label=1, background=()):
    """An object with corrections of these signs, at (0, 0, start) and so on."""
    corrections = tuple(
        Correction((0, 0, start + number), sign == "+", BACKGROUND if sign == "b" else "")
        for number, sign in enumerate(signs)
    )
    return Prompt(label, np.arange(18.0).reshape(6, 3), name, corrections=corrections)


def names_of(prompts, labels=None):
    return [point.name for point in to_named_points(prompts, labels)][6 * len(prompts) :]


def markups(path, *lists):
    """A file of 3D Slicer: lists as (name, [(label, description), ...])."""
    content = [
        {"name": name, "coordinateSystem": "RAS", "controlPoints": [
            {"label": label, "description": said, "position": [number, group, 0.5]}
            for number, (label, said) in enumerate(points)
        ]}
        for group, (name, points) in enumerate(lists)
    ]  # fmt: skip
    path.write_text(json.dumps({"markups": content}))
    return path
