"""Run a lowered program natively, by ctypes, through the native calling convention."""

import ctypes
from typing import Any

import numpy as np

from arignote.ir.graph import Function
from arignote.lower.flatten import types_of
from arignote.lower.lower import Lowered
from tests.lower.values import NativeMemory, buffers_of, value_of, words_of

C_TYPES = {"bool": ctypes.c_int8, "int32": ctypes.c_int32, "int64": ctypes.c_int64,
           "float32": ctypes.c_float, "float64": ctypes.c_double}  # fmt: skip


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
    memory = NativeMemory()
    types = [parameter.type for parameter in function.parameters]
    words = [w for value, type_ in zip(arguments, types) for w in words_of(memory, value, type_, all_sizes=True)]
    slots_given = [slot for type_ in types for slot in types_of(type_, True)]
    flat = [_argument(slot, word) for slot, word in zip(slots_given, words)]
    results = types_of(function.result_type, True)
    context, slots = np.zeros(32, np.int64), np.zeros(256, np.int64)
    marker = ctypes.c_int64(0)
    context[9] = ctypes.addressof(marker) - (1 << 40)  # no limit to the stack
    entry = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p, *map(type, flat), ctypes.c_void_p])(module.address())
    release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(native.address("ag_release"))
    times = []

    def end(buffers: list[Any], why: str) -> None:
        for buffer in buffers:
            release(buffer)
        assert live_buffers() == before, why

    for turn in range(repeat + 1):
        last = turn == repeat
        started = time.perf_counter()
        status = entry(context.ctypes.data, *flat, slots.ctypes.data)
        times.append(time.perf_counter() - started)
        if status:
            end(buffers_of(slots_given, words), "leak on the way of an error")
            site = lowered.sites[int(context[0])]
            args = iter(int(word) for word in context[1:9])
            text = "".join(piece if isinstance(piece, str) else str(next(args)) for piece in site.message)
            raise site.exception(text)
        found = [_word(slot, slots[place : place + 1]) for place, slot in enumerate(results)]
        value = value_of(memory, function.result_type, iter(found), all_sizes=True)
        for buffer in buffers_of(results, found):
            release(buffer)
        if last:
            end(buffers_of(slots_given, words), "leak")
    return (value, min(times)) if repeat else value


def _word(slot: str, place: np.ndarray) -> Any:
    return place.view(slot)[0] if slot in C_TYPES else int(place[0])


def _argument(slot: str, word: Any) -> Any:
    return C_TYPES.get(slot, ctypes.c_void_p)(word.item() if isinstance(word, np.generic) else word)
