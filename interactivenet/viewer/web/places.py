"""Folders of the server, of which those who use it are told the last part alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


class Places:
    """Shortens the paths of folders, and of what is in them.

    Where scans and outlines lie on a server, under whose name, is nothing that each of its users
    must know: 'scans/case.nii.gz' says what is meant.

    folders: whose parents are left out.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        parents = set()
        for folder in folders:
            for path in (folder, Path(os.path.abspath(folder)), folder.resolve()):  # noqa: PTH100
                parent = str(path.parent)
                if path.is_absolute() and parent != path.anchor:
                    parents.add(parent + os.sep)
        self._parents = sorted(parents, key=len, reverse=True)

    def shortened(self, content: Any) -> Any:
        """Return JSON data with all of its texts shortened."""
        if isinstance(content, str):
            for parent in self._parents:
                content = content.replace(parent, "")
            return content
        if isinstance(content, Mapping):
            return {key: self.shortened(value) for key, value in content.items()}
        if isinstance(content, list | tuple):
            return [self.shortened(each) for each in content]
        return content
