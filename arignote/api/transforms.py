"""`jit` and the derivatives that take a function and give a function.

They compose in any order, work as decorators, and may be called inside compiled code. Each gives a callable that
compiles on its first call for each signature: the structures, dtypes and ranks of its arguments, never their sizes.
"""

from __future__ import annotations

import functools
import operator
import types
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar, overload

import numpy as np

from arignote.api.compiled import make_compiled
from arignote.ir.describe import structure_of
from arignote.ir.marks import MAKER_ATTRIBUTE, TRANSFORM_ATTRIBUTE
from arignote.ir.structure_values import leaves_of

Argnums = int | str | Sequence[int | str]
P = ParamSpec("P")
R = TypeVar("R")


@overload
def jit(fun: Callable[P, R], *, static_argnums: int | Sequence[int] = (), static_argnames: str | Sequence[str] = (),
        donate_argnums: int | Sequence[int] = (), debug_nans: bool = False, cache: bool = True,
        ) -> Callable[P, R]: ...  # fmt: skip


@overload
def jit(fun: None = None, *, static_argnums: int | Sequence[int] = (), static_argnames: str | Sequence[str] = (),
        donate_argnums: int | Sequence[int] = (), debug_nans: bool = False, cache: bool = True,
        ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...  # fmt: skip


def jit(fun: Any = None, *, static_argnums: int | Sequence[int] = (), static_argnames: str | Sequence[str] = (),
        donate_argnums: int | Sequence[int] = (), debug_nans: bool = False, cache: bool = True) -> Any:  # fmt: skip
    """Compile a function: `@ag.jit` or `ag.jit(fun)`.

    fun:            a Python function of arrays, numbers and trees of them; the same function without `jit` gives the
                    same result
    static_argnums, static_argnames:
                    parameters whose values are known at compile time, one specialisation for each value
    donate_argnums: parameters whose memory the caller does not need any more (a permission; results never alias them)
    debug_nans:     raise FloatingPointError where a result contains NaN
    cache:          machine code may be kept from one process to the next (a permission)

    Raises `ag.CompileError` at the first call, at the user's own line, where the function is outside the compiled
    subset. The callable has `cache_info()`, `cache_clear()` and `__wrapped__`.
    """
    if fun is None:
        return functools.partial(jit, static_argnums=static_argnums, static_argnames=static_argnames,
                                 donate_argnums=donate_argnums, debug_nans=debug_nans, cache=cache)  # fmt: skip
    require_callable(fun, "jit")
    fun = as_written(fun)
    names = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)
    compiled = make_compiled(fun, fun, ("jit", fun), True, _numbers(static_argnums), names, cache)
    return _raising_on_nan(compiled, fun) if debug_nans else compiled


