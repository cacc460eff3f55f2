"""Whether results may be written where they are to go, before anything is."""

from __future__ import annotations

from collections.abc import Sequence

from interactivenet.datasets.task import Case
from interactivenet.errors import RequestError
from interactivenet.inference.outputs import Output


def check_outputs(outputs: Sequence[Output], cases: Sequence[Case]) -> None:
    """Raise RequestError where results would replace files that no run of this program wrote."""
    found = [
        path
        for output in outputs
        for case in cases
        for path in output.strangers(case.name, changed=False)
    ]
    if found:
        others = "one more was" if len(found) == 2 else f"{len(found) - 1} more were"
        more = f", and {others} not, either" if len(found) > 1 else ""
        raise RequestError(
            f"{found[0]}: was not written by this program{more}",
            expected="a folder for results alone",
            remedy="move it away, or write elsewhere",
        )
