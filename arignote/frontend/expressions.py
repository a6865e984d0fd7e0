"""Expressions: how each kind is evaluated."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

from arignote.frontend import numbers
from arignote.frontend.branches import branch, choose, run_branch
from arignote.frontend.names import read_name
from arignote.frontend.scope import EVALUATORS, HOOKS
from arignote.frontend.source import inner_definition
from arignote.frontend.values import (
    ArrayValue,
    BoundMethod,
    DictValue,
    FunctionValue,
    GeneratorValue,
    ListValue,
    RecordValue,
    ScalarValue,
    SliceValue,
    Static,
    TupleValue,
    Value,
    is_number,
    is_python_number,
)
from arignote.ir.errors import TypeInferenceError, UnsupportedSyntaxError
from arignote.ir.types import Scalar

if TYPE_CHECKING:
    from arignote.frontend.context import Context

BINARY: dict[type, tuple[str, str, str]] = {
    ast.Add: ("add", "+", "add"), ast.Sub: ("subtract", "-", "sub"), ast.Mult: ("multiply", "*", "mul"),
    ast.Div: ("divide", "/", "truediv"), ast.FloorDiv: ("floor_divide", "//", "floordiv"),
    ast.Mod: ("remainder", "%", "mod"), ast.Pow: ("power", "**", "pow"), ast.MatMult: ("matmul", "@", "matmul"),
    ast.BitAnd: ("bitwise_and", "&", "and"), ast.BitOr: ("bitwise_or", "|", "or"),
    ast.BitXor: ("bitwise_xor", "^", "xor"), ast.LShift: ("left_shift", "<<", "lshift"),
    ast.RShift: ("right_shift", ">>", "rshift"),
}  # fmt: skip
"""Syntax -> (operation, sign, Python's method without underscores)."""

COMPARE: dict[type, tuple[str, str]] = {
    ast.Eq: ("equal", "eq"), ast.NotEq: ("not_equal", "ne"), ast.Lt: ("less", "lt"),
    ast.LtE: ("less_equal", "le"), ast.Gt: ("greater", "gt"), ast.GtE: ("greater_equal", "ge"),
}  # fmt: skip
UNARY: dict[type, tuple[str, Callable[[Any], Any], str]] = {
    ast.USub: ("negative", operator.neg, "neg"), ast.UAdd: ("positive", operator.pos, "pos"),
    ast.Invert: ("invert", operator.invert, "invert"),
}  # fmt: skip
LARGEST_STATIC = 4096
"""Bits of an integer, or length of a string, that is still computed at compile time."""


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
        context.error("complex numbers are not supported in compiled code", UnsupportedSyntaxError)
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
    return ListValue(tuple(evaluate_items(context, node.elts)))


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
    return choose(context, test, lambda: context.evaluate(node.body), lambda: context.evaluate(node.orelse))


@evaluates(ast.BoolOp)
def _bool_op(context: Context, node: ast.BoolOp) -> Value:
    is_and = isinstance(node.op, ast.And)
    value = context.evaluate(node.values[0])
    for operand in node.values[1:]:
        context.at(node)
        value = short_circuit(context, is_and, value, lambda operand=operand: context.evaluate(operand))
    return value


def short_circuit(context: Context, is_and: bool, left: Value, right: Callable[[], Value]) -> Value:
    """`left and right` or `left or right`: one of the operands, the second evaluated only where it decides."""
    condition = context.truth(left)
    if isinstance(condition, Static):
        return right() if bool(condition.object) == is_and else left
    if _is_bool(left):
        found = _evaluate_at_once(context, right)
        if found is not None:
            name = "logical_and" if is_and else "logical_or"
            python = is_python_number(left) and is_python_number(found)
            if python or not (is_python_number(left) or is_python_number(found)):
                return context.scalar(context.emit(name, context.node(left), context.node(found)), python)
    test = context.node(condition)
    if is_and:
        return choose(context, test, right, lambda: left)
    return choose(context, test, lambda: left, right)


def _is_bool(value: Value) -> bool:
    return (
        isinstance(value, ScalarValue)
        and value.dtype == "bool"
        or isinstance(value, Static)
        and value.object in (True, False)
        and type(value.object) is bool
    )


def _evaluate_at_once(context: Context, action: Callable[[], Value]) -> Value | None:
    """The truth value that the action gives, evaluated here and now, if it cannot fail and changes nothing. To find out
    it is tried in a branch, whose nodes are thrown away."""
    found: list[Value] = []
    side, start = run_branch(context, "trial", lambda: found.append(action()))
    changed = any(mutable.birth < start for mutable in side.changes)
    if side.ended is not None or changed or side.scope.has_effects or not _is_bool(found[0]):
        return None
    return action()


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


def compare_values(context: Context, op: ast.cmpop, left: Value, right: Value) -> Value:
    """One comparison."""
    if isinstance(op, ast.Is | ast.IsNot):
        return Static(_is(context, left, right) is isinstance(op, ast.Is))
    if isinstance(op, ast.In | ast.NotIn):
        found = contains(context, right, left)
        return found if isinstance(op, ast.In) else negate(context, found)
    name, method = COMPARE[type(op)]
    return compare_named(context, name, method, left, right)


def compare_named(context: Context, name: str, method: str, left: Value, right: Value) -> Value:
    """One comparison by its operation."""
    if isinstance(left, Static) and isinstance(right, Static):
        return static_call(context, numbers.STATIC[name], left.object, right.object)
    if is_python_number(left) and is_python_number(right):
        return numbers.compare(context, name, left, right)
    if _is_numeric(left) and _is_numeric(right):
        return context.elementwise(name, left, right)
    overloaded = _overloaded(context, method, left, right)
    if overloaded is not None:
        return overloaded
    if _sequence(left) is not None and _sequence(left) == _sequence(right):
        return _compare_sequences(context, name, method, left, right)
    if name in ("equal", "not_equal") and not isinstance(left, ArrayValue) and not isinstance(right, ArrayValue):
        return Static(name == "not_equal")
    context.error(f"cannot compare {context.show(left)} with {context.show(right)}")


def _sequence(value: Value) -> type | None:
    if isinstance(value, RecordValue) and value.is_tuple:
        return TupleValue
    return type(value) if isinstance(value, TupleValue | ListValue | RecordValue | DictValue) else None


def _compare_sequences(context: Context, name: str, method: str, left: Value, right: Value) -> Value:
    """Tuples, lists, dicts and records, item by item, as Python does."""
    if name not in ("equal", "not_equal"):
        if isinstance(left, DictValue) or isinstance(left, RecordValue) and not left.is_tuple:
            ordered = isinstance(left, RecordValue) and f"__{method}__" in left.cls.__dict__
            if not ordered:
                context.error(f"cannot compare {context.show(left)} with {context.show(right)}")
        return _order_sequences(context, name, method, left, right)
    equal = _equal_sequences(context, left, right)
    return equal if name == "equal" else negate(context, equal)


def _equal_sequences(context: Context, left: Value, right: Value) -> Value:
    if isinstance(left, DictValue) and isinstance(right, DictValue):
        a, b = dict(context.read(left)), dict(context.read(right))
        if a.keys() != b.keys():
            return Static(False)
        pairs = [(a[key], b[key]) for key in a]
    else:
        if isinstance(left, RecordValue) and not left.is_tuple:
            if left.cls.__eq__ is object.__eq__:
                return Static(left is right)
            if left.cls is not right.cls:  # type: ignore[attr-defined]
                return Static(False)
        one, two = _items(context, left), _items(context, right)
        if len(one) != len(two):
            return Static(False)
        pairs = list(zip(one, two))
    result: Value = Static(True)
    for x, y in pairs:
        step = lambda x=x, y=y: context.truth(compare_named(context, "equal", "eq", x, y))  # noqa: E731
        result = short_circuit(context, True, result, step)
    return result


def _items(context: Context, value: Value) -> tuple[Value, ...]:
    return value.items if isinstance(value, TupleValue) else context.read(value)  # type: ignore[arg-type]


def _order_sequences(context: Context, name: str, method: str, left: Value, right: Value) -> Value:
    """Lexicographic order: the first pair that differs decides."""
    one, two = _items(context, left), _items(context, right)

    def from_(index: int) -> Value:
        if index == min(len(one), len(two)):
            return Static(numbers.STATIC[name](len(one), len(two)))
        same = context.truth(compare_named(context, "equal", "eq", one[index], two[index]))
        if isinstance(same, Static):
            return from_(index + 1) if same.object else compare_named(context, name, method, one[index], two[index])
        return choose(
            context,
            context.node(same),
            lambda: from_(index + 1),
            lambda: compare_named(context, name, method, one[index], two[index]),
        )

    return from_(0)


def negate(context: Context, value: Value) -> Value:
    """`not value`."""
    value = context.truth(value)
    if isinstance(value, Static):
        return Static(not value.object)
    return context.scalar(context.emit("logical_not", context.node(value)), True)


def _is(context: Context, left: Value, right: Value) -> bool:
    """Identity; of numbers it has no meaning that compiled code could keep."""
    if isinstance(left, Static) and isinstance(right, Static):
        return left.object is right.object
    if is_number(left) and is_number(right):
        context.error("`is` between numbers has no defined meaning", hint="compare with ==")
    if isinstance(left, FunctionValue) and isinstance(right, FunctionValue):
        return left is right or (left.python is not None and left.python is right.python)
    return left is right


def contains(context: Context, container: Value, item: Value) -> Value:
    """`item in container`."""
    if isinstance(container, DictValue):
        return Static(any(key == context.static(item) for key, _ in context.read(container)))
    if isinstance(container, Static) and isinstance(item, Static):
        return static_call(context, operator.contains, container.object, item.object)
    if isinstance(container, ArrayValue):
        return context.call(context.lift(_array_contains), [container, item])
    result: Value = Static(False)
    for element in context.elements(container):
        step = lambda element=element: context.truth(compare_named(context, "equal", "eq", element, item))  # noqa: E731
        result = short_circuit(context, False, result, step)
    return result


def _array_contains(array: Any, item: Any) -> Any:
    """`item in array`, as NumPy defines it."""
    return bool((array == item).any())


@evaluates(ast.UnaryOp)
def _unary(context: Context, node: ast.UnaryOp) -> Value:
    value = context.evaluate(node.operand)
    context.at(node)
    if isinstance(node.op, ast.Not):
        return negate(context, value)
    name, static, method = UNARY[type(node.op)]
    if isinstance(value, Static):
        return static_call(context, static, value.object)
    if isinstance(value, ScalarValue) and value.python:
        return numbers.unary(context, name, value)
    if isinstance(value, ScalarValue | ArrayValue):
        return (
            context.elementwise("positive" if name == "positive" else name, value)
            if name != "positive"
            else (context.result(context.node(value)))
        )
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


def binary_values(context: Context, op: type, left: Value, right: Value) -> Value:
    """A binary operator on two values."""
    name, sign, method = BINARY[op]
    if isinstance(left, Static) and isinstance(right, Static):
        return static_binary(context, name, left.object, right.object)
    if is_python_number(left) and is_python_number(right):
        return numbers.binary(context, name, left, right)
    if _is_numeric(left) and _is_numeric(right):
        if name == "matmul":
            return HOOKS["matmul"](context, left, right)
        return context.elementwise(name, left, right)
    overloaded = _overloaded(context, method, left, right)
    if overloaded is not None:
        return overloaded
    joined = _sequence_operator(context, name, left, right)
    if joined is not None:
        return joined
    context.error(f"unsupported operands for {sign}: {context.show(left)} and {context.show(right)}")


def _is_numeric(value: Value) -> bool:
    return isinstance(value, ArrayValue) or is_number(value)


def _sequence_operator(context: Context, name: str, left: Value, right: Value) -> Value | None:
    """Tuples and lists: + joins, * repeats, | merges dicts; a list beside an array becomes one."""
    if name == "add" and type(left) is type(right) and isinstance(left, TupleValue | ListValue):
        items = (*_items(context, left), *_items(context, right))
        return TupleValue(items) if isinstance(left, TupleValue) else ListValue(items)
    if name == "multiply" and (isinstance(left, TupleValue | ListValue) or isinstance(right, TupleValue | ListValue)):
        sequence, times = (left, right) if isinstance(left, TupleValue | ListValue) else (right, left)
        if is_python_number(times):
            items = tuple(_items(context, sequence)) * context.static(times, "how often a sequence is repeated")
            return TupleValue(items) if isinstance(sequence, TupleValue) else ListValue(items)
    if name == "bitwise_or" and isinstance(left, DictValue) and isinstance(right, DictValue):
        return DictValue({**dict(context.read(left)), **dict(context.read(right))}.items())
    if isinstance(left, ArrayValue | ScalarValue) and isinstance(right, TupleValue | ListValue):
        return _with_array(context, name, left, HOOKS["asarray"](context, right))
    if isinstance(right, ArrayValue | ScalarValue) and isinstance(left, TupleValue | ListValue):
        return _with_array(context, name, HOOKS["asarray"](context, left), right)
    return None


def _with_array(context: Context, name: str, left: Value, right: Value) -> Value:
    if is_python_number(left) or is_python_number(right):
        context.error(f"unsupported operands: {context.show(left)} and {context.show(right)}")
    return HOOKS["matmul"](context, left, right) if name == "matmul" else context.elementwise(name, left, right)


def _overloaded(context: Context, method: str, left: Value, right: Value) -> Value | None:
    """An operator that a user's class defines."""
    found = find_method(context, left, f"__{method}__")
    if found is not None:
        return context.call(found, [right])
    reverse = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}.get(method, f"r{method}")
    found = find_method(context, right, f"__{reverse}__")
    return context.call(found, [left]) if found is not None else None


