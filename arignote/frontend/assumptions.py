"""What is assumed of sizes: that a slice of an array, between bounds that follow from shapes, has not just one entry.

Whether a size is 1 decides what broadcasts. Where that is not known, every operation must be prepared for both, which
costs code, fusion and time. So the program is compiled for the likely case, with a test where the slice is made. Where
the test fails, the program is compiled again without assumptions and runs from its beginning. That must not be seen:
programs that print assume nothing. Nor do functions that split arrays down to one entry, calling themselves: of what a
recursive function slices, the bounds must follow from sizes that it hands on to itself unchanged (`repeated_sizes.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arignote.frontend import numpy_size as s
from arignote.frontend.repeated_sizes import keeps_assumed_sizes
from arignote.ir.exceptions import WrongAssumption
from arignote.ir.graph import Apply, Constant, Function, Node, functions_below, nodes_of
from arignote.ir.structure import ANY, MANY
from arignote.ir.types import dims_of

if TYPE_CHECKING:
    from arignote.frontend.context import Context
    from arignote.frontend.instances import Program
    from arignote.frontend.scope import Scope


def assumed_dim(c: Context, count: Node) -> int:
    """What is known of the size of a slice, or assumed of it from here on."""
    dim, program = s.dim_of(count), c.program
    if dim != ANY or not program.assumes or not follows_from_shapes(c.scope, count):
        return dim
    if (c.scope, count) not in program.assumed:
        program.assumed.add((c.scope, count))
        c.raise_if(s.compare(c, "equal", count, s.ONE), WrongAssumption)
    return MANY


def follows_from_shapes(scope: Scope, count: Node) -> bool:
    """Whether a size is computed, here or in scopes around, from numbers and from sizes that are not 1."""
    seen: set[tuple[Scope, Node]] = set()
    waiting = [(scope, count)]
    while waiting:
        here, node = waiting.pop()
        if (here, node) in seen or isinstance(node, Constant):
            continue
        seen.add((here, node))
        if not isinstance(node, Apply):
            outer = here.outer.get(node)
            if outer is None or here.parent is None:
                return False
            waiting.append((here.parent, outer))
        elif node.op.name != "size":
            waiting += [(here, operand) for operand in node.inputs]
        elif dims_of(node.inputs[0].type)[node["axis"]] != MANY:
            return False
    return True


def must_not_assume(program: Program, main: Function) -> bool:
    """Whether the program must not be run twice, or is likely to be."""
    if not program.assumed:
        return False
    recursive = [each.function for each in program.instances.values() if getattr(each, "recursive", False)]
    if any(each is not None and not keeps_assumed_sizes(each) for each in recursive):
        return True
    return any(isinstance(node, Apply) and node.op.name == "print"
               for function in functions_below(main) for node in nodes_of(function))  # fmt: skip
