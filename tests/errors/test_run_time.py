"""Errors of running programs: those of plain Python and NumPy, in class, message and line."""

import numpy as np
import pytest

import arignote as ag
from tests.errors.expectation import Failure, full_text, marked_line, mentions
from tests.errors.run_time import FAILURES
from tests.properties.comparison import outcome

every_failure = pytest.mark.parametrize("failure", FAILURES, ids=[failure.name for failure in FAILURES])


@every_failure
def test_same_error(failure: Failure) -> None:
    """The class is exactly that of plain Python, and the message has the same text."""
    plain = outcome(failure.function, failure.make()).error
    found = outcome(ag.jit(failure.function), failure.make())
    assert plain is not None and type(plain).__name__ == failure.error, "the test itself is wrong"
    assert found.error is not None, f"no error, but {found.value!r}"
    assert type(found.error) is type(plain), full_text(found.error)
    assert failure.word in str(plain), f"the test itself is wrong: {plain}"
    assert failure.word in str(found.error), f"expected: {plain}\nfound: {found.error}"


@every_failure
def test_user_line(failure: Failure) -> None:
    """What the user sees names the line that failed."""
    place = marked_line(failure.function)
    if place is None:
        pytest.skip("no single line is to blame")
    error = outcome(ag.jit(failure.function), failure.make()).error
    assert error is not None
    assert mentions(full_text(error), *place), full_text(error)


def test_works_after_an_error() -> None:
    """A failure leaves the function usable, and nothing of the failed call in the next."""

    @ag.jit
    def pick(x: np.ndarray, i: int) -> float:
        return x[i] + np.sum(x)

    for _ in range(100):
        with pytest.raises(IndexError):
            pick(np.ones(3), 3)
        assert pick(np.ones(3), 1) == 4.0


def test_deep_recursion_is_no_crash() -> None:
    """Recursion of a depth that Python also refuses raises; recursion that Python allows works."""

    @ag.jit
    def depth(n: int) -> int:
        return 0 if n == 0 else 1 + depth(n - 1)

    assert depth(500) == 500
    with pytest.raises(RecursionError):
        depth(10**9)
    assert depth(500) == 500
