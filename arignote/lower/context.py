"""What is known while one procedure is written: the cursor, equal sizes, lazy values that wait, error sites.

Everything that is learned inside a region (a side of a branch, a loop body) is forgotten when the region ends,
because the code that established it does not run on every path: `with context.region(): ...` keeps a log and takes it
back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from arignote.ir.errors import RESERVED_SITES, ErrorSite
from arignote.ir.graph import Function, Span
from arignote.ir.structure import PythonScalarOf
from arignote.lower.lazy import Lazy
from arignote.lower.loop_ir import OUT_OF_MEMORY_SITE, Const, Operand, Program, Var
from arignote.lower.loop_ir_build import ProcedureBuilder
from arignote.lower.pairs import Key, key_of
from arignote.lower.taking import Own
from arignote.lower.values import ONE, AnyValue, Stored, is_constant, size_key
from arignote.ops.effects import template_number

if TYPE_CHECKING:
    from arignote.ir.graph import Node
    from arignote.lower.linear_sums import KnownSum

INTEGER = PythonScalarOf("int64")
MOST_ARGUMENTS = 8
LARGEST = float(1 << 43)
"""More elements than any array can have."""
MOST_ROW_BLOCKS = 32
FEWEST_ROWS = 16
FEWEST_ELEMENTS = 16_384


def symbol_name(function: Function) -> str:
    """The function's name with nothing in it that a linker would not take."""
    return re.sub(r"[^A-Za-z0-9_.]", "_", function.name)


class Unit:
    """What all procedures of a program share: the program, its error sites, templates of prints, names."""

    def __init__(self) -> None:
        self.program = Program()
        self.sites: list[ErrorSite] = list(RESERVED_SITES)
        self.prints: list[tuple[Any, ...]] = []
        self._site_numbers: dict[tuple[Any, ...], int] = {}
        self.procedures: dict[Function, str] = {}
        self.waiting: list[Function] = []
        self.copies: set[str] = set()
        """The types of elements of which arrays are copied."""

    def site(self, exception: type[BaseException], message: tuple[Any, ...], span: Span | None) -> int:
        """The number of an error site; equal sites are one."""
        key = (exception, message, span)
        number = self._site_numbers.get(key)
        if number is None:
            number = self._site_numbers[key] = len(self.sites)
            self.sites.append(ErrorSite(exception, message, span))
        return number

    def print_template(self, template: tuple[Any, ...]) -> int:
        """The number of a print's template: made from its contents, so that it is the same in every process."""
        if template not in self.prints:
            self.prints.append(template)
        return template_number(template)

    def procedure(self, function: Function) -> str:
        """The name of the procedure of a function; it is written later when it is new."""
        name = self.procedures.get(function)
        if name is None:
            name = self.procedures[function] = f"{symbol_name(function)}.{len(self.procedures) + 1}"
            self.waiting.append(function)
        return name


