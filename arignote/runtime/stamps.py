"""What machine code depends on beside its program: this package, the interpreter, the libraries, the processor."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

_PACKAGE = Path(__file__).parent.parent
_LIBRARIES = ("scipy", "llvmlite")
_PROCESSOR = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags")


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    """Each Python file below a folder: path, size, time of the last change."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.endswith(".py"):
                status = entry.stat()
                yield entry.path, status.st_size, status.st_mtime_ns
            elif entry.name != "__pycache__" and entry.is_dir():
                yield from _files(entry.path)


def _library(name: str) -> tuple[str, str, int]:
    """Which version of a library is there, without importing it: the file of its package, and when it was written."""
    spec = importlib.util.find_spec(name)
    origin = spec.origin if spec is not None and spec.origin is not None else ""
    return name, origin, os.stat(origin).st_mtime_ns if origin else 0


def _processor() -> list[str]:
    """The processor's name and features as the system tells them."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            lines = file.read(8192).split("\n\n")[0].splitlines()
    except OSError:
        return [os.uname().machine, os.uname().version]
    return [os.uname().machine, *(line for line in lines if line.partition("\t")[0] in _PROCESSOR)]


def _present() -> str:
    parts = [sys.version, sys.platform, np.__version__, *_files(str(_PACKAGE)), *map(_library, _LIBRARIES)]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


_AT_IMPORT = _present()


def package() -> str:
    """The digest of all that code from this package depends on but for the processor: as it was imported."""
    return _AT_IMPORT


def is_unchanged() -> bool:
    """Whether the package's files are still those that were imported, or are to be: what was compiled is theirs."""
    return _present() == _AT_IMPORT


@functools.cache
def machine() -> str:
    """The digest of the package and the processor."""
    return hashlib.sha256(repr((package(), _processor())).encode()).hexdigest()
