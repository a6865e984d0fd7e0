"""Specs: the static part of a value, apart from its run-time nodes.

    spec = StaticOf(object)                       a Structure, so that equal statics are one object
         | ("scalar", dtype, python)              one node
         | ("array", type)                        one node, one cell
         | ("node", type) | ("contents", type)    one node; the contents of an array whose cell is not part of it
         | ("unbound",) | ("unreadable", message, hint)
         | ("partial", spec)                      one node (is it defined?), then those of the spec
         | ("choice", None, (spec, ...))          one node (which one?), then those of the functions
         | ("union", None, (spec, ...))           one node (which one?), then those of all alternatives
         | ("recursive", definition)              a tree, linked list ...: one node, a cell; see `recursive`
         | ("sequence", spec)                     a list of run-time length: one node, a cell, the cells of one element
         | ("elements", spec)                     its contents, where the cell is not part of it
         | (tag, key, (spec, ...))                a container: the nodes of its parts; a cell if it can change in place

Specs are hashable. They are the keys under which specialised functions are remembered, what branches join, and what
loops carry. `Flat` is a value taken apart: its spec, its nodes, and the memory of its cells, in one fixed order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from arignote.frontend.iterators import EnumerateValue, LazyValue, MapValue, ReversedValue, ViewValue, ZipValue
from arignote.frontend.narrowing import is_nothing, possible
from arignote.frontend.scope import HOOKS
from arignote.frontend.values import (
    STALE_HINT,
    ArrayValue,
    BoundMethod,
    Cell,
    ChoiceValue,
    DictValue,
    Elements,
    EnclosingFunction,
    FunctionValue,
    ListValue,
    Memory,
    MethodValue,
    NodeValue,
    PartialValue,
    RangeValue,
    RecordValue,
    RecursiveValue,
    ScalarValue,
    SliceValue,
    Static,
    TransformValue,
    TupleValue,
    Unbound,
    UnionValue,
    Unreadable,
    Value,
    Variable,
)
from arignote.ir.errors import UnsupportedSyntaxError
from arignote.ir.graph import Node
from arignote.ir.records import dataclass
from arignote.ir.structure import StaticOf
from arignote.ir.types import BOOL, INT64, List, Scalar, Tuple, Type

if TYPE_CHECKING:
    from arignote.frontend.context import Context
    from arignote.frontend.scope import Scope

Spec = Any
Roots = tuple[frozenset[Memory], frozenset[Memory]]
CELLS = frozenset(("list", "dict", "record"))
SEQUENCES = frozenset(("sequence", "elements"))
UNBOUND: Spec = ("unbound",)


@dataclass(slots=True)
class Flat:
    """A value taken apart. `roots` has the (read, touched) memory of each cell, in order."""

    spec: Spec
    nodes: list[Node]
    roots: list[Roots | None]


def parts(context: Context, value: Value) -> tuple[str, Any, Sequence[Value]]:
    """(tag, static key, parts) of a container."""
    match value:
        case TupleValue():
            return "tuple", None, value.items
        case ListValue():
            return "list", None, context.read(value)
        case DictValue():
            pairs = context.read(value)
            return "dict", (value.cls, tuple(StaticOf(key) for key, _ in pairs)), [item for _, item in pairs]
        case RecordValue():
            return "record", (value.cls, value.names), context.read(value)
        case SliceValue():
            return "slice", None, (value.start, value.stop, value.step)
        case RangeValue():
            return "range", None, (value.start, value.stop, value.step)
        case ZipValue():
            return "zip", value.strict, value.items
        case EnumerateValue():
            return "enumerate", None, (value.iterable, value.start)
        case ReversedValue():
            return "reversed", None, (value.iterable,)
        case LazyValue():
            return "generator", None, (HOOKS["collected"](context, value),)
        case ViewValue():
            return "view", value.kind, (value.base,)
        case MapValue():
            return "map", None, (value.function, *value.items)
        case BoundMethod():
            return "bound", None, (value.function, value.instance)
        case MethodValue():
            return "method", value.name, (value.instance,)
        case TransformValue():
            return "transform", (value.kind, value.options), (value.function, *value.parts)
    context.error(
        f"{context.show(value)} that is known at run time only can be printed, or be part of the message of an error, "
        "but not be stored, passed or returned",
        UnsupportedSyntaxError,
    )


def assemble(tag: str, key: Any, items: list[Value], roots: Roots | None) -> Value:
    """The container with these parts."""
    read, touched = roots if roots is not None else (None, None)
    match tag:
        case "tuple":
            return TupleValue(tuple(items))
        case "list":
            return ListValue(tuple(items), read, touched)
        case "dict":
            return DictValue(zip([name.value for name in key[1]], items), key[0], read, touched)
        case "record":
            return RecordValue(*key, items, read, touched)
        case "slice":
            return SliceValue(*items)
        case "range":
            return RangeValue(*items)
        case "zip":
            return ZipValue(tuple(items), key)
        case "enumerate":
            return EnumerateValue(*items)
        case "reversed":
            return ReversedValue(*items)
        case "map":
            return MapValue(items[0], tuple(items[1:]))
        case "generator":
            return LazyValue(None, None, items[0], {}, items[0])  # type: ignore[arg-type]
        case "view":
            return ViewValue(key, items[0])  # type: ignore[arg-type]
        case "bound":
            return BoundMethod(*items)
        case "method":
            return MethodValue(key, *items)
        case "transform":
            return TransformValue(key[0], items[0], key[1], tuple(items[1:]))
    raise AssertionError(tag)


class Flattener:
    """Takes values apart in the current scope.

    across: for a call into another function, whose closures cannot share variables with this frame: all variables that
    a function value reads are taken apart as well. Otherwise those that may still change are part of its identity.
    """

    def __init__(self, context: Context, across: bool = False) -> None:
        self.context, self.across = context, across
        self.nodes: list[Node] = []
        self.roots: list[Roots | None] = []
        self.functions: dict[int, int] = {}
        self.function_count = 0

    def add(self, value: Value) -> Spec:
        match value:
            case Static():
                return StaticOf(value.object)
            case ScalarValue():
                self.nodes.append(self.context.scope.bring(value.node, value.scope))
                return "scalar", value.dtype, value.python
            case NodeValue():
                self.nodes.append(self.context.scope.bring(value.node, value.scope))
                return "node", value.node.type
            case Unbound():
                return UNBOUND
            case Unreadable():
                return "unreadable", value.message, value.hint
            case PartialValue():
                self.nodes.append(self.context.node(value.defined))
                return "partial", self.add(value.value)
            case FunctionValue():
                return self.add_function(value)
            case ChoiceValue():
                self.nodes.append(self.context.node(value.index))
                return "choice", None, tuple([self.add(option) for option in value.options])
            case UnionValue():
                return self.add_union(value)
            case Cell():
                return self.add_cell(value)
        tag, key, items = parts(self.context, value)
        return tag, key, tuple([self.add(item) for item in items])

    def add_union(self, value: UnionValue) -> Spec:
        """A union is what remains possible of it here."""
        places = possible(self.context, value)
        if len(places) == 1:
            return self.add(value.options[places[0]])
        self.nodes.append(self.context.node(value.tag))
        return "union", None, tuple([self.add(option) for option in value.options])

    def add_cell(self, cell: Cell) -> Spec:
        stale = self.stale(cell)
        if stale is not None:
            return stale
        if isinstance(cell, RecursiveValue) and is_nothing(self.context, cell):
            return StaticOf(None)
        self.roots.append((cell.roots, cell.touched))
        if isinstance(cell, RecursiveValue):
            self.nodes.append(self.context.scope.bring(*cell.state))
            return "recursive", cell.definition
        if isinstance(cell, ArrayValue):
            node = self.context.scope.bring(*self.context.contents(cell))
            self.nodes.append(node)
            return "array", node.type
        if isinstance(cell.state, Elements):
            return "sequence", self.add_elements(self.context.contents(cell))
        tag, key, items = parts(self.context, cell)
        return tag, key, tuple([self.add(item) for item in items])

    def add_elements(self, state: Elements) -> Spec:
        """The contents of a list of run-time length; the spec of its elements."""
        self.nodes.append(self.context.scope.bring(state.node, state.scope))
        self.roots.extend(state.roots)
        return state.element

    def stale(self, cell: Cell) -> Spec | None:
        """A cell that must not be read any more, as a spec."""
        if isinstance(cell.state, Unreadable):
            return "unreadable", cell.state.message, cell.state.hint
        write = cell.overwritten()
        if write is not None:
            return "unreadable", self.context.stale_message(cell, write), STALE_HINT
        return None

    def add_function(self, value: FunctionValue) -> Spec:
        seen = self.functions.get(id(value))
        if seen is not None and (value.env or value.defaults or value.keyword_defaults):
            return "again", seen, ()
        self.functions[id(value)] = self.function_count
        self.function_count += 1
        defaults = tuple([self.add(item) for item in value.defaults])
        keyword = tuple([(name, self.add(item)) for name, item in value.keyword_defaults])
        shared = [] if self.across else [pair for pair in value.env.items() if not pair[1].closed]
        key = (value.definition, StaticOf(value.python), tuple(shared))
        names = dict(shared)
        env = tuple([(name, self.add(found.state)) for name, found in value.env.items() if name not in names])
        return "function", key, (defaults, keyword, env)


def flatten(context: Context, value: Value, across: bool = False) -> Flat:
    flattener = Flattener(context, across)
    spec = flattener.add(value)
    return Flat(spec, flattener.nodes, flattener.roots)


def leaf_types(spec: Spec) -> list[Type]:
    """The types of the nodes of a spec, in order."""
    found: list[Type] = []
    _leaf_types(spec, found)
    return found


def _leaf_types(spec: Spec, found: list[Type]) -> None:
    if isinstance(spec, StaticOf):
        return
    match spec[0]:
        case "scalar":
            found.append(Scalar(spec[1]))
        case "array" | "node" | "contents":
            found.append(spec[1])
        case "recursive":
            found.append(spec[1].node_type)
        case "sequence" | "elements":
            found.append(list_type(spec[1]))
        case "partial":
            found.append(BOOL)
            _leaf_types(spec[1], found)
        case "unbound" | "unreadable":
            pass
        case "choice" | "union":
            found.append(INT64)
            for part in spec[2]:
                _leaf_types(part, found)
        case "function":
            defaults, keyword, env = spec[2]
            for part in (*defaults, *(item for _, item in (*keyword, *env))):
                _leaf_types(part, found)
        case _:
            for part in spec[2]:
                _leaf_types(part, found)


def list_type(element: Spec) -> List:
    """The type of the node of a list with elements of this spec: a list of its leaf, or of the tuple of its leaves."""
    leaves = leaf_types(element)
    return List(leaves[0] if len(leaves) == 1 else Tuple(leaves))


def cell_count(spec: Spec) -> int:
    """How many cells a spec has."""
    if isinstance(spec, StaticOf):
        return 0
    match spec[0]:
        case "scalar" | "node" | "contents" | "unbound" | "unreadable":
            return 0
        case "array" | "recursive":
            return 1
        case "partial" | "elements":
            return cell_count(spec[1])
        case "sequence":
            return 1 + cell_count(spec[1])
        case "function":
            defaults, keyword, env = spec[2]
            return sum(map(cell_count, (*defaults, *(item for _, item in (*keyword, *env)))))
    return (spec[0] in CELLS) + sum(map(cell_count, spec[2]))


def sequence_count(spec: Spec) -> int:
    """How many lists of run-time length a spec has, outside functions."""
    if isinstance(spec, StaticOf) or spec[0] in ("array", "node", "contents", "function"):
        return 0
    if spec[0] in SEQUENCES:
        return 1 + sequence_count(spec[1])
    if spec[0] == "partial":
        return sequence_count(spec[1])
    return sum(map(sequence_count, spec[2])) if len(spec) == 3 and isinstance(spec[2], tuple) else 0


class Rebuilder:
    """Puts values together again from nodes of the given scope."""

    def __init__(self, nodes: Sequence[Node], scope: Scope, roots: Sequence[Roots | None]) -> None:
        self.nodes: Iterator[Node] = iter(nodes)
        self.roots: Iterator[Roots | None] = iter(roots)
        self.scope = scope
        self.functions: list[FunctionValue] = []

    def take(self, spec: Spec) -> Value:
        if isinstance(spec, StaticOf):
            return Static(spec.value)
        match spec[0]:
            case "scalar":
                return ScalarValue(next(self.nodes), self.scope, spec[2])
            case "array":
                return ArrayValue((next(self.nodes), self.scope), *(next(self.roots) or ()))
            case "recursive":
                return RecursiveValue(spec[1], (next(self.nodes), self.scope), *(next(self.roots) or ()))
            case "node":
                return NodeValue(next(self.nodes), self.scope)
            case "unbound":
                return Unbound()
            case "unreadable":
                return Unreadable(*spec[1:])
            case "partial":
                return PartialValue(ScalarValue(next(self.nodes), self.scope, True), self.take(spec[1]))
            case "function":
                return self.take_function(spec)
            case "choice":
                index = ScalarValue(next(self.nodes), self.scope, True)
                return ChoiceValue(index, tuple([self.take(option) for option in spec[2]]))
            case "union":
                tag = ScalarValue(next(self.nodes), self.scope, True)
                return UnionValue(tag, tuple([self.take(option) for option in spec[2]]))
            case "again":
                return self.function(spec[1])
            case "sequence":
                own = next(self.roots)
                return ListValue(self.take_elements(spec[1]), *(own or ()))
        roots = next(self.roots) if spec[0] in CELLS else None
        return assemble(spec[0], spec[1], [self.take(part) for part in spec[2]], roots)

    def function(self, place: int) -> Value:
        """One of the functions that are being put together."""
        return self.functions[place]

    def take_elements(self, element: Spec) -> Elements:
        """The contents of a list of run-time length. Elements without memory get one that they share."""
        given = [next(self.roots) for _ in range(cell_count(element))]
        roots = tuple([own_memory() if pair is None else pair for pair in given])
        return Elements(next(self.nodes), self.scope, element, roots)

    def take_function(self, spec: Spec) -> Value:
        _, key, (defaults, keyword, env) = spec
        value = FunctionValue(key[0], {}, key[1].value)
        self.functions.append(value)
        value.defaults = tuple([self.take(item) for item in defaults])
        value.keyword_defaults = tuple([(name, self.take(item)) for name, item in keyword])
        for name, item in env:
            value.env[name] = Variable(name, self.take(item))
            value.env[name].closed = True
        value.env.update(key[2])
        return value


class _Example(Rebuilder):
    """Puts together a part of a value, which may refer to functions around it."""

    def function(self, place: int) -> Value:
        return self.functions[place] if place < len(self.functions) else EnclosingFunction()


def own_memory() -> Roots:
    """Memory that nobody else sees."""
    memory = frozenset((Memory(),))
    return memory, memory


def rebuild(spec: Spec, nodes: Sequence[Node], scope: Scope, roots: Sequence[Roots | None] = ()) -> Value:
    """The value of this spec with these nodes; cells without roots get memory of their own."""
    return Rebuilder(nodes, scope, roots or [None] * cell_count(spec)).take(spec)


def show_spec(spec: Spec) -> str:
    """A spec in messages, as the value would be shown."""
    if isinstance(spec, StaticOf):
        return _show_static(spec.value)
    match spec[0]:
        case "unbound":
            return "undefined"
        case "unreadable":
            return "a value that cannot be read"
        case "partial":
            return show_spec(spec[1])
        case "function":
            return f"function {spec[1][0].name}"
        case "again":
            return "function"
        case "contents":
            return repr(spec[1])
        case "recursive":
            parts = spec[1].alternatives
            return " or ".join("None" if isinstance(part, StaticOf) else part[1][0].__name__ for part in parts)
        case "self":
            return "a node"
        case "choice" | "union":
            return " or ".join(map(show_spec, spec[2]))
        case "items":
            return f"[{', '.join(map(show_spec, spec[2]))}]"
        case "sequence" | "elements":
            return f"list[{show_spec(spec[1])}]"
        case "node":
            return "an opaque value"
    from arignote.frontend.show import show_value

    return show_value(example(spec))


def _show_static(thing: object) -> str:
    from arignote.frontend.show import show_static

    return show_static(thing)


def example(spec: Spec) -> Value:
    """A value of this spec, with nodes of the right types that stand for nothing."""
    from arignote.frontend.scope import Scope
    from arignote.ir.graph import Parameter

    nodes = [Parameter("x", type_) for type_ in leaf_types(spec)]
    return _Example(nodes, Scope("example"), [None] * cell_count(spec)).take(spec)
