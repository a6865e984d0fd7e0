"""Names, types and shapes that are wrong, found when the program is compiled."""

from typing import NamedTuple

import numpy as np

import arignote as ag
from tests.corpus.program import call
from tests.errors.expectation import Failure, collector

FAILURES: list[Failure] = []
expect = collector(FAILURES)


class Pair(NamedTuple):
    """Two numbers."""

    first: float
    second: float


def helper(x, scale):
    return x * scale


@expect(lambda: call(1.0), "UndefinedNameError", "missing_name")
def unknown_name(x):
    return x + missing_name  # here


@expect(lambda: call(np.ones(3)), "CompileError", "svdd")
def unknown_numpy_name(x):
    return np.linalg.svdd(x)  # here


@expect(lambda: call(1.0), "CompileError", "unsupported operands")
def tuple_times_float(x):
    return (x, x) * 0.5  # here


@expect(lambda: call(1.0, 2.0), "CompileError", "unsupported operands")
def tuple_times_run_time_float(x, times):
    return (x, x) * times  # here


@expect(lambda: call(np.ones(3)), "CompileError", "sine")
def misspelt_numpy_name(x):
    y = x * 2.0
    return np.sine(y)  # here


@expect(lambda: call(np.ones(3)), "CompileError", "histogram")
def numpy_name_not_compiled(x):
    return np.histogram(x)  # here


@expect(lambda: call(np.ones(3)), "CompileError", "total")
def unknown_method(x):
    return x.total()  # here


@expect(lambda: call(Pair(1.0, 2.0)), "CompileError", "third")
def unknown_field(pair):
    return pair.third  # here


@expect(lambda: call({"a": 1.0}), "CompileError", "b")
def unknown_key(tree):
    return tree["b"]  # here


@expect(lambda: call(1.0), "CompileError", "scale")
def missing_argument(x):
    return helper(x)  # here


@expect(lambda: call(1.0), "CompileError", "helper")
def too_many_arguments(x):
    return helper(x, 2.0, 3.0)  # here


@expect(lambda: call(1.0), "CompileError", "factor")
def unknown_keyword(x):
    return helper(x, factor=2.0)  # here


@expect(lambda: call(1.0), "CompileError")
def calls_a_number(x):
    return x(2.0)  # here


@expect(lambda: call(1.0), "CompileError")
def indexes_a_number(x):
    return x[0]  # here


@expect(lambda: call(1.0), "CompileError")
def iterates_over_a_number(x):
    total = 0.0
    for value in x:  # here
        total = total + value
    return total


@expect(lambda: call(1.0), "CompileError")
def adds_a_string(x):
    return x + "1"  # here


@expect(lambda: call((1.0, 2.0)), "CompileError")
def adds_a_tuple_to_a_number(pair):
    return pair + 1.0  # here


@expect(lambda: call(None), "CompileError")
def arithmetic_with_none(x):
    return x + 1.0  # here


@expect(lambda: call(1.0), "CompileError")
def matrix_product_shapes(x):
    return np.zeros(3) @ np.zeros((4, 2)) * x  # here


@expect(lambda: call(np.ones(3)), "CompileError")
def matrix_product_of_a_scalar(x):
    return x @ 2.0  # here


@expect(lambda: call(1.0), "CompileError", "broadcast")
def literal_shapes_do_not_broadcast(x):
    return np.zeros((2, 3)) + np.ones(4) * x  # here


@expect(lambda: call(1.0), "CompileError", "reshape")
def reshape_of_literal_size(x):
    return np.zeros((2, 3)).reshape(7) * x  # here


@expect(lambda: call(np.ones((2, 3))), "CompileError", "indic")
def too_many_indices(x):
    return x[0, 0, 0]  # here


@expect(lambda: call(np.ones(3)), "CompileError")
def float_as_an_index(x):
    return x[1.5]  # here


@expect(lambda: call(np.ones((2, 3))), "CompileError", "axis")
def axis_out_of_range(x):
    return np.sum(x, axis=2)  # here


@expect(lambda: call(np.ones((2, 3))), "CompileError")
def repeated_axis(x):
    return np.sum(x, axis=(0, 0))  # here


@expect(lambda: call(np.ones((2, 3)), 1), "CompileError")
def axis_known_only_at_run_time(x, n):
    total = 0
    for i in range(n):
        total = i
    return np.sum(x, axis=total)  # here


@expect(lambda: call(np.ones((2, 3)), np.ones(3)), "CompileError")
def concatenates_different_ranks(x, y):
    return np.concatenate((x, y))  # here


@expect(lambda: call(np.ones(3)), "CompileError")
def unknown_dtype(x):
    return x.astype("quadruple")  # here


@expect(lambda: call(np.ones(3)), "CompileError")
def bits_of_floats(x):
    return x & 1  # here


@expect(lambda: call(np.ones(3)), "CompileError")
def in_place_cast(x):
    y = np.zeros(3, dtype=np.int64)
    y += x  # here
    return y


@expect(lambda: call(np.ones(3) > 0), "CompileError", "bool")
def negative_of_booleans(x):
    return -x  # here


@expect(lambda: call(np.ones((2, 3))), "CompileError")
def einsum_with_wrong_subscripts(x):
    return np.einsum("ijk->i", x)  # here


@expect(lambda: call(np.ones(3)), "CompileError")
def unknown_argument_of_a_numpy_name(x):
    return np.sum(x, axes=0)  # here


