"""Graph values as the words that lowered code passes, and back: for the interpreter's memory and for native memory."""

import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np

from arignote.ir.types import TOKEN, Array, List, Scalar, Tuple, Type, Union
from arignote.lower.flatten import types_of
from arignote.lower.loop_ir import BUFFER, box_words, is_pointer
from arignote.lower.loop_ir_evaluate import DTYPES, Buffer, Pointer

KIND, LENGTH, TAG, DATA = 16, 24, 48, 64


class InterpretedMemory:
    """Buffers of the loop-IR interpreter."""

    null = None

    def __init__(self, buffers: list[Buffer]) -> None:
        self.buffers = buffers

    def array(self, value: np.ndarray) -> tuple[Any, Any]:
        return None, Pointer(np.ascontiguousarray(value).reshape(-1).copy())

    def read_array(self, pointer: Pointer, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
        count = int(np.prod(shape))
        return np.array(pointer.data[pointer.offset : pointer.offset + count]).reshape(shape)

    def column(self, slot: str, words: list[Any]) -> Buffer:
        data = np.full(len(words), None) if slot not in DTYPES else np.zeros(len(words), DTYPES[slot])
        for place, word in enumerate(words):
            data[place] = word
        return self._made(Buffer(data))

    def read_column(self, buffer: Any, slot: str, count: int) -> list[Any]:
        return list(buffer.data[:count]) if count else []

    def box(self, tag: int, types: list[str], words: list[Any]) -> Buffer:
        data = np.full(len(words), None)
        for place, word in zip(box_words(types), words):
            data[place] = word
        return self._made(Buffer(data, tag=tag))

    def read_box(self, buffer: Any, types: list[str]) -> list[Any]:
        return [buffer.data[place] for place in box_words(types)]

    def tag(self, buffer: Any) -> int:
        return 0 if buffer is None else buffer.tag

    def _made(self, buffer: Buffer) -> Buffer:
        self.buffers.append(buffer)
        return buffer


class NativeMemory:
    """Buffers of the runtime. Arrays of arguments stay NumPy's."""

    null = 0

    def __init__(self) -> None:
        from arignote.runtime import native

        self.keep: list[Any] = []
        self._alloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int64)(native.address("ag_alloc"))

    def array(self, value: np.ndarray) -> tuple[Any, Any]:
        data = np.require(value, requirements=["C", "A"])
        self.keep.append(data)
        return 0, data.ctypes.data

    def read_array(self, pointer: int, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
        count = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return np.frombuffer(ctypes.string_at(pointer, count), dtype).reshape(shape)

    def column(self, slot: str, words: list[Any]) -> int:
        dtype = np.dtype(np.int64 if slot == BUFFER or is_pointer(slot) else slot)
        data = np.array(words, dtype)
        return self._made(data.tobytes(), len(words) if slot == BUFFER else 0, int(slot == BUFFER), 0)

    def read_column(self, buffer: int, slot: str, count: int) -> list[Any]:
        if not count:
            return []
        is_address = slot == BUFFER or is_pointer(slot)
        dtype = np.dtype(np.int64 if is_address else slot)
        data = np.frombuffer(ctypes.string_at(buffer + DATA, count * dtype.itemsize), dtype)
        return [int(word) for word in data] if is_address else list(data)

    def box(self, tag: int, types: list[str], words: list[Any]) -> int:
        data = np.zeros(len(words), np.int64)
        for place, type_, word in zip(box_words(types), types, words):
            if type_ == BUFFER or is_pointer(type_):
                data[place] = word
            else:
                data[place : place + 1].view(type_)[0] = word
        return self._made(data.tobytes(), types.count(BUFFER), 1, tag)

    def read_box(self, buffer: int, types: list[str]) -> list[Any]:
        data = np.frombuffer(ctypes.string_at(buffer + DATA, 8 * len(types)), np.int64)
        found = []
        for place, type_ in zip(box_words(types), types):
            is_address = type_ == BUFFER or is_pointer(type_)
            found.append(int(data[place]) if is_address else data[place : place + 1].view(type_)[0])
        return found

    def tag(self, buffer: int) -> int:
        return ctypes.c_int64.from_address(buffer + TAG).value if buffer else 0

    def _made(self, data: bytes, length: int, kind: int, tag: int) -> int:
        buffer = self._alloc(len(data))
        ctypes.memmove(buffer + DATA, data, len(data))
        for offset, value in ((KIND, kind), (LENGTH, length), (TAG, tag)):
            ctypes.c_int64.from_address(buffer + offset).value = value
        return buffer


def words_of(memory: Any, value: Any, type_: Type, all_sizes: bool = False) -> list[Any]:
    """The words of a value, in buffers that the caller owns."""
    match type_:
        case Scalar():
            return [np.dtype(type_.dtype).type(value)]
        case Array():
            array = np.asarray(value, type_.dtype)
            return [*memory.array(array), *[n for n, dim in zip(array.shape, type_.dims) if all_sizes or dim < 0]]
        case Tuple():
            return [w for v, t in zip(value, type_.items) for w in words_of(memory, v, t, all_sizes)]
        case List():
            rows = [words_of(memory, item, type_.element) for item in value]
            slots = types_of(type_.element)
            columns = [memory.column(slot, [row[place] for row in rows]) for place, slot in enumerate(slots)]
            return [len(rows), len(rows), *columns]
        case Union():
            tag, payload = value
            if type_.definition.is_null(tag):
                return [memory.null]
            payload_type = type_.alternatives[tag]
            return [memory.box(tag, types_of(payload_type), words_of(memory, payload, payload_type))]
    assert type_ is TOKEN, type_
    return []


def value_of(memory: Any, type_: Type, words: Iterator[Any], all_sizes: bool = False) -> Any:
    """The value of words."""
    match type_:
        case Scalar():
            return np.dtype(type_.dtype).type(next(words))
        case Array():
            _, pointer = next(words), next(words)
            shape = tuple([int(next(words)) if all_sizes or dim < 0 else dim for dim in type_.dims])
            return memory.read_array(pointer, type_.dtype, shape)
        case Tuple():
            return tuple([value_of(memory, item, words, all_sizes) for item in type_.items])
        case List():
            count, _ = int(next(words)), next(words)
            slots = types_of(type_.element)
            columns = [memory.read_column(next(words), slot, count) for slot in slots]
            return [value_of(memory, type_.element, iter(row)) for row in zip(*columns)] if slots else [()] * count
        case Union():
            box = next(words)
            tag = memory.tag(box)
            if type_.definition.is_null(tag):
                return tag, ()
            payload = type_.alternatives[tag]
            return tag, value_of(memory, payload, iter(memory.read_box(box, types_of(payload))))
    assert type_ is TOKEN, type_
    return None


def buffers_of(types: list[str], words: list[Any]) -> list[Any]:
    """The buffers among words."""
    return [word for type_, word in zip(types, words) if type_ == BUFFER and word]
