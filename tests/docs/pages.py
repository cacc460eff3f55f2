"""The pages of the docs, and what stands in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

REPOSITORY = Path(__file__).resolve().parents[2]
#: every page of the site, and what lies at the repository's top
PAGES = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for path in (*REPOSITORY.joinpath("docs").rglob("*.md"), *REPOSITORY.glob("*.md"))
)


@dataclass(frozen=True)
class Block:
    """A block of code.  mark: the HTML comment right before it, '' for none."""

    page: str
    line: int
    language: str
    mark: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str, text: str = "") -> list[Block]:
    """Return the blocks of code of a page, or of any Markdown text."""
    found, mark = [], ""
    for token in tokens(page, text):
        if token.type == "fence":
            line = token.map[0] + 1 if token.map else 0
            found.append(Block(page, line, token.info.strip(), mark, token.content))
        mark = token.content.strip().strip("<!->").strip() if token.type == "html_block" else ""
    return found


def inline(page: str, kind: str) -> list[Token]:
    """Return the parts of a page's text of one kind, such as 'code_inline' or 'link_open'."""
    return [
        child
        for token in tokens(page)
        for child in token.children or []
        if child.type == kind
    ]  # fmt: skip


def tokens(page: str, text: str = "") -> list[Token]:
    """Return what a page, or any Markdown text, consists of."""
    parser = MarkdownIt("commonmark").enable("table")
    return parser.parse(text or (REPOSITORY / page).read_text(encoding="utf-8"))
