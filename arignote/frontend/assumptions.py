"""What is assumed of sizes: that a slice of an array, between bounds that follow from shapes, has not just one entry.

Whether a size is 1 decides what broadcasts. Where that is not known, every operation must be prepared for both, which
costs code, fusion and time. So the program is compiled for the likely case, with a test where the slice is made. Where
the test fails, the program is compiled again without assumptions and runs from its beginning. That must not be seen:
programs that print assume nothing. Nor do recursive ones, which split arrays down to one entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arignote.frontend import numpy_size as s
from arignote.ir.exceptions import WrongAssumption
from arignote.ir.graph import Apply, Constant, Function, Node, functions_below, nodes_of
from arignote.ir.structure import ANY, MANY
from arignote.ir.types import dims_of

if TYPE_CHECKING:
    from arignote.frontend.context import Context
    from arignote.frontend.instances import Program


def assumed_dim(c: Context, count: Node) -> int:
    """What is known of the size of a slice, or assumed of it from here on."""
    dim, program = s.dim_of(count), c.program
    if dim != ANY or not program.assumes or not follows_from_shapes(count):
        return dim
    if (c.scope, count) not in program.assumed:
        program.assumed.add((c.scope, count))
        c.raise_if(s.compare(c, "equal", count, s.ONE), WrongAssumption)
    return MANY


def follows_from_shapes(count: Node) -> bool:
    """Whether a size is computed from numbers and from sizes that are not 1."""
    seen: set[Node] = set()
    waiting = [count]
    while waiting:
        node = waiting.pop()
        if node in seen or isinstance(node, Constant):
            continue
        seen.add(node)
        if not isinstance(node, Apply):
            return False
        if node.op.name != "size":
            waiting.extend(node.inputs)
        elif dims_of(node.inputs[0].type)[node["axis"]] != MANY:
            return False
    return True


def must_not_assume(program: Program, main: Function) -> bool:
    """Whether the program must not be run twice, or is likely to be."""
    if not program.assumed:
        return False
    if any(getattr(instance, "recursive", False) for instance in program.instances.values()):
        return True
    return any(isinstance(node, Apply) and node.op.name == "print"
               for function in functions_below(main) for node in nodes_of(function))  # fmt: skip
