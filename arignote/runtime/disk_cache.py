"""Machine code kept on disk: private to the user, written atomically, checked by digest before it is used.

A file holds a digest of its contents and then the contents. Whatever is wrong with a file, or with the directory, is
a miss. ARIGNOTE_CACHE_DIR says where; empty switches the cache off.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path

_DIGEST_BYTES = 32


def _default_directory() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "arignote"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "arignote"


@functools.cache
def directory() -> Path | None:
    """The directory, made if need be; None where there is none that only this user can write to."""
    given = os.environ.get("ARIGNOTE_CACHE_DIR")
    if given == "":
        return None
    try:
        path = Path(given) if given else _default_directory()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
    except (OSError, RuntimeError):
        return None
    is_private = status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return path if is_private else None


def file_name(key: bytes) -> str:
    """The name of the file for a key of any length."""
    return hashlib.sha256(key).hexdigest() + ".bin"


def read(key: bytes) -> bytes | None:
    """What was kept under this key, if it is whole."""
    place = directory()
    if place is None:
        return None
    try:
        data = (place / file_name(key)).read_bytes()
    except OSError:
        return None
    contents = data[_DIGEST_BYTES:]
    return contents if _digest(key, contents) == data[:_DIGEST_BYTES] else None


def write(key: bytes, contents: bytes) -> None:
    """Keeps the contents under this key; a full or read-only disk is no error."""
    place = directory()
    if place is None:
        return
    with contextlib.suppress(OSError):
        handle, temporary = tempfile.mkstemp(dir=place)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_digest(key, contents) + contents)
            os.replace(temporary, place / file_name(key))
        except OSError:
            os.unlink(temporary)


def _digest(key: bytes, contents: bytes) -> bytes:
    return hashlib.sha256(len(key).to_bytes(8, "little") + key + contents).digest()
