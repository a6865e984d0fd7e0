"""Compiled programs on disk: found again where nothing that they mean has changed, and never otherwise.

A file that is imported again stands for another process: all its functions, classes and variables are new objects.
"""

import importlib.util
import linecache
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import arignote as ag
from arignote.api import compiled
from arignote.backends.native_image import is_supported
from arignote.runtime import disk_cache, kept_programs, stamps

pytestmark = pytest.mark.skipif(not is_supported(), reason="programs are kept where images are")

X = np.linspace(0.5, 2.0, 7)
START = "import arignote as ag\nimport numpy as np\n"


class Disk:
    """A cache of its own: how many programs were compiled, and a way to import a text as another process would."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.compilations = folder, 0

    def module(self, text: str, name: str = "kept") -> ModuleType:
        """The text as a module of this name."""
        path = self.folder / f"{name}.py"
        path.write_text(START + text)
        linecache.checkcache(str(path))
        linecache.cache.pop(str(path), None)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        made = sys.modules[name] = importlib.util.module_from_spec(spec)
        exec(compile(path.read_text(), str(path), "exec"), made.__dict__)
        return made

    def compiled(self, call: Callable[[], Any]) -> tuple[Any, int]:
        """The result of a call, and how many programs were compiled for it."""
        before = self.compilations
        result = call()
        return result, self.compilations - before

    def files(self) -> list[Path]:
        return sorted((self.folder / "cache").glob("*"))


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    monkeypatch.delenv("ARIGNOTE_VERIFY", raising=False)
    monkeypatch.delenv("ARIGNOTE_CACHE", raising=False)
    monkeypatch.setenv("ARIGNOTE_CACHE_DIR", str(tmp_path / "cache"))
    disk_cache.directory.cache_clear()
    made, compile_ = Disk(tmp_path), compiled._compile

    def counted(*arguments: Any) -> Any:
        made.compilations += 1
        return compile_(*arguments)

    monkeypatch.setattr(compiled, "_compile", counted)
    monkeypatch.setattr(stamps, "is_unchanged", lambda: True)  # whoever works on the compiler may run the tests
    yield made
    sys.modules.pop("kept", None)
    sys.modules.pop("helpers", None)
    monkeypatch.undo()
    disk_cache.directory.cache_clear()


def test_a_program_is_compiled_once(disk):
    text = "@ag.jit\ndef f(x):\n    return np.sum(np.sin(x) * x)\n"
    first, count = disk.compiled(lambda: disk.module(text).f(X))
    assert count == 1
    again, count = disk.compiled(lambda: disk.module(text).f(X))
    assert count == 0 and again == first == pytest.approx(np.sum(np.sin(X) * X))


def test_other_types_are_other_programs(disk):
    module = disk.module("@ag.jit\ndef f(x):\n    return x * 2\n")
    for argument in (X, X.astype(np.float32), X[None], 3, 3.0, True):
        result, count = disk.compiled(lambda argument=argument: module.f(argument))
        assert count == 1
        again = disk.module("@ag.jit\ndef f(x):\n    return x * 2\n")
        found, count = disk.compiled(lambda argument=argument, again=again: again.f(argument))
        assert count == 0 and type(found) is type(result) and np.array_equal(found, result)


def test_methods_of_ufuncs_are_known(disk):
    text = "@ag.jit\ndef f(x):\n    t = np.zeros(2)\n    np.add.at(t, np.array([1, 1]), x[:2])\n    return t\n"
    first, count = disk.compiled(lambda: disk.module(text).f(X))
    assert count == 1
    again, count = disk.compiled(lambda: disk.module(text).f(X))
    assert count == 0 and np.array_equal(first, again)


FUNCTIONS = """
@ag.jit
def value(x):
    total = 0.0
    for i in range(len(x)):
        total = total + np.tanh(x[i]) * i
    return total

gradient = ag.grad(value)
both = ag.value_and_grad(value)
curvature = ag.hessian(value)
mapped = ag.vmap(lambda x: x * 2 + 1)
product = lambda x: ag.hvp(value, (x,), (np.ones_like(x),))[0]
tangent = lambda x: ag.jvp(value, (x,), (np.ones_like(x),))
rows = ag.jacrev(lambda x: np.sin(x) * x)
"""


@pytest.mark.parametrize("name", ["gradient", "both", "curvature", "mapped", "product", "tangent", "rows"])
def test_transformed_functions_are_found_again(disk, name):
    first, count = disk.compiled(lambda: getattr(disk.module(FUNCTIONS), name)(X))
    assert count == 1
    ag.clear_cache()
    again, count = disk.compiled(lambda: getattr(disk.module(FUNCTIONS), name)(X))
    assert count == 0
    assert repr(first) == repr(again)


CHANGES = """
body: def f(x):
    return x + <<1|2>>

