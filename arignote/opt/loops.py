"""Loops: what does not change from one iteration to the next leaves the loop.

A carried value that the body gives back unchanged becomes a capture. An expensive operation whose operands are all
captured, and which cannot fail, is computed once outside and captured. Cheap ones stay where they fuse with their
users.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from arignote.ir.graph import Apply, Function, Node, Parameter, Span, nodes_of
from arignote.ir.records import dataclass, field
from arignote.ir.types import TOKEN
from arignote.opt.demand import LOOPS
from arignote.opt.program import NOWHERE
from arignote.opt.rewrite import Rewriter, Rule
from arignote.opt.rules.structure import made_by

_EXPENSIVE = frozenset(
    "matmul sum prod max min any all argmax argmin cumsum recurrence sort argsort gather scatter concatenate nonzero "
    "exp exp2 expm1 log log2 log10 log1p sqrt cbrt sin cos tan arcsin arccos arctan arctan2 hypot sinh cosh tanh "
    "arcsinh arccosh arctanh erf erfc gammaln digamma power".split()
)
_VIEWS = frozenset("broadcast_to transpose reshape expand_dims squeeze slice index size item tuple captured".split())


@dataclass
class _Part:
    """The body or the condition of a loop. `skip`: parameters between the captured and the carried ones."""

    closure: Apply
    skip: int
    fixed: set[int] = field(default_factory=set)
    hoisted: list[Apply] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.function: Function = self.closure["function"]
        count = len(self.closure.inputs)
        parameters = self.function.parameters
        self.captured, self.carried = parameters[:count], parameters[count + self.skip :]
        self.index = parameters[count : count + self.skip]

    def invariants(self) -> list[Parameter]:
        return [*self.captured, *(self.carried[i] for i in self.supplied)]

    @property
    def supplied(self) -> list[int]:
        """What stays the same and becomes a capture. Nothing but the result reads a token that stays the same."""
        return [i for i in sorted(self.fixed) if self.carried[i].type is not TOKEN]


def _move_out(rewriter: Rewriter, node: Apply) -> Node | None:
    skip = LOOPS[node.op.name]
    body, condition = made_by(node.inputs[1], "closure"), made_by(node.inputs[0], "closure")
    if body is None or (skip == 0 and condition is None):
        return None
    parts = [_Part(body, skip)] + ([_Part(condition, 0)] if skip == 0 and condition is not None else [])
    if not all(part.function.is_defined for part in parts):
        return None
    fixed = _unchanged(parts[0])
    for part in parts:
        part.fixed = fixed
        part.hoisted = _hoistable(part)
    if not fixed and not any(part.hoisted for part in parts):
        return None
    init = node.inputs[2:]
    closures = [_renewed(rewriter, part, init) for part in parts]
    left = [value for i, value in enumerate(init) if i not in fixed]
    loop = rewriter.op(node.op.name, node.inputs[0] if skip else closures[1], closures[0], *left)
    places = iter(range(len(left)))
    return rewriter.tuple([v if i in fixed else rewriter.item(loop, next(places)) for i, v in enumerate(init)])


def _unchanged(body: _Part) -> set[int]:
    """The carried values that the body gives back as they came."""
    result = made_by(body.function.result, "tuple")
    if result is None:
        return set()
    return {i for i, (x, parameter) in enumerate(zip(result.inputs, body.carried)) if x is parameter}


def _hoistable(part: _Part) -> list[Apply]:
    """The largest expressions worth computing once: made of invariants alone, and unable to fail."""
    invariant: set[Node] = set(part.invariants())
    heavy: set[Node] = set()
    frontier: list[Node] = []
    for node in nodes_of(part.function):
        if not isinstance(node, Apply):
            continue
        fixed = [x in invariant for x in node.inputs if isinstance(x, Apply | Parameter)]
        if fixed and all(fixed) and not node.can_fail and not node.op.effectful and node.op.name != "closure":
            invariant.add(node)
            if node.op.name in _EXPENSIVE or not heavy.isdisjoint(node.inputs):
                heavy.add(node)
        else:
            frontier.extend(x for x in node.inputs if x in heavy)
    return _below_views(frontier + [x for x in (part.function.result,) if x in heavy], heavy)


def _below_views(frontier: list[Node], heavy: set[Node]) -> list[Apply]:
    """Views are made again inside; what they look at is hoisted."""
    found: dict[Apply, None] = {}
    while frontier:
        node = frontier.pop()
        if isinstance(node, Apply) and node in heavy:
            if node.op.name in _VIEWS:
                frontier.extend(node.inputs)
            else:
                found[node] = None
    return list(found)


def _renewed(rewriter: Rewriter, part: _Part, init: tuple[Node, ...]) -> Node:
    """The closure with the fixed carried values and the hoisted expressions as further captures."""
    function, fixed = part.function, part.supplied
    inside: dict[Node, Node] = {p: Parameter(p.name, p.type) for p in function.parameters}
    values = [init[i] for i in fixed]
    outside: dict[Node, Node] = dict(zip(part.invariants(), [*part.closure.inputs, *values]))
    added: list[Node] = [inside[part.carried[i]] for i in fixed]
    for number, node in enumerate(part.hoisted):
        value = copied(rewriter, [node], outside)[0]
        values.append(value)
        added.append(Parameter(f"invariant_{number}", value.type))
        inside[node] = added[-1]
    builder = Rewriter(rewriter.rules)
    results = _results(part)
    copies = copied(builder, results, inside, function.spans)
    result = copies[0] if made_by(function.result, "tuple") is None else builder.tuple(copies)
    carried = [inside[p] for i, p in enumerate(part.carried) if i not in part.fixed]
    parameters = [*(inside[p] for p in part.captured), *added, *(inside[p] for p in part.index), *carried]
    new = builder.function(function.name, parameters, result)  # type: ignore[arg-type]
    return rewriter.closure(new, (*part.closure.inputs, *values))


def _results(part: _Part) -> list[Node]:
    """What the new function gives: the components that are not fixed, or the result as it is."""
    result = made_by(part.function.result, "tuple")
    if result is None:
        return [part.function.result]
    return [x for i, x in enumerate(result.inputs) if i not in part.fixed]


def copied(rewriter: Rewriter, roots: list[Node], mapping: dict[Node, Node],
          spans: Mapping[Node, frozenset[Span]] = MappingProxyType({})) -> list[Node]:  # fmt: skip
    """The expressions with what `mapping` says replaced, built by the rewriter; below a replaced node nothing is."""
    here = rewriter.span
    stack: list[tuple[Node, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        node, ready = stack.pop()
        if node in mapping:
            continue
        if not isinstance(node, Apply):
            mapping[node] = node
        elif ready:
            rewriter.span = spans.get(node, here)
            mapping[node] = rewriter.build(node.op, tuple([mapping[x] for x in node.inputs]), node.attributes)
        else:
            stack.append((node, True))
            stack.extend((x, False) for x in node.inputs if x not in mapping)
    rewriter.span = here or NOWHERE
    return [mapping[root] for root in roots]


RULES = (
    Rule("loop invariants", tuple(LOOPS), _move_out, "computed once or carried unchanged, the value is the same"),
)
