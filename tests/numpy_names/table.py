"""A row of the table: an expression, written as a user would, and the arguments to try it on."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.numpy_names import cases
from tests.numpy_names.cases import DTYPES, SHAPES, Case, Shape
from tests.source_text import function_from

MakeCases = Callable[[], Iterable[Case]]


@dataclass(frozen=True)
class Row:
    """One expression of the table.

    ulps: how many units in the last place the values may differ; of each entry if `each`, else of the largest one
    """

    expression: str
    parameters: str
    make_cases: MakeCases
    ulps: float = 0
    each: bool = True

    def function(self) -> Callable[..., Any]:
        """The expression as a function."""
        source = f"def row({self.parameters}):\n    return {self.expression}\n"
        return function_from(source, "row", f"<{self.expression}>")

    def sample(self, size: int) -> list[Case]:
        """Some of the cases: always the same ones, spread over all."""
        every = list(self.make_cases())
        if len(every) <= size:
            return every
        return random.Random(self.expression).sample(every, size)


ROWS: list[Row] = []


def row(expression: str, parameters: str, make_cases: MakeCases, ulps: float = 0, each: bool = True) -> None:
    """Add a row."""
    ROWS.append(Row(expression, parameters, make_cases, ulps, each))


def unary(
    *expressions: str,
    ulps: float = 0,
    domain: str = "any",
    dtypes: tuple[str, ...] = DTYPES,
    shapes: tuple[Shape, ...] = SHAPES,
    each: bool = True,
) -> None:
    """Rows over one array `x`, or one number."""

    def make_cases() -> Iterable[Case]:
        yield from cases.one_array(shapes, dtypes, domain)
        if shapes is SHAPES:
            yield from cases.one_scalar(domain)

    for expression in expressions:
        row(expression, "x", make_cases, ulps, each)


def special(*expressions: str, ulps: float = 0) -> None:
    """Rows over the special values of one array `x`."""
    for expression in expressions:
        row(expression, "x", cases.special_values, ulps)


def binary(
    *expressions: str,
    ulps: float = 0,
    domain: str = "any",
    dtypes: tuple[str, ...] = DTYPES,
    second_domain: str | None = None,
    specials: bool = True,
) -> None:
    """Rows over two arrays `x` and `y`, or an array and a number."""

    def make_cases() -> Iterable[Case]:
        yield from cases.two_arrays(dtypes=dtypes, domain=domain, second_domain=second_domain)
        yield from cases.array_and_scalar(dtypes, second_domain or domain)

    for expression in expressions:
        row(expression, "x, y", make_cases, ulps)
        if specials:
            row(expression, "x, y", cases.special_pairs, ulps)


def over(
    expressions: str | Iterable[str],
    *shapes: Shape,
    dtypes: tuple[str, ...] = ("int32", "float32", "float64"),
    ulps: float = 0,
    each: bool = True,
    domain: str = "any",
) -> None:
    """Rows over one array `x` of given shapes."""
    texts = [expressions] if isinstance(expressions, str) else list(expressions)
    unary(*texts, ulps=ulps, dtypes=dtypes, shapes=tuple(shapes), each=each, domain=domain)


def given(
    expressions: str | Iterable[str], parameters: str, *arguments: tuple[Any, ...], ulps: float = 0, each: bool = True
) -> None:
    """Rows over arguments that are written out."""

    def make_cases() -> Iterable[Case]:
        return [Case(" ".join(repr(values).split()), values) for values in arguments]

    for expression in [expressions] if isinstance(expressions, str) else expressions:
        row(expression, parameters, make_cases, ulps, each)
