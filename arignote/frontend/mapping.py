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
from arignote.frontend.instances import Instance, operands
from arignote.frontend.mapped_trees import (
    UNKNOWN,
    CannotMap,
    Change,
    Number,
    changed,
    counted,
    element_spec,
    is_fixed,
    masks_of,
    some_mapped,
    stacked_spec,
    stated,
)
from arignote.frontend.recursive import TreeDefinition
from arignote.frontend.scope import HOOKS
from arignote.frontend.spec import Flat, Spec, assemble, flatten, leaf_types, rebuild, show_spec
from arignote.frontend.transforms import transformable
from arignote.frontend.values import (
    ArrayValue,
    DictValue,
    ListValue,
    RecordValue,
    RecursiveValue,
    ScalarValue,
    Static,
    TransformValue,
    TupleValue,
    Value,
)
from arignote.ir.errors import TypeInferenceError, UnsupportedSyntaxError
from arignote.ir.graph import Node, Parameter
from arignote.ir.records import dataclass
from arignote.ir.sizes import sizes
from arignote.ir.structure import ANY, StaticOf
from arignote.ir.types import List, Scalar, Type, Union, dims_of, shaped
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
    elements.finish()
    instance, flat = transformable(context, function, ones, named, "vmap", UnsupportedSyntaxError)
    _check_result(context, instance.result)
    results = _call(context, instance, flat, elements, out_axes)
    return _Results(context, elements, results).take(instance.result, out_axes)


@dataclass(frozen=True, slots=True)
class _Tree:
    """A tree, or a list of run-time length, that is mapped: what stands for an element, and all elements."""

    one: Node
    mask: Any
    spec: Spec
    node: Node
    axis: int
    path: str


