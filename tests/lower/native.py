"""Run a lowered program natively, by ctypes, through the native calling convention."""

import ctypes
from typing import Any

import numpy as np

from arignote.ir.graph import Function
from arignote.ir.types import TOKEN, Array, Scalar, Tuple, Type
from arignote.lower.lower import Lowered

C_TYPES = {"bool": ctypes.c_int8, "int32": ctypes.c_int32, "int64": ctypes.c_int64,
           "float32": ctypes.c_float, "float64": ctypes.c_double}  # fmt: skip


def flat_arguments(values: list[Any], types: list[Type], keep: list[Any]) -> list[Any]:
    flat: list[Any] = []
    for value, type_ in zip(values, types):
        if isinstance(type_, Array):
            data = np.require(value, requirements=["C", "A"])
            keep.append(data)
            flat += [ctypes.c_void_p(None), ctypes.c_void_p(data.ctypes.data), *map(ctypes.c_int64, data.shape)]
        elif isinstance(type_, Scalar):
            flat.append(C_TYPES[type_.dtype](value))
    return flat


def read(type_: Type, slots: np.ndarray, place: list[int], release: Any) -> Any:
    if isinstance(type_, Tuple):
        return tuple(read(item, slots, place, release) for item in type_.items)
    if type_ is TOKEN:
        return None
    at = place[0]
    if isinstance(type_, Scalar):
        place[0] += 1
        return slots[at : at + 1].view(type_.dtype)[0]
    assert isinstance(type_, Array)
    place[0] += 2 + type_.rank
    shape = tuple(int(n) for n in slots[at + 2 : place[0]])
    count = int(np.prod(shape)) * np.dtype(type_.dtype).itemsize
    data = np.frombuffer(ctypes.string_at(int(slots[at + 1]), count), type_.dtype).reshape(shape)
    release(ctypes.c_void_p(int(slots[at])))
    return data


def run_native(lowered: Lowered, function: Function, *arguments: Any, repeat: int = 0) -> Any:
    """Run and check that no buffer is left; with `repeat`, the least time of a call too."""
    import time

    from arignote.backends.llvm import compile_program
    from arignote.runtime import native
    from arignote.runtime.native import live_buffers
    from arignote.runtime.printing import print_site
    from arignote.runtime.symbols import symbols

    for template in lowered.prints:
        print_site(template)
    module = compile_program(lowered.program, symbols())
    before = live_buffers()
    keep: list[Any] = []
    flat = flat_arguments(list(arguments), [p.type for p in function.parameters], keep)
    context, slots = np.zeros(32, np.int64), np.zeros(256, np.int64)
    marker = ctypes.c_int64(0)
    context[9] = ctypes.addressof(marker) - (1 << 40)  # no limit to the stack
    entry = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p, *map(type, flat), ctypes.c_void_p])(module.address())
    release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(native.address("ag_release"))
    times = []
    for _ in range(repeat + 1):
        started = time.perf_counter()
        status = entry(context.ctypes.data, *flat, slots.ctypes.data)
        times.append(time.perf_counter() - started)
        if status:
            assert live_buffers() == before, "leak on the way of an error"
            site = lowered.sites[int(context[0])]
            args = iter(int(word) for word in context[1:9])
            text = "".join(piece if isinstance(piece, str) else str(next(args)) for piece in site.message)
            raise site.exception(text)
        value = read(function.result_type, slots, [0], release)
        assert live_buffers() == before, "leak"
    return (value, min(times)) if repeat else value
