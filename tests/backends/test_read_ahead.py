"""LLVM's library is loaded by another thread, before its binding is imported."""

import subprocess
import sys

import pytest

from arignote.backends import read_ahead

PROGRAM = """
import sys, threading
from arignote.backends.read_ahead import load_library_ahead

load_library_ahead()
load_library_ahead()
others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
for thread in others:
    thread.join()
print(len(others) <= 1, "llvmlite" in sys.modules, "libllvmlite" in open("/proc/self/maps").read())
import llvmlite.binding as llvm
print(llvm.get_default_triple() != "")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_it_is_loaded():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "True", "True"]


def test_there_may_be_no_such_file(monkeypatch):
    monkeypatch.setattr(read_ahead, "_library_path", lambda: None)
    read_ahead.load_library_ahead.__wrapped__()
