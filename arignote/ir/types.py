"""Types of the graph language.

    type  = scalar(dtype)                    f64
          | array(dtype, dims)               f64[n,3]     a dimension: a number, n (MANY) or ? (ANY)
          | tuple(type*)                     (f64, i64)   the empty tuple is the unit type
          | list(type)                       list f64     one element type, run-time length
          | union(definition)                union Tree   one of several alternatives; may contain itself
          | closure(function, captured)      fn g/2       a known function with its first parameters supplied
          | token                            token        orders effects; nothing at run time

Types are interned and compared by identity. The dimensions of an array type are *knowledge*: `f64[3]` is also a
`f64[?]`. `fits(given, wanted)` is that order, `join` its least upper bound.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakValueDictionary

from arignote.ir.structure import ANY, MANY

if TYPE_CHECKING:
    from arignote.ir.graph import Function

SHORT = {
    "bool": "bool", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64",
    "uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64",
    "float16": "f16", "float32": "f32", "float64": "f64", "complex64": "c64", "complex128": "c128",
}  # fmt: skip
LONG = {short: long for long, short in SHORT.items()}


class Type:
    """Base of all types. Equal types are the same object."""

    __slots__ = ("__weakref__",)
    _interned: ClassVar[WeakValueDictionary[tuple[object, ...], Type]] = WeakValueDictionary()


def _intern(key: tuple[object, ...], make: type[Type]) -> Type:
    known = Type._interned.get(key)
    if known is None:
        known = Type._interned[key] = object.__new__(make)
        for name, value in zip(make.__slots__, key[1:], strict=True):
            object.__setattr__(known, name, value)
    return known


class Scalar(Type):
    """A number or truth value, by its NumPy dtype name."""

    __slots__ = ("dtype",)
    dtype: str

    def __new__(cls, dtype: str) -> Scalar:
        return _intern((cls, dtype), cls)  # type: ignore[return-value]

    def __repr__(self) -> str:
        return SHORT[self.dtype]


class Array(Type):
    """An array of `len(dims)` dimensions."""

    __slots__ = ("dtype", "dims")
    dtype: str
    dims: tuple[int, ...]

    def __new__(cls, dtype: str, dims: Iterable[int]) -> Array:
        return _intern((cls, dtype, tuple(dims)), cls)  # type: ignore[return-value]

    @property
    def rank(self) -> int:
        return len(self.dims)

    def __repr__(self) -> str:
        return f"{SHORT[self.dtype]}[{','.join(show_dim(d) for d in self.dims)}]"


class Tuple(Type):
    """A fixed number of values."""

    __slots__ = ("items",)
    items: tuple[Type, ...]

    def __new__(cls, items: Iterable[Type]) -> Tuple:
        return _intern((cls, tuple(items)), cls)  # type: ignore[return-value]

    def __repr__(self) -> str:
        inner = ", ".join(map(repr, self.items))
        return f"({inner},)" if len(self.items) == 1 else f"({inner})"


class List(Type):
    """Any number of values of one type."""

    __slots__ = ("element",)
    element: Type

    def __new__(cls, element: Type) -> List:
        return _intern((cls, element), cls)  # type: ignore[return-value]

    def __repr__(self) -> str:
        return f"list {self.element!r}"


RESIDUAL = "residual of "
"""How the names of unions begin that hold what a call leaves for its backward."""


class UnionDefinition:
    """What a union may be. Nominal, so that an alternative can contain the union itself; defined after it is made.

    alternatives: the types of the payloads, by tag. An alternative 0 of the unit type costs no memory (a null pointer).
    primal:       of a tangent, the definition that it is the tangent of
    derived:      what passes have made for it and want to find again
    """

    __slots__ = ("name", "alternatives", "primal", "derived", "_tangent", "__weakref__")
    alternatives: tuple[Type, ...]

    def __init__(self, name: str, primal: UnionDefinition | None = None) -> None:
        self.name, self.primal = name, primal
        self.derived: dict[Hashable, Any] = {}
        self._tangent: UnionDefinition | None = None
        if primal is not None:
            self._tangent = primal._tangent = self

    def define(self, alternatives: Iterable[Type]) -> Union:
        """State the alternatives, which may mention the union; its type."""
        self.alternatives = tuple(alternatives)
        return Union(self)

    @property
    def tangent(self) -> UnionDefinition:
        """Of tangents and cotangents: alternative 0 is zero, alternative k + 1 belongs to alternative k of this one. A
        tangent is its own tangent."""
        if self._tangent is None:
            UnionDefinition(f"d{self.name}", self).define([UNIT, *map(tangent_type, self.alternatives)])
        assert self._tangent is not None
        return self._tangent

    @property
    def is_defined(self) -> bool:
        return hasattr(self, "alternatives")

    def is_null(self, alternative: int) -> bool:
        """Whether a value of this alternative is a null pointer."""
        return alternative == 0 and self.alternatives[0] is UNIT

    def tangent_alternative(self, alternative: int) -> int:
        """The tag of the tangents of an alternative."""
        return alternative + (self.primal is None)

    def __repr__(self) -> str:
        return self.name


class Union(Type):
    """One of several alternatives, told apart by a tag at run time: trees, lists with links, chains of residuals."""

    __slots__ = ("definition",)
    definition: UnionDefinition

    def __new__(cls, definition: UnionDefinition) -> Union:
        return _intern((cls, definition), cls)  # type: ignore[return-value]

    @property
    def alternatives(self) -> tuple[Type, ...]:
        return self.definition.alternatives

    def __repr__(self) -> str:
        return f"union {self.definition.name}"


class Closure(Type):
    """A function whose first `captured` parameters are supplied. Nominal in the function, so that recursive chains of
    backpropagators have finite types; the capture types are those of the function's parameters."""

    __slots__ = ("function", "captured")
    function: Function
    captured: int

    def __new__(cls, function: Function, captured: int) -> Closure:
        return _intern((cls, function, captured), cls)  # type: ignore[return-value]

    @property
    def capture_types(self) -> tuple[Type, ...]:
        return tuple(p.type for p in self.function.parameters[: self.captured])

    @property
    def argument_types(self) -> tuple[Type, ...]:
        return tuple(p.type for p in self.function.parameters[self.captured :])

    def __repr__(self) -> str:
        return f"fn {self.function.name}/{self.captured}"


