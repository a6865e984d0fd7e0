"""Specs and structures of data whose shape is known at run time only: unions, trees, lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arignote.frontend.families import family_of_instances
from arignote.frontend.functions import parts_of_function, returned_function
from arignote.frontend.recursive import SELF, TreeDefinition, definition
from arignote.frontend.spec import Spec, flatten, show_spec
from arignote.ir.describe import is_named_tuple_class
from arignote.ir.functions import METHOD, partial_template
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
    SelfOf,
    SequenceOf,
    StaticOf,
    Structure,
    TupleOf,
    UnionOf,
)
from arignote.ir.types import dims_of, dtype_of, shaped

if TYPE_CHECKING:
    from arignote.frontend.context import Context


def tree_definition_of(context: Context, structure: RecursiveOf) -> TreeDefinition:
    """What recursive data of this structure may be."""
    alternatives = tuple([spec_of(context, part) for part in structure.alternatives])
    family = family_of_instances(part.cls for part in structure.alternatives if isinstance(part, DataclassOf))
    return definition(family, alternatives)


def spec_of(context: Context, structure: Structure) -> Spec:
    """The spec of a value of this structure."""
    match structure:
        case ArrayOf():
            return "array", shaped(structure.dtype, structure.dims)
        case NumpyScalarOf():
            return "scalar", structure.dtype, False
        case PythonScalarOf():
            return "scalar", structure.dtype, True
        case StaticOf():
            return flatten(context, context.lift(structure.value)).spec
        case SelfOf():
            return SELF
        case RecursiveOf():
            return "recursive", tree_definition_of(context, structure)
        case SequenceOf():
            if structure.kind is not list:
                context.error("a tuple whose length is known at run time only is not supported", hint="use a list")
            return "sequence", spec_of(context, structure.element)
    parts = tuple([spec_of(context, part) for part in structure.children()])
    match structure:
        case TupleOf():
            return "tuple", None, parts
        case ListOf():
            return "list", None, parts
        case UnionOf():
            return "union", None, parts
        case DictOf():
            return "dict", (structure.cls, tuple(map(StaticOf, structure.keys))), parts
        case NamedTupleOf() | DataclassOf():
            return "record", (structure.cls, structure.names), parts
    context.error("functions in recursive data or lists of run-time length must be the same everywhere")


def structure_of(context: Context, spec: Spec) -> Structure:
    """The structure of values of this spec, when they are returned; static numbers are not static there."""
    if isinstance(spec, StaticOf):
        static = type(spec.value) not in (bool, int, float)
        return spec if static else PythonScalarOf({bool: "bool", int: "int64", float: "float64"}[type(spec.value)])
    match spec[0]:
        case "scalar":
            return PythonScalarOf(spec[1]) if spec[2] else NumpyScalarOf(spec[1])
        case "array":
            return ArrayOf(dtype_of(spec[1]), dims_of(spec[1]))
        case "self":
            return SelfOf()
        case "recursive":
            found: TreeDefinition = spec[1]
            return RecursiveOf(found.name, tuple([structure_of(context, part) for part in found.alternatives]))
        case "sequence":
            return SequenceOf(structure_of(context, spec[1]))
        case "tuple" | "list" | "dict" | "record" | "union":
            return _container(context, spec, tuple([structure_of(context, part) for part in spec[2]]))
        case "choice":
            return UnionOf(tuple([structure_of(context, part) for part in spec[2]]))
        case "function":
            kind, places = returned_function(context, spec)
            held = parts_of_function(spec)
            return FunctionOf(kind, tuple([structure_of(context, held[place]) for place in places]))
        case "bound":
            return FunctionOf(METHOD, tuple([structure_of(context, part) for part in spec[2]]))
        case "transform" if spec[1][0] == "partial":
            return FunctionOf(partial_template(spec[1][1]), tuple([structure_of(context, part) for part in spec[2]]))
        case "again":
            context.error("a function that calls itself cannot be returned", hint="return the value that it gives")
    context.error(
        f"a compiled function cannot return {show_spec(spec)}",
        hint="return numbers, arrays, or tuples, lists, dicts and dataclasses of them",
    )


def _container(context: Context, spec: Spec, items: tuple[Structure, ...]) -> Structure:
    if spec[0] in ("tuple", "list", "union"):
        return {"tuple": TupleOf, "list": ListOf, "union": UnionOf}[spec[0]](items)
    if spec[0] == "dict":
        keys = tuple(key.value for key in spec[1][1])
        if not all(type(key) is str for key in keys):
            context.error("a dict that is returned must have string keys", hint="return a tuple of pairs")
        return DictOf(keys, items, spec[1][0])
    cls, names = spec[1]
    return NamedTupleOf(cls, items) if is_named_tuple_class(cls) else DataclassOf(cls, names, items)
