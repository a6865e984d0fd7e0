"""How a NumPy function is declared.

    @numpy_function("sum", method="sum")
    def sum_(c: Context, a: Node, axis: Known = None, dtype: Dtype = None, out: Refused = None, ...) -> Node:

The Python signature is NumPy's signature; the annotation of a parameter says how its argument is read:

    Value    as it is                           Known    a Python object known at compile time
    Node     an array or scalar of the graph    Dtype    a dtype, by its name
    Values   the items of a tuple or list       Refused  only the default is accepted

A default stands for an argument that was not given and is passed on as it is. A `Node` that is returned becomes an
array or a NumPy scalar; a tuple or list of results becomes a tuple or list; what is neither is static.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.frontend.numpy_operand import as_node, dtype_name, items_of, wrap
from arignote.frontend.values import ScalarValue, Static
from arignote.ir.errors import TypeInferenceError
from arignote.ir.records import dataclass

if TYPE_CHECKING:
    from arignote.frontend.context import Context
    from arignote.frontend.values import Value

Handler = Callable[["Context", "list[Value]", "dict[str, Value]"], "Value"]

Known = Any
Dtype = Any
Refused = Any
Values = Any

FUNCTIONS: dict[object, Handler] = {}
METHODS: dict[str, Handler] = {}
ATTRIBUTES: dict[str, Handler] = {}

_VARARGS = 0x04  # the code flag of a parameter `*args`


_READERS: dict[str, Callable[[Any, Any, str], Any]] = {
    "Value": lambda c, value, what: value,
    "Node": lambda c, value, what: as_node(c, value),
    "Known": lambda c, value, what: c.static(value, what),
    "Dtype": lambda c, value, what: dtype_name(c, c.static(value, what)),
    "Values": lambda c, value, what: items_of(c, value, what),
}
_NOT_GIVEN = object()


@dataclass(slots=True)
class Signature:
    """The parameters of a declaration, without the context."""

    names: tuple[str, ...]
    positional_only: int
    positional: int
    kinds: dict[str, str]
    defaults: dict[str, Any]
    variadic: str | None


def signature_of(function: Callable[..., Any]) -> Signature:
    code = function.__code__
    count = code.co_argcount
    names = code.co_varnames[1 : count + code.co_kwonlyargcount]
    given = function.__defaults__ or ()
    defaults = dict(zip(code.co_varnames[count - len(given) : count], given, strict=True))
    defaults.update(function.__kwdefaults__ or {})
    variadic = code.co_varnames[count + code.co_kwonlyargcount] if code.co_flags & _VARARGS else None
    kinds = {name: text.split(" ")[0] for name, text in function.__annotations__.items()}
    return Signature(names, max(0, code.co_posonlyargcount - 1), count - 1, kinds, defaults, variadic)


class Declared:
    """A handler made of a declaration. The signature is only looked at when the function is first used."""

    __slots__ = ("function", "name", "shares", "rank0", "_signature")

    def __init__(self, function: Callable[..., Any], name: str, shares: bool, rank0: bool) -> None:
        self.function, self.name, self.shares, self.rank0 = function, name, shares, rank0
        self._signature: Signature | None = None

    def __call__(self, c: Context, args: list[Value], kwargs: dict[str, Value]) -> Value:
        signature = self._signature
        if signature is None:
            signature = self._signature = signature_of(self.function)
        positional, keywords, rest = self._bind(c, signature, args, kwargs)
        result = self.function(c, *positional, *rest, **keywords)
        first = args[0] if args else next(iter(kwargs.values()), None)
        is_numpy_scalar = isinstance(first, ScalarValue) and not first.python
        rank0 = self.rank0 or (self.shares and not is_numpy_scalar)
        return wrap(c, result, first if self.shares else None, rank0)

    def _bind(self, c: Context, signature: Signature, args: list[Value],
              kwargs: dict[str, Value]) -> tuple[list[Any], dict[str, Any], list[Any]]:  # fmt: skip
        count = signature.positional
        rest = args[count:]
        if rest and signature.variadic is None:
            c.error(f"{self.name}() takes at most {count} positional arguments, got {len(args)}", TypeInferenceError)
        given: dict[str, Any] = dict(zip(signature.names[:count], args, strict=False))
        for name, value in kwargs.items():
            if name not in signature.names[signature.positional_only :]:
                c.error(f"{self.name}() got an unexpected keyword argument {name!r}", TypeInferenceError)
            if name in given:
                c.error(f"{self.name}() got multiple values for argument {name!r}", TypeInferenceError)
            given[name] = value
        read = {name: self._read(c, signature, name, given.get(name, _NOT_GIVEN)) for name in signature.names}
        positional = [read.pop(name) for name in signature.names[:count]]
        variadic = [self._convert(c, signature, signature.variadic, value) for value in rest] if rest else []
        return positional, read, variadic

    def _read(self, c: Context, signature: Signature, name: str, value: Any) -> Any:
        if value is _NOT_GIVEN:
            if name not in signature.defaults:
                c.error(f"{self.name}() missing required argument: {name!r}", TypeInferenceError)
            return signature.defaults[name]
        default = signature.defaults.get(name, _NOT_GIVEN)
        kind = signature.kinds[name]
        if kind == "Refused":
            if not is_default(c, value, default):
                c.error(f"{self.name}(): the argument {name}= is not supported in compiled code", TypeInferenceError)
            return default
        if default is None and is_default(c, value, None):
            return None
        return self._convert(c, signature, name, value)

    def _convert(self, c: Context, signature: Signature, name: str | None, value: Value) -> Any:
        assert name is not None
        return _READERS[signature.kinds[name]](c, value, f"{self.name}(): {name}")


def is_default(c: Context, value: Value, default: Any) -> bool:
    """Whether an argument is the static object that stands for "not given"."""
    if not isinstance(value, Static):
        return False
    found = value.object
    return found is default or (type(found) is type(default) and found == default) or found is np._NoValue


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def numpy_function(*names: str, method: str = "", attribute: str = "", module: Any = np, shares: bool = False,
                   rank0: bool = False) -> Decorator:  # fmt: skip
    """Declare what the NumPy functions of these names (and the method or attribute) mean.

    shares: the result is a view of the first argument (of a NumPy scalar, a NumPy scalar)
    rank0:  a result without dimensions is a 0-d array
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        home = module.__name__.replace("numpy", "np", 1)
        handler = Declared(function, f"{home}.{names[0]}" if names else f"ndarray.{method or attribute}", shares, rank0)
        for name in names:
            FUNCTIONS[getattr(module, name)] = handler
        if method:
            METHODS[method] = handler
        if attribute:
            ATTRIBUTES[attribute] = handler
        return function

    return register