def grad(fun: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient of a scalar function, by reverse mode.

    argnums: the arguments to differentiate by: a position, a name, or a tuple of them, which gives a tuple of gradients
    has_aux: `fun` returns (value, anything); the result is (gradient, anything)

    The gradient has the structure of the argument; inside a tree, what is no float has the gradient None, and strings
    stay. One array given for two arguments has a gradient for each. Raises `ag.DifferentiationError` with respect to
    an argument that holds no float, and where the value is not one float.
    """
    return _derivative("grad", fun, argnums, has_aux)


def value_and_grad(fun: Callable[..., Any], argnums: Argnums = 0,
                   has_aux: bool = False) -> Callable[..., Any]:  # fmt: skip
    """Like `grad`, giving (value, gradient); with `has_aux`, ((value, anything), gradient)."""
    return _derivative("value_and_grad", fun, argnums, has_aux)


def _derivative(kind: str, fun: Callable[..., Any], argnums: Argnums, has_aux: bool) -> Callable[..., Any]:
    require_callable(fun, kind)
    fun = as_written(fun)
    transform = (kind, fun, argnums_of(argnums), bool(has_aux))
    return make_compiled(Target(transform), fun, transform, plain=False)


def argnums_of(given: Argnums) -> int | str | tuple[int | str, ...]:
    if isinstance(given, str):
        return given
    try:
        if hasattr(given, "__index__"):
            return operator.index(given)
        return tuple(item if isinstance(item, str) else operator.index(item) for item in given)  # type: ignore[union-attr]
    except TypeError:
        raise TypeError(f"argnums must be a number or a name, or a sequence of them, not {given!r}") from None


class Target:
    """A transformed function, as the front end recognises it."""

    def __init__(self, transform: tuple[Any, ...]) -> None:
        setattr(self, TRANSFORM_ATTRIBUTE, transform)


def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """The value at `primals`, and the pullback: a function from a cotangent (of the structure of the value) to a tuple
    of cotangents, one per primal.

    has_aux: `fun` returns (value, anything); the result is (value, pullback, anything)

    The pullback keeps what it needs. Where that is a list of run-time length (the values of a loop's iterations) or a
    tree, which do not leave compiled code, it runs the function again; what that prints is printed once.
    """
    require_callable(fun, "vjp")
    value, plan, kept, aux = _kept_of(fun, bool(has_aux))(*primals)
    if plan is None:
        again = _again(fun, bool(has_aux))

        def pullback(cotangent: Any) -> Any:
            return again(cotangent, *primals)
    else:
        pull = plan.compiled(lambda: make_compiled(plan, _pull_parameters, plan.transform, plain=False))

        def pullback(cotangent: Any) -> Any:
            return pull(kept, cotangent)

    return (value, pullback, aux) if has_aux else (value, pullback)


def _pull_parameters(kept: Any, cotangent: Any) -> Any:
    """The parameters of a pullback by itself."""


@functools.lru_cache(maxsize=4096)
def _kept_of(fun: Callable[..., Any], has_aux: bool) -> Callable[..., Any]:
    transform = ("vjp_kept", as_written(fun), has_aux)

    def parameters(*primals: Any) -> Any:
        """The parameters of the forward half."""

    parameters.__name__ = getattr(fun, "__name__", "vjp")
    return make_compiled(Target(transform), parameters, transform, plain=False)


@functools.lru_cache(maxsize=4096)
def _again(fun: Callable[..., Any], has_aux: bool) -> Callable[..., Any]:
    def pull(cotangent: Any, *primals: Any) -> Any:
        return vjp(silent(fun), *primals, has_aux=has_aux)[1](cotangent)

    return make_compiled(pull, pull, ("jit", pull), plain=False)


def jvp(fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any],
        has_aux: bool = False) -> tuple[Any, ...]:  # fmt: skip
    """The value of `fun(*primals)` and its tangent along `tangents`, by forward mode.

    primals, tangents: tuples or lists of equal length, each tangent of the structure and shapes of its primal
    has_aux: `fun` returns (value, anything); the result is (value, tangent, anything)
    """
    require_callable(fun, "jvp")
    return _jvp_of(fun, bool(has_aux))(tuple(primals), tuple(tangents))


@functools.lru_cache(maxsize=4096)
def _jvp_of(fun: Callable[..., Any], has_aux: bool) -> Callable[..., Any]:
    def push(primals: Any, tangents: Any) -> Any:
        return jvp(fun, primals, tangents, has_aux=has_aux)

    return make_compiled(push, push, ("jit", push), plain=False)


def silent(fun: Callable[..., Any]) -> Callable[..., Any]:
    """The function without what it prints, in compiled code. Known to the compiler."""
    return fun


def stop_gradient(x: Any) -> Any:
    """`x`, taken as a constant by every derivative. Outside compiled code it is the identity."""
    return x


def as_written(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A function written in Python that calls `fun`, if that is a function of a library (`np.sum`): its parameters have
    defaults that mean "not given", which are no arguments of compiled code."""
    if not isinstance(fun, LIBRARY_FUNCTIONS):
        return fun

    def called(*args: Any, **kwargs: Any) -> Any:
        return fun(*args, **kwargs)

    called.__name__ = called.__qualname__ = fun.__name__
    return called


LIBRARY_FUNCTIONS = (np.ufunc, type(np.sum), types.BuiltinFunctionType)


def require_callable(fun: Any, name: str) -> None:
    if not callable(fun):
        raise TypeError(f"{name} expects a function, got {type(fun).__name__}")


def _numbers(numbers: int | Sequence[int]) -> tuple[int, ...]:
    return (numbers,) if isinstance(numbers, int) else tuple(numbers)


def _raising_on_nan(compiled: Callable[..., Any], fun: Callable[..., Any]) -> Callable[..., Any]:
    """The compiled function, checking its results."""

    @functools.wraps(fun)
    def checked(*args: Any, **kwargs: Any) -> Any:
        result = compiled(*args, **kwargs)
        for leaf in leaves_of(structure_of(result), result):
            if np.asarray(leaf).dtype.kind == "f" and np.isnan(leaf).any():
                raise FloatingPointError(f"a result of {fun.__name__} contains NaN")
        return result

    setattr(checked, TRANSFORM_ATTRIBUTE, ("jit", fun))
    return checked


for _maker in (jit, grad, value_and_grad, jvp, vjp, silent, stop_gradient):
    setattr(_maker, MAKER_ATTRIBUTE, _maker.__name__)
