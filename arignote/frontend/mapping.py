"""`ag.vmap(f)(xs)` inside compiled code.

The function is specialised for one element, like any call; the injected transform makes of it a function of all. What
stands for an element while that is done is a parameter that belongs to nothing, and is exchanged for the whole array
in the call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from arignote.frontend.axes import DIFFERENT_SIZES, NOTHING_MAPPED, Axes, Tree, argument_axes, below, freeze, placed
from arignote.frontend.context import Raised
from arignote.frontend.instances import Instance, operands, specialise_apply
from arignote.frontend.scope import HOOKS
from arignote.frontend.spec import Flat, Spec, assemble, leaf_types, show_spec
from arignote.frontend.values import (
    ArrayValue,
    DictValue,
    ListValue,
    RecordValue,
    ScalarValue,
    Static,
    TransformValue,
    TupleValue,
    Value,
)
from arignote.ir.errors import TypeInferenceError, UnsupportedSyntaxError
from arignote.ir.graph import Node, Parameter
from arignote.ir.sizes import sizes
from arignote.ir.structure import ANY, StaticOf
from arignote.ir.types import dims_of, shaped
from arignote.ops.shape import contradict, meet_dim

if TYPE_CHECKING:
    from arignote.frontend.context import Context


def make_vmap(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    """Call `ag.vmap` itself."""
    given = dict(zip(("fun", "in_axes", "out_axes"), arguments)) | keywords
    if "fun" not in given:
        context.error("vmap() missing 1 required argument: 'fun'")
    axes = []
    for name in ("in_axes", "out_axes"):
        found = context.static(given.get(name, Static(0)), name)
        axes.append(_said(context, lambda found=found, name=name: freeze(found, name)))
    return TransformValue("vmap", given["fun"], tuple(axes))


def _said(context: Context, compute: Any) -> Any:
    """What a function about axes gives; its refusal at the user's line."""
    try:
        return compute()
    except (ValueError, TypeError) as error:
        context.error(f"vmap: {error}")


def call_vmap(context: Context, function: Value, options: Sequence[Axes], arguments: list[Value],
              keywords: dict[str, Value]) -> Value:  # fmt: skip
    """Call a mapped function."""
    in_axes, out_axes = options
    elements = _Elements(context)
    each = _said(context, lambda: argument_axes(in_axes, len(arguments)))
    ones = [elements.of(x, axes, f"argument {n}") for n, (x, axes) in enumerate(zip(arguments, each, strict=True))]
    named = {key: elements.of(value, 0, f"argument '{key}'") for key, value in keywords.items()}
    if not elements.stacks:
        context.error(NOTHING_MAPPED)
    instance, flat, _ = specialise_apply(context, function, ones, named)
    if instance is None or instance.function is None or instance.running:
        context.error(
            "vmap of a function that writes into its argument, or of one inside itself, is not supported",
            UnsupportedSyntaxError,
            "work on a copy: x = x.copy()",
        )
    _check_result(context, instance.result)
    results = _call(context, instance, flat, elements)
    return _Results(context, elements, results).take(instance.result, out_axes)


