"""Places in memory as sums of products of variables, so that two of them can be compared."""

from __future__ import annotations

from collections.abc import Mapping

from arignote.lower.loop_ir import INT64, Const, Let, Operand, Var

Polynomial = dict[tuple[int, ...], int]
"""Products of variables, by their numbers, and how often they count."""
MOST_TERMS = 8


class Polynomials:
    """Numbers in terms of what is not made by the sums and products of `lets`."""

    def __init__(self, lets: Mapping[int, Let]) -> None:
        self.lets = lets
        self.known: dict[int, Polynomial | None] = {}

    def of(self, value: Operand) -> Polynomial | None:
        """A number as a polynomial; None where it is long."""
        if isinstance(value, Const):
            return {(): int(value.value)} if value.value else {}
        if value.id not in self.known:
            self.known[value.id] = self._made_of(value)
        return self.known[value.id]

    def _made_of(self, value: Var) -> Polynomial | None:
        let = self.lets.get(value.id)
        if let is None or let.op not in ("add", "subtract", "multiply") or value.type != INT64:
            return {(value.id,): 1}
        left, right = map(self.of, let.args)
        if left is None or right is None:
            return None
        if let.op != "multiply":
            return plus(left, right, 1 if let.op == "add" else -1)
        return _collected([((*a, *b), x * y) for a, x in left.items() for b, y in right.items()])


def plus(left: Polynomial, right: Polynomial, sign: int = 1) -> Polynomial | None:
    """The sum, or the difference, of two polynomials."""
    return _collected([*left.items(), *((key, sign * number) for key, number in right.items())])


def _collected(terms: list[tuple[tuple[int, ...], int]]) -> Polynomial | None:
    found: Polynomial = {}
    for variables, number in terms:
        key = tuple(sorted(variables))
        found[key] = found.get(key, 0) + number
    found = {key: number for key, number in found.items() if number}
    return found if len(found) <= MOST_TERMS else None
