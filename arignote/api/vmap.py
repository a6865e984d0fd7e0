"""`vmap`, and what it means: a loop over elements, written with NumPy."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from arignote.api.compiled import make_compiled
from arignote.api.transforms import Target, as_written, require_callable
from arignote.frontend.axes import DIFFERENT_SIZES, NOTHING_MAPPED, Axes, argument_axes, below, freeze, placed
from arignote.ir.describe import is_named_tuple_class
from arignote.ir.marks import MAKER_ATTRIBUTE
from arignote.ir.structure_values import make_dataclass


def vmap(fun: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """The function over many elements at once: `vmap(fun)(xs)` is `np.stack([fun(x) for x in xs])`.

    in_axes:  the axis of each argument along which the elements lie; None for an argument that is the same for all. An
              integer stands for all arguments, a tuple has an entry for each, and an entry may be a tree with the
              structure of the argument or of its upper part. Keyword arguments are mapped over axis 0.
    out_axes: the axis of each result along which the elements lie; None for one that does not depend on the element

    Raises ValueError where the arrays disagree on how many elements there are, or the results on their shapes.
    Elements are computed at once where that is possible; those that take different paths are computed one by one, and
    so are all where the function prints, in order.
    """
    require_callable(fun, "vmap")
    fun = as_written(fun)
    axes = freeze(in_axes, "in_axes"), freeze(out_axes, "out_axes")
    transform = ("vmap", fun, *axes)
    return make_compiled(Target(transform), _loop(fun, *axes), transform, plain=True)


setattr(vmap, MAKER_ATTRIBUTE, "vmap")


def _loop(fun: Callable[..., Any], in_axes: Axes, out_axes: Axes) -> Callable[..., Any]:
    """The mapped function as a loop."""

    @functools.wraps(fun)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        each = argument_axes(in_axes, len(args))
        found = [*zip(args, each, strict=True), *((value, 0) for value in kwargs.values())]
        names = [f"argument {n}" for n in range(len(args))] + [f"argument {key!r}" for key in kwargs]
        sizes: list[tuple[str, int]] = []
        for (value, axes), name in zip(found, names, strict=True):
            _sizes(value, axes, name, sizes)
        count = _agreed(sizes)

        def call(index: int | None) -> Any:
            ones = [_element(value, axes, index) for value, axes in found]
            return fun(*ones[: len(args)], **dict(zip(kwargs, ones[len(args) :], strict=True)))

        # Without elements, an element of zeros tells what there would be none of.
        return _stack([call(index) for index in range(count)] or [call(None)], out_axes, count, "the result")

    # Arguments that are not given keep their defaults, which are not mapped, and keywords are told from positions.
    mapped.__signature__ = inspect.signature(lambda *args, **kwargs: None)  # type: ignore[attr-defined]
    return mapped


def _agreed(sizes: list[tuple[str, int]]) -> int:
    if not sizes:
        raise ValueError(NOTHING_MAPPED)
    (first, count), *rest = sizes
    for name, size in rest:
        if size != count:
            raise ValueError(f"{DIFFERENT_SIZES}{first} has {count}, but {name} has {size}")
    return count


def _parts(value: Any) -> tuple[str, tuple[Any, ...], list[Any]] | None:
    """(kind, names, items) of a container."""
    if isinstance(value, tuple) and is_named_tuple_class(type(value)):
        return "record", value._fields, list(value)  # type: ignore[attr-defined]
    if isinstance(value, tuple | list):
        return type(value).__name__, tuple(range(len(value))), list(value)
    if isinstance(value, dict):
        return "dict", tuple(value), list(value.values())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = tuple(field.name for field in dataclasses.fields(value))
        return "record", names, [getattr(value, name) for name in names]
    return None


def _rebuilt(value: Any, items: list[Any]) -> Any:
    """A container like `value` with other items."""
    if isinstance(value, dict):
        return type(value)(zip(value, items, strict=True))
    if isinstance(value, tuple) and is_named_tuple_class(type(value)):
        return type(value)(*items)
    if isinstance(value, tuple | list):
        return type(value)(items)
    return make_dataclass(type(value), tuple(field.name for field in dataclasses.fields(value)), items)


def _named(kind: str, path: str, name: Any) -> str:
    return f"{path}.{name}" if kind == "record" else f"{path}[{name!r}]"


def _is_fixed(value: Any) -> bool:
    """Whether there is nothing to map over in a value, which is the same for all elements."""
    return value is None or isinstance(value, str)


def _shape(value: Any) -> Any:
    """What must be the same for all elements before parts are stacked."""
    if _is_fixed(value):
        return "fixed", value
    inside = _parts(value)
    return ("array",) if inside is None else (type(value), inside[1])


def _sizes(value: Any, axes: Axes, path: str, found: list[tuple[str, int]]) -> None:
    """The number of elements that each mapped leaf has."""
    if axes is None or _is_fixed(value):
        return
    inside = _parts(value)
    if inside is None:
        array = np.asarray(value)
        if not isinstance(axes, int):
            raise ValueError(f"{path} is an array, but its axes are a tree")
        found.append((f"{path} (axis {axes})", array.shape[placed(axes, array.ndim, path)]))
        return
    kind, names, items = inside
    for name, item, axis in zip(names, items, below(axes, kind, names, path), strict=True):
        _sizes(item, axis, _named(kind, path, name), found)


def _element(value: Any, axes: Axes, index: int | None) -> Any:
    """One element; without an index, one of zeros."""
    if axes is None or _is_fixed(value):
        return value
    inside = _parts(value)
    if inside is not None:
        kind, names, items = inside
        each = below(axes, kind, names, "")
        return _rebuilt(value, [_element(item, axis, index) for item, axis in zip(items, each, strict=True)])
    assert isinstance(axes, int)
    array = np.moveaxis(np.asarray(value), axes, 0)
    return np.zeros(array.shape[1:], array.dtype)[()] if index is None else array[index]


def _stack(results: list[Any], axes: Axes, count: int, path: str) -> Any:
    """Results put together, leaf by leaf. Trees must have one shape, lists one length, for all elements."""
    first = results[0]
    if axes is None:
        return first
    inside = _parts(first)
    if any(_shape(result) != _shape(first) for result in results):
        raise ValueError(f"vmap cannot stack {path}, which has another shape for other elements")
    if _is_fixed(first):
        return first
    if inside is None:
        if not isinstance(axes, int):
            raise ValueError(f"{path} is no container, but out_axes has a tree of axes for it")
        stacked = np.stack([np.asarray(result) for result in results], axes)
        return stacked if count else np.take(stacked, [], axes)
    kind, names, _ = inside
    each = below(axes, kind, names, path)
    columns = zip(*[_parts(result)[2] for result in results], strict=True)  # type: ignore[index]
    return _rebuilt(first, [_stack(list(column), axis, count, _named(kind, path, name))
                            for column, axis, name in zip(columns, each, names, strict=True)])  # fmt: skip
