"""What a variable may hold while a function is being specialised.

    Static(object)               known now: a number written in the source, None, a string, a module, a class, a dtype
    ScalarValue(node, python)            run-time bool, int or float; `python` tells a Python number (weak) from NumPy's
    ArrayValue                           run-time array, with identity: a cell that holds the current node
    TupleValue ListValue DictValue RecordValue      containers of known structure (a record: named tuple, dataclass)
    ListValue with `Elements`            a list of run-time length
    RangeValue SliceValue; and what is gone through, see `iterators`
    FunctionValue BoundMethod MethodValue TransformValue ChoiceValue
    UnionValue                                      one of several values, by a run-time tag
    RecursiveValue                                  a tree, linked list ...: one of several, which may contain itself
    Unbound Unreadable PartialValue                 a variable that has no value, no usable value, perhaps no value

Values that Python can change in place are `Cell`s. They are compared by identity, hold what changes in `state`, and
know the `Memory` that they may share with others: writing through one of them makes the others stale, and reading a
stale cell is refused. All changes of `state` go through the `Journal` (`journal`), so that branches can be undone and
merged.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from arignote.ir.graph import Node, Span
from arignote.ir.records import dataclass, field
from arignote.ir.structure import StaticOf
from arignote.ir.types import Type, dims_of, dtype_of

if TYPE_CHECKING:
    from arignote.frontend.recursive import TreeDefinition
    from arignote.frontend.scope import Scope
    from arignote.frontend.source import Definition

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

_clock = itertools.count(1)


def now() -> int:
    """A number larger than all before: the order of births and writes."""
    return next(_clock)


class Value:
    """Base of all values."""

    __slots__ = ()


@dataclass(slots=True, eq=False)
class Static(Value):
    """A Python object known at compile time. Of numbers only Python's own are held here."""

    object: Any

    def __repr__(self) -> str:
        return f"Static({self.object!r})"


@dataclass(slots=True, eq=False)
class ScalarValue(Value):
    """A run-time number. `low` and `high` bound a Python int; `origin` is the captured variable it was read from."""

    node: Node
    scope: Scope
    python: bool
    low: int = INT64_MIN
    high: int = INT64_MAX
    origin: Any = None

    @property
    def type(self) -> Type:
        return self.node.type

    @property
    def dtype(self) -> str:
        return dtype_of(self.node.type)


@dataclass(slots=True, eq=False)
class NodeValue(Value):
    """A run-time value that programs cannot look into, such as a pullback."""

    node: Node
    scope: Scope


class Mutable:
    """Anything with a `state` that changes while the program is interpreted. `birth` orders it in time."""

    __slots__ = ("birth", "state")

    def __init__(self, state: Any) -> None:
        self.birth = now()
        self.state = state


@dataclass(frozen=True, slots=True)
class Write:
    """The last write to a memory: through which cell, when, and where in the source.

    `is_certain` is False where the cell only may have the memory: it is what a variable holds at the head of a loop,
    and what else variables hold there is known to be apart from it. `before` then is the last certain write."""

    cell: Cell
    time: int
    span: Span | None
    is_certain: bool = True
    before: Write | None = None

    @property
    def certain(self) -> Write | None:
        """The last write through a cell that has the memory for certain."""
        return self if self.is_certain else self.before


class Memory(Mutable):
    """What several cells may share. The state is the last `Write`, or None. `owner` names who else can see it: an
    argument or a captured variable, into which compiled code must not write; None for memory made here."""

    __slots__ = ("owner",)

    def __init__(self, owner: str | None = None) -> None:
        super().__init__(None)
        self.owner = owner


class Cell(Mutable, Value):
    """A value that can change in place.

    roots:   the memory that a write by others must not have touched when this cell is read
    touched: the memory that a write through this cell touches; the same, but at the head of a loop, where what two
             variables hold in turn is known not to be shared between the two
    """

    __slots__ = ("roots", "touched", "link")

    def __init__(
        self, state: Any, roots: frozenset[Memory] | None = None, touched: frozenset[Memory] | None = None
    ) -> None:
        super().__init__(state)
        self.link: Link | None = None
        self.roots = roots or frozenset((Memory(),))
        self.touched = self.roots if touched is None else touched

    @property
    def base(self) -> Cell:
        """The cell that writes into this one are written into in the end."""
        cell = self
        while cell.link is not None and cell.link.is_live:
            cell = cell.link.parent
        return cell

    def overwritten(self) -> Write | None:
        """A write through another cell since this one was made; in Python it would be visible here."""
        base = self.base
        write = _written_since((self.roots, self.touched), self.birth, base)
        if write is None and isinstance(self.state, Elements):
            for pair in self.state.roots:
                write = write or _written_since(pair, self.state.time, base)
        return write