called function: def g(x):
    return <<x|-x>>
def f(x):
    return g(x)

default: def f(x, n=<<2|3>>):
    return x ** n

keyword default: def f(x, *, n=<<2|3>>):
    return x ** n

default of a called function: def g(x, n=<<2|3>>):
    return x ** n
def f(x):
    return g(x)

number: n = <<2.0|3.0>>
def f(x):
    return x * n

number that must be known: n = <<2|3>>
def f(x):
    return np.stack([x] * n)

kind of a number: n = <<2|np.float32(2)>>
def f(x):
    return n / 2

string: s = '<<up|down>>'
def f(x):
    return x if s == 'up' else -x

tuple: axes = ('<<up|down>>',)
def f(x):
    return x if 'up' in axes else -x

list: sizes = <<[1, 2]|[1, 2, 3]>>
def f(x):
    return sum(sizes) * x

list that must be known: n = <<[2, 1]|[3, 1]>>
def f(x):
    return np.stack([x] * n[0])

dict: n = {1: <<2.0|3.0>>}
def f(x):
    return x * n[1]

closure: def make(a):
    def f(x):
        return x if a else -x
    return f
f = make(<<True|False>>)

function in a closure: def make(g):
    def f(x):
        return g(x)
    return f
f = make(<<np.sin|np.cos>>)

lambda: g = lambda x: x + <<1|2>>
def f(x):
    return g(x)

class attribute: class C:
    n = <<2|3>>
def f(x):
    return np.stack([x] * C.n)

enumeration: import enum
class E(enum.Enum):
    A = <<1|2>>
def f(x):
    return x * E.A.value

property: class C:
    @property
    def n(self):
        return <<2|3>>
c = C()
def f(x):
    return x * c.n

attribute: class C:
    def __init__(self, n):
        self.n = n
c = C(<<2|3>>)
def f(x):
    return np.stack([x] * c.n)

method of a base class: class B:
    def g(self, x):
        return <<x|-x>>
class C(B):
    pass
c = C()
def f(x):
    return c.g(x)

default of a field: import dataclasses
@dataclasses.dataclass
class P:
    a: float
    b: float = <<1.0|2.0>>
def f(x):
    return P(x[0]).b

partial: import functools
g = functools.partial(np.power, <<2.0|3.0>>)
def f(x):
    return g(x)

custom rule: @ag.custom_vjp
def g(x):
    return np.sum(x)
g.defvjp(lambda x: (np.sum(x), x), lambda r, c: (<<1|2>> * c * r,))
f = ag.grad(g)

argument of a transform: def g(x, y):
    return np.sum(x * y * y)
h = ag.grad(g, <<0|1>>)
def f(x):
    return h(x, 3 * x)

attribute of a member: import enum
class E(enum.Enum):
    A = 1
    @property
    def twice(self):
        return self.value * factor
factor = <<2|3>>
def f(x):
    return x * E.A.twice

registered class: import abc, dataclasses
class Shape(abc.ABC):
    pass
@dataclasses.dataclass
class Square:
    side: float
<<|Shape.register(Square)>>
def f(x):
    return 1.0 if isinstance(Square(x[0]), Shape) else 2.0

name that hides a builtin: def f(x):
    return abs(x)
<<|abs = lambda x: x + 1>>

line: <<n = 1|n = 1
>>
def f(x):
    return x[9]
