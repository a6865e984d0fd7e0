"""Python functions that come as arguments, and functions that are returned: between templates and function values."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from arignote.frontend.source import definition_of
from arignote.frontend.spec import Spec
from arignote.frontend.values import FunctionValue, Value, Variable
from arignote.ir.functions import FunctionTemplate, template

if TYPE_CHECKING:
    from arignote.frontend.context import Context


def function_value(kind: FunctionTemplate, items: Sequence[Value]) -> FunctionValue:
    """A function with these contents of cells and defaults."""
    given = iter(items)
    env: dict[str, Variable] = {}
    for name in kind.captured:
        env[name] = Variable(name, next(given))
        env[name].closed = True
    defaults = tuple([next(given) for _ in range(kind.defaults)])
    keyword = tuple([(name, next(given)) for name in kind.keywords])
    return FunctionValue(definition_of(kind.python), env, kind.python, defaults, keyword)


def parts_of_function(spec: Spec) -> list[Spec]:
    """What a function holds, in the order of its nodes: defaults, those of keyword-only parameters, variables."""
    defaults, keyword, env = spec[2]
    return [*defaults, *(item for _, item in (*keyword, *env))]


def returned_function(context: Context, spec: Spec) -> tuple[FunctionTemplate, list[int]]:
    """The template of a function that is returned, and its items as places in `parts_of_function`."""
    definition, python = spec[1][0], spec[1][1].value
    code = _code_of(definition, python)
    if code is None:
        context.error(f"the function {definition.name} cannot be returned: its code is not known")
    defaults, keyword, env = spec[2]
    inner = {name for name, _ in env}
    outer = dict(zip(python.__code__.co_freevars, python.__closure__ or ()))
    cells = tuple(None if name in inner else outer.get(name) for name in code.co_freevars)
    names = tuple(name for name, _ in keyword)
    first = len(defaults) + len(keyword)
    places = {name: first + place for place, (name, _) in enumerate(env)}
    order: list[int] = []
    for name, cell in zip(code.co_freevars, cells):
        if cell is None and name not in places:
            context.error(f"the function {definition.name} cannot be returned: it reads '{name}', which has no value")
        if cell is None:
            order.append(places[name])
    kind = template(code, python.__globals__, cells, len(defaults), names)
    return kind, [*order, *range(first)]


def _code_of(definition: Any, python: Any) -> types.CodeType | None:
    """The code object of a definition: that of the Python function itself, or one inside it."""
    for code in _codes(python.__code__):
        if code.co_name == definition.name:
            found = types.FunctionType(code, python.__globals__, code.co_name, None, _empty(code))
            if definition_of(found).node is definition.node:
                return code
    return None


def _empty(code: types.CodeType) -> tuple[types.CellType, ...]:
    return tuple(types.CellType() for _ in code.co_freevars)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    pending = [code]
    while pending:
        code = pending.pop()
        yield code
        pending += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
