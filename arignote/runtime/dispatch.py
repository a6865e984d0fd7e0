"""Dispatch: from a call to the specialisation that serves it, compiling where there is none.

The fast path is native (`call.py`). This is the slow one: it binds the arguments as Python does, describes them by
structures, finds or compiles the specialisation, installs it in the native chain for calls of the same form, and runs
it on the leaves. It also serves what native guards do not recognise, such as arrays that must be copied before
compiled code can read them.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
import types
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from arignote.ir.describe import structure_of
from arignote.ir.errors import CompileError
from arignote.ir.native_trees import NativeTree
from arignote.ir.records import dataclass, field
from arignote.ir.structure import (
    PYTHON_SCALARS,
    FunctionOf,
    RecursiveOf,
    SequenceOf,
    StaticOf,
    Structure,
    leaf_structures,
    static_key,
)
from arignote.ir.structure_join import accepts
from arignote.ir.structure_values import leaves_of, native_value, with_items, with_known_numbers
from arignote.runtime import call
from arignote.runtime.callables import make_callable
from arignote.runtime.collector import without_collections
from arignote.runtime.encode import CannotGuard, Capture, GuardList
from arignote.runtime.entry import Body, CompiledSpecialisation, Node
from arignote.runtime.forms import Binder, Form, Plan
from arignote.runtime.imports import TABLE

MAXIMUM_NODES = 64
"""The longest chain of native guards; further specialisations are found by the slow path."""

MAXIMUM_VARIANTS = 8
"""How many specialisations with equal arguments but different captured values are kept."""

_MISSING = object()

_compiling = threading.RLock()
"""One compilation at a time in the process: the compiler's tables are shared, and a compilation may need another."""

# A fork waits for a compilation in another thread: the child has no such thread, which would hold the lock for ever.
os.register_at_fork(before=_compiling.acquire, after_in_parent=_compiling.release, after_in_child=_compiling.release)


class NeedsNumbers(CompileError):
    """An earlier process has refused this, as numbers would have to be known: `needs` says which arguments'."""


class CacheInfo(NamedTuple):
    """Calls served natively or again; compilations; specialisations kept."""

    hits: int
    misses: int
    currsize: int


@dataclass(frozen=True)
class Signature:
    """What a function is specialised for: the structure of each parameter (`*args` is a tuple, `**kwargs` a dict)."""

    names: tuple[str, ...]
    structures: tuple[Structure, ...]
    assumes: bool = True  # what is likely of sizes; a test of it may fail at run time
    anew: bool = False  # to be compiled whatever is known from earlier processes

    def __repr__(self) -> str:
        return ", ".join(f"{name}: {structure!r}" for name, structure in zip(self.names, self.structures, strict=True))


def captured_value(capture: Capture) -> Any:
    """What a capture's place holds now, or `_MISSING`."""
    if isinstance(capture.container, dict):
        return capture.container.get(capture.key, _MISSING)
    try:
        return capture.container.cell_contents
    except ValueError:
        return _MISSING


def has_structure(value: Any, structure: Structure | None) -> bool:
    """Whether a captured value has the structure that was assumed."""
    if structure is None or value is _MISSING:
        return structure is None and value is _MISSING
    if isinstance(structure, StaticOf):
        return static_key(value) == static_key(structure.value)
    try:
        return structure_of(value) is structure
    except (TypeError, OverflowError):
        return False


@dataclass(eq=False)
class Specialisation:
    """One compiled version of the function."""

    structures: tuple[Structure, ...]
    compiled: CompiledSpecialisation
    nodes: dict[Form, Node | None] = field(default_factory=dict)
    leaf_node: Node | None = None

    @functools.cached_property
    def captured(self) -> list[Structure]:
        """The structures of the captured values that are there."""
        return [capture.structure for capture in self.compiled.captures if capture.structure is not None]

    @functools.cached_property
    def leaves(self) -> list[Structure]:
        """The leaves of the arguments and of the captured values."""
        return [leaf for structure in (*self.structures, *self.captured) for leaf in leaf_structures(structure)]

    @functools.cached_property
    def body(self) -> Body:
        """What its native nodes share."""
        return Body(self.leaves, self.compiled)

    def node(self, plan: Plan) -> Node:
        """A native node for calls of one form."""
        guards = plan.guard(self.structures)
        for capture in self.compiled.captures:
            guards.capture(capture)
        return Node(guards, plan.form, self.body)

    @functools.cached_property
    def on_leaves(self) -> Callable[..., Any]:
        """A native callable whose arguments are the leaves, those of the captured values included."""
        guards = GuardList(len(self.leaves), of_native=True)
        for register, leaf in enumerate(self.leaves):
            guards.value(leaf, register)
        self.leaf_node = Node(guards, (len(self.leaves), ()), self.body)
        self._state = (ctypes.c_int64 * call.STATE_WORDS)(self.leaf_node.address, id(_refuse_leaves), 0, 0)
        return make_callable(ctypes.addressof(self._state), self)

    def captured_values(self) -> list[Any] | None:
        """What is captured now, or None where it is no longer what was assumed."""
        values = [captured_value(capture) for capture in self.compiled.captures]
        if all(map(has_structure, values, (capture.structure for capture in self.compiled.captures))):
            return [value for value in values if value is not _MISSING]
        return None

    def hits(self) -> int:
        """How many calls it has served."""
        return sum(node.hits for node in (self.leaf_node, *self.nodes.values()) if node is not None)


