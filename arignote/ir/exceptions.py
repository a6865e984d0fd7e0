"""What an exception is made with: the pieces of a message as the arguments of its class.

A message is the text of one argument, unless it begins with a mark: then marks say where arguments begin and of what
kind they are, so that the exception holds numbers and tuples where the program gave it such.
"""

from __future__ import annotations

import ast
import copy
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from arignote.ir.structure import Structure


class WrongAssumption(Exception):
    """Raised by compiled code where a size is 1 that was assumed not to be. Users never see it: the program is compiled
    again without assumptions, and runs again from its beginning."""


VALUE = "\0value"
"""The next piece is a structure, whose value is the argument."""
TEXT = "\0text"
"""What follows, up to the next mark, is written as one text."""
CONSTANT = "\0constant "
"""The start of a piece: the rest of it is the argument, as it is written in a program."""
OPEN_TUPLE, OPEN_LIST, CLOSE = "\0tuple", "\0list", "\0close"
"""Arguments up to CLOSE are the items of a tuple or a list."""


def is_mark(piece: Any) -> bool:
    """Whether a piece of a message is a mark."""
    return isinstance(piece, str) and piece.startswith("\0")


def arguments_of(
    message: Sequence[str | Structure], values: Sequence[Any], write: Callable[[Structure, Any], str]
) -> tuple[Any, ...]:
    """The arguments that a message stands for, given the values of its structures; `write` makes one a text."""
    rest = iter(values)
    if not message or not is_mark(message[0]):
        return (_text(message, rest, write),) if message else ()
    levels: list[tuple[type, list[Any]]] = [(tuple, [])]
    place = 0
    while place < len(message):
        mark, place = message[place], place + 1
        assert isinstance(mark, str), mark
        items = levels[-1][1]
        if mark in (OPEN_TUPLE, OPEN_LIST):
            levels.append((tuple if mark == OPEN_TUPLE else list, []))
        elif mark == CLOSE:
            kind, inner = levels.pop()
            levels[-1][1].append(kind(inner))
        elif mark == VALUE:
            place += 1
            items.append(next(rest))
        elif mark == TEXT:
            start = place
            while place < len(message) and not is_mark(message[place]):
                place += 1
            items.append(_text(message[start:place], rest, write))
        else:
            items.append(copy.deepcopy(_constant(mark.removeprefix(CONSTANT))))  # it may be a list
    return tuple(levels[0][1])


_parsing = threading.Lock()


@functools.cache
def _constant(text: str) -> Any:
    """What is written as a literal; read once, and in one thread at a time: some versions of CPython lose count of how
    deep they are where two threads parse, and raise a SystemError in place of the program's error."""
    with _parsing:
        return ast.literal_eval(text)


def _text(pieces: Sequence[str | Structure], values: Iterator[Any], write: Callable[[Structure, Any], str]) -> str:
    return "".join([piece if isinstance(piece, str) else write(piece, next(values)) for piece in pieces])
