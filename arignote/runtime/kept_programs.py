"""Compiled programs from one process to the next.

A program is found by the digest of what it means (`fingerprint.py`), of the types of its arguments, and of what machine
code depends on (`stamps.py`). What it refers to in this process (functions, classes, the places of global variables) is
named by its place in the fingerprint's table. Some variables from outside have values that were known when it was
compiled: these are compared when it is loaded, and one file holds a program for each of a few such values.

Whatever the compiler looked at must be in the table: otherwise the program is not kept.
"""

from __future__ import annotations

import os
import pickle
import sys
import types
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from arignote.backends.native_image import is_supported
from arignote.ir.records import dataclass
from arignote.ir.structure import StaticOf, Structure
from arignote.runtime import disk_cache, stamps
from arignote.runtime.dispatch import captured_value, has_structure
from arignote.runtime.encode import Capture
from arignote.runtime.entry import CompiledSpecialisation
from arignote.runtime.fingerprint import Fingerprint, is_known, is_plain
from arignote.runtime.kept_modules import kept_module, load
from arignote.runtime.portable import CannotKeep, Tables
from arignote.runtime.symbols import symbols

if TYPE_CHECKING:
    from arignote.backends.llvm import CompiledModule

MOST_VARIANTS = 4
"""Programs in one file, which differ in what they found in variables from outside."""

_RESTRICTIONS = ("ARIGNOTE_VERIFY", "ARIGNOTE_FUEL", "ARIGNOTE_RULES_OFF")
"""Settings of those who work on the compiler, who want it to run."""

_NEEDS = b" needs"

Variant = tuple[bytes, bytes, bytes]
"""What a program found outside, what it is, its machine code."""


@dataclass(frozen=True)
class Program:
    """What is to be compiled: its key, and the walk that gave it."""

    key: bytes
    fingerprint: Fingerprint


@dataclass(frozen=True)
class Compiled:
    """What the compiler has made: for the runtime, in which functions of which module, and what it looked at."""

    specialisation: CompiledSpecialisation
    module: CompiledModule
    entry: str
    packed: str
    looked_at: Sequence[Any]


def is_on() -> bool:
    """Whether programs are kept, and the whole compiler is switched on."""
    if not is_supported() or not disk_cache.keeps_programs():
        return False
    rewriting = sys.modules.get("arignote.opt.rewrite")
    restricted = any(os.environ.get(name, "0") not in ("", "0") for name in _RESTRICTIONS)
    return not restricted and (rewriting is None or rewriting.is_unrestricted())


def identify(target: Any, function: Any, names: Sequence[str], structures: Sequence[Structure],
             assumes: bool) -> Program | None:  # fmt: skip
    """What identifies a function, or a transformed one, for arguments of these structures; None if that cannot be
    told."""
    fingerprint = Fingerprint()
    try:
        meaning = fingerprint.digest(target, function, tuple(names), tuple(structures), assumes)
    except Exception as error:  # the walk asks objects of any class for their attributes, which may raise anything
        _log("not described: %r", error)
        return None
    return Program(f"{meaning} on {stamps.machine()}".encode(), fingerprint)


def find(program: Program) -> CompiledSpecialisation | None:
    """The program as it was compiled before, if what it found outside is still there."""
    for variant in _variants(program.key):
        try:
            found = _found(program.fingerprint, *variant)
        except (pickle.UnpicklingError, LookupError, AttributeError, ImportError, OSError) as error:
            _log("not loaded: %r", error)
            continue
        if found is not None:
            return found
    return None


def _variants(key: bytes) -> list[Variant]:
    data = disk_cache.read(key)
    return [] if data is None else pickle.loads(data)


def _found(fingerprint: Fingerprint, known: bytes, rest: bytes, code: bytes) -> CompiledSpecialisation | None:
    places, meaning = Tables(fingerprint).read(known)
    outside = Fingerprint()
    if outside.digest(*[captured_value(Capture(*place, None)) for place in places]) != meaning:
        return None
    entry, packed, result, found_outside, sites, prints = Tables(fingerprint, outside).read(rest)
    captures = tuple(Capture(*each) for each in found_outside)
    if not all(has_structure(captured_value(capture), capture.structure) for capture in captures):
        return None
    loaded = load(pickle.loads(code), symbols())
    return CompiledSpecialisation(loaded[entry], result, captures, sites, prints,
                                  packed=loaded[packed], keep_alive=loaded)  # fmt: skip


def needs(program: Program) -> frozenset[int | str]:
    """The arguments that would have to be known, where the program has been refused for that before."""
    data = disk_cache.read(program.key + _NEEDS)
    return frozenset() if data is None else pickle.loads(data)


def keep_needs(program: Program, needed: frozenset[int | str]) -> None:
    """Keeps why a program was refused, so that the next process need not try; at worst it takes a number for a setting
    that could have been data."""
    if needed and stamps.is_unchanged():
        disk_cache.write(program.key + _NEEDS, pickle.dumps(needed))


def keep(program: Program, compiled: Compiled) -> None:
    """Keeps a program that has just been compiled, unless another process could not know when it may use it."""
    try:
        if not stamps.is_unchanged():
            raise CannotKeep("the compiler's files have changed since they were imported")
        variant = _variant(program.fingerprint, compiled)
    except (CannotKeep, pickle.PicklingError) as reason:
        _log("not kept: %s", reason)
        return
    variants = [variant, *(other for other in _variants(program.key) if other[:2] != variant[:2])]
    disk_cache.write(program.key, pickle.dumps(variants[:MOST_VARIANTS]))


def _variant(fingerprint: Fingerprint, compiled: Compiled) -> Variant:
    made = compiled.specialisation
    fixed = [capture for capture in made.captures if _is_fixed(capture, fingerprint)]
    outside = Fingerprint()
    meaning = outside.digest(*map(captured_value, fixed))
    tables = Tables(fingerprint, outside)
    for thing in compiled.looked_at:
        if not _is_covered(thing, tables):
            raise CannotKeep(f"{thing!r} is not in the table")
    places = tuple([(capture.container, capture.key) for capture in fixed])
    captures = tuple([(capture.container, capture.key, capture.structure) for capture in made.captures])
    rest = (compiled.entry, compiled.packed, made.result, captures, tuple(made.error_sites), tuple(made.prints))
    module = kept_module(compiled.module, symbols())
    if module is None:
        raise CannotKeep("the machine code is not an image")
    return Tables(fingerprint).write((places, meaning)), tables.write(rest), pickle.dumps(module)


def _is_fixed(capture: Capture, fingerprint: Fingerprint) -> bool:
    """Whether a variable's value was looked into without being part of the key, as it is data otherwise."""
    if not isinstance(capture.structure, StaticOf):
        return False
    value = capture.structure.value
    return not is_plain(value) and id(value) not in fingerprint.numbers and not is_known(value)


def _is_covered(thing: Any, tables: Tables) -> bool:
    """Whether the key says what an object is that the compiler looked at."""
    if is_plain(thing) or tables.place(thing) is not None or is_known(thing):
        return True
    return isinstance(thing, types.FunctionType) and tables.place(thing.__code__) is not None


def _log(message: str, *arguments: Any) -> None:
    import logging

    logging.getLogger("arignote.cache").debug(message, *arguments)
