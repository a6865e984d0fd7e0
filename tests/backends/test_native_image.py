"""Images: objects laid out by ourselves do what they do when LLVM links them; what is not known is left to LLVM."""

import ctypes
import gc
import os

import pytest

from arignote.backends.llvm.generate import llvm, target_machine
from arignote.backends.native_image import Loaded, UnsupportedObjectError, is_supported, lay_out

pytestmark = pytest.mark.skipif(not is_supported(), reason="images are for x86-64 Linux")

TEXT = """
@counter = internal global i64 40, align 64
@zeros = internal global [512 x i64] zeroinitializer, align 64
@table = internal constant [4 x double] [double 1.5, double 2.5, double 3.5, double 4.5], align 64
@place = internal global ptr @helper
declare i64 @labs(i64)
declare double @cos(double)
define i64 @helper(i64 %x) noinline {
  %old = load i64, ptr @counter
  %new = add i64 %old, %x
  store i64 %new, ptr @counter
  ret i64 %new
}
define i64 @count(i64 %x) {
  %positive = call i64 @labs(i64 %x)
  %function = load ptr, ptr @place
  %result = call i64 %function(i64 %positive)
  ret i64 %result
}
define double @look(i64 %x) {
  %place = getelementptr double, ptr @table, i64 %x
  %value = load double, ptr %place
  %cosine = call double @cos(double 0.0)
  %sum = fadd double %value, %cosine
  ret double %sum
}
define ptr @who() {
  ret ptr @helper
}
define i64 @zero(i64 %x) {
  %place = getelementptr i64, ptr @zeros, i64 %x
  %value = load volatile i64, ptr %place
  store volatile i64 7, ptr %place
  ret i64 %value
}
"""


def object_code(text=TEXT):
    return target_machine().emit_object(llvm.parse_assembly(text))


def load(image):
    system = ctypes.CDLL(None)
    return Loaded(image, {name: ctypes.cast(getattr(system, name), ctypes.c_void_p).value for name in image.imported})


def function(loaded, name, returns, *parameters):
    return ctypes.CFUNCTYPE(returns, *parameters)(loaded[name])


def test_calls_data_and_tables_of_addresses():
    image = lay_out(object_code())
    assert set(image.imported) == {"labs", "cos"}
    first, second = load(image), load(image)
    for loaded in (first, second):  # each has variables of its own
        count = function(loaded, "count", ctypes.c_int64, ctypes.c_int64)
        assert [count(-2), count(3)] == [42, 45]
        look = function(loaded, "look", ctypes.c_double, ctypes.c_int64)
        assert [look(place) for place in range(4)] == [2.5, 3.5, 4.5, 5.5]
        assert function(loaded, "who", ctypes.c_void_p)() == loaded["helper"]
        zero = function(loaded, "zero", ctypes.c_int64, ctypes.c_int64)
        assert [zero(511), zero(511)] == [0, 7]


def test_a_forked_child_has_variables_of_its_own():
    loaded = load(lay_out(object_code()))
    count = function(loaded, "count", ctypes.c_int64, ctypes.c_int64)
    child = os.fork()
    if child == 0:
        os._exit(0 if count(1) == 41 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert count(1) == 41


def test_memory_is_given_back():
    image, kept = lay_out(object_code()), []
    for _ in range(300):
        kept.append(load(image).base)
    gc.collect()
    assert len(set(kept)) < 50  # addresses are used again


@pytest.mark.parametrize("text", [
    "@v = thread_local global i64 3\ndefine i64 @get() {\n  %x = load i64, ptr @v\n  ret i64 %x\n}\n",
    "@v = common global i64 0\ndefine i64 @get() {\n  %x = load i64, ptr @v\n  ret i64 %x\n}\n",
])  # fmt: skip
def test_what_is_not_known_is_refused(text):
    with pytest.raises(UnsupportedObjectError):
        lay_out(object_code(text))


@pytest.mark.parametrize("code", [b"", b"\x7fELF\x02\x01" + bytes(80), b"no object at all" * 10])
def test_what_is_no_object_is_refused(code):
    with pytest.raises(UnsupportedObjectError):
        lay_out(code)
