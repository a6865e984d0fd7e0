"""print, assert, raise: in program order, and only where they are reached."""

import numpy as np

from tests.corpus.arrays import numbers
from tests.corpus.program import call, program


class Unhappy(Exception):
    """An exception of the user's own."""


@program(lambda: call(2.0), lambda: call(3), tags="prints")
def prints_a_value(x):
    print("x is", x)
    return x + 1


@program(lambda: call(3), lambda: call(0), tags="prints")
def prints_in_a_loop(n):
    for i in range(n):
        print(i, i * 0.5)
    print("done")
    return n


@program(lambda: call(2.0), lambda: call(-2.0), tags="prints")
def prints_in_a_branch(x):
    if x > 0.0:
        print("positive")
    else:
        print("negative", x)
    return x


@program(lambda: call(numbers(3)), tags="prints")
def prints_an_array(x):
    print(x, x.shape)
    return x


@program(lambda: call(2.0), tags="prints")
def prints_with_separators(x):
    print(x, True, None, "text", sep=", ", end=".\n")
    return x


@program(lambda: call(2.0), tags="prints", differentiable=(0,))
def prints_from_a_called_function(x):
    def tell(y):
        print("tell", y)
        return y * y

    return tell(x) + tell(x + 1.0)


@program(lambda: call(2.0), edges=[lambda: call(-2.0)], differentiable=(0,))
def asserts(x):
    assert x > 0.0
    return x * x


@program(lambda: call(2.0), edges=[lambda: call(-2.0)], differentiable=(0,))
def asserts_with_a_message(x):
    assert x > 0.0, "x must be positive"
    return x * x


@program(lambda: call(2.0), edges=[lambda: call(-2.0)], differentiable=(0,))
def raises_in_a_branch(x):
    if x < 0.0:
        raise ValueError("negative")
    return x * 3.0


@program(lambda: call(2), edges=[lambda: call(7), lambda: call(-1)])
def raises_from_a_loop(n):
    for i in range(n):
        if i == 5:
            raise IndexError("five")
    if n < 0:
        raise Unhappy("n is negative")
    return n


@program(lambda: call(2.0), edges=[lambda: call(-1.0)])
def raises_a_class(x):
    if x < 0.0:
        raise NotImplementedError
    return x


@program(edges=[lambda: call(1.0)])
def always_raises(x):
    raise Unhappy("always")


@program(lambda: call(2.0), edges=[lambda: call(0.0), lambda: call(-1.0)], tags="prints")
def the_first_error_wins(x):
    print("before")
    y = 1.0 / x
    assert y > 0.0, "not positive"
    print("after")
    return y


@program(lambda: call(numbers(3), 1), edges=[lambda: call(numbers(3), 5)], tags="prints")
def prints_before_the_index_error(x, i):
    print("reading")
    y = x[i]
    print("read")
    return y


@program(lambda: call(numbers(3), 1.0), edges=[lambda: call(numbers(3), -1.0)])
def error_in_a_called_function(x, y):
    def checked(value):
        assert value > 0.0, "value"
        return value

    return np.sum(x) * 0.0 + checked(y)


@program(lambda: call(1.0, 2.0), edges=[lambda: call(1.0, 0.0)])
def unused_division_still_raises(x, y):
    x / y
    return x


@program(
    lambda: call(2, 2.5, np.float32(0.1), True),
    edges=[lambda: call(5, 2.5, np.float32(0.1), False)],
    tags="prints",
)
def prints_formatted_numbers(i, x, s, flag):
    print(f"{x:.3f} {i:03d} {x:10.2e}|{s:8.4f}|{flag:5}|{i:,}" + " items " + f"{i + 1}")
    text = "a" + f"{i}"
    text += f" and {x:g}"
    print(text, f"{x:%}", f"{i:{5}d}", sep=" / ")
    if i > 3:
        raise ValueError(f"index {i:4d} > {x:.1f}" + " no")
    return i


@program(lambda: call(2.5))
def wrong_format_of_a_number(x):
    print(f"{x:d}")
    return x