"""


def changes() -> dict[str, tuple[str, str]]:
    """By what changes, the text before and after."""
    found = {}
    for block in CHANGES.strip().split("\n\n"):
        name, _, text = block.partition(": ")
        before, after = (re.sub(r"<<(.*?)\|(.*?)>>", rf"\{side}", text, flags=re.DOTALL) for side in (1, 2))
        found[name] = (before + "\n", after.lstrip() + "\n")
    return found


def outcome(call: Callable[[], Any]) -> Any:
    """The result, or the error with its line."""
    try:
        return call()
    except Exception as error:
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        return type(error), str(error), place.tb_lineno if place is not None else 0


def same(left: Any, right: Any) -> bool:
    """Whether two outcomes are equal: values but for rounding, errors with their lines."""
    if isinstance(left, tuple) and isinstance(left[0], type):
        return left == right
    return type(left) is type(right) and np.shape(left) == np.shape(right) and np.allclose(left, right, 1e-14, 0)


@pytest.mark.parametrize("change", changes())
def test_a_changed_program_is_never_taken_for_the_old_one(disk, change):
    """Each text in turn gives what it gives alone, however often the other has been kept."""
    expected = [outcome(lambda text=text: disk.module(text).f(X)) for text in changes()[change]]
    assert change == "number" or not same(*expected)
    for round_ in range(2):
        for text, wanted in zip(changes()[change], expected, strict=True):
            found, count = disk.compiled(lambda text=text: outcome(lambda: ag.jit(disk.module(text).f)(X)))
            assert same(found, wanted)
            assert count == 0 or round_ == 0 or change in NOT_KEPT


NOT_KEPT = ("partial",)
"""What these hold has no place of its own that another process could find."""


def test_numbers_read_when_a_program_runs_are_no_part_of_it(disk):
    text = "n = {}\nw = np.full(3, n)\ndef f(x):\n    return x[:3] * n + w\n"
    first, count = disk.compiled(lambda: ag.jit(disk.module(text.format(2.0)).f)(X))
    assert count == 1
    second, count = disk.compiled(lambda: ag.jit(disk.module(text.format(3.0)).f)(X))
    assert count == 0
    assert np.array_equal(first, X[:3] * 2 + 2) and np.array_equal(second, X[:3] * 3 + 3)


def test_a_variable_that_changes_later_is_noticed(disk):
    text = "n = 2\ndef f(x):\n    return np.stack([x] * n)\n"
    ag.jit(disk.module(text).f)(X)
    module = disk.module(text)
    loaded = ag.jit(module.f)
    assert loaded(X).shape == (2, 7)
    module.n = 4
    assert loaded(X).shape == (4, 7)
    module.n = 2
    assert loaded(X).shape == (2, 7)


def test_modules_of_the_user_are_followed(disk):
    for number in (2, 3, 2):
        disk.module(f"def g(x):\n    return x * {number}\n", "helpers")
        module = disk.module("import helpers\ndef f(x):\n    return helpers.g(x)\n")
        assert np.array_equal(ag.jit(module.f)(X), X * number)
    assert disk.compilations == 2


def test_classes_of_results_are_those_of_this_process(disk):
    text = (
        "import dataclasses, typing\n@dataclasses.dataclass\nclass Point:\n    x: float\n    y: float\n"
        "class Pair(typing.NamedTuple):\n    a: float\n    b: float\n"
        "def f(x):\n    return Point(x[0], x[1]), Pair(x[2], x[3]), {'k': [x[4], None, 'text']}\n"
    )
    for _ in range(2):
        module = disk.module(text)
        point, pair, rest = ag.jit(module.f)(X)
        assert type(point) is module.Point and type(pair) is module.Pair
        assert rest == {"k": [X[4], None, "text"]}
    assert disk.compilations == 1


def test_trees_are_found_again(disk):
    text = (
        "import dataclasses\n@dataclasses.dataclass\nclass Tree:\n    value: float\n    left: 'Tree | None' = None\n"
        "    right: 'Tree | None' = None\n"
        "def total(t):\n    return 0.0 if t is None else t.value + total(t.left) + total(t.right)\n"
        "def double(t):\n    return None if t is None else Tree(2 * t.value, double(t.left), double(t.right))\n"
    )
    for _ in range(2):
        module = disk.module(text)
        tree = module.Tree(1.0, module.Tree(2.0), module.Tree(3.0, None, module.Tree(4.0)))
        assert ag.jit(module.total)(tree) == 10.0
        assert ag.grad(module.total)(tree).right.right.value == 1.0
        assert ag.jit(module.double)(tree) == module.double(tree)
    assert disk.compilations == 3


def test_functions_as_arguments_and_results(disk):
    text = "def f(g, x):\n    return lambda y: g(x) + y\n"
    for scale in (2.0, 3.0):
        module = disk.module(text + "def make(a):\n    return lambda x: a * x\n")
        found = ag.jit(module.f)(module.make(scale), 5.0)
        assert found(1.0) == 5 * scale + 1
    assert disk.compilations == 1


def test_errors_name_the_line_of_this_file(disk, tmp_path):
    text = "def f(x, i):\n    y = x * 2\n    return y[i]\n"
    for _ in range(2):
        f = ag.jit(disk.module(text).f)
        with pytest.raises(IndexError) as caught:
            f(X, 9)
        last = caught.traceback[-1]
        assert (last.path, last.lineno + 1) == (tmp_path / "kept.py", 5)
    assert disk.compilations == 1


def test_a_file_that_has_moved(disk, tmp_path):
    text = "def f(x, i):\n    return x[i]\n"
    ag.jit(disk.module(text).f)(X, 0)
    other = tmp_path / "elsewhere"
    other.mkdir()
    disk.folder = other
    with pytest.raises(IndexError) as caught:
        ag.jit(disk.module(text).f)(X, 9)
    assert caught.traceback[-1].path == other / "kept.py"
    assert disk.compilations == 1


def test_prints_and_own_exceptions(disk, capsys):
    text = (
        "class Wrong(ValueError):\n    pass\ndef f(x):\n    print('sum', np.sum(x))\n"
        "    if x[0] > 1:\n        raise Wrong('too large')\n    return x\n"
    )
    for _ in range(2):
        module = disk.module(text)
        f = ag.jit(module.f)
        f(X)
        assert capsys.readouterr().out == f"sum {np.sum(X)}\n"
        with pytest.raises(module.Wrong, match="too large"):
            f(X + 1)
        capsys.readouterr()
    assert disk.compilations == 1


def test_matrix_functions_come_with_it(disk):
    text = "@ag.jit\ndef f(a, b):\n    return np.linalg.solve(a @ b + 9 * np.eye(3), b[:, 0])\n"
    a, b = np.arange(9.0).reshape(3, 3), np.ones((3, 3))
    first, again = disk.module(text).f(a, b), disk.module(text).f(a, b)
    assert np.array_equal(first, again) and disk.compilations == 1


def test_permission_and_settings(disk, monkeypatch):
    module = disk.module("def f(x):\n    return x + 1\n")
    ag.jit(module.f, cache=False)(X)
    monkeypatch.setenv("ARIGNOTE_CACHE", "0")
    ag.jit(module.f)(X)
    monkeypatch.delenv("ARIGNOTE_CACHE")
    for name, value in (("ARIGNOTE_VERIFY", "1"), ("ARIGNOTE_FUEL", "3"), ("ARIGNOTE_RULES_OFF", "add_zero")):
        monkeypatch.setenv(name, value)
        assert not kept_programs.is_on()
        monkeypatch.delenv(name)
    assert kept_programs.is_on()
    assert not disk.files()
    ag.jit(module.f)(X)
    assert len(disk.files()) == 1 and disk.compilations == 3


def test_inspect_compiles_anew(disk):
    text = "@ag.jit\ndef f(x):\n    return x + 1\n"
    disk.module(text).f(X)
    f = disk.module(text).f
    assert np.array_equal(f(X), X + 1)
    assert "define" in ag.inspect(f)(X).llvm
    assert f.cache_info().misses == 1


def test_refusals_are_the_same_as_before(disk):
    text = "@ag.jit\ndef f(x):\n    return open(x)\n"
    messages = []
    for _ in range(2):
        with pytest.raises(ag.CompileError) as caught:
            disk.module(text).f(X)
        messages.append(str(caught.value))
    assert messages[0] == messages[1] and "open(x)" in messages[0]


def test_settings_that_must_be_known_are_remembered(disk):
    """Where a number must be known, which has a default, the next process does not try without it."""
    text = "@ag.jit\ndef f(x, n=0):\n    return np.sum(x, axis=n)\n"
    for number, attempts in ((0, 2), (1, 1), (0, 0)):
        result, count = disk.compiled(lambda number=number: disk.module(text).f(X[None], number))
        assert result.shape == ((7,), (1,))[number] and count == attempts


def test_refusals_for_numbers_keep_their_message(disk):
    text = "@ag.jit\ndef f(x, n):\n    return np.sum(x, axis=n)\n"
    for _ in range(2):
        with pytest.raises(ag.CompileError, match="known at compile time") as caught:
            disk.module(text).f(X, 0)
        assert "kept.py:5" in str(caught.value)


def test_what_has_no_place_is_not_kept(disk):
    """A pullback holds a plan of this process."""
    module = disk.module("def f(x):\n    return np.sum(x * x)\n")
    for _ in range(2):
        value, pullback = ag.vjp(module.f, X)
        assert value == np.sum(X * X) and np.array_equal(pullback(1.0)[0], 2 * X)


def test_a_few_variants_of_a_program_share_a_file(disk):
    text = "n = {}\ndef f(x):\n    return np.stack([x] * n)\n"
    for _ in range(2):
        for number in (1, 2, 3):
            assert ag.jit(disk.module(text.format(number)).f)(X).shape == (number, 7)
    assert disk.compilations == 3
    many = range(1, 2 * kept_programs.MOST_VARIANTS)
    for number in many:
        assert ag.jit(disk.module(text.format(number)).f)(X).shape == (number, 7)
    assert ag.jit(disk.module(text.format(many[-1])).f)(X).shape == (many[-1], 7)
    assert disk.compilations == len(many)
