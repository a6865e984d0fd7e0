"""Machine code kept on disk: private to the user, written atomically, checked by digest before it is used.

A file holds a digest of its contents and then the contents. Whatever is wrong with a file, or with the directory, is
a miss. A file's time is that of its last use; where all files together grow beyond the limit, the oldest go.

    ARIGNOTE_CACHE_DIR=path    where it is, in place of `arignote` in XDG_CACHE_HOME; empty: nothing is kept
    ARIGNOTE_CACHE_LIMIT=n     the largest number of bytes (1 GiB)
    ARIGNOTE_CACHE=0           no programs are kept, only the parts of the runtime
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
from typing import NamedTuple

_DIGEST_BYTES = 32
_ENDING, _UNFINISHED = ".bin", "unfinished-"
_DEFAULT_LIMIT = 1 << 30
_ROOM = 0.9
"""What is left of the limit when the oldest files have gone."""


class File(NamedTuple):
    """One file: when it was last used, its size, where it is."""

    used: float
    size: int
    path: str


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


def keeps_programs() -> bool:
    """Whether programs are kept too, and not only the runtime's own code."""
    return os.environ.get("ARIGNOTE_CACHE", "1") not in ("", "0") and directory() is not None


def limit() -> int:
    """How many bytes the files may have together."""
    given = os.environ.get("ARIGNOTE_CACHE_LIMIT", "")
    return int(given) if given.isdecimal() else _DEFAULT_LIMIT


def file_name(key: bytes) -> str:
    """The name of the file for a key of any length."""
    return hashlib.sha256(key).hexdigest() + _ENDING


def read(key: bytes) -> bytes | None:
    """What was kept under this key, if it is whole."""
    place = directory()
    if place is None:
        return None
    path = place / file_name(key)
    try:
        data = path.read_bytes()
    except OSError:
        return None
    contents = data[_DIGEST_BYTES:]
    if _digest(key, contents) != data[:_DIGEST_BYTES]:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return contents


def write(key: bytes, contents: bytes) -> None:
    """Keeps the contents under this key; a full or read-only disk is no error."""
    place = directory()
    if place is None:
        return
    with contextlib.suppress(OSError):
        handle, temporary = tempfile.mkstemp(prefix=_UNFINISHED, dir=place)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_digest(key, contents) + contents)
            os.replace(temporary, place / file_name(key))
        except OSError:
            os.unlink(temporary)
        make_room()


def _digest(key: bytes, contents: bytes) -> bytes:
    return hashlib.sha256(len(key).to_bytes(8, "little") + key + contents).digest()


def files() -> list[File]:
    """What is in the directory, the oldest first; what processes left behind that were killed while writing as well."""
    place = directory()
    found = []
    for path in os.scandir(place) if place is not None else ():
        with contextlib.suppress(OSError):  # another process may have removed it
            if path.name.endswith(_ENDING) or path.name.startswith(_UNFINISHED):
                status = path.stat()
                found.append(File(status.st_mtime, status.st_size, path.path))
    return sorted(found)


def make_room() -> None:
    """Removes the oldest files, where all together are larger than the limit."""
    present = files()
    total = sum(file.size for file in present)
    if total <= limit():
        return
    for file in present:
        if total <= _ROOM * limit():
            return
        _remove(file)
        total -= file.size


def clear() -> int:
    """Removes all files; how many there were."""
    present = files()
    for file in present:
        _remove(file)
    return len(present)


def _remove(file: File) -> None:
    with contextlib.suppress(OSError):
        os.unlink(file.path)
