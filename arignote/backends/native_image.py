"""Machine code laid out in memory once: from a relocatable object to an image, which loading only copies.

An image has two parts, one after the other: code and constants, and from the next page on what is written to. What
refers to the image itself is settled when it is laid out, as both parts keep their distance. Addresses from outside
are read from a table at the end, which loading fills in by name. So an image kept on disk is loaded in microseconds
and without LLVM.

Objects are ELF files for x86-64, of position-independent code. `is_supported` tells where they are.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import platform
import struct
import sys
from collections.abc import Callable, Mapping, Sequence

from arignote.ir.records import dataclass, field

PAGE = 4096
_X86_64, _RELOCATABLE = 62, 1
_SYMBOLS, _STRINGS, _RELOCATIONS, _NO_BITS = 2, 3, 4, 8
_WRITE, _ALLOCATE, _THREAD_LOCAL = 1, 2, 0x400
_UNDEFINED, _COMMON, _ABSOLUTE = 0, 0xFFF2, 0xFFF1
_ABSOLUTE_64, _RELATIVE_32, _PROCEDURE_32, _TABLE_32, _TABLE_32_RELAXED, _TABLE_32_RELAXED_REX, _RELATIVE_64 = (
    1, 2, 4, 9, 41, 42, 24)  # fmt: skip
_OF_TABLE = (_TABLE_32, _TABLE_32_RELAXED, _TABLE_32_RELAXED_REX)
_JUMP = b"\xff\x25"  # jmp *disp32(%rip)
_JUMP_BYTES = 8

_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")


class UnsupportedObjectError(Exception):
    """An object file with something in it that only LLVM's linker knows."""


@functools.cache
def is_supported() -> bool:
    """Whether images are for this machine."""
    return sys.platform.startswith("linux") and platform.machine() == "x86_64"


@dataclass(frozen=True)
class Image:
    """Machine code at known distances.

    data:     all that is not zero at the start
    written:  where the part begins that is written to
    size:     of both parts
    exported: name -> offset
    imported: name -> offset of the word that is to hold its address
    bases:    offset of a word -> what it holds beyond the address of the image
    """

    data: bytes
    written: int
    size: int
    exported: dict[str, int]
    imported: dict[str, int]
    bases: dict[int, int]


class Loaded:
    """An image in memory; its code is gone with this object. Maps exported names to addresses."""

    def __init__(self, image: Image, bound: Mapping[str, int]) -> None:
        # Private: a forked child has variables of its own.
        self._memory = memory = mmap.mmap(-1, image.size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory[: len(image.data)] = image.data
        holder = ctypes.c_char.from_buffer(memory)
        self.base = ctypes.addressof(holder)
        del holder
        for name, offset in image.imported.items():
            memory[offset : offset + 8] = bound[name].to_bytes(8, "little")
        for offset, beyond in image.bases.items():
            memory[offset : offset + 8] = (self.base + beyond).to_bytes(8, "little")
        if _protect()(self.base, image.written, mmap.PROT_READ | mmap.PROT_EXEC):
            raise OSError(ctypes.get_errno(), "memory for machine code is refused by the system")
        self.exported = image.exported

    def __getitem__(self, name: str) -> int:
        return self.base + self.exported[name]


@functools.cache
def _protect() -> Callable[[int, int, int], int]:
    function = ctypes.CDLL(None, use_errno=True).mprotect
    function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int], ctypes.c_int
    return function


