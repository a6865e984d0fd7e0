"""Functions with derivative rules of their own: `custom_vjp` and `custom_jvp`.

The objects call the plain function. Compiled code knows them by what they say of themselves, and its derivatives use
the rules, which are compiled (and differentiated, for higher orders) like any other function.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

from arignote.ir.marks import MAKER_ATTRIBUTE, TRANSFORM_ATTRIBUTE

Function = Callable[..., Any]


class _Custom:
    """What the two have in common. `rules` is empty until they are given, once."""

    kind: str
    missing: str

    def __init__(self, fun: Function, nondiff_argnums: int | Sequence[int] = ()) -> None:
        if not callable(fun):
            raise TypeError(f"{self.kind} expects a function, got {type(fun).__name__}")
        numbers = (nondiff_argnums,) if hasattr(nondiff_argnums, "__index__") else tuple(nondiff_argnums)
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.nondiff_argnums = tuple(map(operator.index, numbers))
        self.rules: tuple[Function, ...] = ()
        setattr(self, TRANSFORM_ATTRIBUTE, (self.kind, self))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.fun(*args, **kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def _give(self, *rules: Function) -> None:
        if not all(map(callable, rules)):
            raise TypeError(f"the rules of {self.__name__} must be functions")  # type: ignore[attr-defined]
        if self.rules:
            raise ValueError(f"{self.__name__} has its rules already; they can be given once")  # type: ignore[attr-defined]
        self.rules = rules

    def __repr__(self) -> str:
        return f"<{self.kind} of {getattr(self.fun, '__qualname__', self.fun)!s}>"


class custom_vjp(_Custom):
    """A function whose reverse-mode derivative is given: `@ag.custom_vjp`, then `f.defvjp(fwd, bwd)`.

    nondiff_argnums: positions of arguments without derivative; `bwd` gets them first

    fwd(*args) -> (value, residual);  bwd(residual, cotangent) -> one cotangent for each argument, None for zero.
    Forward mode transposes `bwd`, which must be linear in the cotangent for that. The rules are differentiated for
    higher orders. Cotangents have the structure, shapes and dtypes of the arguments; `ag.DifferentiationError` says
    where one has not, or where a rule is missing.
    """

    kind = "custom_vjp"
    missing = "defvjp(fwd, bwd)"

    def defvjp(self, fwd: Function, bwd: Function) -> None:
        """Give the rules, once."""
        self._give(fwd, bwd)


class custom_jvp(_Custom):
    """A function whose forward-mode derivative is given: `@ag.custom_jvp`, then `@f.defjvp`.

    nondiff_argnums: positions of arguments without derivative; the rule gets them first

    jvp(primals, tangents) -> (value, tangent), linear in the tangents; None as the tangent is zero. Reverse mode
    transposes it, and higher orders differentiate it. The tangent has the structure, shapes and dtypes of the value;
    `ag.DifferentiationError` says where it has not, or where the rule is missing.
    """

    kind = "custom_jvp"
    missing = "defjvp(jvp)"

    def defjvp(self, jvp: Function) -> Function:
        """Give the rule, once. Works as a decorator."""
        self._give(jvp)
        return jvp

    def defjvps(self, *jvps: Function | None) -> None:
        """One rule for each argument, `rule(tangent, value, *primals)`, whose results add up; None: no derivative."""
        self._give(sum_of_rules(self, jvps))


def sum_of_rules(function: Function, rules: tuple[Function | None, ...]) -> Function:
    """The rule of `defjvp` that these rules of single arguments make together."""

    def jvp(primals: Any, tangents: Any) -> Any:
        value = function(*primals)
        total = None
        for rule, tangent in zip(rules, tangents, strict=True):
            if rule is not None and tangent is not None:
                part = rule(tangent, value, *primals)
                total = part if total is None else total + part
        return value, total

    return jvp


for _maker in (custom_vjp, custom_jvp):
    setattr(_maker, MAKER_ATTRIBUTE, _maker.__name__)