class Context:
    """The state of one procedure under construction."""

    def __init__(self, unit: Unit, name: str) -> None:
        self.unit = unit
        self.build = ProcedureBuilder(name)
        self.calls_itself = False
        """Whether its kernels run once for each node of a tree, or the like."""
        self.has_parts = False
        """Whether some array is written as a part of something that is read later (`Stored.within`)."""
        self.span: Span | None = None
        self.pending: dict[tuple[Any, ...], list[Lazy]] = {}
        self._representative: dict[tuple[str, int], Operand] = {}
        self._products: dict[tuple[Any, ...], Operand] = {}
        self._numbers: dict[tuple[Any, ...], Operand] = {}
        self.not_one: set[int] = set()
        """Size variables known not to be 1 by their types; a fact about the variable, so it holds wherever it is
        used."""
        self._real: dict[tuple[Any, ...], bool] = {}
        self.flags: dict[int, tuple[Operand, Operand]] = {}
        """Steps and strides that are 0 where an axis turns out to have size 1: what they are otherwise, and when."""
        self._counts: dict[int, bool] = {}
        self.from_start: set[int] = set()
        """Pointers to index arrays in which nothing counts from the end."""
        self.given: set[int] = set()
        """The buffers of the procedure's parameters."""
        self.limits: dict[int, Operand] = {}
        """For the index of each loop how many iterations there are; for what a `while` counts, what it is less than."""
        self._in_range: dict[tuple[tuple[str, int], tuple[str, int]], bool] = {}
        self._least: dict[tuple[str, int], int] = {}
        self._row_blocks: dict[tuple[tuple[str, int], tuple[str, int]], tuple[Operand, Operand]] = {}
        self._made: dict[tuple[Any, Key, tuple[Any, ...]], Any] = {}
        self.known_sums: dict[Lazy, KnownSum] = {}
        """The sums of what has not been computed itself; see `linear_sums.py`."""
        self._log: list[tuple[dict[Any, Any], Any, Any]] | None = None
        self._forced: list[Lazy] | None = None

    # Regions

    @contextmanager
    def region(self) -> Iterator[None]:
        """What is learned inside is forgotten at the end."""
        outer = self._log, self._forced, self.pending
        self._log, self._forced, self.pending = [], [], {}
        try:
            yield
        finally:
            for table, key, old in reversed(self._log):
                if old is None:
                    del table[key]
                else:
                    table[key] = old
            for lazy in self._forced:
                lazy.forced = None
            self._log, self._forced, self.pending = outer

    def _learn(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        if self._log is not None:
            self._log.append((table, key, table.get(key)))
        table[key] = value

    def learn_sum(self, value: Lazy, known: KnownSum) -> None:
        """The sum of these elements is known, for the rest of this region."""
        self._learn(self.known_sums, value, known)

    def set_forced(self, lazy: Lazy, value: AnyValue) -> None:
        """The lazy value has been computed, for the rest of this region."""
        lazy.forced = value
        if self._forced is not None:
            self._forced.append(lazy)

    # Sizes

    def canonical(self, size: Operand) -> Operand:
        """The representative of all sizes known to equal this one."""
        found = self._representative.get(size_key(size))
        while found is not None:
            size = found
            found = self._representative.get(size_key(size))
        return size

    def same(self, a: Operand, b: Operand) -> bool:
        """Whether two sizes are known to be equal."""
        return a is b or size_key(self.canonical(a)) == size_key(self.canonical(b))

    def same_shape(self, a: tuple[Operand, ...], b: tuple[Operand, ...]) -> bool:
        return len(a) == len(b) and all(map(self.same, a, b))

    def now_equal(self, a: Operand, b: Operand) -> None:
        """Two sizes have been checked to be equal. Constants represent, otherwise what came first."""
        a, b = self.canonical(a), self.canonical(b)
        if isinstance(b, Const) or (isinstance(a, Var) and isinstance(b, Var) and b.id < a.id):
            a, b = b, a
        if size_key(a) != size_key(b) and isinstance(b, Var):
            self._learn(self._representative, size_key(b), a)

    def never_one(self, size: Operand) -> bool:
        """Whether a size is known not to be 1."""
        if isinstance(size, Const):
            return size.value != 1
        return size.id in self.not_one

    def is_count(self, size: Operand) -> bool:
        """Whether a given size is known not to be negative."""
        if isinstance(size, Const):
            return size.value >= 0
        op, args = self.build.definitions.get(size.id, ("", ()))
        return size.id in self._counts or op == "maximum" and any(isinstance(x, Const) and x.value >= 0 for x in args)

    def is_counted(self, size: Operand) -> bool:
        """Whether a size is one of something that there is: sums of it and small numbers do not overflow."""
        return isinstance(size, Const) or size.id in self._counts

    def now_count(self, size: Operand) -> None:
        """A size has been checked not to be negative."""
        if isinstance(size, Var):
            self._learn(self._counts, size.id, True)

    def now_index(self, index: Var, count: Operand) -> None:
        """A loop over `count` iterations has begun: it is less than the count, which is positive."""
        self.now_count(index)
        self.limits[index.id] = count
        op, args = self.build.definitions.get(count.id, ("", ())) if isinstance(count, Var) else ("", ())
        if op == "maximum" and is_constant(args[1], 0):
            self.now_equal(args[0], count)

    def now_in_range(self, index: Operand, size: Operand) -> None:
        """An index has been checked to be in range."""
        self._learn(self._in_range, (size_key(index), size_key(self.canonical(size))), True)
        if isinstance(index, Const) and index.value >= 0:
            self._learn(self._least, size_key(self.canonical(size)), int(index.value) + 1)

    def is_in_range(self, index: Operand, size: Operand) -> bool:
        """Whether an index, or a larger one, has been checked already."""
        key = size_key(self.canonical(size))
        if isinstance(index, Const) and 0 <= index.value < self._least.get(key, 0):
            return True
        return (size_key(index), key) in self._in_range

    def now_less(self, value: Operand, limit: Operand) -> None:
        """A number has been compared, and is less than another."""
        if isinstance(value, Var):
            self._learn(self.limits, value.id, limit)

    def shape_key(self, sizes: tuple[Operand, ...]) -> tuple[Any, ...]:
        """Equal for shapes known to be equal."""
        return tuple([size_key(self.canonical(size)) for size in sizes])

    def times(self, a: Operand, b: Operand) -> Operand:
        """Product of two sizes; asked twice, the same variable."""
        if isinstance(a, Const) or isinstance(b, Const):
            constant, other = (a, b) if isinstance(a, Const) else (b, a)
            if isinstance(other, Const) or constant.value in (0, 1):  # type: ignore[union-attr]
                return self.build.index_multiply(a, b)
        key = tuple(sorted((size_key(a), size_key(b))))
        found = self._products.get(key)
        if found is None:
            found = self.build.index_multiply(a, b)
            self._learn(self._products, key, found)
        return found

    def product(self, sizes: tuple[Operand, ...]) -> Operand:
        """Number of elements; the same association as strides have."""
        total: Operand = ONE
        for size in reversed(sizes):
            total = self.times(total, size)
        return total

    def number(self, op: str, args: tuple[Operand, ...]) -> Operand:
        """An int64 from others; asked twice, the same variable, so that equal sizes are known to be equal."""
        key = (op, *[size_key(self.canonical(x)) for x in args])
        found = self._numbers.get(key)
        if found is None:
            found = self.build.let(op, *args)
            self._learn(self._numbers, key, found)
        return found

    def row_blocks(self, count: Operand, width: Operand) -> tuple[Operand, Operand]:
        """Into how many blocks so many rows of this width are cut where each block has a result of its own, and the
        rows of one; asked twice, the same variables."""
        key = (size_key(self.canonical(count)), size_key(self.canonical(width)))
        if key not in self._row_blocks:
            build = self.build
            above = build.index_add(count, MOST_ROW_BLOCKS - 1)
            whole = build.let("floor_divide", above, build.index_add(MOST_ROW_BLOCKS, 0))
            worth = build.let("floor_divide", build.index_add(FEWEST_ELEMENTS, 0), build.let("maximum", width, ONE))
            least = build.let("maximum", worth, build.index_add(FEWEST_ROWS, 0))
            rows = build.let("maximum", whole, least)
            above = build.let("subtract", build.index_add(count, rows), ONE)
            blocks = build.let("maximum", build.let("floor_divide", above, rows), ONE)
            self._learn(self._row_blocks, key, (blocks, rows))
        return self._row_blocks[key]

    def once(self, make: Callable[..., Any], array: Stored, *sizes: Operand) -> Any:
        """What is made of a view of memory (another order of its axes, the least and the greatest of its elements);
        asked twice, the same."""
        key = (make, key_of(array), tuple(map(size_key, (*array.sizes, *sizes))))
        if key not in self._made:
            self._learn(self._made, key, make(self, array, *sizes))
        return self._made[key]

    def made(self, make: Callable[..., Any], array: Stored) -> Any:
        """What has been made of a view of memory, or None."""
        return self._made.get((make, key_of(array), tuple(map(size_key, array.sizes))))

    def now_made(self, make: Callable[..., Any], array: Stored, value: Any) -> None:
        """What would be made of a view of memory is known."""
        self._learn(self._made, (make, key_of(array), tuple(map(size_key, array.sizes))), value)

    def strides(self, sizes: tuple[Operand, ...]) -> tuple[Operand, ...]:
        """Strides of a C-contiguous array."""
        result: list[Operand] = []
        stride: Operand = ONE
        for size in reversed(sizes):
            result.append(stride)
            stride = self.times(stride, size)
        return tuple(reversed(result))

    def is_contiguous(self, sizes: tuple[Operand, ...], strides: tuple[Operand, ...]) -> bool:
        """Whether strides are known to be those of C order. Strides of axes of size 1 do not matter."""
        expected: Operand = ONE
        for size, stride in zip(reversed(sizes), reversed(strides)):
            if is_constant(size, 1):
                continue
            if size_key(stride) != size_key(expected):
                return False
            expected = self.times(expected, size)
        return True

    # Memory

    def allocate(self, dtype: str, sizes: tuple[Operand, ...]) -> Stored:
        """A fresh contiguous array."""
        self._check_room(sizes)
        buffer, pointer = self.build.alloc(dtype, self.product(sizes))
        return Stored(dtype, buffer, pointer, sizes, self.strides(sizes), contiguous=True)

    def _check_room(self, sizes: tuple[Operand, ...]) -> None:
        """A product of sizes may exceed what an int64 holds, and must not look small then. Shapes that some array has
        need no check."""
        if all(isinstance(size, Const) for size in sizes) or self.is_real(sizes):
            return
        self.build.raise_if(self.exceeds(sizes, LARGEST), OUT_OF_MEMORY_SITE)
        self.now_real(sizes)

    def exceeds(self, sizes: tuple[Operand, ...], limit: float) -> Operand:
        """Whether the number of elements exceeds a limit, computed without overflow."""
        total: Operand | None = None
        for size in sizes:
            factor = (
                Const(float(size.value), "float64") if isinstance(size, Const) else self.build.cast(size, "float64")
            )
            total = factor if total is None else self.build.let("multiply", total, factor)
        assert total is not None
        return self.build.let("greater", total, Const(limit, "float64"))

    def is_real(self, sizes: tuple[Operand, ...]) -> bool:
        """Whether an array of this shape exists."""
        return self.shape_key(sizes) in self._real

    def now_real(self, sizes: tuple[Operand, ...]) -> None:
        """An array of this shape exists; so do those of its parts."""
        for start in range(len(sizes)):
            self._learn(self._real, self.shape_key(sizes[start:]), True)
            self._learn(self._real, self.shape_key(sizes[: start + 1]), True)

    def own(self, array: Stored, is_result: bool = False) -> Stored:
        """The contents of a contiguous array in memory that nobody else sees: its own where that is the case, or a
        copy."""
        buffer, pointer = self.build.var("buffer"), self.build.var(array.pointer.type)
        count = self.product(array.sizes)
        self.build.append(Own(buffer, pointer, array.buffer, array.pointer, count, is_result))
        return Stored(array.dtype, buffer, pointer, array.sizes, array.strides, contiguous=True)

    # Errors

    def raise_if(self, condition: Operand, exception: type[BaseException], message: tuple[Any, ...],
                 *args: Operand) -> None:  # fmt: skip
        """Raise where the condition holds. `message` has INTEGER where an operand of `args` is shown; known numbers
        become text."""
        if is_constant(condition, False):
            return
        pieces, shown = known_as_text(message, args)
        self.build.raise_if(condition, self.unit.site(exception, pieces, self.span), shown)


def known_as_text(message: tuple[Any, ...], args: tuple[Operand, ...]) -> tuple[tuple[Any, ...], list[Operand]]:
    """The message with constants written out, and the operands that remain; beyond what a site can carry, `?`."""
    pieces: list[Any] = []
    shown: list[Operand] = []
    given = iter(args)
    for piece in message:
        if not isinstance(piece, str):
            operand = next(given)
            if isinstance(operand, Const):
                piece = str(operand.value)
            elif len(shown) == MOST_ARGUMENTS:
                piece = "?"
            else:
                shown.append(operand)
        if pieces and isinstance(piece, str) and isinstance(pieces[-1], str):
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return tuple(pieces), shown


def span_of(function: Function, node: Node) -> Span | None:
    """The first place at which the node was written."""
    spans = function.spans.get(node)
    return min(spans, key=lambda s: (s.file, s.line, s.column)) if spans else None