def _written_since(memory: tuple[frozenset[Memory], frozenset[Memory]], time: int, base: Cell) -> Write | None:
    """A write that what has this memory, which was read at this time, should show; what is written through `base` is
    shown."""
    read, touched = memory
    for part in read:
        write = part.state
        if write is not None and write.cell is not base and write.time > time:
            return write  # type: ignore[no-any-return]
    if touched is not read:
        for part in touched - read:
            write = part.state.certain if part.state is not None else None
            if write is not None and write.cell is not base and write.time > time:
                return write  # type: ignore[no-any-return]
    return None


@dataclass(slots=True, eq=False)
class Link:
    """What a cell is a part of: a view of an array, an element of a list of run-time length, a field of such an
    element. It shows what is written into the whole, and what is written into it is written into the whole.

    seen:    the state of the whole that the state of the cell is a part of
    version: of a list: which elements are where; once that has changed, the link is broken
    """

    parent: Cell
    index: Any
    seen: Any
    version: Any = None

    @property
    def is_live(self) -> bool:
        """Whether the cell still is a part of the whole."""
        outer = self.parent.link
        if outer is not None and not outer.is_live:
            return False
        if self.version is None:
            return True
        if outer is not None and outer.parent.state is not outer.seen:
            return False
        state = self.parent.state
        return isinstance(state, Elements) and state.version is self.version


class ArrayValue(Cell):
    """An array. The state is (node, scope). A 0-d array has a scalar node."""

    __slots__ = ()

    @property
    def type(self) -> Type:
        """Of the current contents; dtype and rank never change."""
        return self.state[0].type

    @property
    def dtype(self) -> str:
        return dtype_of(self.type)

    @property
    def dims(self) -> tuple[int, ...]:
        return dims_of(self.type)

    @property
    def rank(self) -> int:
        return len(self.dims)


REPEATED = Memory("an element that may be in its list more than once")
"""In `touched` of the elements of a list of run-time length that may be one and the same: a write through one of them
would have to change the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Elements:
    """The contents of a list whose length is known at run time only: a list of the graph.

    element: the spec of its elements        roots: the memory of an element's cells, that of all elements together
    time:    when they were put together; a later write to that memory through others makes them stale
    version: the same as long as the same elements are at the same places; they themselves may change
    """

    node: Node
    scope: Scope
    element: Any
    roots: tuple[Any, ...] = ()
    time: int = field(default_factory=now)
    version: object = field(default_factory=object)


class ListValue(Cell):
    """A list. The state is the tuple of its items, or `Elements` where the length is known at run time only."""

    __slots__ = ()

    @property
    def is_sequence(self) -> bool:
        """Whether the length is known at run time only."""
        link = self.link
        if link is not None and link.is_live and isinstance(link.parent, ListValue):
            outer = link.parent.state
            if isinstance(outer, Elements) and link.parent.link is None:
                return not isinstance(outer.element, StaticOf) and outer.element[0] == "sequence"
        return isinstance(self.state, Elements)


class DictValue(Cell):
    """A dict with known keys. The state is a tuple of (key, value) pairs; `cls` is dict or OrderedDict."""

    __slots__ = ("cls",)

    def __init__(
        self, pairs: Iterable[tuple[Any, Value]], cls: type = dict, roots: Any = None, touched: Any = None
    ) -> None:
        super().__init__(tuple(pairs), roots, touched)
        self.cls = cls


class RecordValue(Cell):
    """An instance of a named tuple class or a dataclass. The state is the tuple of the fields' values."""

    __slots__ = ("cls", "names")

    def __init__(
        self, cls: type, names: Sequence[str], items: Iterable[Value], roots: Any = None, touched: Any = None
    ) -> None:
        super().__init__(tuple(items), roots, touched)
        self.cls, self.names = cls, tuple(names)

    @property
    def is_tuple(self) -> bool:
        return issubclass(self.cls, tuple)


class RecursiveValue(Cell):
    """A node of recursive data. The state is (node, scope); the memory is that of all that hangs on it."""

    __slots__ = ("definition",)

    def __init__(self, definition: TreeDefinition, state: Any, roots: Any = None, touched: Any = None) -> None:
        super().__init__(state, roots, touched)
        self.definition = definition

    @property
    def options(self) -> tuple[Value, ...]:
        """What it may be: values to be asked for their classes only."""
        return self.definition.samples


@dataclass(slots=True, eq=False)
class TupleValue(Value):
    items: tuple[Value, ...]


