"""Whether a function hands a parameter on to a component of its result, with nothing done to it but additions.

    @backward(residual, cotangent, total) -> ... total + (what this call contributes)

Then who adds the result to a sum of its own, and starts the call with zeros, may start it with the sum instead.
"""

from __future__ import annotations

from arignote.ir.graph import Apply, Function, Node, nodes_of
from arignote.opt.demand import LOOPS
from arignote.opt.rules.structure import made_by

MOST_STEPS = 2000
"""How many values are followed before it counts as not found."""

_UPDATES = frozenset(("update_slice", "update_index", "scatter"))

Way = tuple[Function, int]
"""A function, and the number of a parameter."""

Found = dict[Way, int]
"""In which component of the result of a function a parameter comes out."""


def only_added_to(function: Function, parameter: int, component: int) -> bool:
    """Whether that component is that parameter plus what does not depend on it."""
    return bool(added_through(function, parameter, component)[0])


def added_through(function: Function, parameter: int, component: int) -> tuple[Found, list[Apply]]:
    """The same with how: all functions that it passes through, none if it does not, and additions seen on the way."""
    search = _Search()
    found: Found = {(function, parameter): component}
    return (found if search.follows(function, parameter, component, found) else {}), search.added


class _Search:
    """Of functions that call themselves it is guessed where a parameter comes out, and the inner calls must agree."""

    def __init__(self) -> None:
        self.left = MOST_STEPS
        self.added: list[Apply] = []

    def follows(self, function: Function, parameter: int, component: int, found: Found) -> bool:
        """Follows the one use of each value, from the parameter to the result; `found` grows."""
        self.left -= 1
        if self.left < 0 or not function.is_defined:
            return False
        users = users_of(function)
        value: Node = function.parameters[parameter]
        result = function.result
        while value is not result:
            here = users.get(value, [])
            if len(here) == 1 and here[0] is result and made_by(result, "tuple") is not None:
                return result.inputs[component] is value and result not in users  # type: ignore[attr-defined]
            step = self._step(value, here, users, found)
            if step is None:
                return False
            value, place = step
            if value is result and place is not None:
                return place == component and value not in users
            if place is not None:
                items = [user for user in users.get(value, []) if user.op.name == "item" and user["index"] == place]
                if len(items) != 1:
                    return False
                value = items[0]
        return False

    def _step(self, value: Node, here: list[Apply], users: dict[Node, list[Apply]],
              found: Found) -> tuple[Node, int | None] | None:  # fmt: skip
        """What holds the value next, and in which component."""
        if here and all(user.op.name == "closure" for user in here):
            return self._through_branch(value, here, users, found)
        user = here[0] if len(here) == 1 else None
        if user is None:
            return None
        if user.op.name in _UPDATES or user.op.name == "add":
            self.added.append(user)
            adds = user.op.name == "add" or user["accumulate"] and user.inputs[0] is value
            return (user, None) if adds and user.type is value.type else None
        if user.op.name == "for_loop":
            return self._through_loop(value, user, found)
        closure = made_by(user.inputs[0], "closure") if user.op.name == "call" else None
        if closure is None:
            return None
        if user.inputs.count(value) != 1:
            return None
        called: Way = closure["function"], len(closure.inputs) + user.inputs.index(value) - 1
        return self._component(user, [called], found)

    def _through_branch(self, value: Node, closures: list[Apply], users: dict[Node, list[Apply]],
                        found: Found) -> tuple[Node, int] | None:  # fmt: skip
        branches = {user for closure in closures for user in users.get(closure, [])}
        branch = branches.pop() if len(branches) == 1 else None
        if branch is None or branch.op.name != "cond" or {*branch.inputs[1:]} != {*closures}:
            return None
        if any(closure.inputs.count(value) != 1 for closure in closures):
            return None
        ways = [(closure["function"], closure.inputs.index(value)) for closure in closures]
        return self._component(branch, ways, found)

    def _through_loop(self, value: Node, loop: Apply, found: Found) -> tuple[Node, int] | None:
        """A loop carries it: what an iteration is given must come out in the same place."""
        closure = made_by(loop.inputs[1], "closure")
        if closure is None or loop.inputs.count(value) != 1 or value not in loop.inputs[2:]:
            return None
        place = loop.inputs.index(value) - 2
        body: Way = closure["function"], len(closure.inputs) + LOOPS["for_loop"] + place
        return (loop, place) if self._agrees(body, place, found) else None

    def _component(self, made: Apply, ways: list[Way], found: Found) -> tuple[Node, int] | None:
        """The component of a call or a branch in which the parameters of what may run come out."""
        for component in range(len(getattr(made.type, "items", ()))):
            trial = dict(found)
            if all(self._agrees(way, component, trial) for way in ways):
                found.update(trial)
                return made, component
        return None

    def _agrees(self, way: Way, component: int, found: Found) -> bool:
        if way not in found:
            found[way] = component
            return self.follows(*way, component, found)
        return found[way] == component


def users_of(function: Function) -> dict[Node, list[Apply]]:
    """What uses each value; asking for its size is no use."""
    users: dict[Node, list[Apply]] = {}
    for node in nodes_of(function):
        if isinstance(node, Apply) and node.op.name != "size":
            for operand in node.inputs:
                users.setdefault(operand, []).append(node)
    return users
