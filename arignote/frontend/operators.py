"""Operators on values: arithmetic, comparisons, `and` and `or`, `in`; of numbers, arrays, containers and records."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn

from arignote.frontend import numbers
from arignote.frontend.branches import choose, run_branch
from arignote.frontend.cases import is_one_of, is_union, narrowed, split
from arignote.frontend.identity import identical
from arignote.frontend.narrowing import Facts, Several, both, either, learn, possible, told_by
from arignote.frontend.scope import HOOKS
from arignote.frontend.trees import call_made, tree_node
from arignote.frontend.values import (
    ArrayValue,
    BoundMethod,
    ChoiceValue,
    DictValue,
    FunctionValue,
    ListValue,
    RangeValue,
    RecordValue,
    RecursiveValue,
    ScalarValue,
    Static,
    TupleValue,
    Value,
    is_number,
    is_python_number,
    number_dtype,
)
from arignote.ir.errors import TypeInferenceError
from arignote.ir.graph import Node
from arignote.ir.types import BOOL

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


LARGEST_STATIC = 4096
"""Bits of an integer, or length of a string, that is still computed at compile time."""


def short_circuit(context: Context, is_and: bool, left: Value, right: Callable[[], Value]) -> Value:
    """`left and right` or `left or right`: one of the operands, the second evaluated only where it decides."""
    condition = context.truth(left)
    if isinstance(condition, Static):
        return right() if bool(condition.object) == is_and else left
    test = context.node(condition)
    of_left = told_by(context, test, True), told_by(context, test, False)
    of_right: list[tuple[Facts, Facts]] = [({}, {})]

    def evaluate() -> Value:
        found = right()
        if isinstance(found, ScalarValue) and found.dtype == "bool":
            node = context.node(found)
            of_right.append((told_by(context, node, True), told_by(context, node, False)))
        elif isinstance(found, Static) and found.object is is_and:
            of_right.append(of_left)
        return found

    result = _decided(context, is_and, left, test, evaluate, of_left[0 if is_and else 1])
    if isinstance(result, ScalarValue) and result.dtype == "bool":
        learn(context, context.node(result), *_told_together(is_and, of_left, of_right[-1]))
    return result


def _told_together(is_and: bool, left: tuple[Facts, Facts], right: tuple[Facts, Facts]) -> tuple[Facts, Facts]:
    """What `left and right`, or `left or right`, tells where it holds, and where it does not."""
    if is_and:
        return both(left[0], right[0]), either(left[1], both(left[0], right[1]))
    return either(left[0], both(left[1], right[0])), both(left[1], right[1])


def _decided(
    context: Context, is_and: bool, left: Value, test: Node, right: Callable[[], Value], facts: Facts
) -> Value:
    """The left value, or the right one, for which `facts` are known; `test` is the truth of the left."""
    if _is_bool(left):
        found = _evaluate_at_once(context, right, facts)
        if found is not None:
            name = "logical_and" if is_and else "logical_or"
            python = is_python_number(left) and is_python_number(found)
            if python or not (is_python_number(left) or is_python_number(found)):
                return context.scalar(context.emit(name, test, context.node(found)), python)
    if is_and:
        return choose(context, test, lambda: context.unless_skipped(right), lambda: left)
    return choose(context, test, lambda: left, lambda: context.unless_skipped(right))


def _is_bool(value: Value) -> bool:
    return (
        isinstance(value, ScalarValue)
        and value.dtype == "bool"
        or isinstance(value, Static)
        and value.object in (True, False)
        and type(value.object) is bool
    )


def _evaluate_at_once(context: Context, action: Callable[[], Value], facts: Facts) -> Value | None:
    """The truth value that the action gives, evaluated here and now, if it cannot fail and changes nothing. To find out
    it is tried in a branch, whose nodes are thrown away."""
    found: list[Value] = []
    side, start = run_branch(context, "trial", lambda: found.append(action()), facts)
    changed = any(mutable.birth < start for mutable in side.changes)
    if side.ended is not None or changed or side.scope.has_effects or not _is_bool(found[0]):
        return None
    known, context.facts = context.facts, both(context.facts, facts)
    result = action()
    context.facts = known
    return result


def compare_values(context: Context, op: ast.cmpop, left: Value, right: Value) -> Value:
    """One comparison."""
    if isinstance(op, ast.Is | ast.IsNot):
        same = identical(context, left, right)
        return same if isinstance(op, ast.Is) else negate(context, same)
    if isinstance(op, ast.In | ast.NotIn):
        found = contains(context, right, left)
        return found if isinstance(op, ast.In) else negate(context, found)
    name, method = COMPARE[type(op)]
    return compare_named(context, name, method, left, right)


def compare_named(context: Context, name: str, method: str, left: Value, right: Value) -> Value:
    """One comparison by its operation."""
    if isinstance(left, RecursiveValue) and isinstance(right, RecursiveValue) and name in ("equal", "not_equal"):
        same = _equal_trees(context, left, right)
        return same if name == "equal" else negate(context, same)
    if is_union(left):
        return _compare_cases(context, left, lambda value: compare_named(context, name, method, value, right))
    if is_union(right):
        return _compare_cases(context, right, lambda value: compare_named(context, name, method, left, value))
    if isinstance(left, Static) and isinstance(right, Static):
        return static_call(context, numbers.STATIC[name], left.object, right.object)
    if is_python_number(left) and is_python_number(right):
        return numbers.compare(context, name, left, right)
    if _is_numeric(left) and _is_numeric(right):
        return context.elementwise(name, left, right)
    overloaded = _overloaded(context, method, left, right)
    if overloaded is not None:
        return overloaded
    if name == "not_equal" and any(find_method(context, value, "__eq__") is not None for value in (left, right)):
        return negate(context, compare_named(context, "equal", "eq", left, right))
    if _sequence(left) is not None and _sequence(left) == _sequence(right):
        return _compare_sequences(context, name, method, left, right)
    if name in ("equal", "not_equal") and not isinstance(left, ArrayValue) and not isinstance(right, ArrayValue):
        same = _equal_by_identity(context, left, right)
        if same is not None:
            return same if name == "equal" else negate(context, same)
    _not_ordered(context, method, left, right)


def _equal_by_identity(context: Context, left: Value, right: Value) -> Value | None:
    """Whether two values are equal that are of different classes, or functions, or classes; None where more must be
    known."""
    functions = FunctionValue | ChoiceValue
    if isinstance(left, functions) or isinstance(right, functions):
        return identical(context, left, right)
    classes = HOOKS["class_of"](left), HOOKS["class_of"](right)
    return Static(False) if None not in classes and classes[0] is not classes[1] else None


def _equal_trees(context: Context, left: RecursiveValue, right: RecursiveValue) -> Value:
    """Whether two trees are equal: a function of the graph that calls itself, made once for their definitions."""
    definitions = left.definition, right.definition

    def build(parameters: list[Node]) -> list[Node]:
        trees = [RecursiveValue(own, (node, context.scope)) for own, node in zip(definitions, parameters)]

        def of_left(one: Value) -> Value:
            same = lambda other: context.truth(compare_named(context, "equal", "eq", one, other))  # noqa: E731
            return split(context, trees[1], same)

        return [context.node(split(context, trees[0], of_left))]

    nodes = [tree_node(context, left), tree_node(context, right)]
    return context.scalar(call_made(context, ("equal", *definitions), "equal_trees", nodes, [BOOL], build)[0], True)


def _compare_cases(context: Context, value: Several, compare: Callable[[Value], Value]) -> Value:
    """A comparison of one of several constants needs no branches, and tells which one it is."""
    places = possible(context, value)
    if len(places) > 1 and all(isinstance(value.options[place], Static) for place in places):
        results = {place: compare(value.options[place]) for place in places}
        if all(isinstance(result, Static) and type(result.object) is bool for result in results.values()):
            return is_one_of(context, value, [place for place, same in results.items() if same.object])  # type: ignore[attr-defined]
    return split(context, value, compare)


def _not_ordered(context: Context, method: str, left: Value, right: Value) -> NoReturn:
    """Two values that cannot be compared."""
    sign = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}.get(method)
    raises = None
    if sign is not None and (isinstance(left, Static) or isinstance(right, Static)):
        names = f"'{_class_name(left)}' and '{_class_name(right)}'"
        raises = TypeError, f"'{sign}' not supported between instances of {names}"
    context.error(f"cannot compare {context.show(left)} with {context.show(right)}", raises=raises)


def _class_name(value: Value) -> str:
    """The name of a value's class, as Python's messages have it."""
    return HOOKS["class_of"](value).__name__


def _sequence(value: Value) -> type | None:
    if isinstance(value, RecordValue) and value.is_tuple:
        return TupleValue
    return type(value) if isinstance(value, TupleValue | ListValue | RecordValue | DictValue) else None


def _compare_sequences(context: Context, name: str, method: str, left: Value, right: Value) -> Value:
    """Tuples, lists, dicts and records, item by item, as Python does."""
    if any(isinstance(side, ListValue) and side.is_sequence for side in (left, right)):
        return HOOKS["compare_sequences"](context, name, left, right)
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
                return identical(context, left, right)
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
    # That of sequences is Python's own bool, whatever the items' was.
    return result if isinstance(result, Static) else context.scalar(context.node(result), True)


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
    node = context.node(value)
    opposite = context.emit("logical_not", node)
    learn(context, opposite, told_by(context, node, False), told_by(context, node, True))
    return context.scalar(opposite, True)


def contains(context: Context, container: Value, item: Value) -> Value:
    """`item in container`."""
    if is_union(container):
        return split(context, container, lambda value: contains(context, value, item))
    item = narrowed(context, item)
    method = find_method(context, container, "__contains__")
    if method is not None:
        return context.truth(context.call(method, [item]))
    if isinstance(container, DictValue):
        return Static(any(key == context.static(item) for key, _ in context.read(container)))
    if isinstance(container, Static) and isinstance(item, Static):
        return static_call(context, operator.contains, container.object, item.object)
    if isinstance(container, ArrayValue):
        return context.call(context.lift(_array_contains), [container, item])
    if isinstance(container, ListValue) and container.is_sequence:
        return HOOKS["sequence_contains"](context, container, item)
    if isinstance(container, RangeValue) and is_number(item):
        bounds = [container.start, container.stop, container.step]
        return context.truth(context.call(context.lift(_range_contains), [*bounds, item]))
    result: Value = Static(False)
    for element in context.elements(container):
        step = lambda element=element: context.truth(compare_named(context, "equal", "eq", element, item))  # noqa: E731
        result = short_circuit(context, False, result, step)
    return result


def _range_contains(start: Any, stop: Any, step: Any, item: Any) -> Any:
    """`item in range(start, stop, step)`"""
    inside = start <= item < stop if step > 0 else stop < item <= start
    return inside and (item - start) % step == 0


def _array_contains(array: Any, item: Any) -> Any:
    """`item in array`, as NumPy defines it."""
    return bool((array == item).any())


def binary_values(context: Context, op: type, left: Value, right: Value) -> Value:
    """A binary operator on two values."""
    name, sign, method = BINARY[op]
    if is_union(left):
        return split(context, left, lambda value: binary_values(context, op, value, right))
    if is_union(right):
        return split(context, right, lambda value: binary_values(context, op, left, value))
    if isinstance(left, Static) and isinstance(right, Static):
        return static_binary(context, name, left.object, right.object)
    if is_python_number(left) and is_python_number(right):
        return numbers.binary(context, name, left, right)
    if _is_numeric(left) and _is_numeric(right):
        if name == "matmul":
            return HOOKS["matmul"](context, left, right)
        if name == "power" and isinstance(left, ArrayValue) and left.dtype == "bool":
            _refuse_square_of_bool(context, right)
        return context.elementwise(name, left, right)
    overloaded = _overloaded(context, method, left, right)
    if overloaded is not None:
        return overloaded
    joined = _sequence_operator(context, name, left, right)
    if joined is not None:
        return joined
    if name == "add" and (text := HOOKS["joined_texts"](left, right)) is not None:
        return text
    raises = None
    if isinstance(left, Static) or isinstance(right, Static):
        names = f"'{_class_name(left)}' and '{_class_name(right)}'"
        raises = TypeError, f"unsupported operand type(s) for {sign}: {names}"
    context.error(f"unsupported operands for {sign}: {context.show(left)} and {context.show(right)}", raises=raises)


def _refuse_square_of_bool(context: Context, exponent: Value) -> None:
    """NumPy's `**` squares at the exponent 2, which gives int8 for truth values, and int64 at every other one."""
    if not is_python_number(exponent) or number_dtype(exponent) == "float64":
        return
    if not isinstance(exponent, Static) or exponent.object == 2:
        context.error(
            "a bool array to the power 2 is of dtype int8, which is not supported in compiled code",
            hint="convert it first: x.astype(np.int64) ** 2",
        )


