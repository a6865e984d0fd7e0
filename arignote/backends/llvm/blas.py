"""Matrix products: the C functions of SciPy's BLAS behind row-major, strided wrappers."""

from __future__ import annotations

from .text import ModuleText


def provide(module: ModuleText, symbol: str) -> str | None:
    """The reference to a symbol which the backend defines itself, or None."""
    return None
