"""Joining specs: what a value is that comes from one of several branches, or from any iteration.

Python numbers of different kinds join to the wider one (bool, int, float): 0 and 0.0 are equal in Python, so the
promotion cannot be seen except by `isinstance` and `repr`; an int that float64 cannot hold exactly raises. Sizes of
arrays join to what is known of both. What is of different kinds (None, a record of one class or another, a string, a
number ...) joins to a union, which is told apart at run time. Where neither is possible, the value becomes unreadable,
and reading it says why.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from arignote.frontend.families import Family, family_of
from arignote.frontend.promotion import result_dtype
from arignote.frontend.spec import SEQUENCES, UNBOUND, Spec, show_spec
from arignote.frontend.values import INT64_MAX, INT64_MIN, PYTHON_DTYPES
from arignote.ir.structure import StaticOf
from arignote.ir.types import dims_of, is_float
from arignote.ir.types import join as join_types

NO_FUNCTION = "the function to call must be known at compile time"

NOTHING_INSIDE = frozenset("scalar array node contents unbound function again recursive self".split())

MOST_STATICS = 16
"""How many constants one variable may be one of: a string that grows in a loop has no type."""


def join(a: Spec, b: Spec) -> Spec:
    """The least spec that values of both fit."""
    if a == b:
        return a
    tag_a, tag_b = tag_of(a), tag_of(b)
    if tag_a == "unreadable":
        return a
    if tag_b == "unreadable":
        return b
    if tag_a == "partial" or tag_b == "partial" or tag_a == "unbound" or tag_b == "unbound":
        return _join_partial(a, b)
    if _number(a) is not None and _number(b) is not None:
        return _join_numbers(a, b)
    if _is_list(a) and _is_list(b) and (tag_a in SEQUENCES or tag_b in SEQUENCES or len(a[2]) != len(b[2])):
        return _join_lists(a, b)
    if _is_function(a) and _is_function(b) and not (tag_a == tag_b == "function" and a[1] == b[1]):
        return _join_choices(a, b)
    if tag_a != tag_b or tag_a in ("static", "union", "recursive"):
        return _join_alternatives(a, b)
    if tag_a in ("array", "contents", "node"):
        type_ = join_types(a[1], b[1])
        return _conflict(a, b) if type_ is None else (tag_a, type_)
    if tag_a == "function":
        return _join_functions(a, b)
    if a[1] != b[1] or len(a[2]) != len(b[2]):
        return _join_alternatives(a, b)
    return tag_a, a[1], tuple(map(join, a[2], b[2]))


def tag_of(spec: Spec) -> str:
    return "static" if isinstance(spec, StaticOf) else spec[0]


def _conflict(a: Spec, b: Spec, hint: str = "") -> Spec:
    first, second = sorted((show_spec(a), show_spec(b)))
    return "unreadable", f"is {first} on one path and {second} on another", hint


def _join_partial(a: Spec, b: Spec) -> Spec:
    inner = [spec[1] if tag_of(spec) == "partial" else spec for spec in (a, b) if spec != UNBOUND]
    joined = inner[0] if len(inner) == 1 else join(*inner)
    return joined if tag_of(joined) in ("unreadable", "unbound") else ("partial", joined)


def _is_list(spec: Spec) -> bool:
    """A list, or the contents of one."""
    if isinstance(spec, StaticOf):
        return False
    return spec[0] in ("list", "sequence", "elements") or spec[0] == "items" and isinstance(spec[1], int)


def _join_lists(a: Spec, b: Spec) -> Spec:
    """Lists of different lengths: one whose length is known at run time only, with elements of one spec."""
    element = None
    for spec in (a, b):
        for part in (spec[1],) if spec[0] in SEQUENCES else map(widen, spec[2]):
            element = part if element is None else join(element, part)
    if element is None or is_unreadable(element):
        return _conflict(a, b)
    return "elements" if a[0] in ("elements", "items") else "sequence", element


def _is_function(spec: Spec) -> bool:
    if isinstance(spec, StaticOf):
        return callable(spec.value)
    return spec[0] in ("function", "choice", "bound", "transform")


def options_of(spec: Spec) -> tuple[Spec, ...]:
    return spec[2] if tag_of(spec) == "choice" else (spec,)


def place_of(options: Sequence[Spec], spec: Spec) -> int | None:
    """Where a function stands among the options."""
    for place, option in enumerate(options):
        if option == spec or tag_of(option) == tag_of(spec) == "function" and option[1] == spec[1]:
            return place
    return None


def _join_choices(a: Spec, b: Spec) -> Spec:
    """One of several functions; calls will branch."""
    options = list(options_of(a))
    for option in options_of(b):
        place = place_of(options, option)
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


# Unions


def alternatives(spec: Spec) -> tuple[Spec, ...]:
    """What a value of this spec may be, by tag; the spec itself where it is no union."""
    return spec[2] if tag_of(spec) == "union" else (spec,)


def kind_of(spec: Spec) -> Hashable:
    """What tells an alternative of a union from the others: no union has two of one kind. None: it cannot be in one."""
    if isinstance(spec, StaticOf):
        return "number" if _number(spec) is not None else "function" if _is_function(spec) else spec
    match spec[0]:
        case "scalar":
            return "number" if spec[2] else ("number", spec[1])
        case "array":
            return "array", spec[1].dtype, len(dims_of(spec[1]))
        case "tuple" | "list" | "dict":
            return spec[0]
        case "sequence":
            return "list"
        case "record":
            family = family_of(spec[1][0])
            return ("record", spec[1]) if family is None else family
        case "recursive":
            return spec[1].family
        case "self":
            return "self"
    return "function" if _is_function(spec) else None


def alternative_of(options: Sequence[Spec], spec: Spec) -> int:
    """Which of the alternatives a spec belongs to."""
    kinds = list(map(kind_of, options))
    if kind_of(spec) in kinds:
        return kinds.index(kind_of(spec))
    return next(place for place, option in enumerate(options) if join(option, spec) == option)


def _join_alternatives(a: Spec, b: Spec) -> Spec:
    """A union, if the two are of different kinds. Numbers and arrays are of one: what is a number or an array would
    make two programs of each expression that it stands in."""
    options: dict[Hashable, Spec] = {}
    if kind_of(a) == kind_of(b) is not None and not isinstance(kind_of(a), Family):
        return _conflict(a, b)
    for part in (*alternatives(a), *alternatives(b)):
        kind = _number_among(options, part) or kind_of(part)
        known = options.get(kind)
        options[kind] = part if known is None else _join_kind(kind, known, part)
        if kind is None or tag_of(options[kind]) == "unreadable":
            return _conflict(a, b)
    _absorb(options)
    if len(options) == 1:
        return next(iter(options.values()))
    statics = [part for part in options.values() if isinstance(part, StaticOf)]
    mixed = max(_numeric(alternatives(a)), _numeric(alternatives(b))) < _numeric(options.values()) > 1
    if mixed or len(statics) > MOST_STATICS:
        return _conflict(a, b)
    return "union", None, tuple(sorted(options.values(), key=_is_something))


def _number_among(options: dict[Hashable, Spec], spec: Spec) -> Hashable:
    """The kind of the number that a number joins to; None if there is none."""
    if _number(spec) is None:
        return None
    fits = (kind for kind, option in options.items() if _number(option) and tag_of(join(option, spec)) == "scalar")
    return next(fits, None)


def _numeric(specs: Iterable[Spec]) -> int:
    """How many kinds of numbers and arrays there are."""
    return sum(tag_of(spec) == "array" or _number(spec) is not None for spec in specs)


def _join_kind(kind: Hashable, a: Spec, b: Spec) -> Spec:
    if not isinstance(kind, Family) or tag_of(a) == tag_of(b) == "record" and a[1] == b[1]:
        return join(a, b)
    return _fold(kind, a, b)


def _absorb(options: dict[Hashable, Spec]) -> None:
    """Where there may be a tree, None and the classes without children are its alternatives."""
    for family in [kind for kind in options if isinstance(kind, Family)]:
        for kind, part in list(options.items()):
            none = isinstance(part, StaticOf) and part.value is None and family.optional
            if none or tag_of(part) == "record" and kind is not family and family.accepts(part[1][0]):
                options[family] = _fold(family, options[family], options.pop(kind))


def _fold(family: Family, *specs: Spec) -> Spec:
    from arignote.frontend.recursive import fold

    return fold(family, *specs)


def _is_something(spec: Spec) -> bool:
    """None comes first."""
    return not isinstance(spec, StaticOf) or spec.value is not None


# Numbers


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
    if spec[0] in ("partial", *SEQUENCES):
        return spec[0], widen(spec[1])
    if spec[0] in ("tuple", "list", "dict", "record", "items", "union"):
        return spec[0], spec[1], tuple(map(widen, spec[2]))
    return spec


def widen_changed(spec: Spec, before: Spec) -> Spec:
    """The spec with those static numbers made run-time ones that were something else before."""
    if spec == before:
        return spec
    if isinstance(spec, StaticOf):
        return widen(spec)
    same = not isinstance(before, StaticOf) and spec[0] == before[0] in ("tuple", "list", "dict", "record")
    if same and spec[1] == before[1] and len(spec[2]) == len(before[2]):
        return spec[0], spec[1], tuple(map(widen_changed, spec[2], before[2]))
    return spec


def is_unreadable(spec: Spec) -> bool:
    """Whether any part cannot be read."""
    if isinstance(spec, StaticOf) or spec[0] in NOTHING_INSIDE:
        return False
    if spec[0] in ("unreadable",):
        return True
    return is_unreadable(spec[1]) if spec[0] in ("partial", *SEQUENCES) else any(map(is_unreadable, spec[2]))


def why_unreadable(spec: Spec) -> tuple[str, str]:
    """The message and the hint of the first part that cannot be read."""
    if isinstance(spec, StaticOf):
        return "", ""
    if spec[0] == "unreadable":
        return spec[1], spec[2]
    parts = [spec[1]] if spec[0] in ("partial", *SEQUENCES) else spec[2] if len(spec) > 2 else ()
    found = [why_unreadable(part) for part in parts if is_unreadable(part)] if isinstance(parts, list | tuple) else []
    return found[0] if found else ("", "")
