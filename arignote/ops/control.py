"""Functions as values, calls, and structured control flow.

`closure` supplies the first parameters of a function. `cond`, `while_loop` and `for_loop` take closures; the values
that a loop carries are its operands `init`, and its result is their tuple. Loops are loops: they cost no stack.
"""

from __future__ import annotations

from arignote.ir.graph import Apply, Function, Node, Operation, TypeRuleError
from arignote.ir.types import BOOL, INT64, TOKEN, Closure, List, Tuple, Type, fits, join
from arignote.ops.derivative import Structural


def _expect(given: Type, wanted: Type, what: str) -> None:
    if not fits(given, wanted):
        raise TypeRuleError(f"{what} is {given!r}, expected {wanted!r}")


def _closure_type(node: Node, what: str) -> Closure:
    if not isinstance(node.type, Closure):
        raise TypeRuleError(f"{what} is {node.type!r}, expected a closure")
    return node.type


def _closure_rule(captures: tuple[Node, ...], function: Function) -> Type:
    for capture, parameter in zip(captures, function.parameters, strict=False):
        _expect(capture.type, parameter.type, f"capture {parameter.name} of {function.name}")
    return Closure(function, len(captures))


def _captured_rule(inputs: tuple[Node, ...], index: int) -> Type:
    captures = _closure_type(inputs[0], "operand").capture_types
    if not 0 <= index < len(captures):
        raise TypeRuleError(f"no capture {index} in {inputs[0].type!r}")
    return captures[index]


def _call_rule(inputs: tuple[Node, ...]) -> Type:
    callee = _closure_type(inputs[0], "callee")
    count, given = len(callee.argument_types), len(inputs) - 1
    if given != count:
        raise TypeRuleError(f"{callee.function.name} takes {count} operands, got {given}")
    for argument, wanted in zip(inputs[1:], callee.argument_types, strict=True):
        _expect(argument.type, wanted, f"operand of {callee.function.name}")
    return callee.function.result_type


def _cond_rule(inputs: tuple[Node, ...]) -> Type:
    _expect(inputs[0].type, BOOL, "condition")
    results = [_closure_type(branch, "branch").function.result_type for branch in inputs[1:]]
    result = join(*results)
    if result is None:
        raise TypeRuleError(f"branches give {results[0]!r} and {results[1]!r}")
    return result


def _carried(init: tuple[Node, ...], body: Closure, skip: int) -> Tuple:
    wanted = body.argument_types[skip:]
    if len(wanted) != len(init):
        raise TypeRuleError(f"{body.function.name} carries {len(wanted)} values, got {len(init)}")
    for value, type_ in zip(init, wanted, strict=True):
        _expect(value.type, type_, "initial value of a loop")
    if body.function.is_defined:
        _expect(body.function.result_type, Tuple(wanted), f"values carried by {body.function.name}")
    return Tuple(wanted)


def _while_rule(inputs: tuple[Node, ...]) -> Type:
    condition, body = _closure_type(inputs[0], "loop condition"), _closure_type(inputs[1], "loop body")
    _expect(condition.function.result_type, BOOL, "loop condition")
    return _carried(inputs[2:], body, 0)


def _for_rule(inputs: tuple[Node, ...]) -> Type:
    _expect(inputs[0].type, INT64, "trip count")
    body = _closure_type(inputs[1], "loop body")
    _expect(INT64, body.argument_types[0], "loop index")
    return _carried(inputs[2:], body, 1)


def _parallel_map_rule(inputs: tuple[Node, ...]) -> Type:
    _expect(inputs[0].type, INT64, "number of calls")
    called = _closure_type(inputs[1], "function of a parallel map")
    for token in inputs[2:]:
        _expect(token.type, TOKEN, "what comes before a parallel map")
    if called.argument_types != (INT64,):
        raise TypeRuleError(f"{called.function.name} takes {called.argument_types!r}, expected the number of the call")
    return Tuple([List(called.function.result_type), *[token.type for token in inputs[2:]]])


def _may_fail(node: Apply) -> bool:
    """Calls are taken to fail unless a pass knows better: what is inside may."""
    return True


closure = Operation("closure", _closure_rule, None, Structural())
"""closure(*captures; function): the function with its first parameters supplied."""

captured = Operation("captured", _captured_rule, None, Structural())
"""captured(closure; index): one of the values supplied to a closure. The derivative transforms take closures apart."""

call = Operation("call", _call_rule, None, Structural(), can_fail=_may_fail)
"""call(closure, *arguments): the function's result."""

checkpoint = Operation("checkpoint", lambda inputs, loops: _call_rule(inputs), None, Structural(), can_fail=_may_fail)
"""checkpoint(closure, *arguments; loops): a call that saves nothing for its backward, which runs the function again;
`loops`: loops in it are cut in segments, so that this takes memory for the square root of their iterations. After
differentiation it is a call."""

cond = Operation("cond", _cond_rule, None, Structural(), can_fail=_may_fail)
"""cond(condition, then, otherwise): call one of two closures without arguments."""

while_loop = Operation("while_loop", _while_rule, None, Structural(), can_fail=_may_fail)
"""while_loop(condition, body, *init): condition(*carried) -> bool, body(*carried) -> tuple(*carried)."""

for_loop = Operation("for_loop", _for_rule, None, Structural(), can_fail=_may_fail)
"""for_loop(count, body, *init): body(i, *carried) -> tuple(*carried), for i = 0 .. count - 1; none where count <= 0."""

parallel_map = Operation("parallel_map", _parallel_map_rule, None, Structural(), can_fail=_may_fail)
"""parallel_map(count, closure, *token): the list of closure(0), ..., closure(count - 1), which several threads compute,
and the token where one is given. Of calls that fail, the first in that order does. The optimiser makes these of loops,
after differentiation."""

FAMILY = (closure, captured, call, checkpoint, cond, while_loop, for_loop, parallel_map)
