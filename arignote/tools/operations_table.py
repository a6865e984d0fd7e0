"""The page of all operations, from the table itself.

python -m arignote.tools.operations_table docs/operations.md
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from arignote.ir.graph import Apply, Constant, Node, Operation, Parameter
from arignote.ir.types import FLOAT64
from arignote.ops.batching import Aligned, PerElement, Stacked, Uniform
from arignote.ops.derivative import Linear, Partials, Refused, Rules, Structural, Zero
from arignote.ops.emit import Emit
from arignote.ops.table import FAMILIES
from arignote.ops.term import Term

HEADER = """\
# Operations

What the graph language can say: every operation of `arignote/ops`, by family. This page is generated from the table
(`python -m arignote.tools.operations_table docs/operations.md`), and a test compares the two.

The operands come first, behind the semicolon the static attributes. The derivative is a formula for each operand, where
there is one (`out` is the result), or: *linear* (its transpose is a rule), *rules* (a pair of rules), *zero* (piecewise
constant, or no floats), *structure* (the transforms handle it themselves), or the reason why it is refused. Under
`vmap` an operation is *aligned* (elementwise), *stacked* (a rule of its own), *uniform* (the same for all elements) or
done *per element*.
"""

SIGNS = {
    "less": ("<", 0), "less_equal": ("<=", 0), "greater": (">", 0), "greater_equal": (">=", 0), "equal": ("==", 0),
    "add": ("+", 1), "subtract": ("-", 1), "multiply": ("*", 2), "divide": ("/", 2), "floor_divide": ("//", 2),
    "power": ("**", 3),
}  # fmt: skip
"""The operations that are written between their operands, and how tightly they bind."""

OPERANDS = {
    "closure": "*captures", "captured": "closure", "call": "closure, *operands",
    "checkpoint": "closure, *operands", "cond": "condition, yes, no",
    "while_loop": "test, body, *init", "for_loop": "count, body, *init", "parallel_map": "count, closure, *token",
    "undefined": "", "list_new": "capacity",
    "token": "", "after": "token, *nodes", "print": "token, *values", "raise_if": "token, condition, *values",
    "custom_vjp_call": "primal, forward, backward, *operands", "custom_jvp_call": "primal, pushforward, *operands",
}  # fmt: skip
"""The operands that no reference names."""


def page() -> str:
    """The whole page."""
    return HEADER + "".join(_family(family) for family in FAMILIES)


def _family(family: ModuleType) -> str:
    name = family.__name__.rpartition(".")[2]
    first = (family.__doc__ or "").strip().replace("\n", " ").split("  ")[0]
    lines = [f"\n## {name.capitalize()}\n", f"{first}\n", "| operation | derivative | vmap | |", "|---|---|---|---|"]
    for op in family.FAMILY:
        lines.append(f"| `{_signature(op)}` | {_derivative(op)} | {_batching(op)} | {_properties(op)} |")
    return "\n".join(lines) + "\n"


def _signature(operation: Operation) -> str:
    """The operation's name, operands and attributes."""
    rule = inspect.signature(operation.type_rule).parameters.values()
    attributes = [p.name for p in list(rule)[1:] if p.kind is not p.VAR_KEYWORD]
    operands = OPERANDS.get(operation.name)
    if operands is None:
        operands = ", ".join(_operands(operation, attributes))
    return f"{operation.name}({operands}{'; ' if attributes else ''}{', '.join(attributes)})"


def _operands(operation: Operation, attributes: list[str]) -> list[str]:
    if isinstance(operation.derivative, Partials):
        return _names(operation.derivative)
    reference: Any = getattr(operation.reference, "__wrapped__", operation.reference)
    if isinstance(reference, np.ufunc):
        return list("xyz"[: reference.nin])
    if reference is np.where:
        return ["condition", "yes", "no"]
    named = inspect.signature(reference).parameters.values()
    return [("*" if p.kind is p.VAR_POSITIONAL else "") + p.name for p in named if p.name not in attributes]


def _names(partials: Partials) -> list[str]:
    """The operands of a formula, as its own author calls them."""
    of = inspect.signature(partials.of[0]).parameters  # type: ignore[arg-type]
    return list(of)[:-1]


def _derivative(operation: Operation) -> str:
    """The derivative in one cell of the table."""
    match operation.derivative:
        case Partials() as partials:
            return ", ".join(f"`{_formula(partials, index)}`" for index in range(len(partials.of)))
        case Linear(linear=None):
            return "linear"
        case Linear(linear=positions):
            return "linear in operand " + ", ".join(str(position + 1) for position in positions or ())
        case Rules():
            return "rules"
        case Zero():
            return "zero"
        case Structural():
            return "structure"
        case Refused(why=why):
            return f"refused: {why}"
    raise AssertionError(operation.derivative)


def _batching(operation: Operation) -> str:
    """How `vmap` works on it, in one cell of the table."""
    match operation.batching:
        case Aligned():
            return "aligned"
        case Stacked():
            return "stacked"
        case Uniform():
            return "uniform"
        case PerElement(why=why):
            return f"per element: {why}"
    return "structure"


def _formula(partials: Partials, index: int) -> str:
    """One partial derivative, written out."""
    emit = Emit()
    names = [*_names(partials), "out"]
    parameters = [Parameter(name, FLOAT64) for name in names]
    partial = partials.of[index]
    if partial is None:
        return "0"
    found = partial(*(Term(emit, parameter) for parameter in parameters))
    return _written(found.node) if isinstance(found, Term) else f"{found:g}"


def _written(node: Node, within: int = 0) -> str:
    """A node as a formula; `within` is how tightly what stands around it binds."""
    if isinstance(node, Parameter):
        return node.name
    if isinstance(node, Constant):
        return f"{node.value:.4g}"
    assert isinstance(node, Apply)
    name = node.op.name
    if name == "negative":
        text, level = "-" + _written(node.inputs[0], 3), 2
    elif name in SIGNS:
        sign, level = SIGNS[name]
        left, right = node.inputs
        text = f"{_written(left, level)} {sign} {_written(right, level + 1)}"
    else:
        return f"{name}({', '.join(_written(operand) for operand in node.inputs)})"
    return f"({text})" if level < within else text


def _properties(operation: Operation) -> str:
    """What else is known of it."""
    kinds = {"elementwise": operation.elementwise, "commutative": operation.commutative, "effect": operation.effectful}
    return ", ".join(name for name, holds in kinds.items() if holds)


def main(arguments: list[str]) -> int:
    """Write the page to the file that is named."""
    Path(arguments[0]).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
