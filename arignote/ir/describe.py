"""The structure of a Python value, or the error that names the path of what has none."""

from __future__ import annotations

import collections
import dataclasses
import enum
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from arignote.ir.annotations import Families
from arignote.ir.functions import is_made_again, items_of_function, template_of
from arignote.ir.recursive import FoundRecursive, Link, Walk, shown
from arignote.ir.structure import (
    ANY,
    MANY,
    PYTHON_SCALARS,
    SHORT_NAMES,
    ArrayOf,
    DataclassOf,
    DictOf,
    FunctionOf,
    ListOf,
    NamedTupleOf,
    NumpyScalarOf,
    PythonScalarOf,
    SelfOf,
    SequenceOf,
    StaticOf,
    Structure,
    TupleOf,
    UnionOf,
    leaf_structures,
)
from arignote.ir.structure_join import Entangled, join, with_children

LONGEST_KNOWN_LIST = 32
"""A longer list, of values of one kind, is a list of run-time length: one compilation serves all lengths."""

MAXIMUM_DEPTH = 100
"""How deep containers may nest; what is deeper is taken for cyclic. Recursive dataclasses have no such limit."""

_INTEGER = PythonScalarOf("int64")
_INT64 = range(-(2**63), 2**63)


def structure_of(value: Any, path: str = "argument") -> Structure:
    """The structure of a Python value; a TypeError or OverflowError names the path of what does not fit."""
    known = _AT_ONCE.get(type(value))
    if known is not None:
        return known
    families = Families()
    while True:
        try:
            return _Describer(families).describe(value, (None, path), None)
        except FoundRecursive as found:
            families.unite(found.classes)


