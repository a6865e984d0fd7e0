"""Statements and expressions: each does what it does in Python, none is passed over in silence."""

import builtins
import math

import numpy as np

from tests.corpus.program import call
from tests.language.expectation import refused, same_as_python


@same_as_python(call(5), call(0), call(150))
def test_else_of_a_while_runs_unless_broken(n):
    # A compiler that dropped it answered 0 for 100.
    result = 0
    while n > 0:
        n -= 1
        if n == 100:
            break
    else:
        result = 100
    return result


@same_as_python(call(5, 3), call(5, 9), call(0, 0))
def test_else_of_a_for_runs_unless_broken(n, wanted):
    for i in range(n):
        if i == wanted:
            found = i * 10
            break
    else:
        found = -1
    return found


@same_as_python(call(4))
def test_else_of_a_for_over_a_tuple_sees_the_last_item(n):
    for item in (1, 2, n):
        if item > 10:
            break
    else:
        item = item + 100
    return item


@same_as_python(call(4, 2), call(4, 7))
def test_else_of_nested_loops(n, m):
    count = 0
    for i in range(n):
        for j in range(n):
            if i * j == m:
                break
            count += 1
        else:
            count += 100
            continue
        break
    else:
        count += 10000
    return count


@same_as_python(call(4), call(0), call(-3))
def test_range_goes_down(n):
    # Summed to 0 elsewhere.
    total = 0
    for i in range(n, 0, -1):
        total = total * 10 + i
    return total


@same_as_python(call(9, 2, -3), call(2, 9, -1), call(0, 10, 4), call(1, 2, 0))
def test_range_with_any_step(start, stop, step):
    total, count = 0, 0
    for i in range(start, stop, step):
        total = total * 3 + i
        count += 1
    return total, count, len(range(start, stop, step))


@same_as_python(call(1, 2, 3), call(3, 2, 1), call(1, 3, 2))
def test_chained_comparisons(a, b, c):
    return a < b < c, a < b > c, a == a <= b != c, 0 < a < 10 > c >= 1


@same_as_python(call(1.0), call(-1.0))
def test_a_chained_comparison_computes_the_middle_once(x):
    def middle(value):
        print("middle", value)
        return value

    def last(value):
        print("last", value)
        return value

    return 0.0 < middle(x) < last(x + 1.0)


@same_as_python(call(2), call(5), call(1.0))
def test_membership_in_a_tuple(x):
    return x in (1, 2, 3), x not in (1, 2, 3), x in (), x in [x]


@same_as_python(call(np.array([1, 2, 3]), 2), call(np.array([1, 2, 3]), 7), call(np.array([], dtype=np.int64), 7))
def test_membership_in_an_array(values, x):
    return x in values, x not in values


@same_as_python(call(np.array([1.5, np.nan]), np.nan), call(np.array([[1.5, 2.0], [3.0, 4.0]]), 4.0))
def test_membership_in_an_array_of_floats(values, x):
    return x in values


@same_as_python(call(7), call(3), call(-1), call(2.0), call(2.5))
def test_membership_in_a_range(n):
    k = int(n)
    return (
        k in range(-k, k + 1, 2),
        k in range(k, 0, -k or 1),
        n in range(5),
        n in range(1, 9, 2),
        n in range(9, 0, -2),
        k not in range(k),
    )


@same_as_python(call(3))
def test_membership_in_strings_and_dicts(n):
    table = {"one": 1, "two": n}
    return "o" in "one", "z" not in "one", "one" in table, "three" not in table, "" in ""


@same_as_python(call(3), call(0))
def test_membership_in_a_list_of_run_time_length(n):
    squares = [i * i for i in range(n)]
    return 4 in squares, 5 not in squares, 4.0 in squares


@same_as_python(call(np.arange(7.0)), call(np.arange(1.0)), call(np.zeros(0)))
def test_negative_steps_of_slices(x):
    return x[::-1], x[::-2], x[5:1:-1], x[-2::-3], x[:-4:-1], x[1:5:-1], x[10::-1], x[-10:10:3]


@same_as_python(call(np.arange(12.0).reshape(3, 4)))
def test_negative_steps_on_two_axes(x):
    return x[::-1, ::-1], x[::-2, 1], x[1, ::-1], x[..., ::-1], x[::-1][0], x[:, None, ::-2]


@same_as_python(call((1, 2.0, 3, 4.0, 5)))
def test_negative_steps_of_tuples(t):
    return t[::-1], t[3:0:-2], t[-1], t[-2::-1], list(t)[::-1], "abc"[::-1]


