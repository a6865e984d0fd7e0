"""The order in which the nodes of a function are evaluated.

Operands first, and of the operands the token first: so the chain of effects and pinned failures is walked in program
order before anything that only a result needs. Where an update replaces an array that others still read, the readers
come first if they do not depend on the update, so that it can be made in place.
"""

from __future__ import annotations

from arignote.ir.graph import Apply, Node
from arignote.ir.types import TOKEN, Closure, Type

UPDATES = frozenset({"update_index", "update_slice", "scatter", "list_push", "list_set", "list_pop", "list_take"})
VIEWS = frozenset({"slice", "squeeze", "transpose", "expand_dims", "reshape", "index"})
"""What may look at an array's memory through another view; a view of a view reads the array too."""
MOST_VISITED = 200
"""How far a reader is followed to see whether it depends on an update."""


def _rank(type_: Type) -> int:
    """Operands are visited in this order: tokens, data, closures."""
    if type_ is TOKEN:
        return 0
    return 2 if isinstance(type_, Closure) else 1


def ordered_inputs(node: Apply) -> list[Node]:
    """The operands in the order in which they are evaluated. The sides of a branch capture the token."""
    tokens = [token for child in node.inputs for token in _tokens(child)]
    return [*tokens, *sorted(node.inputs, key=lambda child: _rank(child.type))] if tokens else list(node.inputs)


def _tokens(operand: Node) -> list[Node]:
    """The token that an operand is, or that it captures."""
    if operand.type is TOKEN:
        return [operand]
    is_closure = isinstance(operand, Apply) and isinstance(operand.type, Closure)
    return [child for child in operand.inputs if child.type is TOKEN] if is_closure else []  # type: ignore[attr-defined]


def depth_first(root: Node, first: dict[Node, list[Node]]) -> list[Node]:
    """Everything below the root, operands first; `first` names what else must come before a node."""
    order: list[Node] = []
    state: dict[Node, int] = {}
    stack: list[tuple[Node, bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            if state[node] == 1:
                state[node] = 2
                order.append(node)
        elif node not in state:
            state[node] = 1
            stack.append((node, True))
            below = ordered_inputs(node) if isinstance(node, Apply) else []
            if node in first:
                below = [*below, *first[node]]
            stack.extend((child, False) for child in reversed(below) if child not in state)
    return order


def schedule(root: Node) -> list[Node]:
    """All nodes below the root in the order of evaluation."""
    order = depth_first(root, {})
    updates = [node for node in order if isinstance(node, Apply) and node.op.name in UPDATES]
    if not updates:
        return order
    first = _readers_first(order, updates)
    if not first:
        return order
    better = depth_first(root, first)
    return better if _is_valid(better) else order


def _is_valid(order: list[Node]) -> bool:
    """Whether operands come before what uses them: wishes of several updates can contradict one another."""
    seen: set[Node] = set()
    for node in order:
        if isinstance(node, Apply) and not seen.issuperset(node.inputs):
            return False
        seen.add(node)
    return True


def _readers_first(order: list[Node], updates: list[Apply]) -> dict[Node, list[Node]]:
    """For each update the readers of the old value that come after it and do not depend on it."""
    position = {node: number for number, node in enumerate(order)}
    updated: dict[Node, list[Apply]] = {node.inputs[0]: [] for node in updates}
    views: dict[Node, list[Apply]] = {}
    pinned: set[Node] = set()
    for node in order:
        if isinstance(node, Apply):
            if node.type is TOKEN:
                pinned.update(node.inputs)
            for child in node.inputs:
                if child in updated:
                    updated[child].append(node)
            if node.op.name in VIEWS:
                views.setdefault(node.inputs[0], []).append(node)
    found: dict[Node, list[Node]] = {}
    for update in updates:
        place = position[update]
        readers = [r for r in updated[update.inputs[0]] if r.op.name not in UPDATES]
        for reader in readers:  # which grows
            if reader.op.name in VIEWS:
                readers += views.get(reader, ())
        late = [r for r in readers if position[r] > place and not _is_bound(r, update, position, pinned)]
        if late:
            found[update] = list(late)
    return found


def _is_bound(reader: Node, update: Node, position: dict[Node, int], pinned: set[Node]) -> bool:
    """Whether the reader needs the update, or has its place in the program's order. Only nodes that come after the
    update matter; beyond a bound the answer is yes."""
    place, visited, stack = position[update], {reader}, [reader]
    while stack:
        node = stack.pop()
        if node is update or node in pinned or node.type is TOKEN or len(visited) > MOST_VISITED:
            return True
        for child in node.inputs if isinstance(node, Apply) else ():
            if position[child] >= place and child not in visited:
                visited.add(child)
                stack.append(child)
    return False
