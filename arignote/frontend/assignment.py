"""Assignment: names, items, fields, unpacking, `x op= y`, and the variables of comprehensions."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from arignote.frontend import analysis
from arignote.frontend.cases import for_each_case, is_union, split
from arignote.frontend.coercion import coerce
from arignote.frontend.expressions import (
    evaluate_index,
    make_function,
)
from arignote.frontend.iterate import (
    elements,
    is_structural,
    item_at,
    length,
)
from arignote.frontend.names import read_name
from arignote.frontend.numpy_index import entries_of, gives_view
from arignote.frontend.operators import (
    BINARY,
    binary_values,
    find_method,
)
from arignote.frontend.recursive import fold
from arignote.frontend.scope import HOOKS, executes
from arignote.frontend.sequences import extend_list
from arignote.frontend.spec import flatten
from arignote.frontend.trees import as_node
from arignote.frontend.values import (
    ArrayValue,
    Cell,
    DictValue,
    ListValue,
    RecordValue,
    RecursiveValue,
    Static,
    Unbound,
    Value,
    Variable,
)
from arignote.ir.errors import UnsupportedSyntaxError

if TYPE_CHECKING:
    from arignote.frontend.context import Context


# Assignment


@executes(ast.Assign)
def _assign(context: Context, node: ast.Assign) -> None:
    value = context.evaluate(node.value)
    for target in node.targets:
        context.at(node)
        assign(context, target, value)


@executes(ast.AnnAssign)
def _annotated(context: Context, node: ast.AnnAssign) -> None:
    if node.value is not None:
        assign(context, node.target, context.evaluate(node.value))


def assign(context: Context, target: ast.expr, value: Value) -> None:
    """Bind a target: a name, items of something, a field, or a tuple of targets."""
    match target:
        case ast.Name():
            assign_name(context, target.id, value, target.lineno)
        case ast.Tuple() | ast.List():
            _unpack(context, target, value)
        case ast.Subscript():
            _store_item(context, target, value)
        case ast.Attribute():
            record = context.evaluate(target.value)
            context.at(target)
            set_field(context, record, target.attr, value)
        case _:
            context.at(target)
            context.error("this cannot be assigned to", UnsupportedSyntaxError)


def assign_name(context: Context, name: str, value: Value, line: int) -> None:
    """name = value, on this line."""
    variable = context.frame.variables[name]
    variable.places.append((value, line))
    if variable.state is not value or not isinstance(value, Cell):  # `x += y` has changed what x holds already
        context.set(variable, value)


def _unpack(context: Context, target: ast.Tuple | ast.List, value: Value) -> None:
    names = target.elts
    star = next((n for n, item in enumerate(names) if isinstance(item, ast.Starred)), None)
    if star is not None and isinstance(value, ListValue) and value.is_sequence:
        _unpack_sequence(context, names, star, value)
        return
    items = _items_to_unpack(context, value, len(names), star)
    if star is None:
        if len(items) != len(names):
            _wrong_count(context, len(names), len(items))
    else:
        after = len(names) - star - 1
        if len(items) < len(names) - 1:
            context.raise_now(
                ValueError, f"not enough values to unpack (expected at least {len(names) - 1}, got {len(items)})"
            )
        middle = ListValue(tuple(items[star : len(items) - after]))
        items = [*items[:star], middle, *items[len(items) - after :]]
    for name, item in zip(names, items):
        assign(context, name.value if isinstance(name, ast.Starred) else name, item)


def _unpack_sequence(context: Context, names: list[ast.expr], star: int, value: ListValue) -> None:
    """`a, *b, c = items` of a list of run-time length."""
    size = context.node(length(context, value))
    context.raise_if(
        context.emit("less", size, context.constant(len(names) - 1)),
        ValueError,
        f"not enough values to unpack (expected at least {len(names) - 1}, got ",
        ("int64", True, size),
        ")",
    )
    after = len(names) - star - 1
    for place, name in enumerate(names):
        if isinstance(name, ast.Starred):
            index = Static(slice(star, -after or None))
        else:
            index = Static(place if place < star else place - len(names))
        item = HOOKS["getitem"](context, value, index)
        assign(context, name.value if isinstance(name, ast.Starred) else name, item)


def _wrong_count(context: Context, expected: int, found: int) -> None:
    if found < expected:
        context.raise_now(ValueError, f"not enough values to unpack (expected {expected}, got {found})")
    context.raise_now(ValueError, f"too many values to unpack (expected {expected})")


def _items_to_unpack(context: Context, value: Value, count: int, star: int | None) -> list[Value]:
    """The items of what is unpacked; of an array of unknown length, as many as there are targets."""
    if is_structural(value) or star is not None:
        return elements(context, value)
    size = length(context, value)
    if isinstance(size, Static):
        return elements(context, value)
    wanted = context.constant(count)
    node = context.node(size)
    context.raise_if(context.emit("greater", node, wanted), ValueError, f"too many values to unpack (expected {count})")
    context.raise_if(
        context.emit("less", node, wanted),
        ValueError,
        f"not enough values to unpack (expected {count}, got ",
        size,
        ")",
    )
    return [item_at(context, value, Static(n)) for n in range(count)]


def _store_item(context: Context, target: ast.Subscript, value: Value) -> None:
    """base[index] = value."""
    base = context.evaluate(target.value)
    index = evaluate_index(context, target.slice)
    context.at(target)
    HOOKS["setitem"](context, base, index, value, None)


def set_field(context: Context, record: Value, name: str, value: Value) -> None:
    """record.name = value."""
    if isinstance(record, RecursiveValue):
        _set_in_tree(context, record, name, value)
    elif is_union(record):
        for_each_case(context, record, lambda found: set_field(context, found, name, value))
    else:
        items = _with_field(context, record, name, value)
        assert isinstance(record, RecordValue)
        context.write(record, items)


def _with_field(
    context: Context, record: Value, name: str, value: Value, by_force: bool = False
) -> tuple[Value, ...]:
    """The fields of a record, one of them changed; `by_force`: also where the class is frozen."""
    if not isinstance(record, RecordValue):
        missing = f"'{HOOKS['class_of'](record).__name__}' object has no attribute '{name}'"
        raises = (AttributeError, missing) if isinstance(record, Static) else None
        context.error(f"cannot assign to attribute '{name}' of {context.show(record)}", raises=raises)
    if record.is_tuple:
        context.raise_now(AttributeError, "can't set attribute")
    if record.cls.__dataclass_params__.frozen and not by_force:  # type: ignore[attr-defined]
        context.raise_now(dataclasses.FrozenInstanceError, f"cannot assign to field '{name}'")
    if name not in record.names:
        context.error(f"'{name}' is not a field of {record.cls.__name__}", hint="declare it in the class")
    items = list(context.read(record))
    items[record.names.index(name)] = value
    return as_node(context, RecordValue(record.cls, record.names, items)).state


def _set_in_tree(context: Context, tree: RecursiveValue, name: str, value: Value) -> None:
    """A field of a tree's root: the variable gets a new root, and whoever else sees the old one must not look again."""
    context.check_writable(tree)

    def changed(found: Value) -> Value:
        items = _with_field(context, found, name, value)
        assert isinstance(found, RecordValue)
        return RecordValue(found.cls, found.names, items)

    flat = flatten(context, split(context, tree, changed))
    wanted = tree.definition.spec
    if fold(tree.definition.family, wanted, flat.spec) != wanted:
        context.error(f"the field '{name}' of this {context.show(tree)} cannot hold {context.show(value)}")
    context.write(tree, coerce(context, flat, wanted).nodes[0])


