"""How values lie in memory where slots, boxes and lists hold them: one operand after another (`lower/flatten.py`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arignote.ir.records import dataclass
from arignote.ir.structure import (
    ArrayOf,
    FormattedOf,
    NumpyScalarOf,
    PythonScalarOf,
    RecursiveOf,
    SelfOf,
    SequenceOf,
    Structure,
    UnionOf,
    leaf_structures,
)

REFERENCE = 0
"""An operand that is a buffer; the others are given by their bytes."""

_WORD = 8


def operands(structure: Structure) -> list[int]:
    """The operands that a value is flattened to: `REFERENCE`, or how many bytes it has."""
    match structure:
        case ArrayOf() if structure.rank:
            return [REFERENCE, _WORD, *[_WORD for size in structure.dims if size < 0]]
        case ArrayOf() | NumpyScalarOf() | PythonScalarOf() | FormattedOf():
            return [np.dtype(structure.dtype).itemsize]
        case SelfOf() | RecursiveOf():
            return [REFERENCE]
        case SequenceOf():
            return [_WORD, _WORD, *[REFERENCE] * len(operands(structure.element))]
    own = [_WORD] if isinstance(structure, UnionOf) else []
    return [*own, *(operand for child in structure.children() for operand in operands(child))]


def leaf_words(structure: Structure) -> int:
    """How many 8-byte slots a leaf takes: buffer, address and sizes for an array."""
    return 2 + structure.rank if isinstance(structure, ArrayOf) else len(operands(structure))


def value_words(structure: Structure) -> int:
    """How many 8-byte slots a leaf takes that compiled code has written: a 0-d array is one number to it."""
    return leaf_words(structure) if not isinstance(structure, ArrayOf) or structure.rank else 1


def consecutive_slots(leaves: Sequence[Structure]) -> tuple[int, ...]:
    """Where each leaf starts when they follow one another."""
    starts, position = [], 0
    for leaf in leaves:
        starts.append(position)
        position += value_words(leaf)
    return tuple(starts)


@dataclass(frozen=True)
class BoxLayout:
    """A box's data: first the references of the flattened payload, then a word for each other operand."""

    places: tuple[int, ...]
    references: int
    words: int

    @property
    def is_empty(self) -> bool:
        return not self.words


def box_layout(payload: Structure) -> BoxLayout:
    """Where the operands of a payload lie in its box, in words."""
    flat = operands(payload)
    references = flat.count(REFERENCE)
    places, next_reference, next_word = [], 0, references
    for operand in flat:
        if operand == REFERENCE:
            places.append(next_reference)
            next_reference += 1
        else:
            places.append(next_word)
            next_word += 1
    return BoxLayout(tuple(places), references, len(flat))


def is_null(alternatives: Sequence[Structure], tag: int) -> bool:
    """Whether a union holds this alternative as a null pointer."""
    return tag == 0 and not leaf_structures(alternatives[0])
