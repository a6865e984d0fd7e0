"""Joining specs: what a value is that comes from one of several branches, or from any iteration.

Python numbers of different kinds join to the wider one (bool, int, float): 0 and 0.0 are equal in Python, so the
promotion cannot be seen except by `isinstance` and `repr`; an int that float64 cannot hold exactly raises. Sizes of
arrays join to what is known of both. Everything else must agree; where it does not, the value becomes unreadable, and
reading it says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.frontend.promotion import result_dtype
from arignote.frontend.spec import UNBOUND, Flat, Roots, Spec, cell_count, leaf_types, show_spec
from arignote.frontend.values import INT64_MAX, INT64_MIN, PYTHON_DTYPES
from arignote.ir.graph import FALSE, TRUE, Node
from arignote.ir.structure import StaticOf
from arignote.ir.types import fits, is_float
from arignote.ir.types import join as join_types

if TYPE_CHECKING:
    from arignote.frontend.context import Context

NO_FUNCTION = "the function to call must be known at compile time"


def join(a: Spec, b: Spec) -> Spec:
    """The least spec that values of both fit."""
    if a == b:
        return a
    tag_a, tag_b = _tag(a), _tag(b)
    if tag_a == "unreadable":
        return a
    if tag_b == "unreadable":
        return b
    if tag_a == "partial" or tag_b == "partial" or tag_a == "unbound" or tag_b == "unbound":
        return _join_partial(a, b)
    if _number(a) is not None and _number(b) is not None:
        return _join_numbers(a, b)
    if _is_function(a) and _is_function(b) and not (tag_a == tag_b == "function" and a[1] == b[1]):
        return _join_choices(a, b)
    if tag_a != tag_b or tag_a == "static":
        return _conflict(a, b)
    if tag_a in ("array", "contents", "node"):
        type_ = join_types(a[1], b[1])
        return _conflict(a, b) if type_ is None else (tag_a, type_)
    if tag_a == "function":
        return _join_functions(a, b)
    if a[1] != b[1] or len(a[2]) != len(b[2]):
        return _conflict(a, b)
    return tag_a, a[1], tuple(map(join, a[2], b[2]))


def _tag(spec: Spec) -> str:
    return "static" if isinstance(spec, StaticOf) else spec[0]


def _conflict(a: Spec, b: Spec, hint: str = "") -> Spec:
    first, second = sorted((show_spec(a), show_spec(b)))
    return "unreadable", f"is {first} on one path and {second} on another", hint


def _join_partial(a: Spec, b: Spec) -> Spec:
    inner = [spec[1] if _tag(spec) == "partial" else spec for spec in (a, b) if spec != UNBOUND]
    joined = inner[0] if len(inner) == 1 else join(*inner)
    return joined if _tag(joined) in ("unreadable", "unbound") else ("partial", joined)


def _is_function(spec: Spec) -> bool:
    if isinstance(spec, StaticOf):
        return callable(spec.value)
    return spec[0] in ("function", "choice", "bound", "transform")


def _options(spec: Spec) -> tuple[Spec, ...]:
    return spec[2] if _tag(spec) == "choice" else (spec,)


def _place(options: Sequence[Spec], spec: Spec) -> int | None:
    """Where a function stands among the options."""
    for place, option in enumerate(options):
        if option == spec or _tag(option) == _tag(spec) == "function" and option[1] == spec[1]:
            return place
    return None


def _join_choices(a: Spec, b: Spec) -> Spec:
    """One of several functions; calls will branch."""
    options = list(_options(a))
    for option in _options(b):
        place = _place(options, option)
        if place is None:
            options.append(option)
        else:
            options[place] = join(options[place], option)
    return "choice", None, tuple(options)


def _join_functions(a: Spec, b: Spec) -> Spec:
    if a[1] != b[1] or [len(part) for part in a[2]] != [len(part) for part in b[2]]:
        return _conflict(a, b, NO_FUNCTION)
    defaults = tuple(map(join, a[2][0], b[2][0]))
    named = [tuple((name, join(x, y)) for (name, x), (_, y) in zip(p, q)) for p, q in zip(a[2][1:], b[2][1:])]
    return "function", a[1], (defaults, *named)


def _number(spec: Spec) -> tuple[str, bool] | None:
    """(dtype, python) of a number's spec."""
    if isinstance(spec, StaticOf):
        number = spec.value
        if type(number) is int and not INT64_MIN <= number <= INT64_MAX:
            return None
        return (PYTHON_DTYPES[type(number)], True) if type(number) in PYTHON_DTYPES else None
    return (spec[1], spec[2]) if spec[0] == "scalar" else None


def _join_numbers(a: Spec, b: Spec) -> Spec:
    (dtype_a, python_a), (dtype_b, python_b) = _number(a), _number(b)  # type: ignore[misc]
    if python_a and python_b:
        return "scalar", result_dtype((dtype_a, True), (dtype_b, True)), True
    if python_a != python_b:
        weak, strong = (a, dtype_b) if python_a else (b, dtype_a)
        if _fits_numpy(weak, strong):
            return "scalar", strong, False
        if {dtype_a, dtype_b} == {"int64", "float64"}:
            return "scalar", "float64", False
        return _conflict(a, b)
    return ("scalar", dtype_a, False) if dtype_a == dtype_b else _conflict(a, b)


def _fits_numpy(weak: Spec, dtype: str) -> bool:
    """Whether a Python number becomes a NumPy scalar of this dtype without a visible change."""
    if isinstance(weak, StaticOf):
        number = weak.value
        if is_float(dtype):
            return number != number or float(np.dtype(dtype).type(number)) == number
        if dtype == "bool" or type(number) is float:
            return dtype == "bool" and type(number) is bool
        return bool(np.iinfo(dtype).min <= number <= np.iinfo(dtype).max)
    return weak[1] == dtype or (weak[1] == "bool" and dtype != "bool")