def set_by_force(context: Context, record: Value, name: str, value: Value) -> None:
    """object.__setattr__(record, name, value): what `__post_init__` of a frozen dataclass does."""
    items = _with_field(context, record, name, value, by_force=True)
    assert isinstance(record, RecordValue)
    context.write(record, items)


@executes(ast.AugAssign)
def _augmented(context: Context, node: ast.AugAssign) -> None:
    target = node.target
    if isinstance(target, ast.Name):
        current = read_name(context, target.id)
        right = context.evaluate(node.value)
        context.at(node)
        _augment(context, node.op, current, right, lambda value: assign(context, target, value))
    elif isinstance(target, ast.Subscript):
        base = context.evaluate(target.value)
        index = evaluate_index(context, target.slice)
        if isinstance(base, ArrayValue) and not isinstance(node.op, ast.MatMult):
            _augment_elements(context, node, base, index)
            return
        context.at(target)
        current = HOOKS["getitem"](context, base, index)
        right = context.evaluate(node.value)
        context.at(node)
        _augment(context, node.op, current, right, lambda value: HOOKS["setitem"](context, base, index, value, None))
    else:
        record = context.evaluate(target.value)
        context.at(target)
        current = HOOKS["attribute"](context, record, target.attr)
        right = context.evaluate(node.value)
        context.at(node)
        _augment(context, node.op, current, right, lambda value: set_field(context, record, target.attr, value))


