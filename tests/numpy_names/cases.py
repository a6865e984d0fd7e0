"""Arguments for the table: dtypes, ranks 0 to 4, empty and size-1 dimensions, layouts, Python and NumPy scalars."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

DTYPES = ("bool", "int32", "int64", "float32", "float64")
FLOATS = ("float32", "float64")
INTEGERS = ("int32", "int64")
NUMBERS = INTEGERS + FLOATS
Shape = tuple[int, ...]
SHAPES: tuple[Shape, ...] = ((), (3,), (1,), (0,), (2, 3), (1, 4), (3, 0), (2, 1, 3), (2, 3, 1, 2))
PAIRS: tuple[tuple[Shape, Shape], ...] = (
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((2, 3), (2, 1)),
    ((1,), (4,)),
    ((), (3,)),
    ((), ()),
    ((0, 3), (3,)),
    ((0,), (1,)),
    ((2, 1, 3), (4, 1)),
    ((2, 3, 1, 2), (3, 2, 1)),
    ((3,), (4,)),
    ((2, 3), (2,)),
)
# The ranges of floats and of integers from which entries are drawn.
DOMAINS: dict[str, tuple[tuple[float, float], tuple[int, int]]] = {
    "any": ((-3.0, 3.0), (-5, 6)),
    "positive": ((0.1, 3.0), (1, 6)),
    "unit": ((-0.95, 0.95), (-1, 2)),
    "above one": ((1.0, 4.0), (1, 6)),
    "count": ((0.0, 5.0), (0, 6)),
    "large": ((-700.0, 700.0), (-1000, 1000)),
}
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, np.inf, -np.inf, np.nan, 1e-300, 5e-324, 1e300])


@dataclass(frozen=True)
class Case:
    """The arguments of one call, and what they are."""

    label: str
    arguments: tuple[Any, ...]


def entries(shape: Shape, dtype: str, domain: str, seed: int) -> np.ndarray[Any, Any]:
    """Reproducible entries of a domain."""
    generator = np.random.default_rng(seed)
    floats, integers = DOMAINS[domain]
    if dtype == "bool":
        return generator.integers(0, 2, size=shape).astype(bool)
    if dtype in INTEGERS:
        return np.asarray(generator.integers(*integers, size=shape), dtype=dtype)
    return np.asarray(generator.uniform(*floats, size=shape), dtype=dtype)


def laid_out(shape: Shape, dtype: str, domain: str, seed: int, layout: str) -> np.ndarray[Any, Any]:
    """An array of a shape that lies in memory as told."""
    if layout == "transposed":
        return entries(shape[::-1], dtype, domain, seed).T
    if layout == "strided":
        return entries((*shape[:-1], 2 * shape[-1]), dtype, domain, seed)[..., ::2]
    if layout == "reversed":
        return entries(shape, dtype, domain, seed)[::-1]
    if layout == "broadcast":
        return np.broadcast_to(entries((*shape[:-1], 1), dtype, domain, seed), shape)
    return entries(shape, dtype, domain, seed)


def scalars(domain: str) -> list[tuple[str, Any]]:
    """Python's numbers and NumPy's scalars."""
    (low, high), (_, integer_high) = DOMAINS[domain]
    number = low + 0.7 * (high - low)
    integer = min(2, integer_high - 1)
    return [
        ("float", number),
        ("int", integer),
        ("True", True),
        ("np.float32", np.float32(number)),
        ("np.float64", np.float64(number)),
        ("np.int32", np.int32(integer)),
        ("np.int64", np.int64(integer)),
        ("np.bool", np.bool_(True)),
    ]


def one_array(
    shapes: tuple[Shape, ...] = SHAPES, dtypes: tuple[str, ...] = DTYPES, domain: str = "any"
) -> Iterator[Case]:
    """Every dtype, shape and layout of one argument."""
    for dtype in dtypes:
        for shape in shapes:
            layouts = ["plain"]
            if len(shape) >= 1:
                layouts += ["strided", "reversed", "broadcast"]
            if len(shape) >= 2:
                layouts.append("transposed")
            for layout in layouts:
                yield Case(f"{dtype} {shape} {layout}", (laid_out(shape, dtype, domain, 0, layout),))


def one_scalar(domain: str = "any") -> Iterator[Case]:
    """Every kind of number."""
    for label, value in scalars(domain):
        yield Case(label, (value,))


def special_values() -> Iterator[Case]:
    """Zeros of both signs, infinities, not-a-number, subnormal and huge numbers."""
    for dtype in FLOATS:
        with np.errstate(all="ignore"):
            yield Case(f"{dtype} special values", (SPECIAL.astype(dtype),))


def two_arrays(
    pairs: tuple[tuple[Shape, Shape], ...] = PAIRS,
    dtypes: tuple[str, ...] = DTYPES,
    domain: str = "any",
    second_domain: str | None = None,
) -> Iterator[Case]:
    """Every pair of dtypes and of shapes."""
    for left in dtypes:
        for right in dtypes:
            for first, second in pairs:
                x = entries(first, left, domain, 0)
                y = entries(second, right, second_domain or domain, 1)
                yield Case(f"{left} {first}, {right} {second}", (x, y))


def array_and_scalar(dtypes: tuple[str, ...] = DTYPES, domain: str = "any") -> Iterator[Case]:
    """Arrays beside Python's and NumPy's numbers, on either side; numbers beside numbers."""
    for label, value in scalars(domain):
        for dtype in dtypes:
            x = laid_out((4,), dtype, domain, 0, "strided")
            yield Case(f"{dtype} (4,), {label}", (x, value))
            yield Case(f"{label}, {dtype} (4,)", (value, x))
        for other_label, other in scalars(domain):
            yield Case(f"{label}, {other_label}", (value, other))


def special_pairs() -> Iterator[Case]:
    """Every pair of special values."""
    for dtype in FLOATS:
        with np.errstate(all="ignore"):
            values = SPECIAL.astype(dtype)
        yield Case(f"{dtype} special pairs", (values[:, None], values))