class Token(Type):
    """Orders effects; nothing at run time."""

    __slots__ = ()

    def __new__(cls) -> Token:
        return _intern((cls,), cls)  # type: ignore[return-value]

    def __repr__(self) -> str:
        return "token"


TOKEN = Token()
UNIT = Tuple(())
BOOL, INT64, FLOAT64 = Scalar("bool"), Scalar("int64"), Scalar("float64")


def show_dim(dim: int) -> str:
    return {MANY: "n", ANY: "?"}.get(dim, str(dim))


def is_float(dtype: str) -> bool:
    return dtype.startswith("float")


def dtype_of(type_: Type) -> str:
    assert isinstance(type_, Scalar | Array), type_
    return type_.dtype


def dims_of(type_: Type) -> tuple[int, ...]:
    """Dimensions of an array; none for a scalar."""
    return type_.dims if isinstance(type_, Array) else ()


def shaped(dtype: str, dims: Iterable[int]) -> Type:
    """Array of these dims; a scalar where there are none (NumPy returns scalars from operations on 0-d arrays)."""
    dims = tuple(dims)
    return Array(dtype, dims) if dims else Scalar(dtype)


def dim_fits(given: int, wanted: int) -> bool:
    return given == wanted or wanted == ANY or (wanted == MANY and given != ANY and given != 1)


def join_dim(a: int, b: int) -> int:
    if a == b:
        return a
    return MANY if a not in (1, ANY) and b not in (1, ANY) else ANY


def fits(given: Type, wanted: Type) -> bool:
    """Whether a value of type `given` may stand where `wanted` is declared."""
    if given is wanted:
        return True
    if type(given) is not type(wanted):
        return False
    if isinstance(given, Array):
        assert isinstance(wanted, Array)
        return (given.dtype == wanted.dtype and given.rank == wanted.rank
                and all(map(dim_fits, given.dims, wanted.dims)))  # fmt: skip
    if isinstance(given, Tuple):
        assert isinstance(wanted, Tuple)
        return len(given.items) == len(wanted.items) and all(map(fits, given.items, wanted.items))
    if isinstance(given, List):
        assert isinstance(wanted, List)
        return fits(given.element, wanted.element)
    return False


def join(a: Type, b: Type) -> Type | None:
    """The least type that both fit, or None."""
    if a is b:
        return a
    if isinstance(a, Array) and isinstance(b, Array) and a.dtype == b.dtype and a.rank == b.rank:
        return Array(a.dtype, map(join_dim, a.dims, b.dims))
    if isinstance(a, Tuple) and isinstance(b, Tuple) and len(a.items) == len(b.items):
        items = [join(x, y) for x, y in zip(a.items, b.items, strict=True)]
        return None if None in items else Tuple(items)  # type: ignore[arg-type]
    if isinstance(a, List) and isinstance(b, List):
        element = join(a.element, b.element)
        return None if element is None else List(element)
    return None


def tangent_type(type_: Type) -> Type:
    """Type of a tangent or cotangent: the float parts; everything else contributes the unit type."""
    if isinstance(type_, Scalar | Array):
        return type_ if is_float(type_.dtype) else UNIT
    if isinstance(type_, Tuple):
        return Tuple(map(tangent_type, type_.items))
    if isinstance(type_, List) and is_differentiable(type_):
        return List(tangent_type(type_.element))
    if isinstance(type_, Closure) and is_differentiable(type_):
        return Tuple(map(tangent_type, type_.capture_types))
    if isinstance(type_, Union) and is_differentiable(type_):
        return Union(type_.definition.tangent)
    return UNIT


def is_differentiable(type_: Type) -> bool:
    """Whether any part of a value of this type carries a derivative."""
    waiting, seen = [type_], {type_}
    while waiting:
        part = waiting.pop()
        if isinstance(part, Scalar | Array) and is_float(part.dtype):
            return True
        for inner in parts(part):
            if inner not in seen:
                seen.add(inner)
                waiting.append(inner)
    return False


def parts(type_: Type) -> tuple[Type, ...]:
    """The types directly inside this one; those of a union are its alternatives."""
    match type_:
        case Tuple():
            return type_.items
        case List():
            return (type_.element,)
        case Closure():
            return type_.capture_types
        case Union():
            return type_.alternatives
    return ()


def definitions_in(types: Iterable[Type]) -> list[UnionDefinition]:
    """The unions that types mention, in what they hold and in each other, primals of tangents included."""
    found: dict[UnionDefinition, None] = {}
    seen: set[Type] = set()
    waiting = [type_ for type_ in types if not isinstance(type_, Scalar | Array)]
    waiting.reverse()
    while waiting:
        type_ = waiting.pop()
        if type_ in seen:
            continue
        seen.add(type_)
        if isinstance(type_, Union):
            definition = type_.definition
            found[definition] = None
            if definition.primal is not None:
                waiting.append(Union(definition.primal))
            if not definition.is_defined:
                continue
        if not isinstance(type_, Closure):
            waiting.extend(reversed(parts(type_)))
    return list(found)
