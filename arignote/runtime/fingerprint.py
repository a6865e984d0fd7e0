"""What a program means, written down so that it can be compared with that of another process.

A program means what its functions' texts say of all that they mention: other functions, classes, constants. A
`Fingerprint` goes through them and gives a digest, and a table of the objects that it met, in an order that is the same
wherever the digest is: so an object of one process is named to another by its place. Values that a program reads when
it runs are described by their structures only.

It need not find everything. What the compiler looked at and is not in the table keeps a program from being kept.
"""

from __future__ import annotations

import _abc
import abc
import collections
import dataclasses
import enum
import functools
import hashlib
import linecache
import operator
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from arignote.ir.describe import structure_of
from arignote.ir.functions import FunctionTemplate
from arignote.ir.marks import KNOWN_MODULES, TRANSFORM_ATTRIBUTE, namespace_of
from arignote.ir.structure import Structure

ATOMS = (bool, int, float, complex, str, bytes, types.NoneType, types.EllipsisType, types.NotImplementedType, range)
_PLAIN = (*ATOMS, slice)
_NAME = re.compile(r"[^\W\d]\w*")
_CLASS_NOISE = frozenset(
    "__dict__ __weakref__ __abstractmethods__ _abc_impl __dataclass_params__ __parameters__ __annotations__ "
    "__orig_bases__ __hash__".split()
)
_GETTERS = (operator.itemgetter, operator.attrgetter, operator.methodcaller)
_ASKED_BY_COMPILER = frozenset(
    "__eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__ __repr__ __str__ __format__ __len__ __bool__ "
    "__contains__ __instancecheck__ __subclasscheck__ __subclasshook__".split()
)
_MADE_BY_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_RULES = ("custom_vjp", "custom_jvp")


def is_plain(thing: Any) -> bool:
    """Whether a value says all about itself, and is the same in every process."""
    return type(thing) in _PLAIN or isinstance(thing, np.dtype | np.generic)


def is_known(thing: Any) -> bool:
    """Whether an object belongs to Python, NumPy, SciPy or this package, where its name says which it is."""
    if isinstance(thing, types.ModuleType):
        return _is_known_name(thing.__name__) and sys.modules.get(thing.__name__) is thing
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if isinstance(thing, np.ufunc):
        return True
    if isinstance(thing, types.BuiltinFunctionType) and (module is None or not isinstance(name, str)):
        return isinstance(thing.__self__, types.ModuleType | np.ufunc | str | bytes | types.NoneType)  # np.add.at
    if not isinstance(module, str) or not isinstance(name, str) or not _is_known_name(module):
        return False
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is thing


def _is_known_name(module: str) -> bool:
    return module.partition(".")[0].lstrip("_") in KNOWN_MODULES


