"""The verifier: is this a graph? It runs between any two passes with ARIGNOTE_VERIFY=1, and always in tests.

For every function that the root reaches:
    1. its parameters are distinct, and no other parameter is reached from its result;
    2. every node has the type that its operation's type rule gives, now that all functions are defined: captures,
       arguments and carried values fit what receives them;
    3. the type of its result fits the type that callers rely on;
    4. each token is used up once, so that effects have one order;
    5. spans belong to its nodes;
    6. the unions of its types are defined.
"""

from __future__ import annotations

from arignote.ir.graph import Apply, Function, Node, Parameter, TypeRuleError, functions_below, nodes_of
from arignote.ir.text import show_function
from arignote.ir.types import TOKEN, Array, Scalar, Type, definitions_in, fits


class CheckError(AssertionError):
    """A graph that breaks a rule of the language; the message ends with the function's text."""


def check(root: Function) -> None:
    """Raise CheckError unless the function and all that it reaches are well formed."""
    for function in functions_below(root):
        problem = _problem(function)
        if problem is not None:
            raise CheckError(f"{function.name}: {problem}\n{show_function(function)}")


def _problem(function: Function) -> str | None:
    nodes = nodes_of(function)
    return (_union_problem(function, nodes) or _parameter_problem(function, nodes)
            or _type_problem(function, nodes) or _token_problem(nodes) or _span_problem(function, nodes))  # fmt: skip


def _parameter_problem(function: Function, nodes: list[Node]) -> str | None:
    own = set(function.parameters)
    if len(own) != len(function.parameters):
        return "a parameter stands twice"
    for node in nodes:
        if isinstance(node, Parameter) and node not in own:
            return f"{node!r} : {node.type!r} belongs to another function"
    return None


def _union_problem(function: Function, nodes: list[Node]) -> str | None:
    types: dict[Type, None] = {}
    for node in (*function.parameters, *nodes):
        if not isinstance(node.type, Scalar | Array):
            types[node.type] = None
    missing = [definition for definition in definitions_in(types) if not definition.is_defined]
    return f"union {missing[0]!r} is not defined" if missing else None


def _type_problem(function: Function, nodes: list[Node]) -> str | None:
    for node in nodes:
        if not isinstance(node, Apply):
            continue
        try:
            expected = node.op.type_rule(node.inputs, **dict(node.attributes))
        except TypeRuleError as error:
            return f"{node!r}: {error}"
        if expected is not node.type and not fits(expected, node.type):
            return f"{node!r} should be {expected!r}"
    if not fits(function.result.type, function.result_type):
        return f"the result is {function.result.type!r}, declared as {function.result_type!r}"
    return None


def _token_problem(nodes: list[Node]) -> str | None:
    """A token has one consumer. Closures consume for the operation that runs them: the two branches of a `cond` may
    share a token, of which only one will use it."""
    consumers: dict[Node, set[Apply]] = {}
    holders: dict[Node, list[Apply]] = {}
    for node in nodes:
        if isinstance(node, Apply):
            for operand in node.inputs:
                if operand.type is TOKEN:
                    holders.setdefault(operand, []).append(node)
                elif isinstance(operand, Apply) and operand.op.name == "closure":
                    consumers.setdefault(operand, set()).add(node)
    for token, direct in holders.items():
        users: set[Node] = set()
        for holder in direct:
            users |= consumers.get(holder, {holder})
            if holder.op.name != "closure" and sum(x is token for x in holder.inputs) > 1:
                return f"{token!r} is given twice to {holder!r}"
        if len(users) > 1:
            return f"{token!r} is used up by {', '.join(sorted(repr(x) for x in users))}"
    return None


def _span_problem(function: Function, nodes: list[Node]) -> str | None:
    foreign = function.spans.keys() - set(nodes)
    return f"spans of {len(foreign)} nodes that are not its own: {next(iter(foreign))!r}" if foreign else None
