"""Loops of the user's program whose iterations are independent become kernels that several threads run.

    for i in n carried(a = x) {                      kernel reads() writes(x) {
        signals?                                         for i in n parallel grain g {
        store a at i = f(i)                   ->             signals?
        yield(a)                                             store x at i = f(i)
    } -> (b)                                             }
                                                     }
                                                     b = x

Which loops: see `independence.py`. The grain is so many iterations as are worth a thread, by an estimate of what one of
them costs. Where independence holds under a condition, the grain of the other case is all of them: one thread does them
in order. The kernel asks for signals as the loop did. Innermost loops in it whose iterations are independent run on
vectors, tests of single elements (`while`) included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from arignote.lower.independence import Independence, Reach, is_reference
from arignote.lower.lazy import element_cost
from arignote.lower.loop_ir import (
    BOOL,
    FLOAT64,
    INT64,
    SAME_TYPE,
    Const,
    Extern,
    For,
    If,
    Kernel,
    Let,
    Operand,
    Procedure,
    Statement,
    Type,
    Var,
    While,
    bodies,
    operands,
    walk,
)
from arignote.lower.polynomials import Polynomial
from arignote.lower.renaming import rename

NewVariable = Callable[[Type], Var]
WORTH_A_THREAD = 1 << 17
"""So many statements take some 20 microseconds; waking a thread takes 10."""
LANES = 4
"""How many times faster loops on vectors are thought to be."""
STEPS_OF_WHILE = 16
"""How many steps a loop with a test is thought to take."""
FARTHEST = float(1 << 62)


def run_in_parallel(procedure: Procedure, new_variable: NewVariable) -> None:
    """Let the independent loops of a procedure run on several threads, the outermost ones."""
    outside = {each.var.id: each for each in walk(procedure.body) if isinstance(each, Let)}
    pending: list[tuple[list[Statement], bool]] = [(procedure.body, False)]
    while pending:
        body, is_repeated = pending.pop()
        place = 0
        while place < len(body):
            statement = body[place]
            if isinstance(statement, For) and _may_be_worth_it(statement, is_repeated):
                independence = Independence(statement, outside)
                if independence.holds():
                    front, after = _ParallelLoop(independence, new_variable).write()
                    body[place : place + 1] = [*front, *after]
                    place += len(front) + len(after)
                    continue
            if not isinstance(statement, Kernel):
                is_loop = isinstance(statement, For | While)
                pending += [(inner, is_repeated or is_loop) for inner in bodies(statement)]
            place += 1


def _may_be_worth_it(loop: For, is_repeated: bool) -> bool:
    """Whether there may be work for threads. In a loop that runs many times, it is not in one without inner loops."""
    has_signals = bool(loop.body) and isinstance(loop.body[0], Extern)
    if not has_signals or loop.vector or loop.parallel:
        return False
    return not is_repeated or any(_is_long(each) for each in walk(loop.body))


def _is_long(statement: Statement) -> bool:
    return isinstance(statement, While) or (isinstance(statement, For) and not isinstance(statement.count, Const))


def _suits_vectors(loop: For, outside: Mapping[int, Let]) -> bool:
    """Whether vectors of iterations can run together: the innermost counted loops, where nothing has to be tested."""
    if loop.carried or any(isinstance(each, For) for each in walk(loop.body)):
        return False
    independence = Independence(loop, outside)
    return independence.holds() and all(reach.is_apart for reach in independence.reached)


class _ParallelLoop:
    """Writes one loop anew."""

    def __init__(self, independence: Independence, new_variable: NewVariable) -> None:
        self.found, self.loop, self.new_variable = independence, independence.loop, new_variable
        self.front: list[Statement] = []
        self.variables = {
            operand.id: operand for each in (self.loop, *independence.inner) for operand in operands(each)
            if isinstance(operand, Var)
        }  # fmt: skip

    def write(self) -> tuple[list[Statement], list[Statement]]:
        """What comes before the kernel; the kernel, and the results of the loop."""
        found, loop = self.found, self.loop
        signals = loop.body[0]
        assert isinstance(signals, Extern)
        live = tuple([found.root(var) for var in signals.live])
        results: list[Statement] = [
            Let(result, "reinterpret", (found.root(first),)) for result, first in zip(loop.results, loop.initial)
        ]
        body = _without_references(loop.body)
        rename(body, {number: found.root(var) for number, var in found.names.items()})
        independent = For(loop.index, loop.count, (), (), body, (), (), parallel=True)
        for each in (independent, *walk(body)):
            if isinstance(each, For):
                each.vector = _suits_vectors(each, found.outside)
        independent.grain = self._grain(independent)
        reads, writes = tuple(found.read.values()), tuple(found.written.values())
        return self.front, [Kernel(reads, writes, [independent], live=live), *results]  # type: ignore[arg-type]

    def _let(self, type: Type, op: str, *args: Operand) -> Operand:
        var = self.new_variable(type)
        self.front.append(Let(var, op, args))
        return var

    def _real(self, value: Operand) -> Operand:
        """A whole number as a real one, whose products do not wrap around."""
        return Const(float(value.value), FLOAT64) if isinstance(value, Const) else self._let(FLOAT64, "cast", value)

    def _product(self, left: Operand, right: Operand) -> Operand:
        if isinstance(left, Const) and isinstance(right, Const):
            return Const(left.value * right.value, FLOAT64)
        if isinstance(left, Const) and left.value == 1.0:
            return right
        return self._let(FLOAT64, "multiply", left, right)

    def _sum(self, left: Operand, right: Operand) -> Operand:
        if isinstance(left, Const) and isinstance(right, Const):
            return Const(left.value + right.value, FLOAT64)
        if isinstance(left, Const) and left.value == 0.0:
            return right
        return self._let(FLOAT64, "add", left, right)

    # Conditions

    def _conditions(self, reach: Reach) -> list[Operand]:
        """What must hold so that different iterations touch different places of an array."""
        if reach.is_apart:
            return []
        ends = [self._ends(rest) for rest in reach.rests]
        least, most = ends[0]
        for low, high in ends[1:]:
            least, most = self._least(least, low), self._most(most, high)
        stride = self._magnitude(self._value(reach.stride))
        width = self._sum(Const(1.0, FLOAT64), self._sum(self._product(Const(-1.0, FLOAT64), least), most))
        apart = self._let(BOOL, "less_equal", width, stride)
        distance = self._product(stride, self._real(self.loop.count))
        return [apart, self._let(BOOL, "less", distance, Const(FARTHEST, FLOAT64))]

    def _value(self, polynomial: Polynomial) -> Operand:
        total: Operand = Const(0.0, FLOAT64)
        for key, number in polynomial.items():
            total = self._sum(total, self._term(key, number))
        return total

    def _term(self, key: tuple[int, ...], number: int) -> Operand:
        """A product of values from around the loop, and of the last indices of the loops in it."""
        term: Operand = Const(float(number), FLOAT64)
        for factor in key:
            count = self.found.counts.get(factor)
            if count is None:
                term = self._product(term, self._real(self.variables[factor]))
            else:
                term = self._product(term, self._sum(Const(-1.0, FLOAT64), self._real(count)))
        return term

    def _ends(self, rest: Polynomial) -> tuple[Operand, Operand]:
        """The least and the greatest value of a polynomial, where indices begin at 0."""
        least: Operand = Const(0.0, FLOAT64)
        most: Operand = Const(0.0, FLOAT64)
        for key, number in rest.items():
            term = self._term(key, number)
            if any(factor in self.found.counts for factor in key):
                least = self._sum(least, self._least(Const(0.0, FLOAT64), term))
                most = self._sum(most, self._most(Const(0.0, FLOAT64), term))
            else:
                least, most = self._sum(least, term), self._sum(most, term)
        return least, most

    def _least(self, left: Operand, right: Operand) -> Operand:
        if isinstance(left, Const) and isinstance(right, Const):
            return Const(min(left.value, right.value), FLOAT64)
        return self._let(FLOAT64, "minimum", left, right)

    def _most(self, left: Operand, right: Operand) -> Operand:
        if isinstance(left, Const) and isinstance(right, Const):
            return Const(max(left.value, right.value), FLOAT64)
        return self._let(FLOAT64, "maximum", left, right)

    def _magnitude(self, value: Operand) -> Operand:
        return Const(abs(value.value), FLOAT64) if isinstance(value, Const) else self._let(FLOAT64, "absolute", value)

    # Cost

    def _grain(self, loop: For) -> Operand:
        """How many iterations are worth a thread; all of them where they may not be independent."""
        conditions = [condition for reach in self.found.reached for condition in self._conditions(reach)]
        has_vectors = any(isinstance(each, For) and each.vector for each in walk([loop]))
        worth = float(WORTH_A_THREAD * (LANES if has_vectors else 1))
        work = self._most(self._work(loop.body), Const(1.0, FLOAT64))
        grain: Operand = Const(max(int(worth / work.value), 1), INT64) if isinstance(work, Const) else self._let(
            INT64, "maximum", self._let(INT64, "cast", self._let(FLOAT64, "divide", Const(worth, FLOAT64), work)),
            Const(1, INT64))  # fmt: skip
        for condition in conditions:
            grain = self._let(INT64, "select", condition, grain, loop.count)
        return grain

    def _work(self, body: list[Statement]) -> Operand:
        """About how many simple statements a body executes."""
        simple, total = 0, Const(0.0, FLOAT64)  # type: int, Operand
        for statement in body:
            match statement:
                case Let():
                    simple += element_cost(statement.op) if statement.op in SAME_TYPE else 1
                case For():
                    known = self.found.is_outside(statement.count)
                    steps = self._real(statement.count) if known else Const(float(STEPS_OF_WHILE), FLOAT64)
                    steps = self._most(Const(0.0, FLOAT64), steps)
                    total = self._sum(total, self._product(steps, self._work(statement.body)))
                case While():
                    inner = self._work([*statement.test_body, *statement.body])
                    total = self._sum(total, self._product(Const(float(STEPS_OF_WHILE), FLOAT64), inner))
                case If():
                    sides = self._work(statement.then_body), self._work(statement.else_body)
                    total = self._sum(total, self._most(*sides))
                case _:
                    simple += 1
        return self._sum(Const(float(simple), FLOAT64), total)


def _without_references(body: list[Statement]) -> list[Statement]:
    """A body without the addresses and buffers that its loops and branches hand on."""
    kept: list[Statement] = []
    for statement in body:
        match statement:
            case Let() if statement.op == "reinterpret" and is_reference(statement.var.type):
                continue
            case Extern():
                statement.live = ()
            case For() | While():
                chosen = [not is_reference(var.type) for var in statement.carried]
                for name in ("carried", "initial", "yields", "results"):
                    values = getattr(statement, name)
                    setattr(statement, name, tuple([value for value, keep in zip(values, chosen) if keep]))
                _empty(statement)
            case If():
                chosen = [not is_reference(var.type) for var in statement.results]
                for name in ("then_yields", "else_yields", "results"):
                    values = getattr(statement, name)
                    setattr(statement, name, tuple([value for value, keep in zip(values, chosen) if keep]))
                _empty(statement)
        kept.append(statement)
    return kept


def _empty(statement: Statement) -> None:
    for body in bodies(statement):
        body[:] = _without_references(body)