def _refuse_leaves(*leaves: Any) -> Any:
    raise SystemError(f"compiled code was given leaves that it does not recognise: {leaves!r}")


_dispatchers: weakref.WeakSet[Dispatcher] = weakref.WeakSet()


def clear_cache() -> None:
    """Forget every specialisation of every compiled function; each compiles again at its next call."""
    for dispatcher in list(_dispatchers):
        dispatcher.cache_clear()


class Dispatcher:
    """The specialisations of one Python function. `callable` is what users call.

    compile:   (signature) -> CompiledSpecialisation; called under a lock, once for each signature
    is_off:    () -> bool: whether the function is to run as plain Python now (asked only while `set_disabled` is on)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        compile: Callable[[Signature], CompiledSpecialisation],
        static_argnums: Sequence[int] = (),
        static_argnames: Sequence[str] = (),
        is_off: Callable[[], bool] = lambda: True,
    ) -> None:
        self.function, self.compile, self.is_off = function, compile, is_off
        self.binder = Binder(function)
        self.static = self.binder.positions(static_argnums, static_argnames)
        self._known: set[str] = set()
        self._specialisations: dict[tuple[Structure, ...], list[Specialisation]] = {}
        self._chain: list[Node] = []
        self._refuted: set[tuple[Structure, ...]] = set()
        self._compilations = 0
        self._served_before = 0
        self._fallback = self._call
        self._state = (ctypes.c_int64 * call.STATE_WORDS)(0, id(self._fallback), 0, 1)
        self.callable = make_callable(ctypes.addressof(self._state), self)
        functools.update_wrapper(self.callable, function)
        self.callable.dispatcher = self
        _dispatchers.add(self)

    # The slow path

    def _call(self, *args: Any, **kwargs: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """What to call with which arguments, in place of a call that no native guard accepts."""
        if _disabled.count and self.is_off():
            return functools.partial(self.function, *args, **kwargs), ()
        form = (len(args), tuple(kwargs))
        try:
            plan = self.binder.plan(form)
        except TypeError:
            return functools.partial(self.function, *args, **kwargs), ()  # raises Python's own TypeError
        values, anew = plan.values((*args, *kwargs.values())), False
        while True:
            structures = self._structures(values)
            try:
                specialisation = self._find(structures) or self._compile(structures, anew)
            except CompileError as error:
                if self._knows_more(error, values):
                    continue
                if isinstance(error, NeedsNumbers):
                    anew = True  # it knows no message
                    continue
                if _shows_compiler():
                    raise
                raise error.with_traceback(None) from None
            captured = specialisation.captured_values()
            if captured is not None:
                if self._install(specialisation, plan) and _has_trees(structures, SequenceOf):
                    return functools.partial(self.callable, *args, **kwargs), ()  # native code reads trees faster
                return specialisation.on_leaves, self._leaves(specialisation, (*values, *captured))

    def _leaves(self, specialisation: Specialisation, values: Sequence[Any]) -> tuple[Any, ...]:
        """The leaves of the arguments and of the captured values, in the form that native code reads."""
        trees, leaves = NativeTree(native_value, with_items), []
        paths = [f"argument {name!r}" for name in self.binder.names]
        paths += ["captured value"] * (len(values) - len(paths))
        structures = (*specialisation.structures, *specialisation.captured)
        for structure, value, path in zip(structures, values, paths, strict=True):
            leaves += leaves_of(structure, value, path, trees)
        return tuple(leaves)

    def _structures(self, values: Sequence[Any]) -> tuple[Structure, ...]:
        """The structure of each parameter."""
        with without_collections():
            return tuple(
                StaticOf(value)
                if name in self.static or (name in self._known and type(value) in PYTHON_SCALARS)
                else self._described(name, value)
                for name, value in zip(self.binder.names, values, strict=True)
            )

    def _described(self, name: str, value: Any) -> Structure:
        structure = structure_of(value, f"argument {name!r}")
        known = isinstance(structure, FunctionOf) and name in self._known
        return with_known_numbers(structure, value) if known else structure

    def _knows_more(self, error: CompileError, values: Sequence[Any]) -> bool:
        """A number must be known at compile time: from now on those are that come by parameters with a default, which
        are settings of the function and no data, and those that functions hold. Whether there are any."""
        functions = {name for name, value in zip(self.binder.names, values) if isinstance(value, types.FunctionType)}
        needed = self.binder.with_default(error.needs) | (functions & self.binder.at(error.needs))
        new = needed - self._known
        self._known |= new
        return bool(new)

    def _find(self, structures: tuple[Structure, ...]) -> Specialisation | None:
        """The specialisation for these structures whose captured values are still what they were; for trees, one for
        more alternatives will do."""
        for specialisation in self._candidates(structures):
            if specialisation.body.errors.refuted:
                self._refute(specialisation)
            elif specialisation.captured_values() is not None:
                return specialisation
        return None

    def _refute(self, specialisation: Specialisation) -> None:
        """What it assumed does not hold of this call: it is no longer used, and the next assumes nothing."""
        with _compiling:
            variants = self._specialisations.get(specialisation.structures, [])
            if specialisation in variants:
                variants.remove(specialisation)
                self._drop(specialisation)
            self._refuted.add(specialisation.structures)

    def _candidates(self, structures: tuple[Structure, ...]) -> Iterator[Specialisation]:
        yield from tuple(self._specialisations.get(structures, ()))
        if _has_trees(structures):
            for known, variants in list(self._specialisations.items()):
                if known != structures and all(map(accepts, known, structures)):
                    yield from tuple(variants)

    def _compile(self, structures: tuple[Structure, ...], anew: bool = False) -> Specialisation:
        """Compiles for these structures, unless another thread has meanwhile."""
        with _compiling, without_collections():
            found = self._find(structures)
            if found is None:
                assumes = structures not in self._refuted
                compiled = self.compile(Signature(self.binder.names, structures, assumes, anew))
                found = Specialisation(structures, compiled)
                self._compilations += 1
                variants = self._specialisations.setdefault(structures, [])
                variants.insert(0, found)
                if len(variants) > MAXIMUM_VARIANTS:
                    self._drop(variants.pop())
            return found

    # The native chain

    def _install(self, specialisation: Specialisation, plan: Plan) -> bool:
        """Puts native guards for calls of this form first in the chain, if they can be written; whether it did."""
        if plan.form in specialisation.nodes:
            return False
        with _compiling:
            if plan.form in specialisation.nodes:
                return False
            try:
                node = specialisation.node(plan)
            except CannotGuard:
                specialisation.nodes[plan.form] = None
                return False
            specialisation.nodes[plan.form] = node
            if len(self._chain) < MAXIMUM_NODES:
                self._relink([node, *self._chain])
                return True
        return False

    def _drop(self, specialisation: Specialisation) -> None:
        """Takes a specialisation out of the chain."""
        self._served_before += specialisation.hits()
        gone = list(specialisation.nodes.values())
        self._relink([node for node in self._chain if node not in gone])

    def _relink(self, chain: list[Node]) -> None:
        """Makes this the native chain. Calls in progress notice by the version, or keep the node that they run."""
        for node, following in zip(chain, [*chain[1:], None]):
            node.set("next", 0 if following is None else following.address)
        self._state[call.FIRST // 8] = chain[0].address if chain else 0
        self._state[call.VERSION // 8] += 1
        self._chain = chain

    # What users ask

    def cache_info(self) -> CacheInfo:
        """How the calls so far were served."""
        kept = [item for variants in self._specialisations.values() for item in variants]
        hits = self._served_before + sum(item.hits() for item in kept) - self._compilations
        return CacheInfo(max(hits, 0), self._compilations, len(kept))

    def cache_clear(self) -> None:
        """Forgets every specialisation."""
        with _compiling:
            for variants in self._specialisations.values():
                self._served_before += sum(item.hits() for item in variants)
            self._specialisations = {}
            self._relink([])

    def specialisations(self) -> list[Specialisation]:
        """All that are kept, the most recent first for each signature."""
        return [item for variants in self._specialisations.values() for item in variants]


def _has_trees(structures: Sequence[Structure], *others: type) -> bool:
    """Whether there are trees in the arguments, or what else is asked for."""
    kinds = (RecursiveOf, *others)
    return any(isinstance(leaf, kinds) for structure in structures for leaf in leaf_structures(structure))


def _shows_compiler() -> bool:
    """Whether the traceback of a refusal goes down into the compiler, for those who work on it. Its message names the
    user's line by itself."""
    return os.environ.get("ARIGNOTE_VERIFY", "0") not in ("", "0")


class _Disabled:
    """How many threads have asked for plain Python."""

    def __init__(self) -> None:
        self.count = int(os.environ.get("ARIGNOTE_DISABLE_JIT", "0") not in ("", "0"))
        self.lock = threading.Lock()


_disabled = _Disabled()
TABLE.set("jit_disabled", int(_disabled.count > 0))


def set_disabled(on: bool) -> None:
    """Sends every call to the slow path, which asks `is_off`; calls nest."""
    with _disabled.lock:
        _disabled.count += 1 if on else -1
        TABLE.set("jit_disabled", int(_disabled.count > 0))
