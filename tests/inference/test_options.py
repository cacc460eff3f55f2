"""InferenceOptions: what may be asked for, and what of it a record holds."""

import pytest

from interactivenet.errors import RequestError
from interactivenet.inference.options import InferenceOptions


@pytest.mark.parametrize(
    ("field", "value"), [("restore", "labels"), ("precision", "fp64"), ("device", "gpu")]
)
def test_other_values_are_refused(field, value):
    with pytest.raises(RequestError) as refused:
        InferenceOptions(**{field: value})
    assert (refused.value.field, refused.value.value) == (field, value)
    assert str(refused.value).startswith(f"`{field}='{value}'`: expected one of ")


def test_a_record_holds_what_decides_a_result():
    """The precision that was chosen, not 'auto'; the device is no part of it."""
    options = InferenceOptions(mirrored=False, restore="label", precision="fp32", device="cpu")
    assert options.as_json() == {"mirrored": False, "restore": "label", "precision": "fp32"}
    assert InferenceOptions(device="cpu").as_json()["precision"] in ("bf16", "fp32")
    assert InferenceOptions(device="cpu").chosen_device == "cpu"


def test_what_a_device_cannot_do_is_refused():
    with pytest.raises(RequestError, match="fp16"):
        InferenceOptions(precision="fp16", device="cpu").as_json()
