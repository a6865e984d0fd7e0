"""The graph language: data.

    function = name, parameters, result              closed: every node reached from the result is its own
    node     = Parameter(name, type)                 nominal
             | Constant(value, type)                 interned: a number; arrays are inputs, never constants
             | Apply(operation, inputs, attributes)  interned; its type is computed once, by the operation's type rule

Interned nodes compare by identity, so structural equality is `is` and common subexpressions are shared by construction.
A node does not know where it was written: equal expressions on two lines are one node. Spans live beside the function,
`Function.spans: node -> spans`, and every pass carries them over.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from weakref import WeakValueDictionary

from arignote.ir.records import dataclass, field
from arignote.ir.types import BOOL, Closure, Scalar, Tuple, Type

Attributes = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A place in the user's source: file, function, and the range of a piece of text (lines from 1, columns from 0)."""

    file: str
    function: str
    line: int
    column: int = 0
    end_line: int = 0
    end_column: int = 0

    def __repr__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class TypeRuleError(Exception):
    """An operation does not accept these operands. The front end turns it into an error at the user's line."""

    def __init__(self, message: str, shape: bool = False) -> None:
        super().__init__(message)
        self.is_shape_error = shape


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation's meaning. How a machine does it stands in the backend's table.

    type_rule:  (inputs, **attributes) -> Type; raises TypeRuleError
    reference:  (*values, **attributes) -> value, by NumPy: the definition
    derivative: see `arignote.ops.derivative`
    batching:   see `arignote.ops.batching`
    can_fail:   (node) -> bool: may evaluating it raise?
    """

    name: str
    type_rule: Callable[..., Type]
    reference: Callable[..., Any] | None
    derivative: Any
    can_fail: Callable[[Apply], bool] = field(default=lambda node: False)
    elementwise: bool = False
    commutative: bool = False
    effectful: bool = False
    batching: Any = None

    def __repr__(self) -> str:
        return self.name


class Node:
    """A value of the graph. `known_sizes` is what `arignote.ir.sizes` has found out; unset until it is asked."""

    __slots__ = ("type", "known_sizes", "__weakref__")
    type: Type
    known_sizes: tuple[Any, ...]


class Parameter(Node):
    """An input of a function; two parameters are never equal."""

    __slots__ = ("name",)

    def __init__(self, name: str, type_: Type) -> None:
        self.name, self.type = name, type_

    def __repr__(self) -> str:
        return f"%{self.name}"


class Constant(Node):
    """A known number, as a Python bool, int or float."""

    __slots__ = ("value",)
    value: bool | int | float
    _interned: WeakValueDictionary[tuple[Any, ...], Constant] = WeakValueDictionary()

    def __new__(cls, value: bool | int | float, type_: Type) -> Constant:
        assert isinstance(type_, Scalar)
        value = _python_value(value, type_.dtype)
        # The bits, not the value: -0.0 equals 0.0, and NaN does not equal itself.
        key = (type_, struct.pack("d", value) if type(value) is float else value)
        known = cls._interned.get(key)
        if known is None:
            known = object.__new__(cls)
            known.value, known.type = value, type_
            cls._interned[key] = known
        return known

    def __repr__(self) -> str:
        return f"{self.value}"


def _python_value(value: Any, dtype: str) -> bool | int | float:
    if dtype == "bool":
        return bool(value)
    if not dtype.startswith("float"):
        return int(value)
    if dtype == "float32" and math.isfinite(value) and abs(value) <= 3.4028235677973366e38:
        return struct.unpack("f", struct.pack("f", value))[0]
    return float(value)


class Apply(Node):
    """An operation applied to operands. `attributes` are static and hashable, sorted by name."""

    __slots__ = ("op", "inputs", "attributes")
    op: Operation
    inputs: tuple[Node, ...]
    attributes: Attributes
    _interned: WeakValueDictionary[tuple[Any, ...], Apply] = WeakValueDictionary()

    def __new__(cls, op: Operation, inputs: tuple[Node, ...], attributes: Attributes = ()) -> Apply:
        key = (op, inputs, attributes)
        known = cls._interned.get(key)
        if known is None:
            known = object.__new__(cls)
            known.op, known.inputs, known.attributes = op, inputs, attributes
            known.type = op.type_rule(inputs, **dict(attributes))
            cls._interned[key] = known
        return known

    def __getitem__(self, name: str) -> Any:
        """The attribute of this name."""
        for key, value in self.attributes:
            if key == name:
                return value
        raise KeyError(name)

    @property
    def can_fail(self) -> bool:
        return self.op.can_fail(self)

    def __repr__(self) -> str:
        return f"<{self.op.name} : {self.type!r}>"


class Function:
    """A closed function. Its identity is its own, so functions may call each other without tying a cycle of values.

    `result` is set once by `define`; until then `result_type` may be declared, which recursion needs. An opaque
    function is never inlined: what it computes is not to be found equal to what its caller has.
    """

    __slots__ = ("name", "parameters", "_result", "_result_type", "spans", "is_opaque", "nodes", "__weakref__")

    def __init__(self, name: str, parameters: Iterable[Parameter], result: Node | None = None,
                 spans: dict[Node, frozenset[Span]] | None = None) -> None:  # fmt: skip
        self.name = name
        self.is_opaque = False
        self.parameters = tuple(parameters)
        self._result: Node | None = result
        self._result_type: Type | None = None if result is None else result.type
        self.spans: dict[Node, frozenset[Span]] = spans if spans is not None else {}
        self.nodes: list[Node] | None = None  # of the result, once they have been asked for

    @property
    def result(self) -> Node:
        assert self._result is not None, f"{self.name} is not defined yet"
        return self._result

    @property
    def is_defined(self) -> bool:
        return self._result is not None

    @property
    def result_type(self) -> Type:
        assert self._result_type is not None, f"the result type of {self.name} is not known yet"
        return self._result_type

    def declare(self, result_type: Type) -> None:
        self._result_type = result_type

    def define(self, result: Node) -> Function:
        assert self._result is None, f"{self.name} is defined twice"
        self._result = result
        if self._result_type is None:
            self._result_type = result.type
        return self

    def redefine(self, result: Node, spans: dict[Node, frozenset[Span]]) -> None:
        """Give it another result that means the same, for whoever is still making the program."""
        self._result, self.nodes = result, None
        keep_spans(self, spans)

    def __repr__(self) -> str:
        return f"@{self.name}"


def attributes_of(mapping: dict[str, Any]) -> Attributes:
    return tuple(sorted(mapping.items()))


class Builder:
    """Creates nodes with spans. `span` is the place that new nodes are written at, until it is set anew."""

    __slots__ = ("spans", "span")

    def __init__(self) -> None:
        self.spans: dict[Node, frozenset[Span]] = {}
        self.span: frozenset[Span] = frozenset()

    def apply(self, op: Operation, *inputs: Node, **attributes: Any) -> Apply:
        node = Apply(op, inputs, attributes_of(attributes))
        if self.span:
            self.note(node, self.span)
        return node

    def note(self, node: Node, spans: frozenset[Span]) -> None:
        known = self.spans.get(node)
        self.spans[node] = spans if known is None or known == spans else known | spans

    def function(self, name: str, parameters: Iterable[Parameter], result: Node) -> Function:
        function = Function(name, parameters, result)
        keep_spans(function, self.spans)
        return function


def keep_spans(function: Function, spans: dict[Node, frozenset[Span]]) -> None:
    """Give the function those of `spans` that belong to its nodes."""
    function.spans = {node: spans[node] for node in nodes_of(function) if node in spans}


def constant(value: bool | int | float, like: Type | str) -> Constant:
    """A constant of this dtype (or of the dtype of this type)."""
    return Constant(value, like if isinstance(like, Scalar) else Scalar(like if isinstance(like, str) else like.dtype))  # type: ignore[attr-defined]


def topological(roots: Iterable[Node]) -> list[Node]:
    """All nodes below the roots, operands first, in a fixed order. No recursion: graphs may be deep."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack: list[Node | None] = [*roots]
    stack.reverse()
    while stack:
        node = stack.pop()
        if node is None:  # what is under it has all that it reads behind it
            order.append(stack.pop())  # type: ignore[arg-type]
        elif node not in seen:
            seen.add(node)
            if isinstance(node, Apply):
                stack += (node, None)
                stack += [child for child in node.inputs[::-1] if child not in seen]
            else:
                order.append(node)
    return order


