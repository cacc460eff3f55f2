"""A pickle's opcodes read as plain data: nothing is imported, resolved, called or hashed.

A pickle is a program. Here its opcodes, parsed by the standard library's ``pickletools``, which
executes nothing, only move inert records on a stack of our own: a global name stays a name, a
call stays the record of a call. Opcodes that are not listed are refused by their name.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from interactivenet.errors import DataError, one_line, sanitize_text

#: most opcodes of a pickle, and most bytes
MAX_OPCODES, MAX_PICKLE_BYTES = 2_000_000, 256 << 20
_HIGHEST_PROTOCOL = 5


@dataclass(frozen=True)
class GlobalName:
    """A global name that a pickle mentions; whether there is such a thing is not looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return printable(f"{self.module}.{self.name}")


class CallRecord:
    """What a pickle would make by calling ``cls``: kept as the call's record.

    cls: what is called, mostly a GlobalName.  args: with what.  state: what it would be given then.
    """

    __slots__ = ("args", "cls", "state")

    def __init__(self, cls: object, args: object) -> None:
        self.cls, self.args, self.state = cls, args, None  # type: object, object, object


class StorageReference:
    """A reference (BINPERSID) to something that is kept beside the pickle, such as a storage."""

    __slots__ = ("pid",)

    def __init__(self, pid: object) -> None:
        self.pid = pid


def describe(record: object) -> str:
    """Say in a message what a record is: its name, or that of what it calls, or its type."""
    if isinstance(record, CallRecord):
        return describe(record.cls) if isinstance(record.cls, GlobalName) else "an unnamed call"
    return str(record) if isinstance(record, GlobalName) else f"a {type(record).__name__}"


def printable(text: str) -> str:
    """Return a stranger's text for a message: short, and nothing that speaks to the terminal."""
    return sanitize_text(text[:120])