@dataclass(slots=True, eq=False)
class SliceValue(Value):
    """A slice, some of whose bounds are known at run time only. Absent bounds are Static(None)."""

    start: Value
    stop: Value
    step: Value


@dataclass(slots=True, eq=False)
class RangeValue(Value):
    start: Value
    stop: Value
    step: Value


class Variable(Mutable):
    """A name of a function being specialised. The state is its Value; `places` are the lines that assigned it, with
    what they assigned. An `internal` variable (where control goes, what is returned) is always live. A variable is
    `closed` when its function has returned: it never changes again, and functions that read it hold its value."""

    __slots__ = ("name", "places", "internal", "closed")

    def __init__(self, name: str, value: Value, internal: bool = False) -> None:
        super().__init__(value)
        self.name = name
        self.places: list[tuple[Value, int]] = []
        self.internal = internal
        self.closed = False


@dataclass(slots=True, eq=False)
class FunctionValue(Value):
    """A user's function. `env` holds the variables of enclosing functions under specialisation that it may read;
    `python` is the function object, if there is one, for its globals and closure cells."""

    definition: Definition
    env: dict[str, Variable]
    python: Any
    defaults: tuple[Value, ...] = ()
    keyword_defaults: tuple[tuple[str, Value], ...] = ()

    @property
    def name(self) -> str:
        return self.definition.name


@dataclass(slots=True, eq=False)
class BoundMethod(Value):
    """A user's function with its first argument supplied."""

    function: Value
    instance: Value


@dataclass(slots=True, eq=False)
class MethodValue(Value):
    """A method of an array, a NumPy scalar, a list, a dict ... that the compiler knows by name."""

    name: str
    instance: Value


@dataclass(slots=True, eq=False)
class SuperValue(Value):
    """super(): the attributes of an instance that its class has from those behind `cls`."""

    cls: type
    instance: Value


@dataclass(slots=True, eq=False)
class TransformValue(Value):
    """A transformed function: `kind` is "grad", "value_and_grad", "pullback" or "partial"."""

    kind: str
    function: Value
    options: tuple[Any, ...] = ()
    parts: tuple[Value, ...] = ()


@dataclass(slots=True, eq=False)
class ChoiceValue(Value):
    """One of several functions, by a run-time index."""

    index: Value
    options: tuple[Value, ...]


@dataclass(slots=True, eq=False)
class UnionValue(Value):
    """One of several values, by a run-time tag; what it is not is undefined."""

    tag: Value
    options: tuple[Value, ...]


@dataclass(slots=True, eq=False)
class EnclosingFunction(Value):
    """A function that contains what is shown, and is not there: only in messages."""


@dataclass(slots=True, eq=False)
class Unbound(Value):
    """No value: not assigned yet, or deleted."""


@dataclass(slots=True, eq=False)
class Unreadable(Value):
    """Branches or iterations left values of different types; reading them is an error, which says so."""

    message: str
    hint: str = ""


STALE_HINT = "take a copy (.copy()) of one of them before the write"
"""The hint of what cannot be read since its memory may have been written through another reference."""


@dataclass(slots=True, eq=False)
class PartialValue(Value):
    """A value if `defined` holds at run time; reading it checks."""

    defined: Value
    value: Value


@dataclass(slots=True)
class Frame:
    """The variables of one activation of a user's function."""

    definition: Any
    variables: dict[str, Variable]
    env: dict[str, Variable]
    python: Any
    flow: Variable
    returned: Variable
    memory: dict[Any, Any] = field(default_factory=dict)
    loops: list[Any] = field(default_factory=list)


def is_fixed(index: Value) -> bool:
    """Whether an index is made of values that cannot change in place: numbers, slices, tuples of them."""
    if isinstance(index, TupleValue):
        return all(map(is_fixed, index.items))
    if isinstance(index, Static):
        return not isinstance(index.object, list)
    return isinstance(index, ScalarValue | SliceValue)


def is_number(value: Value) -> bool:
    """A static Python number or a run-time scalar."""
    return isinstance(value, ScalarValue) or (isinstance(value, Static) and type(value.object) in (bool, int, float))


def is_python_number(value: Value) -> bool:
    """A Python bool, int or float, known now or not."""
    if isinstance(value, ScalarValue):
        return value.python
    return isinstance(value, Static) and type(value.object) in (bool, int, float)


PYTHON_DTYPES = {bool: "bool", int: "int64", float: "float64"}


def number_dtype(value: Value) -> str:
    """The dtype that carries a number or an array."""
    if isinstance(value, Static):
        return PYTHON_DTYPES[type(value.object)]
    assert isinstance(value, ScalarValue | ArrayValue), value
    return value.dtype
