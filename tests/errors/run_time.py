"""Programs that fail when they run: the exception and the message are those of plain Python and NumPy, at the user's line."""

import math

import numpy as np

from tests.corpus.program import call
from tests.errors.expectation import Failure, collector

FAILURES: list[Failure] = []
expect = collector(FAILURES)


class TooHot(Exception):
    """An exception of the user's own."""


@expect(lambda: call(np.ones(3), 3), "IndexError", "index 3 is out of bounds for axis 0 with size 3")
def index_error(x, i):
    y = x * 2.0
    return y[i]  # here


@expect(lambda: call(np.ones((2, 3)), -4), "IndexError", "index -4 is out of bounds for axis 1 with size 3")
def index_error_of_second_axis(x, i):
    return x[0, i]  # here


@expect(lambda: call(np.ones(3), np.array([0, 7])), "IndexError", "index 7 is out of bounds for axis 0 with size 3")
def index_error_of_an_array(x, i):
    return x[i]  # here


@expect(lambda: call(np.ones(3), 5), "IndexError", "index 5 is out of bounds for axis 0 with size 3")
def index_error_in_an_assignment(x, i):
    y = x.copy()
    y[i] = 1.0  # here
    return y


@expect(lambda: call(np.ones(3)), "IndexError", "out of bounds")
def index_error_in_a_loop(x):
    total = 0.0
    for i in range(len(x)):
        total = total + x[i + 1]  # here
    return total


@expect(
    lambda: call(np.ones(3), np.ones(4)), "ValueError", "operands could not be broadcast together with shapes (3,) (4,)"
)
def broadcast_error(x, y):
    z = x * 2.0
    return z + y  # here


@expect(lambda: call(np.ones((2, 3)), np.ones((4, 2))), "ValueError", "mismatch in its core dimension 0")
def matrix_product_error(x, y):
    return x @ y  # here


@expect(lambda: call(np.ones(3), np.ones(4)), "ValueError", "not aligned")
def dot_error(x, y):
    return np.dot(x, y)  # here


@expect(lambda: call(np.ones(6), 4), "ValueError", "cannot reshape array of size 6 into shape (4,")
def reshape_error(x, n):
    return x.reshape(n, -1)  # here


@expect(lambda: call(np.ones((2, 3)), np.ones((2, 4))), "ValueError", "dimensions")
def concatenate_error(x, y):
    return np.concatenate((x, y))  # here


@expect(
    lambda: call(np.ones(4), np.ones(3)),
    "ValueError",
    "could not broadcast input array from shape (3,) into shape (4,)",
)
def assignment_error(x, y):
    z = x.copy()
    z[:] = y  # here
    return z


@expect(lambda: call(np.zeros(0)), "ValueError", "zero-size array to reduction operation maximum which has no identity")
def maximum_of_nothing(x):
    return np.max(x)  # here


@expect(lambda: call(np.zeros(0)), "ValueError", "empty sequence")
def argmax_of_nothing(x):
    return np.argmax(x)  # here


@expect(lambda: call(-1), "ValueError", "negative dimensions are not allowed")
def negative_size(n):
    return np.zeros(n)  # here


@expect(lambda: call(np.ones(5)), "ValueError", "equal division")
def unequal_split(x):
    return np.split(x, 2)  # here


@expect(lambda: call(np.array([1.0, 2.0])), "ValueError", "truth value")
def truth_of_an_array(x):
    if x > 1.0:  # here
        return 1.0
    return 2.0


@expect(lambda: call(np.array([1, 2]), np.array([-1, 2])), "ValueError", "Integers to negative integer powers")
def negative_integer_power(x, y):
    return x**y  # here


@expect(lambda: call(1.0, 0.0), "ZeroDivisionError", "float division by zero")
def float_division(x, y):
    return x / y  # here


@expect(lambda: call(1, 0), "ZeroDivisionError", "division by zero")
def integer_division(x, y):
    return x / y  # here


@expect(lambda: call(1, 0), "ZeroDivisionError", "integer division or modulo by zero")
def integer_floor_division(x, y):
    z = x + 1
    return z // y  # here


@expect(lambda: call(1, 0), "ZeroDivisionError", "integer modulo by zero")
def integer_remainder(x, y):
    return x % y  # here


@expect(lambda: call(0.0, -1.0), "ZeroDivisionError", "0.0 cannot be raised to a negative power")
def zero_to_a_negative_power(x, y):
    return x**y  # here


@expect(lambda: call(-2.0), "AssertionError", "x must be positive")
def assertion(x):
    assert x > 0.0, "x must be positive"  # here
    return x


@expect(lambda: call(-2.0), "AssertionError")
def assertion_without_message(x):
    assert x > 0.0  # here
    return x


@expect(lambda: call(-2.0), "AssertionError", "inner")
def assertion_in_a_called_function(x):
    return checked(x) * 2.0


def checked(x):
    assert x > 0.0, "inner"
    return x


@expect(lambda: call(150.0), "TooHot", "above the limit")
def exception_of_the_users(x):
    if x > 100.0:
        raise TooHot("above the limit")  # here
    return x


@expect(lambda: call(3), "KeyError", "nothing")
def key_error(n):
    if n > 2:
        raise KeyError("nothing")  # here
    return n


@expect(lambda: call(-1.0), "ValueError", "math domain error")
def square_root_of_a_negative(x):
    return math.sqrt(x)  # here


@expect(lambda: call(0.0), "ValueError", "math domain error")
def logarithm_of_zero(x):
    return math.log(x)  # here


@expect(lambda: call(1000.0), "OverflowError", "math range error")
def exponential_overflow(x):
    return math.exp(x)  # here


@expect(lambda: call(math.nan), "ValueError", "cannot convert float NaN to integer")
def integer_of_nan(x):
    return int(x)  # here


@expect(lambda: call(np.ones(4)), "ValueError", "zip() argument")
def zip_of_a_list_and_a_longer_array(x):
    return [a * b for a, b in zip(x, [1.0, 2.0, 3.0], strict=True)]  # here


@expect(lambda: call(np.ones(2)), "ValueError", "zip() argument")
def loop_over_a_list_and_a_shorter_array(x):
    total = 0.0
    for a, b in zip(x, [1.0, 2.0, 3.0], strict=True):  # here
        total += a * b
    return total


@expect(lambda: call(3, 0), "ValueError", "range() arg 3 must not be zero")
def range_of_step_zero(n, step):
    total = 0
    for i in range(0, n, step):  # here
        total += i
    return total


@expect(lambda: call(2), "ValueError", "negative shift count")
def negative_shift(n):
    return n << (n - 5)  # here


@expect(lambda: call(1), "RecursionError", "maximum recursion depth exceeded")
def endless_recursion(n):
    return 1 + endless_recursion(n + 1)


@expect(lambda: call(np.array([1.0, 2.0])), "ValueError", "not enough values to unpack (expected 3, got 2)")
def unpacks_too_many(x):
    a, b, c = x  # here
    return a + b + c