class _Describer:
    """One visit of a value. `tree` is the family of recursive classes whose nodes are being visited."""

    def __init__(self, families: Families) -> None:
        self.families = families
        self.tree: Walk | None = None
        self.inside: list[type | Walk] = []  # the dataclasses around
        self.depth = 0
        self.functions: set[int] = set()  # those around
        self.known: dict[tuple[int, Any], Structure] = {}
        self.arrays: dict[tuple[int, tuple[int, ...], bool], Structure] = {}  # by dtype, shape, whether in a tree

    def describe(self, value: Any, link: Link, hope: Structure | None) -> Structure:
        """The structure of a value; inside a tree, `hope` is what annotations say of this place."""
        kind = type(value)
        known = _AT_ONCE.get(kind)
        if known is not None:
            return known
        method = _DESCRIBE.get(kind)
        return method(self, value, link, hope) if method is not None else self.other(value, link, hope)

    def array(self, value: np.ndarray[Any, Any], link: Link, hope: Structure | None) -> Structure:
        key = value.dtype.num, value.shape, self.tree is None
        found = self.arrays.get(key)
        if found is None:
            one = 1 if self.tree is None else ANY
            dims = tuple([one if size == 1 else MANY for size in value.shape])
            found = self.arrays[key] = ArrayOf(_dtype_name(value, link, "array"), dims)
        return found

    def numpy_scalar(self, value: np.generic, link: Link, hope: Structure | None) -> Structure:
        return NumpyScalarOf(_dtype_name(value, link, "scalar"))

    def integer(self, value: int, link: Link, hope: Structure | None) -> Structure:
        if value not in _INT64:
            raise OverflowError(f"{shown(link)}: Python integer {_shorten(hex(value))} does not fit in int64")
        return _INTEGER

    def function(self, value: types.FunctionType, link: Link, hope: Structure | None) -> Structure:
        """A function of which there may be others with the same code and other captured values. One that holds itself
        is known by its identity, as is what it holds and is no data."""
        if not is_made_again(value) or id(value) in self.functions:
            return StaticOf(value)
        self.functions.add(id(value))
        items: list[Structure] = []
        try:
            contents = items_of_function(value)
        except ValueError:  # a cell without contents
            return StaticOf(value)
        for number, item in enumerate(contents):
            if id(item) in self.functions:
                return StaticOf(value)
            before = self.depth, len(self.inside), self.tree
            try:
                items.append(self.describe(item, (link, f".__closure__[{number}]"), None))
            except (TypeError, OverflowError):
                self.depth, self.tree = before[0], before[2]
                del self.inside[before[1] :]
                items.append(StaticOf(item))
        self.functions.discard(id(value))
        return FunctionOf(template_of(value), tuple(items))

    def static(self, value: Any, link: Link, hope: Structure | None) -> Structure:
        return StaticOf(value)

    def _enter(self, link: Link) -> None:
        self.depth += 1
        if self.depth > MAXIMUM_DEPTH:
            raise TypeError(f"{shown(link)}: nested more than {MAXIMUM_DEPTH} deep, or cyclic")

    def _items(self, value: Any, link: Link, hope: Structure | None) -> list[Structure]:
        self._enter(link)
        items = [
            self.describe(item, (link, f"[{index}]"), _hope_for(hope, type(value), index))
            for index, item in enumerate(value)
        ]
        self.depth -= 1
        return items

    def tuple(self, value: Any, link: Link, hope: Structure | None) -> Structure:
        return TupleOf(tuple(self._items(value, link, hope)))

    def list(self, value: Any, link: Link, hope: Structure | None) -> Structure:
        items = self._items(value, link, hope)
        if self.tree is None and len(items) > LONGEST_KNOWN_LIST:
            return _of_any_length(items) or ListOf(tuple(items))
        if self.tree is None or not items:
            return ListOf(tuple(items))
        element = items[0]
        for item in items:
            element = self.tree.joined(element, item, link)
        return SequenceOf(element)

    def dict(self, value: dict[Any, Any], link: Link, hope: Structure | None) -> Structure:
        for key in value:
            if type(key) is not str:
                raise TypeError(f"{shown(link)}: dict with a key of type {type(key).__name__}; keys must be str")
        self._enter(link)
        items = tuple([self.describe(item, (link, f"[{key!r}]"), None) for key, item in value.items()])
        self.depth -= 1
        return DictOf(tuple(value), items, type(value))

    def other(self, value: Any, link: Link, hope: Structure | None) -> Structure:
        """What `_DESCRIBE` does not know by its exact type."""
        kind = type(value)
        if kind is np.memmap:
            return self.array(value, link, hope)
        if isinstance(value, np.ndarray):
            name = kind.__name__
            raise TypeError(f"{shown(link)}: {name}; of the array classes only np.ndarray itself is supported")
        is_tree = is_named_tuple_class(kind) or dataclasses.is_dataclass(kind)
        if isinstance(value, enum.Enum | np.dtype | type | types.ModuleType) or (callable(value) and not is_tree):
            return StaticOf(value)
        if isinstance(value, np.generic):
            return self.numpy_scalar(value, link, hope)
        if is_named_tuple_class(kind):
            self._enter(link)
            pairs = zip(kind._fields, value, strict=True)
            items = tuple([self.describe(item, (link, name), None) for name, item in pairs])
            self.depth -= 1
            return NamedTupleOf(kind, items)
        if dataclasses.is_dataclass(kind):
            return self.dataclass(value, link, hope)
        raise TypeError(f"{shown(link)}: {_class_name(kind)} is not supported as an argument of compiled code")

    def dataclass(self, value: Any, link: Link, hope: Structure | None) -> Structure:
        """A dataclass instance: a node of the tree that is being visited, the root of another tree, or neither."""
        kind = type(value)
        if self.tree is not None and kind in self.tree.family:
            return self.tree.node(value, link)
        self._refuse_inside(kind, _may_be_self(hope))
        if self.tree is not None and _may_be_self(hope):
            return self.tree.node(value, link)
        family = self.families.family(kind)
        if family:
            return self._root(value, link, family)
        self._enter(link)
        self.inside.append(kind)
        names = tuple(field.name for field in dataclasses.fields(kind))
        items = tuple([self.describe(_field(value, name, link), (link, name), None) for name in names])
        self.inside.pop()
        self.depth -= 1
        return DataclassOf(kind, names, items)

    def _refuse_inside(self, kind: type, is_node: bool) -> None:
        """An instance inside an instance of the same class: the classes on the way are one family."""
        for position, around in enumerate(self.inside):
            if kind is around or (isinstance(around, Walk) and self._is_node_of(around, kind, is_node)):
                classes: set[type] = set()
                for part in self.inside[position:]:
                    classes |= part.family | set(part.fields) if isinstance(part, Walk) else {part}
                raise FoundRecursive(frozenset(classes))

    def _is_node_of(self, around: Walk, kind: type, is_node: bool) -> bool:
        return kind in around.family or (kind in around.fields and not (is_node and around is self.tree))

    def _root(self, value: Any, link: Link, family: frozenset[type]) -> Structure:
        key = (id(value), family)
        if key not in self.known:
            before, walk = (self.tree, self.depth), Walk(self.families, family, _field)
            self.tree, self.depth = walk, 0
            self.inside.append(walk)
            self.known[key] = walk.run(value, link, self.describe)
            self.inside.pop()
            self.tree, self.depth = before
        return self.known[key]


