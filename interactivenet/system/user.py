"""A user without a name or a home, as in a container that runs under a number of its own."""

from __future__ import annotations

import os
from contextlib import suppress

_NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")
#: as Debian has it for users without one: what is written there fails, and says so
_NOWHERE = "/nonexistent"


def name_user() -> None:
    """Give a user whom the system does not know a name, and a home where it has none.

    Libraries ask for them when they are imported, and fail where there are none (MONAI), or write
    into a folder called '~'.
    """
    with suppress(ImportError, KeyError):
        import pwd  # not on Windows, where there is always a name

        pwd.getpwuid(os.getuid())
        return
    if os.name == "posix":
        if not any(os.environ.get(name) for name in _NAMES):
            os.environ["USER"] = f"uid{os.getuid()}"
        os.environ.setdefault("HOME", _NOWHERE)
