"""Dispatch: one compilation for each signature, captured values never stale, polymorphic calls stay native."""

from __future__ import annotations

import functools
import gc
import threading
import time
import types
import weakref

import numpy as np
import pytest

from arignote.ir.describe import structure_of
from arignote.ir.structure import StaticOf
from arignote.runtime import dispatch
from arignote.runtime.dispatch import MAXIMUM_VARIANTS, Dispatcher, set_disabled
from arignote.runtime.encode import Capture
from tests.runtime.programs import Echo, compile_echo, echo, same


def test_one_compilation_for_all_sizes_but_one():
    made = Echo(lambda x: x)
    for size in (2, 3, 0, 100):
        made.callable(np.ones(size))
    made.callable(np.ones(1))
    assert [repr(signature) for signature in made.signatures] == ["x: f64[n]", "x: f64[1]"]
    info = made.callable.cache_info()
    assert (info.hits, info.misses, info.currsize) == (3, 2, 2)


def test_signatures_are_by_class_dtype_rank_and_structure():
    values = [1, 1.0, True, np.float64(1), np.float32(1), np.ones(2), np.ones((2, 2)), np.ones(2, np.float32)]
    values += [None, "a", "b", (1,), [1], {"a": 1}, {"b": 1}, (1, 2), len, sum]
    made = Echo(lambda x: x)
    for _ in range(3):
        for value in values:
            assert same(made.callable(value), (value,))
    assert len(made.signatures) == len(values)


def test_polymorphic_calls_stay_native():
    made = Echo(lambda x, y: (x, y))
    pairs = [(1, 2), (1.0, 2), (np.ones(3), 1), (1, np.ones((2, 2))), ({"a": 1}, "x")]
    for pair in pairs:
        made.callable(*pair)
    made.dispatcher._fallback = None
    made.dispatcher._state[1] = id(None)  # a call of the dispatcher would now fail
    for _ in range(10):
        for pair in pairs:
            assert same(made.callable(*pair), pair)


def test_more_signatures_than_the_chain_is_long():
    made = Echo(lambda x: x)
    values = [tuple(range(length)) for length in range(dispatch.MAXIMUM_NODES + 10)]
    for _ in range(2):
        for value in values:
            assert made.callable(value) == (value,)
    assert made.callable.cache_info().misses == len(values)


def test_static_arguments():
    made = Echo(lambda n, x, flag=True: None, static_argnums=(0,), static_argnames=("flag",))
    for _ in range(2):
        for n, flag in ((3, True), (4, True), (3, 1), (3.0, True), ((1, 2), None), (np.float64, "s"), (-0.0, 0.0)):
            assert same(made.callable(n, np.ones(2), flag), (n, np.ones(2), flag))
    assert len(made.signatures) == 7
    assert repr(made.signatures[0].structures) == "(3, f64[n], True)"
    anything = object()
    assert made.callable(anything, 1.0)[0] is anything
    with pytest.raises(ValueError, match="has no parameter 'wrong'"):
        echo(lambda x: x, static_argnames=("wrong",))
    with pytest.raises(ValueError, match="has no parameter number 1"):
        echo(lambda x: x, static_argnums=(1,))


def test_errors_name_the_argument():
    with pytest.raises(TypeError, match=r"argument 'params'\['w'\]\[0\]: object array"):
        echo(lambda params: params)({"w": [np.array([None])]})


# Captured values


def module_with(**names):
    return vars(types.ModuleType("user")) | names


def capturing(container, *keys):
    """A function that returns what it captured at the time of the call."""

    def captures():
        return tuple(Capture(container, key, structure_of(container[key])) for key in keys)

    return Echo(lambda x: x, captures)


def test_captured_numbers_and_arrays_are_arguments():
    container = module_with(scale=2.0, weights=np.ones(3), tree={"a": [1, np.zeros(2)]})
    made = capturing(container, "scale", "weights", "tree")
    for step in range(5):
        container["scale"], container["weights"] = float(step), np.full(step + 2, step, float)
        container["tree"] = {"a": [step, np.full(step + 2, -1.0)]}
        expected = (1, container["scale"], container["weights"], container["tree"])
        assert same(made.callable(1), expected)
    container["weights"][0] = 77
    assert made.callable(1)[2][0] == 77
    assert len(made.signatures) == 1


def test_a_captured_value_of_another_class_compiles_anew():
    container = module_with(value=1)
    made = capturing(container, "value")
    values = (1, 2.0, np.ones(3), np.ones((2, 2)), "text", "other", len, None)
    for value in (*values, 3, "text", np.ones(7), (1, 2), 4):
        container["value"] = value
        for _ in range(2):
            assert same(made.callable(0), (0, value))
    # The tuple is the ninth, and at most eight are kept: the first, `int`, is then compiled again.
    assert len(made.signatures) == len(values) + 2
    assert len(made.dispatcher.specialisations()) == MAXIMUM_VARIANTS == 8


def test_a_captured_object_that_cannot_be_read_is_noticed():
    container = module_with(value=1)
    made = capturing(container, "value")
    made.callable(0)
    container["value"] = object()
    with pytest.raises(TypeError):
        made.callable(0)
    del container["value"]
    with pytest.raises(KeyError):
        made.callable(0)
    container["value"] = 5
    assert made.callable(0) == (0, 5)