def widen(spec: Spec) -> Spec:
    """The spec with static numbers made run-time Python numbers: what a variable is that a loop assigns."""
    if isinstance(spec, StaticOf):
        found = _number(spec)
        return spec if found is None else ("scalar", found[0], True)
    if spec[0] == "partial":
        return "partial", widen(spec[1])
    if spec[0] in ("tuple", "list", "dict", "record", "items"):
        return spec[0], spec[1], tuple(map(widen, spec[2]))
    return spec


def is_unreadable(spec: Spec) -> bool:
    """Whether any part cannot be read."""
    if isinstance(spec, StaticOf) or spec[0] in ("scalar", "array", "node", "contents", "unbound", "function", "again"):
        return False
    if spec[0] in ("unreadable",):
        return True
    return is_unreadable(spec[1]) if spec[0] == "partial" else any(map(is_unreadable, spec[2]))


class Coercion:
    """Turns a flat value into one of a wider spec, emitting the casts into the current scope."""

    def __init__(self, context: Context, flat: Flat) -> None:
        self.context = context
        self.source_nodes, self.source_roots = iter(flat.nodes), iter(flat.roots)
        self.nodes: list[Node] = []
        self.roots: list[Roots | None] = []

    def run(self, spec: Spec, target: Spec) -> None:
        if spec == target:
            self._copy(spec)
        elif _tag(target) == "partial":
            self._to_partial(spec, target[1])
        elif _tag(target) in ("unreadable", "unbound"):
            self._skip(spec)
        elif _tag(spec) == "partial":
            next(self.source_nodes)
            self.run(spec[1], target)
        elif _tag(spec) == "unbound" or _tag(spec) == "unreadable":
            self._undefined(target)
        elif _tag(target) == "choice":
            self._to_choice(spec, target[2])
        elif _tag(target) == "scalar":
            self._to_number(spec, target[1])
        elif _tag(target) in ("array", "contents", "node"):
            assert fits(spec[1], target[1]), (spec, target)
            self._copy(spec)
        elif _tag(target) == "function":
            for part, wanted in zip(_function_parts(spec), _function_parts(target)):
                self.run(part, wanted)
        else:
            if target[0] in ("list", "dict", "record"):
                self.roots.append(next(self.source_roots))
            for part, wanted in zip(spec[2], target[2]):
                self.run(part, wanted)

    def _copy(self, spec: Spec) -> None:
        self.nodes.extend(next(self.source_nodes) for _ in leaf_types(spec))
        self.roots.extend(next(self.source_roots) for _ in range(cell_count(spec)))

    def _skip(self, spec: Spec) -> None:
        for _ in leaf_types(spec):
            next(self.source_nodes)
        for _ in range(cell_count(spec)):
            next(self.source_roots)

    def _undefined(self, target: Spec) -> None:
        emit = self.context.scope.emit
        self.nodes.extend(emit.op("undefined", type=type_) for type_ in leaf_types(target))
        self.roots.extend([None] * cell_count(target))

    def _to_partial(self, spec: Spec, inner: Spec) -> None:
        if _tag(spec) == "partial":
            self.nodes.append(next(self.source_nodes))
            self.run(spec[1], inner)
        elif _tag(spec) == "unbound":
            self.nodes.append(FALSE)
            self._undefined(inner)
        else:
            self.nodes.append(TRUE)
            self.run(spec, inner)

    def _to_choice(self, spec: Spec, options: Sequence[Spec]) -> None:
        emit = self.context.scope.emit
        given = _options(spec)
        places = [_place(options, option) for option in given]
        index: Node = emit.integer(places[0] or 0)
        if _tag(spec) == "choice":
            source = next(self.source_nodes)
            for number in range(1, len(given)):
                here = emit.op("equal", source, emit.integer(number))
                index = emit.op("select", here, emit.integer(places[number] or 0), index)
        parts = [
            Flat(
                option,
                [next(self.source_nodes) for _ in leaf_types(option)],
                [next(self.source_roots) for _ in range(cell_count(option))],
            )
            for option in given
        ]
        self.nodes.append(index)
        for place, target in enumerate(options):
            if place in places:
                part = coerce(self.context, parts[places.index(place)], target)
                self.nodes += part.nodes
                self.roots += part.roots
            else:
                self._undefined(target)

    def _to_number(self, spec: Spec, dtype: str) -> None:
        context = self.context
        if isinstance(spec, StaticOf):
            self.nodes.append(context.scope.emit.constant(spec.value, dtype))
            return
        node = next(self.source_nodes)
        if spec[1] == "int64" and is_float(dtype):
            self.nodes.append(exact_float(context, node))
        else:
            self.nodes.append(context.cast(node, dtype))


def exact_float(context: Context, node: Node) -> Node:
    """An int64 as float64; raises where that would change its value."""
    converted = context.cast(node, "float64")
    changed = context.emit("not_equal", context.emit("cast", converted, dtype="int64"), node)
    context.raise_if(
        changed,
        OverflowError,
        "a variable that is an int on one path and a float on another holds ",
        ("int64", True, node),
        ", which a float cannot hold exactly",
    )
    return converted


def _function_parts(spec: Spec) -> Sequence[Any]:
    defaults, keyword, env = spec[2]
    return [*defaults, *(item for _, item in (*keyword, *env))]


def coerce(context: Context, flat: Flat, target: Spec) -> Flat:
    """The value as one of the wider spec `target`."""
    if flat.spec == target:
        return flat
    coercion = Coercion(context, flat)
    coercion.run(flat.spec, target)
    return Flat(target, coercion.nodes, coercion.roots)