class Fingerprint:
    """One walk. `objects` are those met, `numbers` their places by identity, `files` those that texts come from."""

    def __init__(self) -> None:
        self.objects: list[Any] = []
        self.numbers: dict[int, int] = {}
        self.files: dict[str, int] = {}
        self._parts: list[str] = []
        self._names: set[str] = set()
        self._namespaces: list[tuple[dict[str, Any], set[str]]] = []
        self._run_by_python = False  # what is being described may be run by Python for the compiler

    def digest(self, *things: Any) -> str:
        """The digest of these objects; those met before are named by their places."""
        self._parts = []
        for thing in things:
            self.value(thing)
        self._attributes()
        return hashlib.sha256("\0".join(self._parts).encode("utf-8", "surrogatepass")).hexdigest()

    def place(self, file: str) -> int:
        """The number of a file that text comes from; its name is not part of what a program means."""
        return self.files.setdefault(file, len(self.files))

    def _say(self, *parts: Any) -> None:
        self._parts.append(repr(parts))

    def is_new(self, thing: Any) -> bool:
        """Whether an object has not been met; it is in the table from now on."""
        number = self.numbers.get(id(thing))
        if number is not None:
            self._say("again", number)
            return False
        self.numbers[id(thing)] = len(self.objects)
        self.objects.append(thing)
        return True

    def _leave_out(self, thing: Any) -> None:
        """Takes an object whose meaning cannot be written down out of the table: programs that look at it are not
        kept."""
        self._say("not described", type(thing).__qualname__)
        del self.numbers[id(thing)]

    def value(self, thing: Any) -> None:
        """What is known when a program is compiled: all of it."""
        kind = type(thing)
        if kind in ATOMS:
            self._say(kind.__name__, thing)
        elif kind in (tuple, frozenset):
            self._say(kind.__name__, len(thing))
            self._all(thing if kind is tuple else sorted(thing, key=repr))
        elif kind is slice:
            self._all((thing.start, thing.stop, thing.step))
        elif isinstance(thing, Structure):
            self.structure(thing)
        elif isinstance(thing, np.generic | np.ndarray | np.dtype):
            self._of_numpy(thing)
        elif self.is_new(thing):
            self._object(thing)

    def _all(self, things: Iterable[Any]) -> None:
        for thing in things:
            self.value(thing)

    def _of_numpy(self, thing: Any) -> None:
        if isinstance(thing, np.ndarray):
            self._say(type(thing).__name__, str(thing.dtype), [min(size, 2) for size in thing.shape])
        else:
            self._say(type(thing).__name__, repr(thing))

    def read_when_run(self, thing: Any) -> None:
        """A variable from outside: data is described by its structure, as the compiler does."""
        if type(thing) is types.FunctionType or self._run_by_python:
            self.value(thing)
            return
        try:
            structure = structure_of(thing)
        except (TypeError, OverflowError, ValueError):
            self.value(thing)
        else:
            self.structure(structure)

    def structure(self, structure: Structure) -> None:
        """A structure, with the classes and functions in it."""
        self._say(type(structure).__name__)
        for name in structure.fields:
            found = getattr(structure, name)
            if name == "template":
                self._template(found)
            else:
                self.value(found)

    def _template(self, template: Any) -> None:
        if not isinstance(template, FunctionTemplate):
            self._say(repr(template))
            return
        self.code(template.code)
        for cell in template.cells:
            self.value(cell)
        self._say(template.defaults, template.keywords)
        self._globals(template.namespace, template.code)

    def _object(self, thing: Any) -> None:
        """An object with an identity, met for the first time."""
        for kinds, describe in _DESCRIBE:
            if isinstance(thing, kinds):
                describe(self, thing)
                return
        transform = getattr(thing, TRANSFORM_ATTRIBUTE, None)
        if transform is not None:
            self._transform(thing, transform)
        elif is_known(thing):
            self._say(thing.__module__, getattr(thing, "__qualname__", None) or repr(thing))
        elif dataclasses.is_dataclass(thing):
            self.value(type(thing))
            self._all(getattr(thing, field.name, None) for field in dataclasses.fields(thing))
            self._namespace(getattr(thing, "__dict__", None))
        elif is_known(type(thing)) or getattr(type(thing), "__module__", "builtins") == "builtins":
            self._leave_out(thing)
        else:
            self.value(type(thing))
            self._namespace(getattr(thing, "__dict__", None))

    def _function(self, function: types.FunctionType) -> None:
        if is_known(function):
            self._say(function.__module__, function.__qualname__)
            return
        self._say(function.__module__, function.__qualname__, function.__name__, function.__doc__)
        self.code(function.__code__)
        for cell in function.__closure__ or ():
            self.value(cell)
        self.value(function.__defaults__)
        self.value(function.__kwdefaults__)
        if function.__dict__:
            self._say(str(getattr(function, "__signature__", "")))
            self.value(function.__dict__.get("__wrapped__"))
            self._namespace(function.__dict__)
        self._globals(function.__globals__, function.__code__)

    def _globals(self, namespace: dict[str, Any], code: types.CodeType) -> None:
        """The global variables that a function may mention."""
        if namespace.get("__name__") in sys.modules and _is_known_name(namespace["__name__"]):
            self._say(namespace["__name__"])
        elif id(namespace) not in self.numbers:
            self.is_new(namespace)
        for name in sorted(set(_names(code))):
            self._say(name, name in namespace)
            if name in namespace:
                self.read_when_run(namespace[name])

    def _cell(self, cell: types.CellType) -> None:
        try:
            contents = cell.cell_contents
        except ValueError:
            self._say("empty")
        else:
            self.read_when_run(contents)

    def code(self, code: types.CodeType) -> None:
        """The code of a function, and the text that it was made from."""
        if self.is_new(code):
            self._code(code)
            first, last = code.co_firstlineno, max(_last_lines(code), default=code.co_firstlineno)
            lines = linecache.getlines(code.co_filename)[first - 1 : last]
            self._say(self.place(code.co_filename), lines)

    def _code(self, code: types.CodeType) -> None:
        self._names.update(code.co_names)
        self._say(
            code.co_code, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags,
            code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_firstlineno, code.co_linetable,
            code.co_exceptiontable, code.co_name, code.co_qualname,
        )  # fmt: skip
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                if self.is_new(constant):
                    self._code(constant)
            else:
                self.value(constant)

    def _class(self, cls: type) -> None:
        self._say(cls.__module__, cls.__qualname__)
        if is_known(cls) or not cls.__flags__ & _MADE_BY_PYTHON:
            return
        if type(cls) is not type:
            self.value(type(cls))
        self._all(cls.__bases__)
        if isinstance(cls, abc.ABCMeta):
            registered = [reference() for reference in _abc._get_dump(cls)[0]]
            self._say(sorted(repr(other) for other in registered if other is not None))
        namespace = namespace_of(cls)
        self.is_new(namespace)
        is_enumeration = issubclass(cls, enum.Enum)
        if is_enumeration:
            self._members(cls)
        for name, item in tuple(namespace.items()):
            if name in _CLASS_NOISE or (is_enumeration and not isinstance(item, types.FunctionType | property)):
                continue
            self._say(name)
            before = self._run_by_python
            self._run_by_python = before or is_enumeration or name in _ASKED_BY_COMPILER
            (self.value if name.startswith("__") else self.read_when_run)(item)
            self._run_by_python = before
        self._annotations(cls, namespace)
        if dataclasses.is_dataclass(cls):
            self._all(type.__subclasses__(cls))

    def _members(self, cls: type[enum.Enum]) -> None:
        """The members of an enumeration with all their attributes, which the compiler asks Python for."""
        names = [name for base in cls.__mro__ for name, item in vars(base).items() if isinstance(item, property)]
        for member in cls.__members__.values():
            self._all((member, member.value, vars(member)))
            self._all(getattr(member, name, None) for name in names)

    def _annotations(self, cls: type, namespace: dict[str, Any]) -> None:
        known = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
        for name, hint in namespace.get("__annotations__", {}).items():
            self._say(name)
            self._hint(hint, known)

    def _hint(self, hint: Any, known: dict[str, Any]) -> None:
        """An annotation: the classes that it mentions, as far as their instances may be data."""
        if isinstance(hint, typing.ForwardRef):
            hint = hint.__forward_arg__
        if isinstance(hint, str):
            self._say(hint)
            for name in sorted(set(_NAME.findall(hint))):
                if isinstance(known.get(name), type):
                    self._hint(known[name], known)
                elif name in known:
                    self._say(name, repr(known[name]))
        elif isinstance(hint, type) and not isinstance(hint, types.GenericAlias):
            self._say(hint.__module__, hint.__qualname__)
            if dataclasses.is_dataclass(hint) or (not is_known(hint) and type.__subclasses__(hint)):
                self.value(hint)
        else:
            origin, parts = typing.get_origin(hint), typing.get_args(hint)
            self._say(repr(origin or hint))
            for part in parts:
                self._hint(part, known)
            if hasattr(hint, "__value__"):
                self._hint(hint.__value__, known)

    def _module(self, module: types.ModuleType) -> None:
        self._say(module.__name__)
        if not is_known(module):
            self._namespace(module.__dict__)

    def _namespace(self, namespace: dict[str, Any] | None) -> None:
        """The attributes of an object, which a program reads by name."""
        if namespace is not None:
            if id(namespace) not in self.numbers:
                self.is_new(namespace)
            self._namespaces.append((namespace, set()))

    def _attributes(self) -> None:
        """The attributes that functions may mention, of all objects that have been met; they may lead to others."""
        changed = True
        while changed:
            changed = False
            for namespace, done in tuple(self._namespaces):
                for name in sorted((self._names - done) & namespace.keys()):
                    changed = True
                    done.add(name)
                    self._say(name)
                    self.read_when_run(namespace[name])

    def _transform(self, thing: Any, transform: tuple[Any, ...]) -> None:
        """A function that says of itself what it is."""
        kind, *rest = transform
        self._say(kind)
        if kind == "pull":
            self._leave_out(thing)
        elif kind in _RULES:
            self._all((thing.fun, thing.nondiff_argnums, thing.rules))
        else:
            self._all(rest)

    def _items(self, thing: Any) -> None:
        """A list or a dict of which each item is known."""
        self._say(type(thing).__name__, len(thing))
        self._all(thing if isinstance(thing, list) else [part for pair in thing.items() for part in pair])

    def _member(self, member: enum.Enum) -> None:
        self.value(type(member))
        self._say(member.name)

    def _field(self, field: dataclasses.Field[Any]) -> None:
        missing = dataclasses.MISSING
        self._say(field.name, str(field._field_type), field.init, field.kw_only, field.compare)  # type: ignore[attr-defined]
        self._all(None if item is missing else (item,) for item in (field.default, field.default_factory))