def find_method(context: Context, value: Value, name: str) -> Value | None:
    """A method that the class of a record defines in Python, bound; None if there is none of its own."""
    if not isinstance(value, RecordValue):
        return None
    for cls in value.cls.__mro__:
        found = cls.__dict__.get(name)
        if found is not None:
            # What a dataclass generates has no source; its meaning is known.
            if not isinstance(found, FunctionType) or found.__code__.co_filename == "<string>":
                return None
            return BoundMethod(context.lift(found), value)
    return None


def static_binary(context: Context, name: str, left: Any, right: Any) -> Value:
    """An operator on two objects known now."""
    if (
        name == "power"
        and type(left) is int
        and type(right) is int
        and left.bit_length() * max(right, 0) > LARGEST_STATIC
    ):
        context.error("this power is too large", hint="use a float")
    if name == "left_shift" and type(right) is int and right > LARGEST_STATIC:
        context.error("this shift is too large")
    if (
        name == "multiply"
        and isinstance(left, str | int)
        and isinstance(right, str | int)
        and (isinstance(left, str) or isinstance(right, str))
    ):
        count = left if isinstance(left, int) else right
        if isinstance(count, int) and count > LARGEST_STATIC:
            context.error("this string is too long")
    return static_call(context, numbers.STATIC[name], left, right)


