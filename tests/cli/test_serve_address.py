"""What `serve` listens to where nobody says it."""

import pytest

from interactivenet.cli.serve import serve


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ((), "127.0.0.1"),
        (("INTERACTIVENET_IMAGE",), "0.0.0.0"),  # only the published port leads there
        (("INTERACTIVENET_IMAGE", "APPTAINER_CONTAINER"), "127.0.0.1"),
        (("INTERACTIVENET_IMAGE", "SINGULARITY_CONTAINER"), "127.0.0.1"),
    ],
)
def test_all_addresses_only_in_a_container_with_a_network_of_its_own(
    monkeypatch, variables, expected
):
    for name in ("INTERACTIVENET_IMAGE", "APPTAINER_CONTAINER", "SINGULARITY_CONTAINER"):
        monkeypatch.delenv(name, raising=False)
    for name in variables:
        monkeypatch.setenv(name, "1")
    (option,) = (each for each in serve.params if each.name == "host")
    with serve.make_context("serve", [], resilient_parsing=True) as context:
        assert option.get_default(context) == expected
