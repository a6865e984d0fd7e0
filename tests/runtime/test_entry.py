"""The native entry: what goes in comes out, whatever the form of the call; nothing leaks."""

from __future__ import annotations

import collections
import copy
import dataclasses
import gc
import inspect
import pickle
import sys
import threading
import weakref

import numpy as np
import pytest

from arignote.ir.describe import structure_of
from arignote.ir.structure import DictOf, NumpyScalarOf, PythonScalarOf, StaticOf, TupleOf
from arignote.runtime import native
from arignote.runtime.dispatch import Dispatcher
from arignote.runtime.entry import CompiledSpecialisation
from tests.runtime.programs import compile_total, echo, echo_procedure, same

Point = collections.namedtuple("Point", "x y")


@dataclasses.dataclass
class Layer:
    weight: object
    bias: object


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    value: object


VALUES = [
    1.5,
    -0.0,
    float("nan"),
    7,
    -(2**63),
    2**63 - 1,
    True,
    False,
    None,
    "text",
    b"bytes",
    len,
    np.sum,
    np.float32(1.25),
    np.float64(-0.0),
    np.int32(-5),
    np.int64(2**62),
    np.bool_(True),
    np.arange(10.0),
    np.arange(12, dtype=np.int32).reshape(3, 4),
    np.arange(6, dtype=np.int64).reshape(1, 6, 1),
    np.ones((2, 3, 4, 5), np.float32),
    np.array([True, False]),
    np.array(3.5),
    np.zeros((0, 3)),
    np.zeros(200_000),
    (),
    [],
    {},
    (1, (2.0, [np.float32(3), {}])),
    {"w": np.ones((2, 3)), "b": (np.float32(1), [1, 2.5, None])},
    Point(1.0, np.zeros(3)),
    Layer(np.ones(2), [1, 2]),
    Slotted({"a": Point(1, "s")}),
    collections.OrderedDict(b=1, a=np.ones(2)),
    [Layer(Layer(1, 2), Point(np.ones(1), 3.0))],
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value).partition(" at 0x")[0][:30].replace("\n", ""))
def test_round_trip(value):
    function = echo(lambda x: x)
    before = native.live_buffers()
    for _ in range(3):
        assert same(function(value), (value,))
    gc.collect()
    assert native.live_buffers() == before


@pytest.mark.parametrize("dtype", ["bool", "int32", "int64", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 1), (3, 4), (0,), (40_000,)])
def test_arrays_of_each_dtype(dtype, shape):
    value = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    value = np.array(value)
    (result,) = echo(lambda x: x)(value)
    assert same(result, value)
    assert result.flags.writeable and result.flags.c_contiguous and result.flags.aligned
    assert not np.shares_memory(result, value)


def odd_arrays():
    grid = np.arange(24.0).reshape(4, 6)
    raw = np.zeros(8 * 5 + 1, np.uint8)
    read_only = np.arange(3.0)
    read_only.flags.writeable = False
    return {
        "transposed": grid.T,
        "strided": grid[::2, ::3],
        "reversed": grid[::-1],
        "broadcast": np.broadcast_to(np.arange(3.0), (4, 3)),
        "unaligned": raw[1:].view(np.float64),
        "big endian": np.arange(5).astype(">f8"),
        "read only": read_only,
        "long long": np.arange(4, dtype=np.longlong),
        "new descr": np.arange(4.0).view(np.dtype("f8", metadata={"a": 1})),
        "fortran": np.asfortranarray(grid),
    }


@pytest.mark.parametrize("kind", odd_arrays())
def test_arrays_that_are_read_through_a_copy(kind):
    value = odd_arrays()[kind]
    function = echo(lambda x: x)
    function(np.ones(value.shape))
    for _ in range(2):
        (result,) = function(value)
        assert np.array_equal(result, value) and result.dtype.isnative and result.flags.c_contiguous
        (result,) = function({"a": [value]})
        assert np.array_equal(result["a"][0], value)


def test_memmap_is_read_as_an_array(tmp_path):
    value = np.memmap(tmp_path / "data", np.float64, "w+", shape=(4,))
    value[:] = 3
    (result,) = echo(lambda x: x)(value)
    assert type(result) is np.ndarray and np.array_equal(result, value)


def every_kind(a, b=2.0, /, c=3, *args, d, e=np.ones(2), **kwargs):
    raise AssertionError("runs as plain Python")


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        ((1,), {"d": 4}, (1, 2.0, 3, (), 4, np.ones(2), {})),
        ((1, 2), {"d": 4, "e": 5}, (1, 2, 3, (), 4, 5, {})),
        ((1,), {"e": 5, "d": 4, "c": 9}, (1, 2.0, 9, (), 4, 5, {})),
        ((1, 2, 3, 4), {"d": 0, "z": 1, "y": (2,)}, (1, 2, 3, (4,), 0, np.ones(2), {"z": 1, "y": (2,)})),
    ],
)  # fmt: skip
def test_forms_of_call(args, kwargs, expected):
    function = echo(every_kind)
    for _ in range(3):
        assert same(function(*args, **kwargs), expected)
    assert function.cache_info().misses == 1


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1,), {}), ((1,), {"b": 1, "d": 2}), ((1,), {"a": 1, "d": 2})])
def test_wrong_calls_raise_what_python_raises(args, kwargs):
    def plain(a, /, *, d):
        pass

    with pytest.raises(TypeError) as expected:
        plain(*args, **kwargs)
    with pytest.raises(TypeError) as raised:
        echo(plain)(*args, **kwargs)
    assert str(raised.value) == str(expected.value)


