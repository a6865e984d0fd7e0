"""Machine code from disk, loaded without LLVM: images, and where each finds what it imports."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arignote.backends.libraries import address_of
from arignote.backends.native_image import Image, Loaded
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
    from arignote.backends.llvm.link import matrix_module

    if module.image is None:
        return None
    found = {name: matrix_module(name, symbols) for name in module.image.imported if name not in symbols}
    on_matrices = frozenset(name for name, other in found.items() if other is not None)
    if not all(_keep(name, found[name], symbols) for name in on_matrices):
        return None
    return KeptModule(module.image, on_matrices)


def _key(symbol: str) -> bytes:
    return f"{symbol} on {stamps.machine()}".encode()


_on_disk: set[str] = set()
_loaded: dict[str, Any] = {}
"""By symbol: what knows the address of a function on matrices."""


def _keep(symbol: str, module: Any, symbols: Mapping[str, int]) -> bool:
    """Keeps the module of a function on matrices, if it is not yet; whether it is there."""
    if symbol not in _on_disk:
        kept = kept_module(module, symbols)
        if kept is None:
            return False
        disk_cache.write(_key(symbol), pickle.dumps(kept))
        _on_disk.add(symbol)
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
            _loaded[symbol] = load(pickle.loads(data), symbols)
            return _loaded[symbol][symbol]
        from arignote.backends.llvm.link import bind

        return bind(symbol, symbols)
    return _loaded[symbol][symbol]