class _Elements:
    """Values taken as collections: one element of each, and the arrays that hold all. `masks`: of what stands for an
    element, what is mapped."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.stacks: dict[Node, Node] = {}
        self.masks: dict[Node, Any] = {}
        self.trees: list[_Tree] = []
        self.dim = ANY
        self.first: tuple[str, Node] | None = None
        self.count: Node

    def of(self, value: Value, axes: Axes, path: str) -> Value:
        """One element of a value; itself where nothing of it is mapped."""
        if axes is None or isinstance(value, Static) and (value.object is None or isinstance(value.object, str)):
            return value
        match value:
            case ArrayValue() if not isinstance(axes, Tree):
                return self.of_array(value, axes, path)
            case RecursiveValue():
                return self.of_tree(value, axes, path)
            case ListValue() if value.is_sequence:
                return self.of_tree(value, axes, path)
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
        self.stacks[one], self.masks[one] = node, True
        return context.result(one)

    def of_tree(self, value: Value, axes: Axes, path: str) -> Value:
        """One element of a tree. How many elements there are is known after everything else."""
        context = self.context
        if not isinstance(axes, int):
            context.error(f"vmap: {path} is a tree, or a list of run-time length: its arrays have one axis for all",
                          hint="give an integer, or None")  # fmt: skip
        flat = flatten(context, value)
        if flat.spec[0] not in ("recursive", "sequence"):
            return self.of(rebuild(flat.spec, flat.nodes, context.scope, flat.roots), axes, path)
        try:
            spec = element_spec(flat.spec, axes)
        except CannotMap as error:
            context.error(f"vmap cannot map over {path}: it holds {error}",
                          hint="an element is a tree of this shape: each part is an array with the elements along an "
                          "axis; what is the same for all is given by itself, with the axis None")  # fmt: skip
        one = Parameter("element", leaf_types(spec)[0])
        mask = masks_of(spec)[0]
        if some_mapped(mask):
            self.trees.append(_Tree(one, mask, flat.spec, flat.nodes[0], axes, path))
            return rebuild(spec, [one], context.scope)
        return value

    def finish(self) -> None:
        """State how many elements there are, and take the trees apart along their axes."""
        context, emit = self.context, self.context.scope.emit
        if self.first is None and not self.trees:
            context.error(NOTHING_MAPPED)
        number = Number(emit.integer(UNKNOWN) if self.first is None else emit.size(self.first[1], 0), context.scope)
        for tree in self.trees:
            number = counted(context, tree.spec, iter([tree.node]), number, tree.axis)
        self.count = number.here(context)
        if self.first is None:
            unknown = context.emit("equal", self.count, emit.integer(UNKNOWN))
            context.raise_if(unknown, ValueError, NOTHING_MAPPED)
        for tree in self.trees:
            wanted = context.program.transforms.batched_type(tree.one.type, tree.mask, self.dim)
            leaf = _leaf_of_argument(tree.axis, tree.path)
            key = ("elements", tree.axis, tree.path)
            found = changed(context, key, tree.spec, iter([tree.node]), [wanted], number, leaf)
            self.stacks[tree.one], self.masks[tree.one] = found[0], tree.mask

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


def _leaf_of_argument(axis: int, path: str) -> Change:
    """An array inside of a tree with the elements first, as many as there are."""

    def leaf(context: Context, node: Node, type_: Type, count: Node) -> Node:
        node = _moved(context, node, axis % len(dims_of(node.type)), 0)
        size = context.scope.emit.size(node, 0)
        context.raise_if(context.emit("not_equal", size, count), ValueError, DIFFERENT_SIZES, "others have ",
                         ("int64", True, count), f", but an array in {path} has ", ("int64", True, size))  # fmt: skip
        return stated(context, node, type_)

    return leaf


def _leaf_of_result(axis: int) -> Change:
    def leaf(context: Context, node: Node, type_: Type, count: Node) -> Node:
        if isinstance(type_, Scalar):
            return _agreed(context, node)
        return stated(context, _moved(context, node, 0, axis % len(dims_of(node.type))), type_)

    return leaf


def _agreed(context: Context, tags: Node) -> Node:
    """Which of several known things a part is, which must be the same for all elements."""
    first = context.emit("index", tags, context.scope.emit.integer(0), axes=(0,))
    differs = context.emit("any", context.emit("not_equal", tags, first), axes=(0,))
    context.raise_if(differs, ValueError, "vmap cannot stack strings that differ, or None with strings")
    return first


def _moved(context: Context, node: Node, source: int, target: int) -> Node:
    """The array with one axis moved."""
    if source == target:
        return node
    order = [axis for axis in range(len(dims_of(node.type))) if axis != source]
    order.insert(target, source)
    return context.emit("transpose", node, permutation=tuple(order))


def _check_result(context: Context, spec: Spec) -> None:
    """Refuse what cannot be stacked: functions, and what is one of several kinds."""
    waiting: list[Spec] = [spec]
    seen: set[TreeDefinition] = set()
    while waiting:
        part = waiting.pop()
        if part is None or isinstance(part, StaticOf) or part[0] in ("scalar", "array"):
            continue
        if part[0] == "recursive":
            if part[1] not in seen:
                seen.add(part[1])
                waiting.extend(part[1].unfolded)
        elif part[0] in ("tuple", "list", "dict", "record"):
            waiting.extend(part[2])
        elif part[0] == "sequence":
            waiting.append(part[1])
        elif is_fixed(part):
            continue
        else:
            context.error(f"vmap cannot stack {show_spec(part)}, which the function returns", UnsupportedSyntaxError,
                          "return arrays, numbers, trees, or tuples, lists, dicts and dataclasses of them")  # fmt: skip


def _call(
    context: Context, instance: Instance, flat: Flat, elements: _Elements, out_axes: Axes
) -> list[tuple[Node, Any]]:
    """Call the batched function: the leaves of its result, and what of them is mapped."""
    emit, scope = context.scope.emit, context.scope
    given = operands(context, instance, flat)
    masks = tuple([elements.masks.get(node, False) for node in given])
    first = 1 if instance.effects else 0
    leaves = [] if instance.dead else leaf_types(instance.result)
    whole = tuple([False] * first + [out_axes is not None and isinstance(leaf, Union | List) for leaf in leaves])
    made = context.program.transforms.batch(instance.function, masks, elements.dim, whole)
    nodes = [elements.stacks.get(node, node) for node in given]
    before = [*([scope.token] if made.token else []), *([elements.count] if made.counted else [])]
    result = emit.call(made.function, *before, *nodes)
    if made.token:
        scope.token, result = emit.item(result, 0), emit.item(result, 1)
    elif instance.effects:
        scope.token = emit.item(result, 0)
    if instance.dead:
        raise Raised
    return [(emit.item(result, n), made.mask[n]) for n in range(first, first + len(leaves))]


class _Results:
    """Results put together: the structure of one element's result, with arrays of all elements as leaves."""

    def __init__(self, context: Context, elements: _Elements, leaves: list[tuple[Node, Any]]) -> None:
        self.context, self.elements = context, elements
        self.leaves: Iterator[tuple[Node, Any]] = iter(leaves)

    def take(self, spec: Spec, axes: Axes, path: str = "the result") -> Value:
        context = self.context
        if isinstance(spec, StaticOf):
            return self.static(spec.value, axes, path)
        kind = spec[0]
        if kind in ("recursive", "sequence"):
            return self.tree(spec, axes, path)
        if kind == "union":
            node, mapped = next(self.leaves)
            return rebuild(spec, [_agreed(context, node) if mapped else node], context.scope)
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

    def tree(self, spec: Spec, axes: Axes, path: str) -> Value:
        """A tree of all elements, or a list of run-time length."""
        context = self.context
        node, mapped = next(self.leaves)
        if isinstance(axes, Tree) or axes is None and some_mapped(mapped):
            context.error(f"vmap: {path} is a tree, or a list of run-time length, and depends on what is mapped over: "
                          "out_axes must be an integer for it")  # fmt: skip
        if axes is None:
            return rebuild(spec, [node], context.scope)
        wanted = _said(context, lambda: stacked_spec(spec, axes, self.elements.dim))
        number = Number(self.elements.count, context.scope)
        key = ("stacked", axes, wanted)
        nodes = changed(context, key, spec, iter([node]), leaf_types(wanted), number, _leaf_of_result(axes))
        return rebuild(wanted, nodes, context.scope)

    def single(self, spec: Spec, node: Node, mapped: bool, path: str) -> Value:
        """A leaf with the axis None: it must not depend on the element."""
        if mapped:
            self.context.error(f"vmap: {path} has the axis None in out_axes, but it depends on what is mapped over")
        return self.context.array(node) if spec[0] == "array" else self.context.scalar(node, spec[2])

    def static(self, thing: Any, axes: Axes, path: str) -> Value:
        if axes is None or thing is None or isinstance(thing, str):
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
