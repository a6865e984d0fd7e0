"""Constructs outside the compiled subset. Each is refused at its own line, never compiled to something else."""

import os

import numpy as np

from tests.corpus.program import call
from tests.errors.expectation import Failure, collector

FAILURES: list[Failure] = []
expect = collector(FAILURES)
counter = 0


@expect(lambda: call(1.0), "UnsupportedSyntaxError", "try")
def try_except(x):
    try:  # here
        return 1.0 / x
    except ZeroDivisionError:
        return 0.0


@expect(lambda: call(1.0), "UnsupportedSyntaxError", "try")
def try_finally(x):
    y = x + 1.0
    try:  # here
        y = y * 2.0
    finally:
        y = y + 1.0
    return y


@expect(lambda: call(1.0), "UnsupportedSyntaxError", "with")
def with_statement(x):
    with np.errstate(all="ignore"):  # here
        return x * 2.0


@expect(lambda: call(3), "UnsupportedSyntaxError", "yield")
def generator(n):
    for i in range(n):
        yield i  # here


@expect(lambda: call(1.0), "UnsupportedSyntaxError", "async")
async def asynchronous(x):  # here
    return x


@expect(lambda: call(1.0), "UnsupportedSyntaxError", "global")
def global_assignment(x):
    global counter  # here
    counter = counter + 1
    return x


@expect(lambda: call(1.0), "UnsupportedSyntaxError", "del")
def deletion(x):
    y = x
    del y  # here
    return x


@expect(lambda: call(1.0), "UnsupportedSyntaxError", "import")
def import_inside(x):
    import math  # here

    return math.sin(x)


@expect(lambda: call(1.0), "UnsupportedSyntaxError", "import")
def import_from_inside(x):
    from math import sin  # here

    return sin(x)


@expect(lambda: call(1.0), "UnsupportedSyntaxError", "class")
def class_inside(x):
    class Holder:  # here
        value = 1.0

    return x * Holder.value


@expect(lambda: call(np.ones(2)), "UnsupportedSyntaxError", "format specification")
def format_of_an_array(x):
    print(f"{x:.3f}")  # here
    return x


@expect(lambda: call(2.0), "CompileError", "text")
def text_known_at_run_time_returned(x):
    text = f"{x:.3f}"
    return text  # here


@expect(lambda: call(2.0), "UnsupportedSyntaxError", "set")
def set_display(x):
    return {x, 2.0}  # here


@expect(lambda: call(2.0), "CompileError")
def set_comprehension(x):
    return {x * i for i in range(3)}  # here


@expect(lambda: call(2.0), "CompileError")
def complex_literal(x):
    return x * 1j  # here


@expect(lambda: call(3), "CompileError")
def text_of_a_number(x):
    return str(x)  # here


@expect(lambda: call(1.0), "CompileError", "open")
def opens_a_file(x):
    open("/dev/null")  # here
    return x


@expect(lambda: call(1.0), "CompileError", "eval")
def evaluates_text(x):
    return eval("x + 1")  # here


@expect(lambda: call(1.0), "CompileError")
def reads_the_environment(x):
    return x * len(os.listdir("/"))  # here


@expect(lambda: call(1.0), "CompileError")
def sets_an_attribute_of_a_function(x):
    sets_an_attribute_of_a_function.calls = 1  # here
    return x


@expect(lambda: call(1.0), "UnsupportedSyntaxError", "async")
def await_inside(x):
    async def later():  # here
        return 1.0

    return x


@expect(lambda: call(1.0), "UnsupportedSyntaxError", "try")
def error_in_a_called_function(x):
    return with_try(x)


def with_try(x):
    try:
        return x
    except ValueError:
        return 0.0


@expect(lambda: call(1.0), "UnsupportedSyntaxError", "yield")
def generator_with_from(x):
    yield from (x, x)  # here


@expect(lambda: call(5), "CompileError")
def huge_literal(n):
    return n + 123456789012345678901234567890  # here
