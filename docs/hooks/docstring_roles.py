"""A hook of MkDocs: roles of docstrings, such as ``:class:`Prompt```, become plain code."""

from __future__ import annotations

import re
from typing import Any

_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):<code>(~?)([^<]+)</code>")


def on_page_content(html: str, **_: Any) -> str:
    """Leave the name alone; of ``~package.module.Name`` its last part."""

    def replaced(match: re.Match[str]) -> str:
        name = match[2].rpartition(".")[2] if match[1] else match[2].lstrip(".")
        return f"<code>{name}</code>"

    return _ROLE.sub(replaced, html)
