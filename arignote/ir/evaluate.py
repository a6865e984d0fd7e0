"""The reference interpreter: what a graph means, with no regard for speed. Native code is tested against it.

    value = NumPy scalar | ndarray | tuple of values | list of values | FunctionValue(function, captured values)
          | (tag, payload)           a union

Tokens are None. Operands are computed before operations, the token chain first, so that prints and failures come in the
program's order. Every value is compared with the type of its node: a type rule that is wrong does not go unnoticed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from arignote.ir.exceptions import arguments_of
from arignote.ir.graph import Apply, Constant, Function, Node, nodes_of
from arignote.ir.records import dataclass
from arignote.ir.structure import MANY, ArrayOf, FormattedOf, NumpyScalarOf, PythonScalarOf, Structure
from arignote.ir.types import Array, List, Scalar, Tuple, Type, Union

_PYTHON = {"bool": bool, "int64": int, "float64": float}


@dataclass(frozen=True)
class FunctionValue:
    """A function with its first parameters supplied."""

    function: Function
    captures: tuple[Any, ...] = ()


class Undefined:
    """The value of a placeholder. It may be passed on and taken apart, its arrays and lists are empty, and the tag of
    a union is 0; computing with it is an error."""

    shape = (0,) * 64

    def __getitem__(self, index: object) -> Undefined:
        return self

    def __len__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED = Undefined()


def evaluate(function: Function, *arguments: Any) -> Any:
    """The function's result for these leaves. Python numbers are taken as scalars of the parameters' dtypes."""
    values = [enter(value, parameter.type) for value, parameter in zip(arguments, function.parameters, strict=True)]
    return _Machine().run(function, values)


def enter(value: Any, type_: Type) -> Any:
    """The value as the interpreter holds it."""
    if isinstance(type_, Scalar):
        return np.dtype(type_.dtype).type(value)
    if isinstance(type_, Array):
        return np.asarray(value, dtype=type_.dtype)
    if isinstance(type_, Tuple) and isinstance(value, tuple):
        return tuple(map(enter, value, type_.items))
    if isinstance(type_, List) and isinstance(value, list):
        return [enter(item, type_.element) for item in value]
    if isinstance(type_, Union) and isinstance(value, tuple):
        tag, payload = value
        return np.int64(tag), enter(payload, type_.alternatives[tag])
    return value


class _Machine:
    """One evaluation. It recurs for calls only; each function's order of evaluation is found once."""

    def __init__(self) -> None:
        self.plans: dict[Function, list[tuple[Node, Any]]] = {}

    def run(self, function: Function, arguments: Sequence[Any]) -> Any:
        plan = self.plans.get(function)
        if plan is None:
            plan = self.plans[function] = _plan(function)
        assert len(arguments) == len(function.parameters), f"{function.name}: {len(arguments)} arguments"
        values: dict[Node, Any] = dict(zip(function.parameters, arguments))
        for parameter in function.parameters:
            verify(values[parameter], parameter.type, function, parameter)
        for node, known in plan:
            if isinstance(node, Apply):
                value = self.apply(node, [values[x] for x in node.inputs], known)
                if isinstance(node.type, Scalar) and isinstance(value, np.ndarray):
                    value = value[()]
                verify(value, node.type, function, node)
                values[node] = value
            else:
                values[node] = known
        return values[function.result]

    def apply(self, node: Apply, operands: list[Any], attributes: dict[str, Any]) -> Any:
        structural = _STRUCTURAL.get(node.op.name)
        if structural is not None:
            return structural(self, node, *operands, **attributes)
        assert node.op.reference is not None, f"{node.op.name} has no reference"
        return node.op.reference(*operands, **attributes)

    def call(self, callee: FunctionValue, *arguments: Any) -> Any:
        assert isinstance(callee, FunctionValue), f"{callee!r} is called"
        return self.run(callee.function, (*callee.captures, *arguments))


def _plan(function: Function) -> list[tuple[Node, Any]]:
    """The nodes in order of evaluation, with the attributes of an application or the value of a constant."""
    plan: list[tuple[Node, Any]] = []
    for node in nodes_of(function):
        if isinstance(node, Apply):
            plan.append((node, dict(node.attributes)))
        elif isinstance(node, Constant):
            plan.append((node, enter(node.value, node.type)))
        else:
            assert node in function.parameters, f"{node!r} is not a parameter of {function.name}"
    return plan


def verify(value: Any, type_: Type, function: Function, node: Node) -> None:
    """Raise AssertionError unless a scalar or array value is what its type says."""
    if value is UNDEFINED:
        return
    if isinstance(type_, Scalar):
        good = isinstance(value, np.generic) and value.dtype.name == type_.dtype
    elif isinstance(type_, Array):
        good = (isinstance(value, np.ndarray) and value.dtype.name == type_.dtype and value.ndim == type_.rank
                and all(map(_size_fits, value.shape, type_.dims)))  # fmt: skip
    else:
        return
    if not good:
        is_array = isinstance(value, np.ndarray)
        found = f"{value.dtype}{list(value.shape)}" if is_array else f"{type(value).__name__} {value}"
        raise AssertionError(f"in {function.name}, {node!r} should be {type_!r} and is {found}")