def nodes_of(function: Function) -> list[Node]:
    """All nodes of a function, operands first; not to be changed by who asks."""
    if function.nodes is None:
        function.nodes = topological([function.result])
    return function.nodes


def functions_below(root: Function) -> list[Function]:
    """The function and all that it reaches through closures, each once, callers first; of those that are not defined
    yet nothing is known but that they are there."""
    found: dict[Function, None] = {root: None}
    queue = [root]
    while queue:
        function = queue.pop()
        for node in nodes_of(function) if function.is_defined else ():
            callee = function_in(node)
            if callee is not None and callee not in found:
                found[callee] = None
                queue.append(callee)
    return list(found)


def function_in(node: Node) -> Function | None:
    """The function that a closure node names."""
    if isinstance(node, Apply) and isinstance(node.type, Closure) and node.op.name == "closure":
        return node["function"]
    return None


def substitute(roots: Iterable[Node], mapping: dict[Node, Node],
               note: Callable[[Node, Node], None] | None = None) -> list[Node]:  # fmt: skip
    """Rebuild the roots with nodes replaced. `mapping` is extended with every rebuilt node; `note(old, new)` is called
    for each, which is how spans travel."""
    roots = list(roots)
    stack: list[tuple[Node, bool]] = [(root, False) for root in roots]
    while stack:
        node, ready = stack.pop()
        if node in mapping:
            continue
        if not isinstance(node, Apply):
            mapping[node] = node
        elif ready:
            inputs = tuple([mapping[child] for child in node.inputs])
            same = all(map(lambda a, b: a is b, inputs, node.inputs))
            new = mapping[node] = node if same else Apply(node.op, inputs, node.attributes)
            if note is not None:
                note(node, new)
        else:
            stack.append((node, True))
            stack.extend((child, False) for child in node.inputs if child not in mapping)
    return [mapping[root] for root in roots]


def items_of(type_: Type) -> Iterator[Type]:
    assert isinstance(type_, Tuple), type_
    return iter(type_.items)


TRUE, FALSE = Constant(True, BOOL), Constant(False, BOOL)
