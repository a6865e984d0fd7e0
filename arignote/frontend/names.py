"""Names: local variables, variables of enclosing functions, globals, builtins; and Python objects as values.

A global or a closure variable that a program reads is recorded once: arrays, numbers and trees of them become hidden
arguments; everything else is known at compile time, and the record lets the runtime guard it.
"""

from __future__ import annotations

import builtins
import difflib
import functools
import types
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.frontend.functions import function_value
from arignote.frontend.scope import HOOKS, Scope
from arignote.frontend.source import definition_of
from arignote.frontend.spec import cell_count, list_type
from arignote.frontend.structures import spec_of, tree_definition_of
from arignote.frontend.values import (
    ArrayValue,
    BoundMethod,
    Cell,
    DictValue,
    Elements,
    FunctionValue,
    ListValue,
    Memory,
    PartialValue,
    RecordValue,
    RecursiveValue,
    ScalarValue,
    Static,
    TupleValue,
    Unbound,
    UnionValue,
    Unreadable,
    Value,
    Variable,
)
from arignote.ir.describe import is_named_tuple_class, structure_of
from arignote.ir.errors import UndefinedNameError
from arignote.ir.graph import Node, Parameter
from arignote.ir.records import dataclass
from arignote.ir.structure import (
    ArrayOf,
    DataclassOf,
    DictOf,
    FunctionOf,
    ListOf,
    NamedTupleOf,
    NumpyScalarOf,
    PythonScalarOf,
    RecursiveOf,
    SequenceOf,
    StaticOf,
    Structure,
    TupleOf,
    UnionOf,
)
from arignote.ir.types import INT64, Scalar, shaped

if TYPE_CHECKING:
    from arignote.frontend.context import Context


@dataclass(frozen=True, slots=True)
class Captured:
    """A global or closure variable that the program reads: `container[key]`, or the contents of a cell (key None).
    Without a structure the key must be absent, so that the name is that of a builtin."""

    container: Any
    key: Any
    structure: Structure | None

    def read(self) -> Any:
        """Its present value."""
        return self.container.cell_contents if self.key is None else self.container[self.key]


def read_name(context: Context, name: str) -> Value:
    """The value of a name where it is read."""
    frame = context.frame
    variable = frame.variables.get(name) or frame.env.get(name)
    if variable is not None:
        return read_variable(context, variable)
    python = frame.python
    if python is not None:
        free = python.__code__.co_freevars
        if name in free:
            return captured(context, python.__closure__[free.index(name)], None, f"the variable '{name}'")
        namespace = python.__globals__
        if name in namespace:
            return captured(context, namespace, name, f"the global variable '{name}'")
    if hasattr(builtins, name):
        if python is not None:
            context.program.record_absent(python.__globals__, name)
        return Static(getattr(builtins, name))
    known = [*frame.variables, *frame.env, *(python.__globals__ if python is not None else ()), *dir(builtins)]
    close = difflib.get_close_matches(name, known, 1)
    context.error(f"name '{name}' is not defined", UndefinedNameError, f"did you mean '{close[0]}'?" if close else "")


def read_variable(context: Context, variable: Variable) -> Value:
    """The value of a variable; one that may be undefined is checked at run time."""
    value = variable.state
    if isinstance(value, Unbound):
        if variable.places:
            line = variable.places[-1][1]
            context.error(
                f"'{variable.name}' has no value here: it was assigned on line {line}, on a path that "
                "does not lead here",
                UndefinedNameError,
                f"assign '{variable.name}' on every path",
            )
        context.error(f"'{variable.name}' is used before it is assigned", UndefinedNameError)
    if isinstance(value, PartialValue):
        missing = context.emit("logical_not", context.node(value.defined))
        context.raise_if(
            missing,
            UnboundLocalError,
            f"cannot access local variable '{variable.name}' where it is not associated with a value",
        )
        value = value.value
        context.set(variable, value)
    return readable(context, value)


def readable(context: Context, value: Value) -> Value:
    """The value, or the error that says why there is none."""
    if isinstance(value, Unreadable):
        context.unreadable(value.message, value.hint or "give it the same type on every path")
    return value


def captured(context: Context, container: Any, key: Any, name: str) -> Value:
    """The value of a captured variable in the function under specialisation."""
    root = context.scope
    while root.parent is not None:
        root = root.parent
    identity = (id(container), key)
    found = root.hidden.get(identity)
    if found is None:
        record = context.program.record(context, container, key, name)
        nodes: list[Node] = []

        def leaf(type_: Any) -> Node:
            nodes.append(Parameter(f"{key or 'captured'}", type_))
            return nodes[-1]

        value = value_of(context, record.structure, leaf, root, name, identity)
        found = root.hidden[identity] = (value, nodes, (container, key, name))
    return found[0]


def describe(thing: Any, forced: bool) -> Structure:
    """The structure of a captured object; static if it holds no numbers, or is no tree, or must be known."""
    if forced or type(thing) is types.FunctionType:  # the variables of a captured function are captured one by one
        return StaticOf(thing)
    try:
        return structure_of(thing)
    except (TypeError, OverflowError, ValueError):
        return StaticOf(thing)