class _Elements:
    """Values taken as collections: one element of each, and the arrays that hold all."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.stacks: dict[Node, Node] = {}
        self.dim = ANY
        self.first: tuple[str, Node] | None = None

    def of(self, value: Value, axes: Axes, path: str) -> Value:
        """One element of a value; itself where nothing of it is mapped."""
        if axes is None or isinstance(value, Static) and value.object is None:
            return value
        match value:
            case ArrayValue() if not isinstance(axes, Tree):
                return self.of_array(value, axes, path)
            case TupleValue():
                return TupleValue(tuple(self.items("tuple", value.items, axes, path)))
            case ListValue():
                return ListValue(self.items("list", self.context.read(value), axes, path))
            case DictValue():
                pairs = self.context.read(value)
                keys = tuple([key for key, _ in pairs])
                found = self.items("dict", [item for _, item in pairs], axes, path, keys)
                return DictValue(zip(keys, found), value.cls)
            case RecordValue():
                found = self.items("record", self.context.read(value), axes, path, value.names)
                return RecordValue(value.cls, value.names, found)
            case Static() | ScalarValue() if not isinstance(axes, Tree):
                _said(self.context, lambda: placed(axes, 0, path))
        self.context.error(f"vmap cannot map over {path}, which is {self.context.show(value)}")

    def items(self, kind: str, items: Sequence[Value], axes: Axes, path: str,
              names: tuple[Any, ...] | None = None) -> tuple[Value, ...]:  # fmt: skip
        names = tuple(range(len(items))) if names is None else names
        each = _said(self.context, lambda: below(axes, kind, names, path))
        paths = [f"{path}.{name}" if kind == "record" else f"{path}[{name!r}]" for name in names]
        return tuple([self.of(*x) for x in zip(items, each, paths, strict=True)])

    def of_array(self, value: ArrayValue, axes: Any, path: str) -> Value:
        context = self.context
        node = context.node(value)
        axis = _said(context, lambda: placed(axes, value.rank, path))
        if axis:
            permutation = (axis, *(a for a in range(value.rank) if a != axis))
            node = context.emit("transpose", node, permutation=permutation)
        self.agree(node, f"{path} (axis {axes})")
        one = Parameter("element", shaped(value.dtype, dims_of(node.type)[1:]))
        self.stacks[one] = node
        return context.result(one)

    def agree(self, node: Node, path: str) -> None:
        """Raise where the number of elements is not that of the arrays before."""
        dim, context = dims_of(node.type)[0], self.context
        if self.first is None:
            self.dim, self.first = dim, (path, node)
            return
        name, other = self.first
        emit = context.scope.emit
        if sizes(node)[0] != sizes(other)[0]:
            counts = emit.size(other, 0), emit.size(node, 0)
            pieces = (f"{DIFFERENT_SIZES}{name} has ", ("int64", True, counts[0]), f", but {path} has ",
                      ("int64", True, counts[1]))  # fmt: skip
            if contradict(self.dim, dim):
                context.raise_now(ValueError, *pieces)
            context.raise_if(context.emit("not_equal", *counts), ValueError, *pieces)
        self.dim = meet_dim(self.dim, dim)

    @property
    def count(self) -> Node:
        assert self.first is not None
        return self.context.scope.emit.size(self.first[1], 0)


def _check_result(context: Context, spec: Spec) -> None:
    """Refuse what cannot be stacked: functions, trees, lists of run-time length."""
    if spec is None or isinstance(spec, StaticOf) or spec[0] in ("scalar", "array"):
        return
    if spec[0] not in ("tuple", "list", "dict", "record"):
        context.error(f"vmap cannot stack {show_spec(spec)}, which the function returns", UnsupportedSyntaxError,
                      "return arrays, numbers, or tuples, lists, dicts and dataclasses of them")  # fmt: skip
    for part in spec[2]:
        _check_result(context, part)


def _call(context: Context, instance: Instance, flat: Flat, elements: _Elements) -> list[tuple[Node, bool]]:
    """Call the batched function: the leaves of its result, and which of them are stacked."""
    emit, scope = context.scope.emit, context.scope
    given = operands(context, instance, flat)
    mapped = tuple([node in elements.stacks for node in given])
    made = context.program.transforms.batch(instance.function, mapped, elements.dim)
    nodes = [elements.stacks.get(node, node) for node in given]
    result = emit.call(made.function, *([scope.token] if made.token else []), *nodes)
    if made.token:
        scope.token, result = emit.item(result, 0), emit.item(result, 1)
    elif instance.effects:
        scope.token = emit.item(result, 0)
    if instance.dead:
        raise Raised
    first = 1 if instance.effects else 0
    return [(emit.item(result, n), made.mask[n]) for n in range(first, first + len(leaf_types(instance.result)))]


class _Results:
    """Results put together: the structure of one element's result, with arrays of all elements as leaves."""

    def __init__(self, context: Context, elements: _Elements, leaves: list[tuple[Node, bool]]) -> None:
        self.context, self.elements = context, elements
        self.leaves: Iterator[tuple[Node, bool]] = iter(leaves)

    def take(self, spec: Spec, axes: Axes, path: str = "the result") -> Value:
        context = self.context
        if isinstance(spec, StaticOf):
            return self.static(spec.value, axes, path)
        kind = spec[0]
        if kind in ("scalar", "array"):
            if isinstance(axes, Tree):
                context.error(f"vmap: out_axes has a tree of axes for {path}, which is {show_spec(spec)}")
            node, mapped = next(self.leaves)
            if axes is None:
                return self.single(spec, node, mapped, path)
            return self.stacked(node, mapped, axes, path)
        key = tuple(range(len(spec[2])))
        if kind == "dict":
            key = tuple([name.value for name in spec[1][1]])
        elif kind == "record":
            key = tuple(spec[1][1])
        each = _said(context, lambda: below(axes, kind, key, path))
        items = [self.take(part, a, f"{path}[{name!r}]") for part, a, name in zip(spec[2], each, key, strict=True)]
        return assemble(kind, spec[1], items, None)

    def single(self, spec: Spec, node: Node, mapped: bool, path: str) -> Value:
        """A leaf with the axis None: it must not depend on the element."""
        if mapped:
            self.context.error(f"vmap: {path} has the axis None in out_axes, but it depends on what is mapped over")
        return self.context.array(node) if spec[0] == "array" else self.context.scalar(node, spec[2])

    def static(self, thing: Any, axes: Axes, path: str) -> Value:
        if axes is None or thing is None:
            return Static(thing)
        if type(thing) not in (bool, int, float) or isinstance(axes, Tree):
            self.context.error(f"vmap cannot stack {thing!r}, which the function returns", UnsupportedSyntaxError)
        return self.stacked(self.context.constant(thing), False, axes, path)

    def stacked(self, node: Node, mapped: bool, axis: int, path: str) -> Value:
        """An array of all elements, along the axis that is wanted."""
        context, emit = self.context, self.context.scope.emit
        if not mapped:
            dims = (self.elements.dim, *dims_of(node.type))
            node = emit.op("broadcast_to", node, self.elements.count, *emit.sizes(node), dims=dims)
        rank = len(dims_of(node.type))
        if not -rank <= axis < rank:
            context.error(f"vmap: {path} has {rank} dimensions, so out_axes cannot be {axis}", TypeInferenceError)
        axis %= rank
        if axis:
            node = context.emit("transpose", node, permutation=(*range(1, axis + 1), 0, *range(axis + 1, rank)))
        return context.array(node)


HOOKS["vmap"] = call_vmap
HOOKS["make_vmap"] = make_vmap
