"""Data classes of our own: the same as the standard library's in all that they do."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import pickle
import pkgutil
from typing import ClassVar

import pytest

import arignote
from arignote.ir import records


class _Defined:
    """The same classes, by one decorator and by the other."""

    def __init__(self, dataclass):
        @dataclass
        class Plain:
            a: int
            b: list[int] = dataclasses.field(default_factory=list)
            c: ClassVar[int] = 3
            d: float = 2.0

            def __post_init__(self):
                self.e = self.a + 1

        @dataclass(frozen=True)
        class Frozen:
            a: object
            b: str = "x"

        @dataclass(frozen=True, slots=True)
        class Derived(Frozen):
            c: object = None

        @dataclass(slots=True, eq=False)
        class Node:
            a: object

        @dataclass(frozen=True, slots=True)
        class Single:
            a: object

        @dataclass(frozen=True, slots=True)
        class Empty:
            pass

        @dataclass(frozen=True)
        class Own:
            a: int

            def __repr__(self):
                return "own"

            def __eq__(self, other):
                return True

            def __hash__(self):
                return 5

        @dataclass(frozen=True)
        class OwnEquality:
            a: int

            def __eq__(self, other):
                return True

        self.classes = Plain, Frozen, Derived, Node, Single, Empty, Own, OwnEquality


OURS, THEIRS = _Defined(records.dataclass).classes, _Defined(dataclasses.dataclass).classes
PAIRS = [pytest.param(ours, theirs, id=ours.__name__) for ours, theirs in zip(OURS, THEIRS)]
ARGUMENTS = [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), (float("nan"),), ([],)]


def outcome(work):
    """The result of a function, or the error."""
    try:
        return work()
    except Exception as error:
        return type(error), str(error)


def facts(cls, arguments):
    """What can be seen of an instance."""
    made = outcome(lambda: cls(*arguments))
    if isinstance(made, tuple):
        return made
    other = cls(*arguments)
    return (
        repr(made),
        made == made,
        made == other,
        made == 1,
        outcome(lambda: hash(made) == hash(other)),
        outcome(lambda: setattr(made, "a", 7)) if dataclasses.fields(cls) else None,
        outcome(lambda: setattr(made, "z", 7)) if hasattr(made, "__dict__") and not arguments else None,
        repr(made),
        repr(copy.copy(made)),
        outcome(lambda: repr(dataclasses.replace(made, a=5))),
        outcome(lambda: delattr(made, "a")) if dataclasses.fields(cls) else None,
        hasattr(made, "__dict__"),
    )


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=repr)
@pytest.mark.parametrize("ours, theirs", PAIRS)
def test_instances(ours, theirs, arguments):
    for _ in range(2):  # the constructor is written at the first
        assert facts(ours, arguments) == facts(theirs, arguments)


@pytest.mark.parametrize("ours, theirs", PAIRS)
def test_classes(ours, theirs):
    assert dataclasses.is_dataclass(ours)
    assert [field.name for field in dataclasses.fields(ours)] == [field.name for field in dataclasses.fields(theirs)]
    assert ours.__match_args__ == theirs.__match_args__
    assert getattr(ours, "__slots__", None) == getattr(theirs, "__slots__", None)
    assert ours.__qualname__ == theirs.__qualname__
    assert (ours.__hash__ is None) == (theirs.__hash__ is None)


def test_keywords():
    assert repr(OURS[2](a=1, c=2)) == repr(THEIRS[2](a=1, c=2))
    assert outcome(lambda: OURS[2](q=1)) == outcome(lambda: THEIRS[2](q=1))


@records.dataclass(frozen=True, slots=True)
class Kept:
    a: int
    b: tuple[int, ...] = ()


def test_pickles():
    assert pickle.loads(pickle.dumps(Kept(1, (2,)))) == Kept(1, (2,))


def test_a_record_in_itself_has_a_text():
    inside = []
    instance = OURS[1](inside)
    inside.append(instance)
    assert repr(instance).endswith("Frozen(a=[...], b='x')")


def test_the_standard_library_derives_from_ours():
    @dataclasses.dataclass(frozen=True)
    class Theirs(OURS[1]):
        c: int = 0

    assert repr(Theirs(1, "y", 2)).endswith("Theirs(a=1, b='y', c=2)")


def test_no_default_is_shared_by_accident():
    for module in pkgutil.walk_packages(arignote.__path__, "arignote."):
        for thing in vars(importlib.import_module(module.name)).values():
            if isinstance(thing, type) and dataclasses.is_dataclass(thing):
                for field in dataclasses.fields(thing):
                    assert not isinstance(field.default, (list, dict, set)), (thing, field.name)