@expect(lambda: call(1.0, True), "CompileError")
def branches_of_different_structure(x, flag):
    if flag:
        y = (x, x)
    else:
        y = (x, x, x)
    return y


@expect(lambda: call(1.0, 3), "CompileError")
def loop_changes_the_structure(x, n):
    y = (x,)
    for _ in range(n):
        y = (y, x)
    return y


@expect(lambda: call(np.ones(3)), "AliasingError")
def writes_into_an_argument(x):
    x[0] = 5.0  # here
    return x * 2.0


@expect(lambda: call(np.ones(3)), "AliasingError")
def adds_in_place_to_an_argument(x):
    x += 1.0  # here
    return np.sum(x)


@expect(lambda: call(Pair(1.0, 2.0)._asdict()), "AliasingError", "x = dict(x)")
def writes_into_a_dict_of_the_caller(tree):
    tree["first"] = 5.0  # here
    return tree


@expect(lambda: call(np.ones(3)), "TypeInferenceError", "use slices")
def rest_of_an_array(x):
    first, *rest = x  # here
    return first, rest


@expect(lambda: call(np.ones(3)), "TypeInferenceError", "use an array, or a loop over the list")
def tuple_of_a_list_that_grows(x):
    found = []
    for item in x:
        found.append(item * 2.0)
    return tuple(found)  # here


@expect(lambda: call(3), "AliasingError", "let it return what it makes")
def recursion_that_writes_outside(n):
    found = []

    def visit(k):
        if k > 0:
            found.append(k)
            visit(k - 1)  # here

    visit(n)
    return found


@expect(lambda: call(np.ones(3)), "DifferentiationError", "work on a copy")
def derivative_of_a_function_that_writes(x):
    def writes(v):
        v[0] = 0.0  # here
        return np.sum(v)

    return ag.grad(writes)(x)


@expect(lambda: call(np.ones(3)), "UnsupportedSyntaxError", "nested too deeply")
def list_that_holds_itself(x):
    found = [x]
    found.append(found)
    for _ in range(len(x)):  # here
        found[0] = x * 2.0
    return len(found)


@expect(lambda: call(np.array([True, False])), "TypeInferenceError", "int8")
def square_of_truth_values(x):
    y = ~x
    return y**2  # here


@expect(lambda: call(np.array([True, False]), 3), "TypeInferenceError", "int8")
def power_of_truth_values(x, n):
    return x**n  # here


@expect(lambda: call(3), "AliasingError", "'rows', list[f64[3]], may share memory with 'row'")
def one_array_appended_again_and_again(n):
    rows, row = [], np.zeros(3)
    for i in range(n):
        row[0] = i * 1.0
        rows.append(row)  # here
    return rows


@expect(lambda: call(3), "AliasingError", "'rows', list[f64[3]], may share memory with 'row'")
def one_array_filled_by_an_inner_loop(n):
    rows, row = [], np.zeros(3)
    for i in range(n):
        for j in range(3):
            row[j] = i * 1.0
        rows.append(row)  # here
    return rows


@expect(lambda: call(np.ones(3), 3), "AliasingError", "'last', f64[n], may share memory with 'now'")
def last_iteration_without_a_copy(x, n):
    now, last, total = x.copy(), x.copy(), 0.0
    for _ in range(n):
        now[0] += 1.0
        total = total + last[0]  # here
        last = now
    return total


@expect(lambda: call(np.ones(3), 3), "AliasingError", "may share memory with 'y'")
def other_name_in_the_first_iteration(x, n):
    y = x.copy()
    z = y
    for _ in range(n):
        y[0] += 1.0
        z = z + 1.0  # here
    return y, z


@expect(lambda: call(np.ones(3), 3), "AliasingError", "may share memory with 'y'")
def array_written_in_a_comprehension(x, n):
    y = x.copy()

    def filled(i):
        y[0] = i
        return y

    return [filled(i) for i in range(n)]  # here


@expect(lambda: call(np.ones(3), 3), "AliasingError", "may share memory with 'first'")
def tuple_of_arrays_one_of_which_is_written(x, n):
    pair = (x * 1.0, x * 2.0)
    first = pair[0]
    for _ in range(n):
        first[0] += 1.0
        pair = (pair[1], pair[0])  # here
    return pair[0], first


@expect(lambda: call(np.ones(3), np.ones(3)), "TypeInferenceError", "`is`")
def identity_of_two_arguments(x, y):
    return x is y  # here


@expect(lambda: call(np.ones(3), 3), "TypeInferenceError", "`is`")
def identity_of_an_element_of_a_list(x, n):
    arrays = [x * 1.0 for _ in range(n)]
    first = arrays[0]
    arrays.append(first)
    return arrays[n] is first  # here


@expect(lambda: call(np.ones(3), True), "TypeInferenceError", "`is`")
def identity_of_one_of_two_arrays(x, flag):
    y = x * 2.0
    z = y if flag else x * 3.0
    return z is y  # here


@expect(lambda: call(3), "UnsupportedSyntaxError", "between the rounds")
def generator_that_prints_between_rounds(n):
    def shown(k):
        print(k)
        return k > 1

    for v in (k for k in [1, 2, n] if shown(k)):  # here
        print("round", v)
    return n


@expect(lambda: call(3), "TypeInferenceError", "gone through before")
def filter_gone_through_twice(n):
    found = filter(lambda v: v < n, [1, 2, 3])
    return list(found), list(found)  # here