def _hope_for(hope: Structure | None, kind: type, index: int) -> Structure | None:
    """What is said of an item of a list or a tuple."""
    for part in hope.alternatives if isinstance(hope, UnionOf) else (hope,):
        if isinstance(part, SequenceOf) and part.kind is kind:
            return part.element
        if isinstance(part, TupleOf) and kind is tuple and index < len(part.items):
            return part.items[index]
    return None


def _may_be_self(hope: Structure | None) -> bool:
    return hope is SelfOf() or (isinstance(hope, UnionOf) and SelfOf() in hope.alternatives)


_NAMES = {np.dtype(name).num: name for name in SHORT_NAMES}
"""NumPy makes a dtype's name anew each time."""


def _dtype_name(value: np.ndarray[Any, Any] | np.generic, link: Link, kind: str) -> str:
    found = _NAMES.get(value.dtype.num)
    if found is not None:
        return found
    name = value.dtype.name
    if name not in SHORT_NAMES:
        raise TypeError(f"{shown(link)}: {name} {kind}; supported are {', '.join(SHORT_NAMES)}")
    return name


def _field(value: Any, name: str, link: Link) -> Any:
    try:
        return getattr(value, name)
    except AttributeError:
        raise TypeError(f"{shown(link)}: {_class_name(type(value))} has no value for its field {name!r}") from None


def is_named_tuple_class(kind: type) -> bool:
    """Whether the class is a direct product of `collections.namedtuple` or `typing.NamedTuple`."""
    return issubclass(kind, tuple) and isinstance(getattr(kind, "_fields", None), tuple) and hasattr(kind, "_make")


def _class_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _shorten(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:60]}...{text[-40:]}"


_AT_ONCE: dict[type, Structure] = {
    bool: PythonScalarOf(PYTHON_SCALARS[bool]),
    float: PythonScalarOf(PYTHON_SCALARS[float]),
    types.NoneType: StaticOf(None),
    **{np.dtype(name).type: NumpyScalarOf(name) for name in SHORT_NAMES},
}

_DESCRIBE: dict[type, Callable[[_Describer, Any, Link, Structure | None], Structure]] = {
    np.ndarray: _Describer.array,
    int: _Describer.integer,
    tuple: _Describer.tuple,
    list: _Describer.list,
    dict: _Describer.dict,
    collections.OrderedDict: _Describer.dict,
    **dict.fromkeys(
        (str, bytes, types.EllipsisType, slice, types.BuiltinFunctionType), _Describer.static
    ),
    types.FunctionType: _Describer.function,
}


def _of_any_length(items: list[Structure]) -> SequenceOf | None:
    """A list of these as one of run-time length; None where they differ in kind, or hold nothing that a run decides."""
    element = items[0]
    for item in items:
        if item is not element:
            try:
                element = join(element, item)
            except Entangled:
                return None
        if isinstance(element, UnionOf):
            return None
    return SequenceOf(_of_any_size(element)) if leaf_structures(element) else None


def _of_any_size(structure: Structure) -> Structure:
    """The structure with no size known: what lists and trees hold."""
    if isinstance(structure, ArrayOf):
        return ArrayOf(structure.dtype, tuple([size if size == MANY else ANY for size in structure.dims]))
    items = structure.children()
    return with_children(structure, tuple(map(_of_any_size, items))) if items else structure
