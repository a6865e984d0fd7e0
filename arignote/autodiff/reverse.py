"""Reverse mode: `vjp(f, wrt)` is the function that returns f's result and a backpropagator.

After van Merriënboer et al., "Automatic differentiation in ML: Where we are and where we should be going" (2018), with
typed values in place of run-time dictionaries: the backpropagator is a closure whose captures are what it needs, chosen
by `residuals`; loops save per iteration what their backward loops read.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from arignote.autodiff import checkpoint, custom, reverse_branch, reverse_call, reverse_data, reverse_loop
from arignote.autodiff.activity import Flags, differentiable, full, meet, parameter_demand, result_activity
from arignote.autodiff.adjoint import AUGMENTED, STRUCTURAL, Adjoint, fresh, parameters_for
from arignote.autodiff.cotangent import spread
from arignote.autodiff.residuals import Policy
from arignote.ir.graph import Function, Node, Parameter, function_in, functions_below, nodes_of
from arignote.ir.types import tangent_type
from arignote.ops.emit import Emit

AUGMENTED.update({
    "call": reverse_call.call, "checkpoint": checkpoint.checkpoint, "cond": reverse_branch.cond,
    "for_loop": reverse_loop.for_loop, "while_loop": reverse_loop.while_loop, **custom.CUSTOM_ADJOINTS,
})  # fmt: skip
STRUCTURAL.update(reverse_data.PULLBACKS | custom.PULLBACKS)

_made: WeakKeyDictionary[Function, dict[Flags, Function]] = WeakKeyDictionary()
_linearised: WeakKeyDictionary[Function, dict[Flags, tuple[Function, Function]]] = WeakKeyDictionary()


def vjp(function: Function, wrt: tuple[bool, ...]) -> Function:
    """forward(*parameters) -> (result, backward), where backward(cotangent of the result) gives the tuple of cotangents
    of the parameters marked in `wrt`. Made once for each function and mask."""
    known = _made.setdefault(function, {})
    found = known.get(wrt)
    if found is None:
        found = known[wrt] = _make(function, wrt)
    return found


def _make(function: Function, wrt: Flags) -> Function:
    adjoint, kept, backward = _split(function, wrt)
    result = adjoint.emit.tuple([adjoint.result, adjoint.emit.closure(backward, kept)])
    return adjoint.finish(Function(f"{function.name}_vjp", ()), adjoint.parameters, result)


def linearised(function: Function, wrt: Flags) -> tuple[Function, Function]:
    """The same as two functions: parameters -> (result, *kept), and (*kept, cotangent) -> cotangents."""
    known = _linearised.setdefault(function, {})
    found = known.get(wrt)
    if found is None:
        adjoint, kept, backward = _split(function, wrt)
        result = adjoint.emit.tuple([adjoint.result, *kept])
        forward = adjoint.finish(Function(f"{function.name}_kept", ()), adjoint.parameters, result)
        found = known[wrt] = forward, backward
    return found


def _split(function: Function, wrt: Flags) -> tuple[Adjoint, list[Node], Function]:
    """The forward half, what it keeps, and the backward function of that and a cotangent."""
    flags = tuple(flag and differentiable(p.type) for p, flag in zip(function.parameters, wrt, strict=True))
    want = meet(full(function.result_type), result_activity(function, flags))
    demanded = parameter_demand(function, flags, want)
    adjoint = Adjoint(_called(function) if _is_recursive(function) else function, demanded, want)
    emit = adjoint.emit
    cotangent = Parameter("cotangent", tangent_type(function.result_type))
    adjoint.run_backward(spread(emit, cotangent))
    emit.at(None)
    roots = [adjoint.cotangent_of(index) for index, flag in enumerate(wrt) if flag]
    kept = adjoint.keep(roots, [cotangent], Policy())
    parameters = parameters_for("kept", kept.nodes())
    results = adjoint.rebuild(roots, dict(zip(kept.nodes(), parameters, strict=True)))
    backward = adjoint.finish(
        Function(f"{function.name}_backpropagator", ()), [*parameters, cotangent], emit.tuple(results)
    )
    return adjoint, kept.nodes(), backward


def _called(function: Function) -> Function:
    """A function that calls this one: the outermost call of a recursive function is then augmented like all others."""
    emit = Emit()
    parameters = fresh(function.parameters)
    result = emit.at(function.spans.get(function.result)).call(function, *parameters)
    return emit.function(function.name, parameters, result)


def _is_recursive(function: Function) -> bool:
    return any(function_in(node) is function for f in functions_below(function) for node in nodes_of(f))