def _names(code: types.CodeType) -> Iterator[str]:
    """The names that a function and those inside it mention."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _last_lines(code: types.CodeType) -> Iterator[int]:
    yield max((place[1] or 0 for place in code.co_positions()), default=0)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _last_lines(constant)


def _by(*names: str) -> Callable[[Fingerprint, Any], None]:
    """Describes an object by its kind and some of its attributes."""

    def describe(self: Fingerprint, thing: Any) -> None:
        self._say(type(thing).__name__)
        self._all(getattr(thing, name) for name in names)

    return describe


_DESCRIBE: tuple[tuple[Any, Callable[[Fingerprint, Any], None]], ...] = (
    (types.FunctionType, lambda self, thing: (
        self._transform(thing, getattr(thing, TRANSFORM_ATTRIBUTE)) if hasattr(thing, TRANSFORM_ATTRIBUTE)
        else self._function(thing))),
    (types.CellType, Fingerprint._cell),
    (types.CodeType, Fingerprint._code),
    (enum.Enum, Fingerprint._member),
    (type, Fingerprint._class),
    (types.ModuleType, Fingerprint._module),
    (types.MethodType, _by("__func__", "__self__")),
    ((staticmethod, classmethod), _by("__func__")),
    (property, _by("fget", "fset", "fdel")),
    (functools.partial, _by("func", "args", "keywords")),
    (functools._lru_cache_wrapper, _by("__wrapped__")),
    (functools.cached_property, _by("func")),
    (dataclasses.Field, Fingerprint._field),
    ((types.MemberDescriptorType, types.GetSetDescriptorType), _by("__name__")),
    (types.MappingProxyType, lambda self, thing: self._items(dict(thing))),
    (types.SimpleNamespace, lambda self, thing: self._items(vars(thing))),
    (_GETTERS, lambda self, thing: self.value(thing.__reduce__())),
    ((list, dict, collections.OrderedDict), Fingerprint._items),
    ((set,), lambda self, thing: self._all(sorted(thing, key=repr))),
)  # fmt: skip
