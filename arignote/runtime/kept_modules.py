"""Machine code from disk, loaded without LLVM: images, and where each finds what it imports."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from arignote.backends.libraries import address_of
from arignote.backends.native_image import Image, Loaded
from arignote.ir.records import dataclass
from arignote.runtime import disk_cache, stamps

if TYPE_CHECKING:
    from arignote.backends.llvm import CompiledModule


@dataclass(frozen=True)
class KeptModule:
    """An image, and which of its imports are functions on matrices of our own, compiled once for all programs."""

    image: Image
    on_matrices: frozenset[str]


def kept_module(module: CompiledModule, symbols: Mapping[str, int]) -> KeptModule | None:
    """What is to be kept of a module, its matrix functions having been kept; None where that is not possible."""
    from arignote.backends.llvm.link import is_on_matrices

    if module.image is None:
        return None
    on_matrices = frozenset(name for name in module.image.imported if name not in symbols and is_on_matrices(name))
    if not all(_keep(name, symbols) for name in on_matrices):
        return None
    return KeptModule(module.image, on_matrices)


def matrix_functions(names: Iterable[str], symbols: Mapping[str, int]) -> dict[str, int]:
    """The addresses of functions on matrices: from disk, or compiled, and kept there for the next process."""
    found = {}
    for name in names:
        found[name] = _matrix_function(name, symbols)
        if name not in _loaded and name not in _on_disk and stamps.is_unchanged():
            _keep(name, symbols)
    return found


def _key(symbol: str) -> bytes:
    return f"{symbol} on {stamps.machine()}".encode()


_on_disk: set[str] = set()
_loaded: dict[str, Any] = {}
"""By symbol: what knows the address of a function on matrices."""


def _keep(symbol: str, symbols: Mapping[str, int]) -> bool:
    """Keeps the module of a function on matrices, if it is not yet; whether it is there."""
    from arignote.backends.llvm.link import matrix_module

    if symbol not in _on_disk and symbol not in _loaded:
        module = matrix_module(symbol, symbols)
        kept = None if module is None else kept_module(module, symbols)
        if module is None or kept is None:
            return False
        data = pickle.dumps(kept)
        for name in {symbol, *module.exported}:
            disk_cache.write(_key(name), data)
            _on_disk.add(name)
    return True


def load(kept: KeptModule, symbols: Mapping[str, int]) -> Loaded:
    """The code in memory, with all that it imports bound."""
    bound = {}
    for name in kept.image.imported:
        if name in symbols:
            bound[name] = symbols[name]
        elif name in kept.on_matrices:
            bound[name] = _matrix_function(name, symbols)
        else:
            bound[name] = address_of(name)
    return Loaded(kept.image, bound)


def _matrix_function(symbol: str, symbols: Mapping[str, int]) -> int:
    """The address of a function on matrices, from disk, or compiled where it is not there any more."""
    if symbol not in _loaded:
        data = disk_cache.read(_key(symbol))
        if data is not None:
            loaded = load(pickle.loads(data), symbols)
            _loaded.update(dict.fromkeys((symbol, *loaded.exported), loaded))
            return _loaded[symbol][symbol]
        from arignote.backends.llvm.link import bind

        return bind(symbol, symbols)
    return _loaded[symbol][symbol]
