"""The directory of machine code: whatever is wrong with it is a miss, never a crash, never another's code."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from arignote.backends.native_image import is_supported
from arignote.runtime import disk_cache
from arignote.tools.command_line import main

KEY, CONTENTS = b"a key", b"contents" * 100


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("ARIGNOTE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("ARIGNOTE_CACHE_LIMIT", raising=False)
    disk_cache.directory.cache_clear()
    yield tmp_path / "cache"
    monkeypatch.undo()
    disk_cache.directory.cache_clear()


def test_what_is_written_is_read(place):
    assert disk_cache.read(KEY) is None
    disk_cache.write(KEY, CONTENTS)
    assert disk_cache.read(KEY) == CONTENTS
    assert disk_cache.read(b"another key") is None
    disk_cache.write(KEY, b"new")
    assert disk_cache.read(KEY) == b"new" and len(disk_cache.files()) == 1


@pytest.mark.parametrize("spoil", [
    lambda data: b"", lambda data: data[:10], lambda data: data[:-1], lambda data: data + b"x",
    lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:], lambda data: bytes([data[0] ^ 1]) + data[1:],
    lambda data: b"something else" * 100,
])  # fmt: skip
def test_a_broken_file_is_a_miss(place, spoil):
    disk_cache.write(KEY, CONTENTS)
    path = place / disk_cache.file_name(KEY)
    path.write_bytes(spoil(path.read_bytes()))
    assert disk_cache.read(KEY) is None
    disk_cache.write(KEY, CONTENTS)
    assert disk_cache.read(KEY) == CONTENTS


def test_a_file_under_another_name_is_a_miss(place):
    disk_cache.write(KEY, CONTENTS)
    (place / disk_cache.file_name(KEY)).rename(place / disk_cache.file_name(b"other"))
    assert disk_cache.read(b"other") is None


def test_a_directory_in_place_of_the_file(place):
    (place / disk_cache.file_name(KEY)).mkdir(parents=True)
    place.chmod(0o700)
    disk_cache.write(KEY, CONTENTS)
    assert disk_cache.read(KEY) is None


@pytest.mark.parametrize("failing", ["mkstemp", "replace", "fdopen"])
def test_a_full_or_read_only_disk_is_no_error(place, monkeypatch, failing):
    def refused(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk_cache.tempfile if failing == "mkstemp" else disk_cache.os, failing, refused)
    disk_cache.write(KEY, CONTENTS)
    monkeypatch.undo()
    assert not list(place.glob("unfinished-*")) if place.exists() else True


def test_directories_that_cannot_be_used(tmp_path, monkeypatch):
    """A file in its place; one that others may write to; none at all."""
    (tmp_path / "file").write_text("")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    for given in (str(tmp_path / "file"), str(tmp_path / "file" / "below"), str(tmp_path / "open"), ""):
        monkeypatch.setenv("ARIGNOTE_CACHE_DIR", given)
        disk_cache.directory.cache_clear()
        disk_cache.write(KEY, CONTENTS)
        assert disk_cache.read(KEY) is None and not disk_cache.keeps_programs() and not disk_cache.files()
    disk_cache.directory.cache_clear()


def test_where_it_is(tmp_path, monkeypatch):
    monkeypatch.delenv("ARIGNOTE_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    disk_cache.directory.cache_clear()
    assert disk_cache.directory() == tmp_path / "arignote"
    assert (tmp_path / "arignote").stat().st_mode & 0o777 == 0o700
    disk_cache.directory.cache_clear()


def test_the_oldest_make_room(place, monkeypatch):
    monkeypatch.setenv("ARIGNOTE_CACHE_LIMIT", "10000")
    keys = [bytes([number]) for number in range(10)]
    for age, key in enumerate(keys[:9]):
        disk_cache.write(key, bytes(1000))
        os.utime(place / disk_cache.file_name(key), (1000 + age, 1000 + age))
    assert disk_cache.read(keys[0]) is not None  # now the youngest
    for key in keys[9:]:
        disk_cache.write(key, bytes(1000))
    assert sum(file.size for file in disk_cache.files()) <= 10000
    assert disk_cache.read(keys[0]) is not None and disk_cache.read(keys[9]) is not None
    assert disk_cache.read(keys[1]) is None


def test_what_killed_writers_left_behind_goes_too(place, monkeypatch):
    disk_cache.write(KEY, CONTENTS)
    left = place / "unfinished-abc"
    left.write_bytes(bytes(100_000))
    os.utime(left, (1, 1))
    monkeypatch.setenv("ARIGNOTE_CACHE_LIMIT", "5000")
    disk_cache.make_room()
    assert not left.exists() and disk_cache.read(KEY) == CONTENTS


def test_many_writers_and_readers(place):
    wrong = []

    def work(number):
        for turn in range(20):
            disk_cache.write(KEY, bytes([number]) * 5000)
            found = disk_cache.read(KEY)
            if found is None or len(set(found)) != 1 or len(found) != 5000:
                wrong.append((number, turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and len(disk_cache.files()) == 1


def test_the_command_shows_and_clears(place, capsys):
    disk_cache.write(KEY, CONTENTS)
    assert main(["cache"]) == 0
    shown = capsys.readouterr().out
    assert str(place) in shown and "1 file" in shown
    assert main(["cache", "clear"]) == 0
    assert "1 file" in capsys.readouterr().out and not disk_cache.files()


PROGRAM = """
import sys
import numpy as np
import arignote as ag

@ag.jit
def f(x):
    return np.sum(x * x)

print(f(np.arange(5.0)), ag.grad(f)(np.arange(3.0)).tolist())
print([name for name in ("llvmlite", "arignote.pipeline") if name in sys.modules])
"""


@pytest.mark.skipif(not is_supported(), reason="programs are kept where images are")
def test_another_process_needs_no_compiler(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = os.environ | {"ARIGNOTE_CACHE_DIR": str(tmp_path / "cache"), "ARIGNOTE_VERIFY": "0",
                                "PYTHONPATH": str(Path(__file__).parents[2])}  # fmt: skip

    def run() -> str:
        command = [sys.executable, str(tmp_path / "program.py")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert run() == "30.0 [0.0, 2.0, 4.0]\n['llvmlite', 'arignote.pipeline']"
    assert run() == "30.0 [0.0, 2.0, 4.0]\n[]"
