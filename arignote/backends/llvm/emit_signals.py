"""Ctrl-C in long loops: every loop of the user's program pays for its work out of a budget, and asks when it is spent.

The budget of a function is a local variable, which ends up in a register: an iteration costs a subtraction and a
branch that is hardly ever taken. A kernel inside a loop costs as many units as it has elements, so that a loop over
large arrays asks as often as one over numbers. What asks is the statement `Extern ag_check_signals`, which the lowering
puts first in the body of each loop; a procedure that may call itself asks where it begins.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...lower.loop_ir import CHECK_SIGNALS, Const, For, Kernel, Operand, Statement, Var
from .cleanup import ending
from .function_text import FunctionText

BUDGET = 1 << 16
"""Units of about a nanosecond between two questions, each of which costs some 30 ns."""
CALL_COST = 256
CALLS = 1 << 14
PRODUCTS_PER_UNIT = 4  # as a power of two: a matrix product does about 16 multiplications in a nanosecond

CHECK_LOOP = "ag_check_loop"
CONTEXT_CALLS_LEFT = 96
"""Bytes into the context (`runtime/call.py`), where it begins as 0."""


def budget(function: FunctionText) -> str:
    """The local variable that holds what is left of the function's budget."""
    if function.budget is None:
        function.budget = "%budget"
        function.entry += ["  %budget = alloca i64", f"  store i64 {BUDGET}, ptr %budget"]
    return function.budget


def share_budget(function: FunctionText) -> None:
    """A function apart takes what is left of its caller's budget, `%left`, where it stores what it leaves."""
    function.budget = "%budget"
    function.entry += ["  %budget = alloca i64", "  %given = load i64, ptr %left", "  store i64 %given, ptr %budget"]


def spend(function: FunctionText, cost: str) -> None:
    """Takes the cost of some work from the budget, if a loop is being emitted at all."""
    if function.budget is not None:
        left = function.let(f"load i64, ptr {function.budget}")
        function.put(f"store i64 {function.let(f'sub i64 {left}, {cost}')}, ptr {function.budget}")


def emit_check(function: FunctionText, live: Iterable[Var]) -> None:
    """One iteration more; now and then asks whether Ctrl-C was pressed."""
    place = budget(function)
    left = function.let(f"sub i64 {function.let(f'load i64, ptr {place}')}, 1")
    function.put(f"store i64 {left}, ptr {place}")
    _ask_when(function, function.let(f"icmp slt i64 {left}, 0"), f"store i64 {BUDGET}, ptr {place}", live)


def emit_check_of_call(function: FunctionText, consumed: Iterable[Var]) -> None:
    """One call more of a recursive procedure. Each context has a count, for which no thread waits."""
    place = function.let(f"getelementptr i8, ptr %ctx, i64 {CONTEXT_CALLS_LEFT}")
    left = function.let(f"sub i64 {function.let(f'load i64, ptr {place}')}, 1")
    function.put(f"store i64 {left}, ptr {place}")
    _ask_when(function, function.let(f"icmp slt i64 {left}, 0"), f"store i64 {CALLS}, ptr {place}", consumed)


def _ask_when(function: FunctionText, spent: str, refill: str, live: Iterable[Var]) -> None:
    """Off the straight path: a new budget, the question, and perhaps the end."""
    leaving = ending(function, live)
    asking, going_on = function.label(), function.label()
    function.branch(spent, asking, going_on, unlikely=True)
    symbol, argument = (CHECK_SIGNALS, "%ctx") if function.loop_state is None else (CHECK_LOOP, function.loop_state)
    check = function.module.symbol(symbol, "i32", "ptr", "nounwind cold")
    status, failed = function.name(), function.name()
    function.cold += [
        f"{asking}:",
        f"  {refill}",
        f"  {status} = call i32 {check}(ptr {argument})",
        f"  {failed} = icmp ne i32 {status}, 0",
        f"  br i1 {failed}, label %{leaving}, label %{going_on}, !prof !0",
    ]
    function.begin(going_on)


def spend_on_kernel(function: FunctionText, kernel: Kernel) -> None:
    """A kernel costs the elements of its loops, as far as their number is known outside of it."""
    if function.budget is not None:
        for counts in nests(function, kernel.body):
            if counts:
                spend(function, product(function, counts))


def nests(function: FunctionText, body: list[Statement]) -> list[list[str]]:
    """For each outermost loop of a body its number of iterations, and of those of the loops in it, as factors."""
    found: list[list[str]] = []
    for statement in body:
        if isinstance(statement, For) and is_known(function, statement.count):
            inner = nests(function, statement.body)
            found.append([function.text(statement.count), *(inner[-1] if inner else [])])
    return found


def is_known(function: FunctionText, count: Operand) -> bool:
    """Whether the value exists outside of the kernel."""
    return isinstance(count, Const) or count.id in function.values


def product(function: FunctionText, factors: list[str]) -> str:
    """A product of 64-bit integers."""
    result = factors[0]
    for factor in factors[1:]:
        result = function.scalar_let("multiply", [result, factor], ["int64", "int64"], "int64")
    return result


MULTIPLICATIONS = {
    "product": (0, 1, 2), "product_sum": (0, 1, 2), "stack_product": (0, 1, 2, 3, 4),
    "lu": (0, 1, 1, 1), "lu_solve": (0, 1, 1, 2), "cholesky": (0, 1, 1, 1), "cholesky_adjoint": (0, 1, 1, 1),
    "triangular_solve": (0, 1, 1, 2),
}  # fmt: skip
"""Of functions on matrices: the arguments whose product is the number of multiplications, up to a factor."""


def spend_on_matrices(function: FunctionText, symbol: str, args: tuple[Operand, ...]) -> None:
    """A matrix product, or a factorisation, costs its multiplications."""
    sizes = MULTIPLICATIONS.get(symbol.removeprefix("ag_").rpartition("_")[0])
    if function.budget is not None and sizes is not None:
        count = product(function, [function.text(args[place]) for place in sizes])
        spend(function, function.let(f"lshr i64 {count}, {PRODUCTS_PER_UNIT}"))
