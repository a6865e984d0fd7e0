"""Calls that cannot be right, and odd arguments: an exception or the right answer, never a crash."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import arignote as ag
from tests.corpus.program import Call
from tests.properties.comparison import as_numpy_scalar, assert_no_differences, outcome, outcome_differences

ANY_OBJECT = object()


class Subclass(np.ndarray):
    """An array type of the user's own."""


def square(x: Any) -> Any:
    return x * x


def total(x: Any) -> Any:
    return np.sum(x)


def first(x: Any) -> Any:
    return x[0]


def looped(x: Any) -> Any:
    result = 0.0
    for value in x:
        result = result + value
    return result


def product(x: Any) -> Any:
    return x @ x


def unaligned() -> np.ndarray[Any, Any]:
    """An array whose data do not lie at a multiple of the item size."""
    return np.frombuffer(np.zeros(33, np.uint8).data, dtype=np.uint8)[1:].view(np.float64)


def read_only() -> np.ndarray[Any, Any]:
    """An array that may not be written."""
    x = np.arange(3.0)
    x.flags.writeable = False
    return x


def odd_arguments() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Things people pass by mistake, or on purpose."""
    yield "0-d", lambda: np.array(2.5)
    yield "empty", lambda: np.zeros(0)
    yield "empty matrix", lambda: np.zeros((0, 3))
    yield "nan", lambda: np.array([np.nan, np.inf, -np.inf])
    yield "read-only", read_only
    yield "byte-swapped", lambda: np.arange(3.0).astype(">f8")
    yield "unaligned", unaligned
    yield "object", lambda: np.array([1.0, None], dtype=object)
    yield "objects that are numbers", lambda: np.array([1, 2**100], dtype=object)
    yield "strings", lambda: np.array(["a", "b"])
    yield "complex", lambda: np.array([1j, 2.0])
    yield "float16", lambda: np.ones(3, np.float16)
    yield "int8", lambda: np.ones(3, np.int8)
    yield "uint64", lambda: np.ones(3, np.uint64)
    yield "long double", lambda: np.ones(3, np.longdouble)
    yield "dates", lambda: np.array(["2020-01-01"], dtype="M8[D]")
    yield "structured", lambda: np.zeros(2, dtype=[("a", float)])
    yield "matrix", lambda: np.asmatrix(np.eye(2))
    yield "subclass", lambda: np.arange(3.0).view(Subclass)
    yield "masked", lambda: np.ma.masked_array([1.0, 2.0], mask=[True, False])
    yield "zero strides", lambda: np.broadcast_to(np.float64(2.0), (4,))
    yield "overlapping", lambda: np.lib.stride_tricks.sliding_window_view(np.arange(5.0), 2)
    yield "five ranks", lambda: np.ones((1, 2, 1, 2, 1))
    yield "many ranks", lambda: np.ones((1,) * 32)
    yield "huge view", lambda: np.broadcast_to(np.float64(1.0), (0, 2**40))
    yield "None", lambda: None
    yield "string", lambda: "text"
    yield "bytes", lambda: b"bytes"
    yield "big integer", lambda: 2**80
    yield "int64 edge", lambda: -(2**63)
    yield "complex number", lambda: 1j
    yield "set", lambda: {1.0}
    yield "generator", lambda: (i for i in range(3))
    yield "range", lambda: range(3)
    yield "object()", lambda: ANY_OBJECT
    yield "integer keys", lambda: {1: 2.0}
    yield "function", lambda: square
    yield "class", lambda: Subclass
    yield "list", lambda: [1.0, 2.0]
    yield "empty list", lambda: []
    yield "nested", lambda: [[1.0, 2.0], (3.0, [4.0])]
    yield "itself", itself
    yield "slice", lambda: slice(1, 2)
    yield "bool", lambda: True
    yield "np.void", lambda: np.void(b"ab")
    yield "np.str_", lambda: np.str_("a")
    yield "np.float16", lambda: np.float16(1.5)


def itself() -> list[Any]:
    """A list that contains itself."""
    items: list[Any] = [1.0]
    items.append(items)
    return items


@pytest.mark.parametrize("make", [pytest.param(make, id=label) for label, make in odd_arguments()])
@pytest.mark.parametrize("function", [square, total, first, looped, product], ids=lambda f: f.__name__)
def test_odd_arguments(function: Callable[..., Any], make: Callable[[], Any]) -> None:
    """A compiled function gives plain Python's answer, plain Python's error, or refuses: to compile, or integers beyond
    64 bits."""
    plain = outcome(function, Call((make(),)))
    found = outcome(ag.jit(function), Call((make(),)))
    if isinstance(found.error, ag.CompileError | TypeError | OverflowError):
        return
    if function is looped and isinstance(found.value, np.generic):
        plain = as_numpy_scalar(plain)
    assert_no_differences(outcome_differences(plain, found, 4))


@pytest.mark.parametrize("subject", [3, "text", None, np.ones(3)], ids=["int", "str", "None", "array"])
def test_jit_of_no_function(subject: Any) -> None:
    """Only functions can be compiled."""
    with pytest.raises((TypeError, ag.CompileError)):
        ag.jit(subject)(1.0)


def test_builtin_without_source() -> None:
    """A builtin has no source; it works, or is refused with a clear error."""
    found = outcome(ag.jit(len), Call(((1.0, 2.0),)))
    assert found.value == 2 or isinstance(found.error, ag.CompileError | TypeError)


def cube(x: Any) -> Any:
    return x * x * x


DIFFERENTIATION = [
    pytest.param(cube, 3, "int", id="python integer"),
    pytest.param(cube, True, "bool", id="boolean"),
    pytest.param(total, np.arange(3), "int", id="integer array"),
    pytest.param(total, np.array([True]), "bool", id="boolean array"),
    pytest.param(cube, np.ones(3), "scalar", id="result is an array"),
    pytest.param(lambda x: 3, 1.0, "", id="result is an integer"),
    pytest.param(lambda x: (x, x), 1.0, "", id="result is a tuple"),
    pytest.param(lambda x: x > 0.0, 1.0, "", id="result is a boolean"),
]


@pytest.mark.parametrize(("function", "argument", "word"), DIFFERENTIATION)
def test_no_silent_zeros(function: Callable[..., Any], argument: Any, word: str) -> None:
    """A derivative that makes no sense is an error that says why."""
    with pytest.raises((ag.CompileError, TypeError)) as caught:
        ag.grad(function)(argument)
    assert word in str(caught.value), str(caught.value)
    with pytest.raises((ag.CompileError, TypeError)):
        ag.jit(ag.value_and_grad(function))(argument)


def test_argument_number_out_of_range() -> None:
    """argnums must name an argument."""
    with pytest.raises((ag.CompileError, TypeError, ValueError, IndexError)):
        ag.grad(cube, argnums=1)(2.0)


@pytest.mark.parametrize("argnums", [1.0, None, (0, 1.0)])
def test_argument_number_that_is_none(argnums: Any) -> None:
    """argnums are integers and names; the error is that of the call of grad."""
    with pytest.raises(TypeError, match="argnums must be"):
        ag.grad(cube, argnums=argnums)


def test_argument_numbers_repeated_and_in_any_order() -> None:
    """Each number gives its gradient, in the order asked for."""

    def product(x: float, y: float) -> float:
        return x * x * y

    assert ag.grad(product, argnums=(1, 0, 1, -1))(2.0, 3.0) == (4.0, 12.0, 4.0, 4.0)
    assert ag.grad(product, argnums=np.int64(1))(2.0, 3.0) == 4.0


def aliased(n: int) -> Any:
    x = np.zeros(n)
    y = x
    y[0] = 1.0
    return x, y


def aliased_view(n: int) -> Any:
    x = np.zeros(n)
    y = x[1:]
    y[0] = 1.0
    return x


def aliased_in_a_tuple(n: int) -> Any:
    x = np.zeros(n)
    pair = (x, n)
    x[0] = 1.0
    return pair


def aliased_through_a_call(n: int) -> Any:
    x = np.zeros(n)
    write_one(x)
    return x


def write_one(x: Any) -> None:
    x[0] = 1.0


def aliased_in_place_sum(n: int) -> Any:
    x = np.zeros(n)
    y = x
    y += 1.0
    return x


def aliased_list(n: int) -> Any:
    items = [n]
    other = items
    other.append(n + 1)
    return items


def aliased_in_a_closure(n: int) -> Any:
    x = np.zeros(n)

    def read() -> Any:
        return x[0]

    x[0] = 3.0
    return read()


def returned_transposed(n: int) -> Any:
    x = np.zeros((n, 2))
    x.T[0] = 1.0
    return x


ALIASED = [
    aliased,
    aliased_view,
    aliased_in_a_tuple,
    aliased_through_a_call,
    aliased_in_place_sum,
    aliased_list,
    aliased_in_a_closure,
    returned_transposed,
]


@pytest.mark.parametrize("function", ALIASED, ids=lambda f: f.__name__)
def test_aliases_are_right_or_refused(function: Callable[..., Any]) -> None:
    """Where two names mean one array, a write shows through both, or the program is refused."""
    plain = outcome(function, Call((3,)))
    found = outcome(ag.jit(function), Call((3,)))
    assert_no_differences(outcome_differences(plain, found, 0, may_be_refused=True))
