"""A hook of MkDocs: links to files of the repository that are no part of the site.

In the pages they are ordinary relative links, so that they work where the repository is browsed.
On the site, which does not hold those files, they become the file's path.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((\.\./[^)#\s]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Replace links that lead out of the folder of pages by their text and the file's path."""
    pages = Path(config["docs_dir"]).resolve()
    folder = (pages / page.file.src_uri).parent

    def replaced(match: re.Match[str]) -> str:
        target = (folder / match[2]).resolve()
        if target.is_relative_to(pages) or not target.exists():
            return match[0]
        path = target.relative_to(pages.parent).as_posix()
        text = match[1].strip("`")
        return f"`{path}`" if text in (path, target.name) else f"{match[1]} (`{path}`)"

    return _LINK.sub(replaced, markdown)
