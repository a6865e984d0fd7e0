"""Small native procedures, written as LLVM text, that stand in for compiled programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from arignote.ir.structure import ArrayOf, NumpyScalarOf, Structure, TupleOf, leaf_structures
from arignote.runtime import native
from arignote.runtime.assembly import Function, Value
from arignote.runtime.buffers import HEADER_BYTES, REFERENCES
from arignote.runtime.dispatch import Dispatcher, Signature
from arignote.runtime.encode import Capture
from arignote.runtime.entry import BEHIND, CompiledSpecialisation, parameter_types
from arignote.runtime.imports import C_FUNCTIONS, addresses
from arignote.runtime.operands import REFERENCE, operands
from arignote.runtime.symbols import symbols


def outside(f: Function, name: str) -> Value:
    """A function of the runtime or of the C library, by its address."""
    known = symbols()
    address = known[name] if name in known else addresses()[name]
    assert name in known or name in C_FUNCTIONS
    return Value(f, "ptr", f"inttoptr (i64 {address} to ptr)")


def procedure(leaves: Sequence[Structure], name: str = "procedure") -> Function:
    """A procedure with these parameters, `p0`, `p1`, ..., to be written."""
    types = {f"p{index}": kind for index, kind in enumerate(parameter_types(leaves))}
    types = {name: kind.removeprefix(BEHIND) for name, kind in types.items()}
    return Function(name, "i32", ctx="ptr", **types, results="ptr")


def finish(f: Function) -> int:
    """The address of the finished function."""
    return native.compile_small(f.text(), f.name)


def copy_array(f: Function, leaf: ArrayOf, first: int, results: Value, slot: int) -> None:
    """Stores a fresh copy of the array in parameters `first`... as a result."""
    total: Any = f.constant("i64", np.dtype(leaf.dtype).itemsize)
    sizes = [f[f"p{first + 2 + axis}"] for axis in range(leaf.rank)]
    for size in sizes:
        total = total * size
    buffer = f.call("ptr", outside(f, "ag_alloc"), total)
    data = f.address(buffer, HEADER_BYTES)
    f.call("ptr", outside(f, "memcpy"), data, f[f"p{first + 1}"], total)
    for offset, value in enumerate((buffer, data, *sizes)):
        f.store(value, results, 8 * (slot + offset))


def retain_buffer(f: Function, buffer: Value) -> None:
    """One more reference to a box or to the buffer of a list."""
    with f.when(buffer.differs(None)):
        f.store(f.load("i64", buffer, REFERENCES) + 1, buffer, REFERENCES)


def echo_procedure(leaves: Sequence[Structure]) -> int:
    """A procedure whose results are its parameters, arrays copied."""
    f = procedure(leaves)
    position = 0
    for leaf in leaves:
        if isinstance(leaf, ArrayOf) and leaf.rank:
            copy_array(f, leaf, position, f["results"], position)
            position += 2 + leaf.rank
        else:
            for operand in operands(leaf):
                value = f[f"p{position}"]
                if operand == REFERENCE:
                    retain_buffer(f, value)
                f.store(value, f["results"], 8 * position)
                position += 1
    f.leave(0)
    return finish(f)


def compile_echo(signature: Signature, captures: tuple[Capture, ...] = ()) -> CompiledSpecialisation:
    """As a compiler would: the function that returns the tuple of its arguments (and of what it captures)."""
    structures = (*signature.structures, *(c.structure for c in captures if c.structure is not None))
    result = TupleOf(structures)
    return CompiledSpecialisation(echo_procedure(leaf_structures(result)), result, captures)


class Echo:
    """`jit` with the compiler that `compile_echo` is; counts compilations."""

    def __init__(self, function: Any, captures: Any = lambda: (), **options: Any) -> None:
        self.signatures: list[Signature] = []
        self.captures = captures
        self.dispatcher = Dispatcher(function, self.compile, **options)
        self.callable = self.dispatcher.callable

    def compile(self, signature: Signature) -> CompiledSpecialisation:
        """Compiles, and notes what."""
        self.signatures.append(signature)
        return compile_echo(signature, self.captures())


def echo(function: Any, **options: Any) -> Any:
    """The compiled function that returns the tuple of its arguments."""
    return Echo(function, **options).callable


def total_procedure() -> int:
    """The sum of a vector of float64."""
    f = procedure([ArrayOf("float64", (-1,))])
    place = f.local_words(1)
    f.emit(f"store double 0.0, ptr {place.text}")
    with f.repeat(f["p2"]) as index:
        value = f.load("double", f["p1"], index << 3)
        before = f.load("double", place)
        f.store(f.result("double", f"fadd double {before.text}, {value.text}"), place)
    f.store(f.load("double", place), f["results"])
    f.leave(0)
    return finish(f)


def failing_procedure(site: int, leaves: Sequence[Structure]) -> int:
    """Fails at a site, with its scalar parameters as run-time values."""
    f = procedure(leaves)
    f.store(site, f["ctx"], 0, "i64")
    for index in range(len(leaves)):
        f.store(f[f"p{index}"], f["ctx"], 8 + 8 * index)
    f.leave(1)
    return finish(f)


def compile_total(signature: Signature) -> CompiledSpecialisation:
    """The compiled sum."""
    return CompiledSpecialisation(total_procedure(), NumpyScalarOf("float64"))


def same(left: Any, right: Any) -> bool:
    """Whether two trees are equal: classes, dtypes, shapes, and bits."""
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray | np.generic):
        return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, tuple | list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float):
        return left.hex() == right.hex()
    if hasattr(left, "__dataclass_fields__"):
        return all(same(getattr(left, name), getattr(right, name)) for name in left.__dataclass_fields__)
    return left == right