def _rounded(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment


@dataclass(slots=True)
class _Section:
    name: int
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry: int
    place: int = -1
    first_symbol: int = 0  # the number of its object's first symbol


@dataclass
class _Layout:
    """An object on its way to an image. `places` are of the words that hold addresses from outside, `local` of those
    that hold addresses of the image itself, `jumps` of the instructions that go where a word says."""

    object_code: bytes
    sections: list[_Section]
    symbols: list[tuple[int, int, int]]
    names: list[str]
    places: dict[str, int] = field(default_factory=dict)
    local: dict[int, int] = field(default_factory=dict)
    jumps: dict[str, int] = field(default_factory=dict)
    bases: dict[int, int] = field(default_factory=dict)

    def relocations(self) -> list[tuple[tuple[_Section, int], int, int, int]]:
        """((section, offset in it), kind, number of the symbol, what is added to its address)."""
        found = []
        for section in self.sections:
            target = self.sections[section.info] if section.kind == _RELOCATIONS else section
            if section.kind == _RELOCATIONS and target.flags & _ALLOCATE:
                data = self.object_code[section.offset : section.offset + section.size]
                found += [((target, offset), info & 0xFFFFFFFF, (info >> 32) + section.first_symbol, addend)
                          for offset, info, addend in _RELOCATION.iter_unpack(data)]  # fmt: skip
        return found

    def target(self, number: int) -> int | None:
        """Where a symbol is in the image; None outside."""
        _, index, value = self.symbols[number]
        if index == _ABSOLUTE:
            raise UnsupportedObjectError("absolute symbols")
        return None if index == _UNDEFINED else self.sections[index].place + value

    def relocate(self, data: bytearray, relocations: list[tuple[int, int, int, int]]) -> None:
        """Settles what refers to the image itself, and notes what depends on where it is loaded."""
        for place, kind, number, addend in relocations:
            target, name = self.target(number), self.names[number]
            if kind in _OF_TABLE:
                word = self.places[name] if target is None else self.local[number]
                struct.pack_into("<i", data, place, word + addend - place)
            elif kind == _PROCEDURE_32 or (kind == _RELATIVE_32 and target is not None):
                reached = self.jumps[name] if target is None else target
                struct.pack_into("<i", data, place, reached + addend - place)
            elif kind == _RELATIVE_64 and target is not None:
                struct.pack_into("<q", data, place, target + addend - place)
            elif kind == _ABSOLUTE_64 and target is not None:
                self.bases[place] = target + addend
            else:
                raise UnsupportedObjectError(f"relocation {kind} of {name!r}")


def _sections(code: bytes) -> list[_Section]:
    if code[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<HH", code, 16) != (_RELOCATABLE, _X86_64):
        raise UnsupportedObjectError("no relocatable object for x86-64")
    start, entry_bytes, count = struct.unpack_from("<Q", code, 40)[0], *struct.unpack_from("<HH", code, 58)
    found = []
    for index in range(count):
        name, kind, flags, _, offset, size, link, info, alignment, entry = _SECTION.unpack_from(
            code, start + index * entry_bytes
        )
        if flags & _THREAD_LOCAL:
            raise UnsupportedObjectError("thread-local variables")
        found.append(_Section(name, kind, flags, offset, size, link, info, max(alignment, 1), entry))
    return found


def lay_out(*objects: bytes) -> Image:
    """The image of an object file, or of several that refer to each other."""
    object_code, sections, symbols, names = _together(objects)
    layout = _Layout(object_code, sections, symbols, names)
    used = layout.relocations()
    outside = sorted({layout.names[number] for _, _, number, _ in used if layout.symbols[number][1] == _UNDEFINED})
    tabled = {number for _, kind, number, _ in used if kind in _OF_TABLE and layout.symbols[number][1] != _UNDEFINED}
    read_only = [s for s in sections if s.flags & _ALLOCATE and not s.flags & _WRITE]
    end = _place(read_only, 0)
    for name in outside:
        layout.jumps[name] = end = _rounded(end, _JUMP_BYTES)
        end += _JUMP_BYTES
    written = _rounded(end, PAGE)
    filled = [s for s in sections if s.flags & _ALLOCATE and s.flags & _WRITE and s.kind != _NO_BITS]
    end = _rounded(_place(filled, written), 8)
    for name in outside:
        layout.places[name] = end
        end += 8
    for number in tabled:
        layout.local[number] = end
        layout.bases[end] = layout.target(number) or 0
        end += 8
    zeros = [s for s in sections if s.flags & _ALLOCATE and s.flags & _WRITE and s.kind == _NO_BITS]
    size = _rounded(max(_place(zeros, end), 1), PAGE)
    data = bytearray(max(end, written))
    for section in (*read_only, *filled):
        if section.kind != _NO_BITS:
            content = object_code[section.offset : section.offset + section.size]
            data[section.place : section.place + section.size] = content
    for name, place in layout.jumps.items():
        data[place : place + 6] = _JUMP + struct.pack("<i", layout.places[name] - place - 6)
    layout.relocate(data, [(s.place + offset, kind, number, addend) for (s, offset), kind, number, addend in used])
    exported = {name: sections[index].place + value
                for name, (is_visible, index, value) in zip(layout.names, layout.symbols, strict=True)
                if is_visible and 0 < index < len(sections)}  # fmt: skip
    return Image(bytes(data), written, size, exported, layout.places, layout.bases)


def _together(objects: Sequence[bytes]) -> tuple[bytes, list[_Section], list[tuple[int, int, int]], list[str]]:
    """Several object files as if they were one: bytes, sections, symbols with their names. What is undefined in one
    and visible in another is what the other defines."""
    sections: list[_Section] = []
    symbols: list[tuple[int, int, int]] = []
    names: list[str] = []
    start = 0
    for code in objects:
        own = _sections(code)
        own_symbols, own_names = _symbols(code, own)
        first_section, first_symbol = len(sections), len(symbols)
        for section in own:
            section.offset += start
            section.info += first_section if section.kind == _RELOCATIONS else 0
            section.first_symbol = first_symbol
        symbols += [(visible, index + first_section if 0 < index < len(own) else index, value)
                    for visible, index, value in own_symbols]  # fmt: skip
        sections, names, start = sections + own, names + own_names, start + len(code)
    if len(objects) > 1:
        defined = {name: symbol for name, symbol in zip(names, symbols, strict=True)
                   if symbol[0] and symbol[1] not in (_UNDEFINED, _ABSOLUTE)}  # fmt: skip
        symbols = [defined.get(name, symbol) if symbol[1] == _UNDEFINED else symbol
                   for name, symbol in zip(names, symbols, strict=True)]  # fmt: skip
    return b"".join(objects), sections, symbols, names


def _place(sections: list[_Section], start: int) -> int:
    for section in sections:
        start = section.place = _rounded(start, section.alignment)
        start += section.size
    return start


def _symbols(code: bytes, sections: list[_Section]) -> tuple[list[tuple[int, int, int]], list[str]]:
    """For each symbol whether it is visible from outside, its section, its value; and the names."""
    table = next((s for s in sections if s.kind == _SYMBOLS), None)
    if table is None:
        return [], []
    held = sections[table.link]
    strings = code[held.offset : held.offset + held.size]
    symbols, names = [], []
    for name, info, _, index, value, _ in _SYMBOL.iter_unpack(code[table.offset : table.offset + table.size]):
        if index == _COMMON:
            raise UnsupportedObjectError("common symbols")
        symbols.append((info >> 4, index, value))
        names.append(strings[name : strings.index(b"\0", name)].decode())
    return symbols, names