def _is_numeric(value: Value) -> bool:
    return isinstance(value, ArrayValue) or is_number(value)


def _sequence_operator(context: Context, name: str, left: Value, right: Value) -> Value | None:
    """Tuples and lists: + joins, * repeats, | merges dicts; a list beside an array becomes one."""
    if name == "multiply":
        left, right = HOOKS["times"](context, left, right), HOOKS["times"](context, right, left)
    if name in ("add", "multiply") and isinstance(left, ListValue) | isinstance(right, ListValue):
        found = HOOKS["sequence_operator"](context, name, left, right)
        if found is not None:
            return found
    if name == "add" and (kind := _sequence(left)) in (TupleValue, ListValue) and _sequence(right) is kind:
        items = (*_items(context, left), *_items(context, right))
        return TupleValue(items) if kind is TupleValue else ListValue(items)
    if name == "multiply" and (isinstance(left, TupleValue | ListValue) or isinstance(right, TupleValue | ListValue)):
        sequence, times = (left, right) if isinstance(left, TupleValue | ListValue) else (right, left)
        if is_python_number(times) and number_dtype(times) != "float64":
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
        context.error(str(error), TypeInferenceError, raises=(TypeError, str(error)))
    except Exception as error:  # whatever the user's own operator raises, the program raises
        context.raise_now(type(error), *(str(a) for a in error.args[:1]))
    if type(found) is complex:
        context.raise_now(
            ValueError,
            "a negative number to a fractional power is complex in Python; complex numbers are "
            "not supported in compiled code",
        )
    return context.lift(found)
