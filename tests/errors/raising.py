"""Programs that raise exceptions made with arguments of many kinds."""

import math

import numpy as np


class Limit(ValueError):
    """Computes with what it is given."""

    def __init__(self, size, most=2):
        super().__init__(f"{size} of {most}")
        self.excess = size - most


class Coded(Exception):
    """Has a text of its own."""

    def __init__(self, code, *rest):
        self.code, self.rest = code, rest

    def __str__(self):
        return f"code {self.code}, {self.rest}"


class Pair(Exception):
    """Needs two arguments."""

    def __init__(self, first, second):
        super().__init__(first, second)


def computed(n, x):
    raise Limit(n, x)


def of_many_kinds(n, x):
    raise Coded(n, x, (n, [x, None]), "text", True, f"{n} and {x:.2f}", math.inf)


def chosen(n, x):
    y = None if n > 2 else x
    raise Coded(y, n)


def missing_argument(n, x):
    raise Pair(n)


def on_a_condition(n, x):
    if n > 2:
        raise Coded(n)
    return x


def asserted(n, x):
    assert n < 2, (n, x)


def asserted_number(n, x):
    assert n < 2, x


def numpy_numbers(n, x):
    raise KeyError(np.float32(x), np.int64(n))


def numpy_number_in_text(n, x):
    raise KeyError(f"{np.float32(x)} {np.float32(x)!r}")


def at_the_end_of_recursion(n, x):
    def down(k):
        print(k)
        if k == 0:
            raise Coded(k, x)
        return down(k - 1) + 1

    return down(n)


ALL = [computed, of_many_kinds, chosen, missing_argument, on_a_condition, asserted, asserted_number, numpy_numbers,
       numpy_number_in_text, at_the_end_of_recursion]  # fmt: skip


def missing_key(n, x):
    return {"a": x}.pop("b")


def not_in_the_list(n, x):
    items = [float(i) for i in range(n)]
    items.remove(x)
    return items


ALL += [missing_key, not_in_the_list]