def test_a_captured_array_may_be_of_any_layout():
    container = module_with(value=np.ones((3, 4)))
    made = capturing(container, "value")
    made.callable(0)
    container["value"] = np.arange(12.0).reshape(4, 3).T
    assert same(made.callable(0), (0, np.ascontiguousarray(container["value"])))


def test_captured_cells():
    def outer():
        value = 1.0

        def change(new):
            nonlocal value
            value = new

        def inner(x):
            return x, value

        return inner, change

    inner, change = outer()
    (cell,) = inner.__closure__
    made = Echo(inner, lambda: (Capture(cell, None, structure_of(cell.cell_contents)),))
    for value in (1.0, 2.0, 3, np.ones(2), 4.0):
        change(value)
        assert same(made.callable(0), (0, value))
    assert len(made.signatures) == 3


def test_a_builtin_name_that_becomes_global():
    container = module_with()

    def captures():
        return (Capture(container, "len", StaticOf(container["len"]) if "len" in container else None),)

    made = Echo(lambda x: x, captures)
    assert made.callable(1) == (1,) and made.callable(1) == (1,)
    container["len"] = max
    assert made.callable(1) == (1, max)
    del container["len"]
    assert made.callable(1) == (1,) and len(made.signatures) == 2


def test_captured_bound_methods():
    class Model:
        def step(self):
            pass

    model = Model()
    container = module_with(step=model.step)
    made = Echo(lambda x: x, lambda: (Capture(container, "step", StaticOf(container["step"])),))
    for _ in range(3):
        container["step"] = model.step
        made.callable(1)
    assert len(made.signatures) == 1
    container["step"] = Model().step
    made.callable(1)
    assert len(made.signatures) == 2


# Threads, errors, life


def test_threads_compile_once():
    count = []

    def compile(signature):
        count.append(signature)
        time.sleep(0.05)
        return compile_echo(signature)

    function = Dispatcher(lambda x: x, compile).callable
    results, start = [], threading.Barrier(8)

    def work(index):
        start.wait()
        results.append(function(float(index)) == (float(index),))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(count) == 1 and results == [True] * 8


def test_compiling_may_call_compiled_code():
    inner = echo(lambda x: x)

    def compile(signature):
        assert inner(2.0) == (2.0,)
        return compile_echo(signature)

    assert Dispatcher(lambda x: x, compile).callable(np.ones(2))[0].sum() == 2


def test_an_error_of_the_compiler_propagates_and_is_not_kept():
    answers = [LookupError("no"), None]

    def compile(signature):
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return compile_echo(signature)

    function = Dispatcher(lambda x: x, compile).callable
    with pytest.raises(LookupError):
        function(1)
    assert function(1) == (1,) and function.cache_info().misses == 1


def test_captured_values_changed_by_threads_while_called():
    container = module_with(value=1)
    made = capturing(container, "value")
    values, stop = (1, 2.5, np.ones(3), "text"), threading.Event()

    def change():
        while not stop.is_set():
            for value in values:
                container["value"] = value

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(3000):
            _, seen = made.callable(0)
            assert any(same(seen, value) for value in values)
    finally:
        stop.set()
        thread.join()


def test_clearing():
    made = Echo(lambda x: x)
    for _ in range(3):
        for _ in range(4):
            assert made.callable(1.0) == (1.0,)
        made.callable.cache_clear()
    assert made.callable.cache_info() == (9, 3, 0)


def test_clearing_while_called():
    made, stop = Echo(lambda x: x), threading.Event()

    def clear():
        while not stop.is_set():
            made.callable.cache_clear()
            time.sleep(0.001)

    thread = threading.Thread(target=clear)
    thread.start()
    try:
        for _ in range(300):
            assert made.callable([1.0]) == ([1.0],)
    finally:
        stop.set()
        thread.join()


def test_machine_code_is_kept_as_long_as_it_is_needed():
    class Owner:
        pass

    owner = Owner()
    reference = weakref.ref(owner)

    def compile(signature, owner=owner):
        compiled = compile_echo(signature)
        return type(compiled)(compiled.procedure, compiled.result, keep_alive=owner)

    function = Dispatcher(lambda x: x, compile).callable
    function(1)
    function.dispatcher.compile = None
    del compile, owner
    gc.collect()
    assert reference() is not None and function(2) == (2,)
    del function
    gc.collect()
    assert reference() is None


def test_disabling():
    calls = []

    def plain(x, y=2):
        calls.append((x, y))
        return "plain"

    off = [True]
    function = echo(plain, is_off=lambda: off[0])
    assert function(1) == (1, 2)
    set_disabled(True)
    try:
        assert function(1) == "plain" and function(object(), y=3) == "plain"
        off[0] = False  # another thread asked
        assert function(1) == (1, 2)
    finally:
        set_disabled(False)
    assert function(1) == (1, 2) and len(calls) == 2


def test_decorators_keep_working_on_it():
    function = echo(lambda x: x)
    assert functools.partial(function, 3)() == (3,)
    assert list(map(function, [1, 2])) == [(1,), (2,)]
    wrapped = functools.wraps(function)(lambda x: function(x))
    assert wrapped(1) == (1,)
