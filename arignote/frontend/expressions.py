"""Expressions: how each kind is evaluated."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.frontend import numbers
from arignote.frontend.branches import choose
from arignote.frontend.cases import is_union, split
from arignote.frontend.iterators import LazyValue
from arignote.frontend.names import read_name
from arignote.frontend.operators import binary_values, compare_values, find_method, negate, short_circuit, static_call
from arignote.frontend.scope import EVALUATORS, HOOKS
from arignote.frontend.source import inner_definition
from arignote.frontend.values import (
    ArrayValue,
    DictValue,
    FunctionValue,
    ListValue,
    ScalarValue,
    SliceValue,
    Static,
    TupleValue,
    Value,
)
from arignote.ir.errors import UnsupportedSyntaxError

if TYPE_CHECKING:
    from arignote.frontend.context import Context


UNARY: dict[type, tuple[str, Callable[[Any], Any], str]] = {
    ast.USub: ("negative", operator.neg, "neg"), ast.UAdd: ("positive", operator.pos, "pos"),
    ast.Invert: ("invert", operator.invert, "invert"),
}  # fmt: skip


def evaluates(*kinds: type[ast.expr]) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    def register(function: Callable[..., Value]) -> Callable[..., Value]:
        for kind in kinds:
            EVALUATORS[kind] = function
        return function

    return register


@evaluates(ast.Constant)
def _constant(context: Context, node: ast.Constant) -> Value:
    if type(node.value) is complex:
        context.at(node)
        context.error("complex numbers are not supported in compiled code", UnsupportedSyntaxError,
                      "keep the real and the imaginary part as two numbers")  # fmt: skip
    return Static(node.value)


@evaluates(ast.Name)
def _name(context: Context, node: ast.Name) -> Value:
    context.at(node)
    return read_name(context, node.id)


@evaluates(ast.Tuple)
def _tuple(context: Context, node: ast.Tuple) -> Value:
    return TupleValue(tuple(evaluate_items(context, node.elts)))


@evaluates(ast.List)
def _list(context: Context, node: ast.List) -> Value:
    if not any(isinstance(item, ast.Starred) for item in node.elts):
        return ListValue(tuple(evaluate_items(context, node.elts)))
    result: Value = ListValue(())
    for item in node.elts:  # what is spread out may be of run-time length
        spread = isinstance(item, ast.Starred)
        value = context.evaluate(item.value if isinstance(item, ast.Starred) else item)
        context.at(item)
        if not spread:
            value = ListValue((value,))
        elif not (isinstance(value, ListValue) and value.is_sequence):
            value = ListValue(tuple(context.elements(value)))
        result = binary_values(context, ast.Add, result, value)
    return result


def evaluate_items(context: Context, nodes: list[ast.expr]) -> list[Value]:
    """The values of a display or of positional arguments, starred ones spread out."""
    items: list[Value] = []
    for node in nodes:
        if isinstance(node, ast.Starred):
            value = context.evaluate(node.value)
            context.at(node)
            items.extend(context.elements(value))
        else:
            items.append(context.evaluate(node))
    return items


@evaluates(ast.Dict)
def _dict(context: Context, node: ast.Dict) -> Value:
    pairs: dict[Any, Value] = {}
    for key_node, value_node in zip(node.keys, node.values):
        if key_node is None:
            spread = context.evaluate(value_node)
            context.at(value_node)
            if not isinstance(spread, DictValue):
                context.error(f"** needs a dict, got {context.show(spread)}")
            pairs.update(context.read(spread))
            continue
        key = context.evaluate(key_node)
        value = context.evaluate(value_node)
        context.at(key_node)
        pairs[context.static(key, "the key of a dict")] = value
    return DictValue(pairs.items())


@evaluates(ast.Lambda)
def _lambda(context: Context, node: ast.Lambda) -> Value:
    return make_function(context, node)


def make_function(context: Context, node: ast.FunctionDef | ast.Lambda) -> FunctionValue:
    """The value of a function defined inside a function."""
    frame = context.frame
    definition = inner_definition(node, frame.definition.file)
    env = {
        name: found
        for name in sorted(definition.free)
        if (found := frame.variables.get(name) or frame.env.get(name)) is not None
    }
    arguments = node.args
    defaults = tuple([context.evaluate(default) for default in arguments.defaults])
    named = zip(arguments.kwonlyargs, arguments.kw_defaults)
    keyword = tuple([(argument.arg, context.evaluate(default)) for argument, default in named if default is not None])
    return FunctionValue(definition, env, frame.python, defaults, keyword)


@evaluates(ast.NamedExpr)
def _named(context: Context, node: ast.NamedExpr) -> Value:
    value = context.evaluate(node.value)
    HOOKS["assign"](context, node.target, value)
    return value


@evaluates(ast.IfExp)
def _conditional(context: Context, node: ast.IfExp) -> Value:
    condition = context.evaluate(node.test)
    context.at(node.test)
    condition = context.truth(condition)
    if isinstance(condition, Static):
        return context.evaluate(node.body if condition.object else node.orelse)
    test = context.node(condition)
    context.at(node)
    then, otherwise = (_unless_skipped(context, side) for side in (node.body, node.orelse))
    return choose(context, test, then, otherwise)


def _unless_skipped(context: Context, node: ast.expr) -> Callable[[], Value]:
    """To evaluate an expression that may not be reached."""
    return lambda: context.unless_skipped(lambda: context.evaluate(node))


@evaluates(ast.BoolOp)
def _bool_op(context: Context, node: ast.BoolOp) -> Value:
    is_and = isinstance(node.op, ast.And)
    value = context.evaluate(node.values[0])
    for operand in node.values[1:]:
        context.at(node)
        value = short_circuit(context, is_and, value, lambda operand=operand: context.evaluate(operand))
    return value


@evaluates(ast.Compare)
def _compare(context: Context, node: ast.Compare) -> Value:
    left = context.evaluate(node.left)
    return _compare_from(context, node, left, 0)


def _compare_from(context: Context, node: ast.Compare, left: Value, index: int) -> Value:
    right = context.evaluate(node.comparators[index])
    context.at(node)
    result = compare_values(context, node.ops[index], left, right)
    if index + 1 == len(node.ops):
        return result
    return short_circuit(context, True, result, lambda: _compare_from(context, node, right, index + 1))


@evaluates(ast.UnaryOp)
def _unary(context: Context, node: ast.UnaryOp) -> Value:
    value = context.evaluate(node.operand)
    context.at(node)
    if isinstance(node.op, ast.Not):
        return negate(context, value)
    return _unary_value(context, type(node.op), value)


def _unary_value(context: Context, kind: type, value: Value) -> Value:
    """-value, +value or ~value."""
    name, static, method = UNARY[kind]
    if is_union(value):
        return split(context, value, lambda found: _unary_value(context, kind, found))
    if isinstance(value, Static):
        return static_call(context, static, value.object)
    if isinstance(value, ScalarValue) and value.python:
        return numbers.unary(context, name, value)
    if isinstance(value, ScalarValue | ArrayValue):
        return context.call(Static(np.positive), [value]) if name == "positive" else context.elementwise(name, value)
    found = find_method(context, value, f"__{method}__")
    if found is not None:
        return context.call(found, [])
    context.error(f"bad operand for unary {name}: {context.show(value)}")


@evaluates(ast.BinOp)
def _binary(context: Context, node: ast.BinOp) -> Value:
    left = context.evaluate(node.left)
    right = context.evaluate(node.right)
    context.at(node)
    return binary_values(context, type(node.op), left, right)


@evaluates(ast.Subscript)
def _subscript(context: Context, node: ast.Subscript) -> Value:
    base = context.evaluate(node.value)
    index = evaluate_index(context, node.slice)
    context.at(node)
    return HOOKS["getitem"](context, base, index)


def evaluate_index(context: Context, node: ast.expr) -> Value:
    """What stands in the brackets; slices of statics are static."""
    if isinstance(node, ast.Slice):
        bounds = [
            Static(None) if part is None else context.evaluate(part) for part in (node.lower, node.upper, node.step)
        ]
        if all(isinstance(part, Static) for part in bounds):
            return Static(slice(*(part.object for part in bounds)))  # type: ignore[attr-defined]
        return SliceValue(*bounds)
    if isinstance(node, ast.Tuple) and any(isinstance(item, ast.Slice | ast.Starred) for item in node.elts):
        items: list[Value] = []
        for item in node.elts:
            if isinstance(item, ast.Starred):
                items.extend(context.elements(context.evaluate(item.value)))
            else:
                items.append(evaluate_index(context, item))
        return TupleValue(tuple(items))
    return context.evaluate(node)


@evaluates(ast.Attribute)
def _attribute(context: Context, node: ast.Attribute) -> Value:
    base = context.evaluate(node.value)
    context.at(node)
    return HOOKS["attribute"](context, base, node.attr)


@evaluates(ast.Call)
def _call(context: Context, node: ast.Call) -> Value:
    function = context.evaluate(node.func)
    arguments = evaluate_items(context, node.args)
    keywords: dict[str, Value] = {}
    for keyword in node.keywords:
        value = context.evaluate(keyword.value)
        if keyword.arg is not None:
            keywords[keyword.arg] = value
        elif isinstance(value, DictValue):
            keywords.update(context.read(value))
        else:
            context.at(keyword.value)
            context.error(f"** needs a dict, got {context.show(value)}")
    context.at(node)
    if not (isinstance(function, Static) and function.object in QUANTIFIERS):
        collect_items(context, arguments)
    result = context.call(function, arguments, keywords)
    context.at(node)
    return result


QUANTIFIERS: tuple[Any, ...] = (any, all)


def collect_items(context: Context, arguments: list[Value]) -> None:
    """Compute the items of generator expressions whose number is not known before; any() and all() may need few."""
    for value in arguments:
        if isinstance(value, LazyValue) and value.source is None:
            HOOKS["collected"](context, value)


@evaluates(ast.JoinedStr)
def _joined(context: Context, node: ast.JoinedStr) -> Value:
    return HOOKS["joined"](context, node)