def _augment_elements(context: Context, node: ast.AugAssign, base: ArrayValue, index: Value) -> None:
    """a[index] op= y. A view sees what y changes; what is copied, numbers and elements at other places than those of
    a view, is read first, and fails first."""
    reads_first = not gives_view(base, index) and not isinstance(node.value, ast.Constant | ast.Name)
    context.at(node.target)
    current = HOOKS["getitem"](context, base, index) if reads_first else base
    cells = [base, *[entry for entry in entries_of(index) if isinstance(entry, ArrayValue)]]
    before = [cell.state for cell in cells]
    right = context.evaluate(node.value)
    context.at(node)
    if not reads_first or all(cell.state is state for cell, state in zip(cells, before)):
        HOOKS["setitem"](context, base, index, right, BINARY[type(node.op)][0])
        return
    changed = binary_values(context, type(node.op), current, right)
    HOOKS["setitem"](context, base, index, changed, None)


def _augment(context: Context, op: ast.operator, current: Value, right: Value, store: Callable[[Value], None]) -> None:
    """x op= y: in place for arrays and lists, otherwise x = x op y."""
    if isinstance(current, ArrayValue):
        HOOKS["setitem"](context, current, Static(Ellipsis), right, BINARY[type(op)][0])
        store(current)
        return
    if isinstance(current, ListValue) and isinstance(op, ast.Add):
        if current.is_sequence or not _has_known_length(context, right):
            extend_list(context, current, right)
            store(current)
            return
        context.write(current, (*context.read(current), *elements(context, right)))
        store(current)
        return
    if isinstance(current, DictValue) and isinstance(op, ast.BitOr) and isinstance(right, DictValue):
        context.write(current, tuple({**dict(context.read(current)), **dict(context.read(right))}.items()))
        store(current)
        return
    method = find_method(context, current, f"__i{BINARY[type(op)][2]}__")
    store(context.call(method, [right]) if method is not None else binary_values(context, type(op), current, right))


def _has_known_length(context: Context, value: Value) -> bool:
    """Whether it has items that are known one by one."""
    if is_structural(value):
        return True
    return isinstance(length(context, value), Static)


@executes(ast.Delete)
def _delete(context: Context, node: ast.Delete) -> None:
    for target in node.targets:
        if isinstance(target, ast.Subscript):
            base = context.evaluate(target.value)
            index = evaluate_index(context, target.slice)
            context.at(target)
            HOOKS["delitem"](context, base, index)
        else:
            context.error(
                "`del` of a name is not supported in compiled code",
                UnsupportedSyntaxError,
                "leave it out: memory is freed when a value is not needed any more",
            )


@executes(ast.FunctionDef)
def _function(context: Context, node: ast.FunctionDef) -> None:
    value: Value = make_function(context, node)
    for decorator in reversed(node.decorator_list):
        value = context.call(context.evaluate(decorator), [value])
    variable = context.frame.variables[node.name]
    variable.places.append((value, node.lineno))
    context.set(variable, value)


@contextmanager
def own_variables(context: Context, target: ast.expr) -> Iterator[None]:
    """The variables of a comprehension, for as long as it runs."""
    variables = context.frame.variables
    names = analysis.stores(target)
    saved = {name: variables.get(name) for name in names}
    for name in names:
        variables[name] = Variable(name, Unbound())
    try:
        yield
    finally:
        for name, variable in saved.items():
            variables[name].closed = True
            if variable is None:
                del variables[name]
            else:
                variables[name] = variable


HOOKS["assign"] = assign
HOOKS["set_field"] = set_by_force


HOOKS["own_variables"] = own_variables
