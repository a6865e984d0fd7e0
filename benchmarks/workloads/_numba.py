"""Numba as its users call it, where the program itself is what it compiles."""

from collections.abc import Callable
from typing import Any

from benchmarks.workload import Builder


def builder(program: Callable[..., Any]) -> Builder:
    """What makes the compiled program, of which only the value is there: Numba has no derivatives."""

    def build(*inputs: Any) -> dict[str, Callable[[], Any]]:
        import numba

        compiled = numba.njit(program)
        return {"value": lambda: compiled(*inputs)}

    return build