def test_keyword_names_need_not_be_the_same_objects():
    function = echo(lambda x, y: (x, y))
    for _ in range(3):
        name = "".join(["x"])
        assert function(**{name: 1, "".join("y"): 2.0}) == (1, 2.0)
    assert function.cache_info() == (2, 1, 1)


def test_the_callable_is_like_a_function():
    def documented(x: float) -> tuple:
        """What it does."""

    function = echo(documented)
    assert function.__name__ == "documented" and function.__doc__ == "What it does."
    assert function.__module__ == __name__ and function.__wrapped__ is documented
    assert inspect.signature(function) == inspect.signature(documented)
    assert callable(function) and "documented" in repr(function)
    function.extra = 1
    assert function.extra == 1 and vars(function)["extra"] == 1
    assert weakref.ref(function)() is function and hash(function) == hash(function)
    assert copy.copy(function) is function and copy.deepcopy(function) is function


def module_level(x):
    return x


plain_module_level, module_level = module_level, echo(module_level)


def test_pickles_by_reference():
    sys.modules.setdefault(__name__, sys.modules[test_pickles_by_reference.__module__])
    assert pickle.loads(pickle.dumps(module_level)) is module_level


@dataclasses.dataclass
class WithMethod:
    scale: float

    def plain(self, x):
        raise AssertionError

    compiled = echo(plain)
    still = staticmethod(echo(lambda x: x))


def test_is_a_method():
    instance = WithMethod(2.0)
    for _ in range(2):
        assert same(instance.compiled(np.ones(2)), (instance, np.ones(2)))
        bound = instance.compiled
        assert same(bound(1), (instance, 1)) and same(WithMethod.compiled(instance, x=1), (instance, 1))
    assert instance.still(3) == (3,)


def test_reference_counts_stay():
    array, name, point = np.arange(5.0), "some name", Point([1.0], {"k": np.ones(2)})
    layer = Layer(array, name)
    function = echo(lambda *args: args)
    objects = [array, name, point, layer, point.x, point.y, Layer, Point, function, np.dtype("float64"), None]
    for _ in range(3):
        function(array, name, point, layer)
    before = [sys.getrefcount(item) for item in objects]
    for _ in range(10_000):
        function(array, name, point, layer)
    after = [sys.getrefcount(item) for item in objects]
    assert all(abs(x - y) <= 5 for x, y in zip(before, after)), (before, after)


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow():
    function, large = echo(lambda *args: args), np.zeros(1_000_000)
    small = {"a": [np.ones(100), 1.0], "b": np.float32(1)}
    for _ in range(50):
        function(large, small)
    before = resident_bytes()
    for _ in range(3_000):
        function(small)
    for _ in range(100):
        function(large, small)
    assert resident_bytes() - before < 4 << 20


def test_results_outlive_everything():
    (result,) = echo(lambda x: x)(np.arange(100_000.0))
    view = result[::2]
    del result
    gc.collect()
    assert np.array_equal(view, np.arange(0, 100_000, 2.0))


def test_callables_are_collected():
    before = native.live_buffers()
    references = [weakref.ref(echo(lambda x: x)) for _ in range(5)]
    for _ in range(3):
        function = echo(lambda x: x)
        function(np.ones(3))
        references.append(weakref.ref(function))
    del function
    gc.collect()
    assert not any(reference() for reference in references) and native.live_buffers() == before


def test_shared_result_slots():
    structure = DictOf(("a", "b"), (NumpyScalarOf("float64"), PythonScalarOf("float64")))
    result = TupleOf((structure, StaticOf("constant")))
    procedure = echo_procedure([PythonScalarOf("float64")])
    compiled = CompiledSpecialisation(procedure, result, result_slots=(0, 0))
    function = Dispatcher(lambda x: x, lambda signature: compiled).callable
    assert same(function(2.5), ({"a": np.float64(2.5), "b": 2.5}, "constant"))


@pytest.mark.parametrize("size", [3, 50_000])
def test_one_buffer_for_two_results(size):
    structure, before = structure_of(np.ones(size)), native.live_buffers()
    compiled = CompiledSpecialisation(echo_procedure([structure]), TupleOf((structure, structure)), result_slots=(0, 0))
    function = Dispatcher(lambda x: x, lambda signature: compiled).callable
    first, second = function(np.arange(float(size)))
    assert np.array_equal(first, second)
    del first
    assert second[-1] == size - 1
    del second
    assert native.live_buffers() == before


def test_the_lock_is_released_for_large_arrays():
    """Calls of several threads at once, with and without Python's lock, give the right answers."""
    function = Dispatcher(lambda x: x, compile_total).callable
    arrays = [np.full(size, 1.0) for size in (3, 100, 40_000, 200_000)]
    failures = []

    def work():
        for _ in range(200):
            failures.extend(array for array in arrays if function(array) != array.size)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and function.cache_info().misses == 1
