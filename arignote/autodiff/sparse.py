"""Which parameters a function reads place by place.

The cotangent of such an array or list is zero but for some places, so the backward function is given what has been
added up so far and increases it there: a loop that calls a function which reads one element takes time for one element.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from arignote.ir.graph import Apply, Function, Node, Parameter, nodes_of
from arignote.ir.types import Array, List

_READS = frozenset(("index", "slice", "gather", "list_get"))
_SIZES = frozenset(("size", "list_length"))

_known: WeakKeyDictionary[Function, frozenset[Node] | None] = WeakKeyDictionary()


def read_by_place(function: Function) -> frozenset[Node]:
    """The parameters that are arrays or lists and are read by place and in no other way, here and in the functions that
    they are passed to. Of a function that is being looked at (recursion) all are taken to be."""
    if function in _known:
        found = _known[function]
        return _candidates(function) if found is None else found
    _known[function] = None
    candidates = _candidates(function)
    if candidates:
        candidates -= _read_whole(function, candidates)
    _known[function] = candidates
    return candidates


def _candidates(function: Function) -> frozenset[Node]:
    return frozenset(p for p in function.parameters if isinstance(p.type, Array | List))


def _read_whole(function: Function, candidates: frozenset[Node]) -> set[Node]:
    whole: set[Node] = {function.result} & candidates
    for node in nodes_of(function):
        if not isinstance(node, Apply) or candidates.isdisjoint(node.inputs):
            continue
        inputs, name = node.inputs, node.op.name
        if name in _READS:
            inputs = inputs[1:]
        elif name in _SIZES:
            inputs = ()
        elif name == "closure":
            inputs = _passed_whole(node["function"].parameters, inputs, node["function"])
        elif name in ("call", "checkpoint") and isinstance(inputs[0], Apply) and inputs[0].op.name == "closure":
            callee: Function = inputs[0]["function"]
            inputs = _passed_whole(callee.parameters[len(inputs[0].inputs) :], inputs[1:], callee)
        whole.update(x for x in inputs if x in candidates)
    return whole


def _passed_whole(parameters: tuple[Parameter, ...], operands: tuple[Node, ...], callee: Function) -> tuple[Node, ...]:
    by_place = read_by_place(callee) if callee.is_defined else frozenset()
    return tuple(x for p, x in zip(parameters, operands, strict=False) if p not in by_place)