def static_call(context: Context, function: Callable[..., Any], *arguments: Any) -> Value:
    """Run it now. If it raises, the program raises, when it comes here."""
    try:
        found = function(*arguments)
    except TypeError as error:
        context.error(str(error), TypeInferenceError)
    except Exception as error:  # whatever the user's own operator raises, the program raises
        context.raise_now(type(error), *(str(a) for a in error.args[:1]))
    if type(found) is complex:
        context.raise_now(
            ValueError,
            "a negative number to a fractional power is complex in Python; complex numbers are "
            "not supported in compiled code",
        )
    return context.lift(found)


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
    result = context.call(function, arguments, keywords)
    context.at(node)
    return result


@evaluates(ast.JoinedStr)
def _joined(context: Context, node: ast.JoinedStr) -> Value:
    return HOOKS["joined"](context, node)


@evaluates(ast.ListComp, ast.GeneratorExp)
def _list_comprehension(context: Context, node: ast.ListComp | ast.GeneratorExp) -> Value:
    items: list[Value] = []
    _comprehend(context, node.generators, 0, lambda: items.append(context.evaluate(node.elt)))
    return ListValue(tuple(items)) if isinstance(node, ast.ListComp) else GeneratorValue(tuple(items))


@evaluates(ast.DictComp)
def _dict_comprehension(context: Context, node: ast.DictComp) -> Value:
    pairs: dict[Any, Value] = {}

    def add() -> None:
        key = context.evaluate(node.key)
        pairs[context.static(key, "the key of a dict")] = context.evaluate(node.value)

    _comprehend(context, node.generators, 0, add)
    return DictValue(pairs.items())


def _comprehend(context: Context, generators: list[ast.comprehension], index: int, action: Callable[[], None]) -> None:
    """Run the action for each round of a comprehension, whose variables are its own."""
    if index == len(generators):
        action()
        return
    generator = generators[index]
    iterable = context.evaluate(generator.iter)
    context.at(generator.iter)
    items = context.elements(iterable)
    with HOOKS["own_variables"](context, generator.target):
        for item in items:
            HOOKS["assign"](context, generator.target, item)
            if all(_holds(context, condition) for condition in generator.ifs):
                _comprehend(context, generators, index + 1, action)


def _holds(context: Context, node: ast.expr) -> bool:
    value = context.truth(context.evaluate(node))
    context.at(node)
    return bool(context.static(value, "the condition of a comprehension"))


__all__ = ["Scalar", "branch"]