@same_as_python(call(1.0))
def test_a_bare_return_gives_none(x):
    def nothing(value):
        if value > 0.0:
            return
        print("not reached")

    return nothing(x) is None


@same_as_python(call(1.0), call(-1.0))
def test_a_bare_return_at_the_root(x):
    if x > 0.0:
        return
    print("negative")


@same_as_python(call(1.0), call(-1.0))
def test_falling_off_the_end_gives_none(x):
    def half(value):
        if value > 0.0:
            return value / 2.0

    result = half(x)
    return -1.0 if result is None else result


@same_as_python(call(3), call(0))
def test_augmented_assignments(n):
    a, b, c, d, e, f, g = n, n, n + 7, 2, 5, 6, 3
    a += 2
    b -= 5
    c *= -3
    c //= 2
    c %= 5
    d **= n
    e <<= 2
    e >>= 1
    f &= 3
    f |= 8
    g ^= n
    h = 1.0
    h /= 3
    return a, b, c, d, e, f, g, h


@same_as_python(call(np.arange(6.0), 2), call(np.arange(6.0), -1))
def test_augmented_assignment_of_items_and_slices(x, i):
    y = x.copy()
    y[i] += 10.0
    y[1:3] *= 2.0
    y[::2] -= y[1::2]
    y[y > 5.0] /= 2.0
    y **= 2
    return y


@same_as_python(call(np.arange(3)))
def test_augmented_assignment_of_an_array_keeps_its_dtype(x):
    y = x.copy()
    y += 1
    y *= 3
    y //= 2
    return y


@same_as_python(call(np.arange(3), 1.5))
def test_augmented_assignment_that_would_lose_the_dtype_raises(x, factor):
    y = x.copy()
    y *= factor
    return y


@same_as_python(call(1.0))
def test_augmented_assignment_evaluates_its_target_once(x):
    def index(value):
        print("index")
        return value

    y = np.zeros(3)
    y[index(1)] += x
    y[index(2)] += index(2)
    return y


@same_as_python(call((1, 2, 3, 4)), call((1, 2)))
def test_starred_assignment(t):
    first, *middle, last = t
    *start, _ = t
    a, *rest = t
    return first, middle, last, start, rest, a


@same_as_python(call((1, (2.0, 3.0, 4.0), 5)))
def test_nested_starred_assignment(t):
    a, (b, *c), *d = t
    [e, [*f], g] = t
    return a, b, c, d, e, f, g


@same_as_python(call(np.arange(4.0)))
def test_starred_assignment_of_an_array_of_known_length(x):
    first, *rest = x[0], x[1], x[2]
    return first, rest


@same_as_python(call(2))
def test_several_targets_are_assigned_from_left_to_right(n):
    a = b = n + 1
    i, values = 0, [10, 20, 30]
    i, values[i] = n, 99
    i = values[i] = 1
    return a, b, i, values


@same_as_python(call(1, 2))
def test_swaps_and_rotations(a, b):
    a, b = b, a
    c = (a, b)
    (a, b), c = (b, a + b), a
    return a, b, c


@same_as_python(call(3))
def test_annotated_assignments(n):
    a: int = n
    b: float = n  # annotations are not enforced, as in Python
    c: "list[int]"
    d: int
    if a > 2:
        d = 1
    else:
        d = 2
    c = [a, d]
    return b, c


