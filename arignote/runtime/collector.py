"""Python's collector of cycles, which is kept from what takes long and makes nothing that it would find."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collections() -> Iterator[None]:
    """Python's collector of cycles would go through all that a program has imported, several times, for nothing: most
    of what the compiler makes lives until it is done, and is then freed by reference counts."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
