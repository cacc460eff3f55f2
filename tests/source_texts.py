"""What the files of a package say: their messages, docstrings and comments."""

import ast
import io
import tokenize
from dataclasses import dataclass

#: stands for what is filled in
FILLED_IN = "TEXT"


@dataclass(frozen=True)
class Text:
    kind: str  # "message" (any string that is no docstring), "docstring" or "comment"
    line: int
    content: str


def texts_of(path):
    """Yield the texts of a Python file, strings with TEXT in place of what is filled in."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    docstrings, parts = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                docstrings.add(id(first.value))
        elif isinstance(node, ast.JoinedStr):
            parts.update(map(id, node.values))
            yield Text("message", node.lineno, _filled(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            kind = "docstring" if id(node) in docstrings else "message"
            yield Text(kind, node.lineno, node.value)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text("comment", token.start[0], token.string)


def _filled(node):
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else FILLED_IN for part in node.values
    )