@same_as_python(call(4), call(1))
def test_assignment_expressions(n):
    if (half := n // 2) > 1:
        return half
    total = 0
    while (n := n + 1) < 10:
        total += (double := 2 * n) + double
    return total, [last := i for i in range(3)], last


@same_as_python(call(3), call(0), call(1))
def test_truth_of_values_of_every_kind(n):
    x = float(n)
    return (
        n or 5,
        n and 5,
        x or 2.5,
        not n,
        not x,
        "" or "text",
        () or (1,),
        [] and 1,
        bool([n]),
        bool({}),
        None or n,
    )


@same_as_python(call(0, 5), call(3, 5))
def test_and_or_stop_early(a, b):
    def said(value):
        print(value)
        return value

    return said(a) and said(b), said(a) or said(b), said(b) and said(a) and said(b)


@same_as_python(call(3))
def test_conditional_expressions_compute_one_side(n):
    def said(text, value):
        print(text)
        return value

    return said("yes", 1) if said("test", n) > 2 else said("no", 2)


@same_as_python(call(7, 2), call(-7, 2), call(7, -2), call(-7, -2), call(7, 0))
def test_division_of_integers(a, b):
    return a // b, a % b, divmod(a, b), a / b


@same_as_python(call(7.5, 2.0), call(-7.5, 2.0), call(7.5, -2.0), call(-0.0, 3.0), call(1.0, 0.0), call(5.0, math.inf))
def test_division_of_floats(a, b):
    return a // b, a % b, divmod(a, b), a / b


@same_as_python(call(-5.0, math.inf), call(math.inf, 2.0), call(math.nan, 2.0), call(1e300, 1e-300))
def test_division_of_extreme_floats(a, b):
    return a // b, a % b


@same_as_python(call(2, 10), call(-2, 3), call(0, 0), call(7, 0), call(2, 62), call(-3, 39))
def test_powers_of_integers(a, b):
    return a**b, pow(a, b)


@same_as_python(call(2, -1), call(-2, -3), call(0, -1))
def test_negative_powers_of_literal_exponents(a, b):
    return a**-1, a**-2


@same_as_python(
    call(2.0, 0.5), call(0.0, 0.0), call(2.0, -1.0), call(0.0, -1.0), call(math.inf, 0.0), call(1.0, math.nan),
    ulps=2,
)  # fmt: skip
def test_powers_of_floats(a, b):
    return a**b


@same_as_python(call(3), call(-3))
def test_signs_bind_as_in_python(n):
    x = float(n)
    return -(n**2), (-n) ** 2, -(2**n) if n > 0 else 0, -n % 3, -n // 2, ~n, +x, 2**-x, -(x**2.0)


@same_as_python(call(6, 3), call(-6, 1))
def test_operations_on_bits(a, b):
    return a & b, a | b, a ^ b, ~a, a << b, a >> b, True & (a > 1), (a > 1) ^ (b > 1), True + (a > 1)


@same_as_python(call(1, -1), call(1, 64), call(1, 62), call(-1, 63), call(-8, 200), call(5, 64))
def test_shifts_too_far(a, b):
    return a >> b, (a << b) if b < 63 else 0


@same_as_python(call(5))
def test_loops_that_do_not_run(n):
    total = 0.0
    for i in range(n, 0):
        total += i
    for value in ():
        total += value
    for value in np.zeros(0):
        total += value
    for a, b in zip((), (1,)):
        total += a
    while total > 0.0:
        total -= 1.0
    return total


@same_as_python(call(0), call(3))
def test_the_variable_of_a_loop_that_may_not_run(n):
    i = -1
    for i in range(n):
        pass
    return i


@same_as_python(call(0), call(3))
def test_a_variable_of_a_loop_that_never_ran_is_unbound(n):
    for i in range(n):
        last = i
    return last


@same_as_python(call(4))
def test_changing_the_variable_of_a_loop_changes_nothing_else(n):
    total = 0
    for i in range(n):
        i = i * 10
        total += i
    return total, i


@same_as_python(call(4))
def test_the_range_of_a_loop_is_taken_once(n):
    count = 0
    for _ in range(n):
        n += 1
        count += 1
    return n, count


@same_as_python(call(5))
def test_continue_and_break_in_every_place(n):
    out = 0
    for i in range(n):
        if i == 1:
            continue
        k = 0
        while True:
            k += 1
            if k == 2:
                continue
            if k > i:
                break
            out += k
        if i == 3:
            break
    else:
        out += 1000
    return out


@same_as_python(call(3.0))
def test_builtins_can_be_shadowed(x):
    # `builtins` keeps the linter content: what matters is that the name is looked up.
    sum = lambda *values: values[-1]
    len = 7

    def abs(value):
        return value - 100.0

    max = min = builtins.abs
    return sum(1.0, x), len, abs(x), max(-x), min(x)


def print_nothing(*values):
    return 1.0 + values[0]


@same_as_python(call(3.0))
def test_a_parameter_shadows_a_builtin(x):
    def inner(print, range=3, list=None):
        return print(x) + range

    return inner(print_nothing)


@same_as_python(call(2))
def test_names_of_modules_can_be_shadowed(n):
    np = 3
    math = n
    return np * math


@same_as_python(call(3))
def test_variables_of_comprehensions_are_their_own(i):
    squares = [i * i for i in range(3)]
    table = {str(k): k + i for k in (1, 2)}
    nested = [[i * j for j in range(i)] for i in range(4)]
    return i, squares, table, nested, tuple(i for i in (1, 2, 3) if i != 2), sum(k for k in range(i))


@same_as_python(call(3), call(0))
def test_comprehensions_with_several_loops_and_conditions(n):
    return [10 * i + j for i in range(n) if i % 2 == 0 for j in range(i + 1) if j != 1]


@same_as_python(call(4))
def test_pass_and_docstrings_and_lone_expressions(n):
    """A docstring."""
    pass
    "a string"
    n + 1
    ...
    if n > 10:
        pass
    for _ in range(n):
        pass
    return n


@same_as_python(call(np.arange(3.0), 5), call(np.arange(3.0), 1))
def test_an_unused_value_that_cannot_be_computed_raises(x, i):
    x[i]
    unused = x[i] * 2.0
    return 1.0


@same_as_python(call(1, 0), call(1, 2))
def test_an_unused_division_raises(a, b):
    a // b
    _ = a % b
    return a


@same_as_python(call(-1.0), call(1.0))
def test_an_unused_call_raises(x):
    math.sqrt(x)
    return x


@same_as_python(call(np.ones(3), np.ones(4)), call(np.ones(3), np.ones(3)))
def test_an_unused_sum_of_arrays_that_do_not_fit_raises(x, y):
    x + y
    return x


@same_as_python(call(2.0))
def test_literals_of_every_kind(x):
    return 1_000, 0x1F, 0b101, 0o17, 1e-3, 1_0.5, True, None, "ab", (1,), (), [], {}, x


@same_as_python(call(3, 2.5, True))
def test_format_strings_of_what_is_known(n, x, flag):
    name = "value"
    print(f"{name} {name!r} {'a' + 'b'} {{}}", f"{n} {x} {flag} {n:5d}|{x:8.3f}|{n:>4}|{x!r}")
    return f"{name}"


@same_as_python(call(3))
def test_equality_and_order_of_strings(n):
    kind = "linear" if n > 2 else "cubic"
    return kind == "linear", kind != "cubic", kind in ("cubic", "linear"), "a" < "b", "b" >= "ba"


@same_as_python(call(2.0, "double"), call(2.0, "halve"), call(2.0, "other"))
def test_a_string_argument_chooses(x, kind):
    if kind == "double":
        return 2.0 * x
    if kind.startswith("hal"):
        return x / 2.0
    raise ValueError(f"unknown kind {kind}")


@same_as_python(call(1.0))
def test_identity_of_none_and_truth_values(x):
    flag = x > 0.0
    nothing = None
    return nothing is None, x is not None, flag is not None, (x is None) is False


@same_as_python(call(1.0), call(-1.0))
def test_identity_with_true_and_false(x):
    flag, number, array = x > 0.0, 1, np.array([x]) > 0.0
    return flag is True, flag is not False, number is True, x is True, array[0] is True, (x in (5,)) is not True


@same_as_python(call(3))
def test_a_name_assigned_in_a_branch_that_is_known(n):
    if True:
        a = n
    else:
        b = n
    if not None:
        b = 2 * a
    return a, b


@same_as_python(call(3), call(-3))
def test_an_unbound_variable_raises(n):
    if n > 0:
        value = n
    return value


@same_as_python(call(np.arange(12.0).reshape(3, 4), 1))
def test_indices_of_every_kind(x, i):
    return (
        x[i, ...],
        x[..., i],
        x[None, i],
        x[i][None],
        x[np.newaxis, ..., np.newaxis][0],
        x[-i],
        x[i:, :-i],
        x[[0, 2]],
        x[[0, 2], [1, 3]],
        x[x > 5.0],
        x[:, [True, False, True, False]],
        x[()],
    )


@refused(call(3), "UnsupportedSyntaxError", "global")
def test_global_assignment_is_refused(n):
    global counter  # here
    counter = n
    return n


@refused(call(3), "UnsupportedSyntaxError", "enclosing")
def test_assignment_to_an_enclosing_variable_is_refused(n):
    def inner():
        nonlocal n  # here
        n = 3

    inner()
    return n


@refused(call(3), "UnsupportedSyntaxError", "with")
def test_with_is_refused(n):
    with np.errstate(all="ignore"):  # here
        return n


@refused(call(3), "CompileError", "complex")
def test_complex_numbers_are_refused(n):
    return n * 2j  # here


@refused(call(3), "CompileError", "bytes", has_hint=False)
def test_bytes_are_refused(n):
    return b"abc"[n]  # here