def value_of(
    context: Context,
    structure: Structure,
    leaf: Callable[[Any], Node],
    scope: Scope,
    owner: str | None,
    origin: Any = None,
) -> Value:
    """A value of this structure, its nodes made by `leaf(type)`. `owner` is who else sees the memory of its cells."""

    def roots() -> frozenset[Memory]:
        return frozenset((Memory(owner),))

    def make(part: Structure, inner: bool = True) -> Value:
        match part:
            case ArrayOf():
                return ArrayValue((leaf(shaped(part.dtype, part.dims)), scope), roots())
            case NumpyScalarOf():
                return ScalarValue(leaf(Scalar(part.dtype)), scope, False)
            case PythonScalarOf():
                return ScalarValue(leaf(Scalar(part.dtype)), scope, True, origin=None if inner else origin)
            case StaticOf():
                return context.lift(part.value)
            case SequenceOf():
                return ListValue(_elements(context, part, leaf, scope, owner), roots())
            case RecursiveOf():
                definition = tree_definition_of(context, part)
                return RecursiveValue(definition, (leaf(definition.node_type), scope), roots())
            case UnionOf():
                tag = ScalarValue(leaf(INT64), scope, True)
                return UnionValue(tag, tuple([make(child) for child in part.alternatives]))
        items = [make(child) for child in part.children()]
        match part:
            case TupleOf():
                return TupleValue(tuple(items))
            case ListOf():
                return ListValue(tuple(items), roots())
            case DictOf():
                return DictValue(zip(part.keys, items), part.cls, roots())
            case NamedTupleOf() | DataclassOf():
                return RecordValue(part.cls, part.names, items, roots())
            case FunctionOf():
                return function_value(part.template, items)
        raise AssertionError(part)

    return make(structure, inner=False)


def _elements(
    context: Context, structure: SequenceOf, leaf: Callable[[Any], Node], scope: Scope, owner: str | None
) -> Elements:
    """The contents of a list of run-time length."""
    element = spec_of(context, structure)[1]
    memory = frozenset((Memory(owner),))
    return Elements(leaf(list_type(element)), scope, element, ((memory, memory),) * cell_count(element))


def lift(context: Context, thing: Any) -> Value:
    """A Python object as a value."""
    if isinstance(thing, Value):
        return thing
    kind = type(thing)
    if kind is tuple:
        return TupleValue(tuple([lift(context, item) for item in thing]))
    if kind is list:
        return ListValue(tuple([lift(context, item) for item in thing]))
    if kind is dict:
        return DictValue([(key, lift(context, item)) for key, item in thing.items()])
    if kind is types.FunctionType:
        return lift_function(context, thing)
    if kind is types.MethodType:
        return BoundMethod(lift(context, thing.__func__), lift(context, thing.__self__))
    if isinstance(thing, functools._lru_cache_wrapper):
        return lift(context, thing.__wrapped__)
    if isinstance(thing, np.generic) and thing.dtype.name in ("bool", "int32", "int64", "float32", "float64"):
        node = context.scope.emit.constant(thing.item(), thing.dtype.name)
        return context.scalar(node, python=False)
    if isinstance(thing, np.ndarray):
        context.error(
            "an array cannot be a constant of compiled code", hint="pass it as an argument, or give it a name"
        )
    if is_named_tuple_class(kind):
        return RecordValue(kind, thing._fields, [lift(context, item) for item in thing])
    context.program.looked_at[id(thing)] = thing
    return Static(thing)


def lift_function(context: Context, function: Any) -> Value:
    """A Python function; one that the compiler knows by itself, or one that says what it is, stays an object."""
    context.program.looked_at[id(function)] = function
    if HOOKS["is_known"](function):
        return Static(function)
    known = context.program.functions.get(function)
    if known is None:
        defaults = function.__defaults__ or ()
        values = [_default(context, defaults, position, function) for position in range(len(defaults))]
        named = function.__kwdefaults__ or {}
        keyword = tuple([(name, _default(context, named, name, function)) for name in named])
        known = FunctionValue(definition_of(function), {}, function, tuple(values), keyword)
        if not any(isinstance(v, ArrayValue | ScalarValue) for v in (*values, *(v for _, v in keyword))):
            context.program.functions[function] = known
    return known


def _default(context: Context, container: Any, key: Any, function: Any) -> Value:
    """The default of a parameter: an array is read when the program runs, a number is what it is now."""
    thing = container[key]
    if isinstance(thing, np.ndarray):
        kept = _default_arrays.setdefault(function, {})
        kept[str(key)] = thing
        return captured(context, kept, str(key), f"a default of {function.__name__}")
    value = lift(context, thing)
    if isinstance(value, Cell):
        value.roots = value.touched = frozenset((Memory(f"a default of {function.__name__}"),))
    return value


_default_arrays: weakref.WeakKeyDictionary[Any, dict[str, Any]] = weakref.WeakKeyDictionary()
"""Arrays that are defaults of parameters: places that the runtime can read."""


HOOKS["lift"] = lift
HOOKS["readable"] = readable