class PickleReader:
    """Moves inert records as a pickle's opcodes ask; ``references``: those it makes."""

    def __init__(self) -> None:
        self.references: list[StorageReference] = []
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self, file: BinaryIO) -> Any:
        """Read one pickle from the file's position to just behind it; return its top object.

        Containers are dicts, lists and tuples; sets are lists. Of a dict, only what has a string
        for a key stays: hashing others may take for ever. Raises DataError for what is not a
        pickle, or has opcodes that models do not need.
        """
        begin, count, name = file.tell(), 0, "its start"
        try:
            for opcode, argument, position in pickletools.genops(file):
                name, count = opcode.name, count + 1
                if count > MAX_OPCODES or (position or 0) - begin > MAX_PICKLE_BYTES:
                    raise DataError(
                        f"its pickle is too long: expected up to {MAX_OPCODES} opcodes and"
                        f" {MAX_PICKLE_BYTES} bytes"
                    )
                if name == "STOP":
                    break
                handler = _HANDLERS.get(name)
                if handler is None:
                    raise DataError(f"its pickle has the opcode {name}, which models do not need")
                handler(self, argument)
            return self._stack.pop()
        except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
            reason = printable(one_line(error))
            raise DataError(f"is not a valid pickle: stops after {name}: {reason}") from error

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        return self._stack.pop()

    def _mark(self, _: Any) -> None:
        self._below.append(self._stack)
        self._stack = []

    def _marked(self) -> list[Any]:
        """Take what lies above the last mark."""
        items, self._stack = self._stack, self._below.pop()
        return items

    def _discard(self, _: Any) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._marked()

    def _discard_marked(self, _: Any) -> None:
        self._marked()

    def _tuple(self, count: int) -> None:
        if len(self._stack) < count:
            raise IndexError("the stack is empty")
        self._stack[len(self._stack) - count :] = [tuple(self._stack[-count:])]

    def _call(self, _: Any) -> None:
        args, cls = self._pop(), self._pop()
        if cls == _ORDERED_DICT and args == ():
            self._push({})
        else:
            self._push(CallRecord(cls, args))

    def _call_with_keywords(self, _: Any) -> None:
        keywords, args, cls = self._pop(), self._pop(), self._pop()
        self._push(CallRecord(cls, (args, keywords)))

    def _call_marked(self, _: Any) -> None:
        cls, *args = self._marked()
        self._push(CallRecord(cls, tuple(args)))

    def _build(self, _: Any) -> None:
        state, target = self._pop(), self._stack[-1]
        if isinstance(target, CallRecord):
            target.state = state

    def _add(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(values)

    def _set(self, pairs: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict):
            return
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if type(key) is str:
                target[key] = value

    def _set_one(self, _: Any) -> None:
        value, key = self._pop(), self._pop()
        self._set([key, value])

    def _stack_global(self, _: Any) -> None:
        name, module = self._pop(), self._pop()
        if type(name) is not str or type(module) is not str:
            raise TypeError("a global name is not text")
        self._push(GlobalName(module, name))

    def _persistent(self, _: Any) -> None:
        pid = self._pop()
        # the older format refers to the class of a module so, with its source text
        if isinstance(pid, tuple) and len(pid) == 4 and isinstance(pid[1], GlobalName):
            self._push(pid[1])
            return
        self.references.append(StorageReference(pid))
        self._push(self.references[-1])

    def _remember(self, index: Any) -> None:
        self._memo[len(self._memo) if index is None else index] = self._stack[-1]


_ORDERED_DICT = GlobalName("collections", "OrderedDict")
Handler = Callable[[PickleReader, Any], None]
_VALUES = (
    "BININT BININT1 BININT2 LONG1 LONG4 BINFLOAT BINUNICODE SHORT_BINUNICODE BINUNICODE8"
    " BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8"
)


def _protocol(_: PickleReader, number: int) -> None:
    if number > _HIGHEST_PROTOCOL:
        raise DataError(f"its pickle has protocol {number}, expected at most {_HIGHEST_PROTOCOL}")


_HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_VALUES.split(), PickleReader._push),
    "PROTO": _protocol,
    "FRAME": lambda reader, _: None,
    "NONE": lambda reader, _: reader._push(None),
    "NEWTRUE": lambda reader, _: reader._push(True),
    "NEWFALSE": lambda reader, _: reader._push(False),
    "EMPTY_LIST": lambda reader, _: reader._push([]),
    "EMPTY_SET": lambda reader, _: reader._push([]),
    "EMPTY_DICT": lambda reader, _: reader._push({}),
    "EMPTY_TUPLE": lambda reader, _: reader._push(()),
    "MARK": PickleReader._mark,
    "POP": PickleReader._discard,
    "POP_MARK": PickleReader._discard_marked,
    "DUP": lambda reader, _: reader._push(reader._stack[-1]),
    "TUPLE": lambda reader, _: reader._push(tuple(reader._marked())),
    "TUPLE1": lambda reader, _: reader._tuple(1),
    "TUPLE2": lambda reader, _: reader._tuple(2),
    "TUPLE3": lambda reader, _: reader._tuple(3),
    "LIST": lambda reader, _: reader._push(reader._marked()),
    "FROZENSET": lambda reader, _: reader._push(reader._marked()),
    "APPEND": lambda reader, _: reader._add([reader._pop()]),
    "APPENDS": lambda reader, _: reader._add(reader._marked()),
    "ADDITEMS": lambda reader, _: reader._add(reader._marked()),
    "SETITEM": PickleReader._set_one,
    "SETITEMS": lambda reader, _: reader._set(reader._marked()),
    "GLOBAL": lambda reader, text: reader._push(GlobalName(*text.split(" ", 1))),
    "STACK_GLOBAL": PickleReader._stack_global,
    "REDUCE": PickleReader._call,
    "NEWOBJ": PickleReader._call,
    "NEWOBJ_EX": PickleReader._call_with_keywords,
    "OBJ": PickleReader._call_marked,
    "BUILD": PickleReader._build,
    "BINPERSID": PickleReader._persistent,
    "MEMOIZE": PickleReader._remember,
    "BINPUT": PickleReader._remember,
    "LONG_BINPUT": PickleReader._remember,
    "BINGET": lambda reader, index: reader._push(reader._memo[index]),
    "LONG_BINGET": lambda reader, index: reader._push(reader._memo[index]),
}