def _size_fits(size: int, dim: int) -> bool:
    return size == dim if dim >= 0 else dim != MANY or size != 1


# Functions, calls, control flow ------------------------------------------------------------------------------------


def _closure(machine: _Machine, node: Apply, *captures: Any, function: Function) -> FunctionValue:
    return FunctionValue(function, captures)


def _captured(machine: _Machine, node: Apply, closure: FunctionValue, index: int) -> Any:
    return closure if isinstance(closure, Undefined) else closure.captures[index]


def _call(machine: _Machine, node: Apply, callee: FunctionValue, *arguments: Any) -> Any:
    return machine.call(callee, *arguments)


def _custom_vjp_call(machine: _Machine, node: Apply, primal: FunctionValue, forward: FunctionValue,
                     backward: FunctionValue, *operands: Any, given: int, name: str) -> Any:  # fmt: skip
    return machine.call(primal, *operands)


def _custom_jvp_call(machine: _Machine, node: Apply, primal: FunctionValue, pushforward: FunctionValue,
                     *operands: Any, given: int, name: str) -> Any:  # fmt: skip
    return machine.call(primal, *operands)


def _checkpoint(machine: _Machine, node: Apply, callee: FunctionValue, *arguments: Any, loops: bool) -> Any:
    return machine.call(callee, *arguments)


def _cond(machine: _Machine, node: Apply, condition: Any, then: FunctionValue, otherwise: FunctionValue) -> Any:
    return machine.call(then if condition else otherwise)


def _while_loop(machine: _Machine, node: Apply, condition: FunctionValue, body: FunctionValue, *carried: Any) -> Any:
    while machine.call(condition, *carried):
        carried = machine.call(body, *carried)
    return carried


def _for_loop(machine: _Machine, node: Apply, count: Any, body: FunctionValue, *carried: Any) -> Any:
    for index in range(int(count)):
        carried = machine.call(body, np.int64(index), *carried)
    return carried


def _parallel_map(machine: _Machine, node: Apply, count: Any, callee: FunctionValue, *token: None) -> Any:
    return [machine.call(callee, np.int64(index)) for index in range(int(count))], *token


def _undefined(machine: _Machine, node: Apply, type: Type) -> Any:
    return UNDEFINED


def _tag(machine: _Machine, node: Apply, union: Any) -> Any:
    return np.int64(0 if union is UNDEFINED else union[0])


def _project(machine: _Machine, node: Apply, union: Any, alternative: int) -> Any:
    assert node.op.reference is not None
    return UNDEFINED if union is UNDEFINED else node.op.reference(union, alternative)


# Effects -----------------------------------------------------------------------------------------------------------


def _token(machine: _Machine, node: Apply, *operands: Any) -> None:
    return None


def _print(machine: _Machine, node: Apply, token: None, *values: Any, template: tuple[Any, ...]) -> None:
    sys.stdout.write(fill(template, values))


def _raise_if(machine: _Machine, node: Apply, token: None, condition: Any, *values: Any,
              exception: type[BaseException], message: tuple[Any, ...]) -> None:  # fmt: skip
    if condition:
        kinds = [piece for piece in message if isinstance(piece, Structure)]
        shown = [_as_python(kind, value) for kind, value in zip(kinds, values, strict=True)]
        raise exception(*arguments_of(message, shown, _written))


def fill(template: Sequence[str | Structure], values: Sequence[Any]) -> str:
    """The text of a template: each structure in it stands for the next value, written as Python writes it."""
    rest = iter(values)
    return "".join([piece if isinstance(piece, str) else _written(piece, next(rest)) for piece in template])


def _as_python(structure: Structure, value: Any) -> Any:
    """A value of the machine as programs see it."""
    if isinstance(structure, FormattedOf | PythonScalarOf):
        return _PYTHON[structure.dtype](value)
    return np.dtype(structure.dtype).type(value) if isinstance(structure, NumpyScalarOf) else np.asarray(value)


def _written(structure: Structure, value: Any) -> str:
    if isinstance(structure, FormattedOf):
        return structure.write(_PYTHON[structure.dtype](value))
    if isinstance(structure, PythonScalarOf):
        return str(_PYTHON[structure.dtype](value))
    if isinstance(structure, NumpyScalarOf):
        return str(np.dtype(structure.dtype).type(value))
    assert isinstance(structure, ArrayOf), structure
    return str(np.asarray(value))


_STRUCTURAL: dict[str, Callable[..., Any]] = {
    "closure": _closure, "captured": _captured, "call": _call, "checkpoint": _checkpoint, "cond": _cond,
    "while_loop": _while_loop, "for_loop": _for_loop, "parallel_map": _parallel_map, "undefined": _undefined,
    "tag": _tag, "project": _project,
    "token": _token, "after": _token, "print": _print, "raise_if": _raise_if, "custom_vjp_call": _custom_vjp_call,
    "custom_jvp_call": _custom_jvp_call,
}  # fmt: skip
