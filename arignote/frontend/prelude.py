"""Builtins over arrays and ranges, functions of `math` on integers, in the language that is compiled: the specialiser
turns them into loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def sum_of(items: Any, total: Any) -> Any:
    """sum(items, total)"""
    for item in items:
        total = total + item
    return total


def max_of(items: Any) -> Any:
    """max(items) of something not empty."""
    best = _first(items)
    for item in items:
        if item > best:
            best = item
    return best


def min_of(items: Any) -> Any:
    """min(items) of something not empty."""
    best = _first(items)
    for item in items:
        if item < best:
            best = item
    return best


def _first(items: Any) -> Any:
    for item in items:
        return item
    raise ValueError("there is no first item")


def all_of(items: Any) -> bool:
    """all(items)"""
    for item in items:  # noqa: SIM110
        if not item:
            return False
    return True


def any_of(items: Any) -> bool:
    """any(items)"""
    for item in items:  # noqa: SIM110
        if item:
            return True
    return False


def reduce_of(function: Callable[[Any, Any], Any], items: Any, total: Any) -> Any:
    """functools.reduce(function, items, total)"""
    for item in items:
        total = function(total, item)
    return total


def gcd_of(a: int, b: int) -> int:
    """math.gcd(a, b)"""
    a, b = int(a), int(b)
    while b:
        a, b = b, a % b
    return abs(a)


def lcm_of(a: int, b: int) -> int:
    """math.lcm(a, b)"""
    if a == 0 or b == 0:
        return 0
    return abs(int(a) // gcd_of(a, b) * int(b))


def isqrt_of(n: int) -> int:
    """math.isqrt(n): the square root in float64 is off by one at most."""
    n = int(n)
    if n < 0:
        raise ValueError("isqrt() argument must be nonnegative")
    root = int(math.sqrt(n))
    while root > 0 and root > n // root:
        root -= 1
    while root + 1 <= n // (root + 1):
        root += 1
    return root


def factorial_of(n: int) -> int:
    """math.factorial(n)"""
    if n < 0:
        raise ValueError("factorial() not defined for negative values")
    product = 1
    for factor in range(2, int(n) + 1):
        product *= factor
    return product


def comb_of(n: int, k: int) -> int:
    """math.comb(n, k); common factors go first, so that only the result can overflow."""
    n, k = int(n), int(k)
    if n < 0:
        raise ValueError("n must be a non-negative integer")
    if k < 0:
        raise ValueError("k must be a non-negative integer")
    if k > n:
        return 0
    ways = 1
    for i in range(min(k, n - k)):
        shared = gcd_of(ways, i + 1)
        ways = (ways // shared) * ((n - i) // ((i + 1) // shared))
    return ways


def perm_of(n: int, k: int | None = None) -> int:
    """math.perm(n, k)"""
    if k is None:
        return factorial_of(n)
    n, k = int(n), int(k)
    if n < 0:
        raise ValueError("n must be a non-negative integer")
    if k < 0:
        raise ValueError("k must be a non-negative integer")
    ways = 1
    if k > n:
        ways = 0
    else:
        for i in range(k):
            ways *= n - i
    return ways
