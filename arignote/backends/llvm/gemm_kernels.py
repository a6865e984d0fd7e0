"""The innermost loops of large matrix products: tiles of packed factors, and the packing.

    @ag_kernel_12_f32(k, a, b, b_row, c, c_row, rows, columns, add, later, start, apart, breadth, advance)
    @ag_pack_group_f32(k, lanes, from, along, across, to, to_row)

The first computes a tile of C = A B, or of C += A B, so many rows high and two vectors wide. Its rows of A lie side by
side for each step of the sum, and B's rows are two vectors wide, both padded with zeros; only what is read and written
of C goes under a mask. The second packs a vector's lanes of a factor.

Cold memory is asked for while there is something to compute, as it lies: at each step a tile asks for a line at `later`
plus `start` bytes, and one `apart` bytes on, and goes on to the next; after `breadth` bytes it begins anew `advance`
bytes on.
"""

from __future__ import annotations

from ...lower.loop_ir import Type
from .gemm_tiles import width_of
from .text import BYTES, ModuleText, llvm_type, suffix

WIDE_HEIGHTS, NARROW_HEIGHTS = (12, 8, 4), (6, 4, 2)
"""Rows of tiles, where there are 32 vector registers, and where there are 16."""
LINE = 64
"""Bytes of a line of cache."""
AHEAD = 16
"""Rows between asking for one that is to be packed, and packing it."""


def heights(module: ModuleText) -> tuple[int, ...]:
    """Rows of the tiles, the highest first: as many sums as the registers hold."""
    return NARROW_HEIGHTS if module.vector_bytes == 32 else WIDE_HEIGHTS


def add_kernels(module: ModuleText, type: Type) -> None:
    """Adds the tiles and the packing to a module."""
    width, scalar = width_of(module, type), llvm_type(type)
    vector, lanes, ending = f"<{width} x {scalar}>", f"<{width} x i1>", f"v{width}{suffix(type)}"
    module.intrinsic("llvm.prefetch.p0", "void", "ptr, i32, i32, i32")
    module.intrinsic(f"llvm.fma.{ending}", vector, f"{vector}, {vector}, {vector}")
    module.intrinsic(f"llvm.masked.load.{ending}.p0", vector, f"ptr, i32, {lanes}, {vector}")
    module.intrinsic(f"llvm.masked.store.{ending}.p0", "void", f"{vector}, ptr, i32, {lanes}")
    module.functions += [_Kernel(type, width, rows).text() for rows in heights(module)]
    module.functions += [_pack_rows(type, width), _pack_columns(type, width), _pack_any(type, width)]


class VectorLines:
    """Lines of a function about vectors of one type."""

    def __init__(self, type: Type, width: int) -> None:
        self.width, self.scalar, self.bytes = width, llvm_type(type), BYTES[type]
        self.vector, self.lanes = f"<{width} x {self.scalar}>", f"<{width} x i1>"
        self.ending, self.suffix = f"v{width}{suffix(type)}", suffix(type)
        self.lines: list[str] = []

    def put(self, line: str) -> None:
        self.lines.append(line if line.endswith(":") else f"  {line}")

    def let(self, name: str, value: str) -> str:
        self.put(f"%{name} = {value}")
        return f"%{name}"

    def splat(self, name: str, scalar: str, value: str) -> str:
        """A vector of one value."""
        vector = f"<{self.width} x {scalar}>"
        one = self.let(f"{name}_one", f"insertelement {vector} poison, {scalar} {value}, i64 0")
        zeros = f"<{self.width} x i32> zeroinitializer"
        return self.let(name, f"shufflevector {vector} {one}, {vector} poison, {zeros}")

    def mask(self, name: str, count: str) -> str:
        """The lanes of numbers below a count."""
        wide = self.splat(f"{name}_count", "i64", count)
        numbers = ", ".join(f"i64 {lane}" for lane in range(self.width))
        return self.let(name, f"icmp slt <{self.width} x i64> <{numbers}>, {wide}")

    def place(self, name: str, base: str, offset: str) -> str:
        return self.let(name, f"getelementptr {self.scalar}, ptr {base}, i64 {offset}")

    def masked_load(self, name: str, place: str, mask: str) -> str:
        return self.let(name, f"call {self.vector} @llvm.masked.load.{self.ending}.p0(ptr {place}, i32 {self.bytes}, "
                              f"{self.lanes} {mask}, {self.vector} zeroinitializer)")  # fmt: skip

    def prefetch(self, place: str) -> None:
        """Asks for a line of memory that will be read."""
        self.put(f"call void @llvm.prefetch.p0(ptr {place}, i32 0, i32 3, i32 1)")

    def finish(self) -> str:
        return "\n".join([*self.lines, "  ret void", "}"]) + "\n"


class _Kernel(VectorLines):
    """A tile of C: a loop over the inner size, with the tile's sums in registers."""

    def __init__(self, type: Type, width: int, rows: int) -> None:
        super().__init__(type, width)
        self.rows = rows

    def text(self) -> str:
        """The function."""
        sums = [f"s{i}_{j}" for i in range(self.rows) for j in range(2)]
        self.put(f"define internal void @ag_kernel_{self.rows}_{self.suffix}(i64 %k, ptr %a, ptr %b, i64 %br, ptr %c, "
                 "i64 %cr, i64 %rows, i64 %columns, i1 %add, ptr %later, i64 %start, i64 %apart, i64 %breadth, "
                 "i64 %advance) nounwind {")  # fmt: skip
        self.put("entry:")
        for i in range(self.rows):
            offset = self.let(f"c_offset{i}", f"mul i64 %cr, {i}")
            self.prefetch(self.place(f"c{i}_0", "%c", offset))
            self.prefetch(self.place(f"c{i}_1", f"%c{i}_0", str(self.width)))
        self.put("br label %loop")
        self.put("loop:")
        self.put("%p = phi i64 [ 0, %entry ], [ %p_next, %loop ]")
        self.put("%a_here = phi ptr [ %a, %entry ], [ %a_next, %loop ]")
        self.put("%b_here = phi ptr [ %b, %entry ], [ %b_next, %loop ]")
        self.put("%line = phi ptr [ %later, %entry ], [ %line_next, %loop ]")
        self.put("%along = phi i64 [ %start, %entry ], [ %along_next, %loop ]")
        for name in sums:
            self.put(f"%{name} = phi {self.vector} [ zeroinitializer, %entry ], [ %{name}_next, %loop ]")
        self._ask()
        self._step()
        self.put("br i1 %more, label %loop, label %write")
        self.put("write:")
        self._write()
        return self.finish()

    def _ask(self) -> None:
        """Asks for two lines, and finds the next ones."""
        first = self.let("asked0", "getelementptr i8, ptr %line, i64 %along")
        self.prefetch(first)
        self.prefetch(self.let("asked1", f"getelementptr i8, ptr {first}, i64 %apart"))
        self.let("along_more", f"add i64 %along, {LINE}")
        self.let("wraps", "icmp sge i64 %along_more, %breadth")
        self.let("along_next", "select i1 %wraps, i64 0, i64 %along_more")
        self.let("step_on", "select i1 %wraps, i64 %advance, i64 0")
        self.let("line_next", "getelementptr i8, ptr %line, i64 %step_on")

    def _step(self) -> None:
        """One row of B times the entries of a column of A."""
        right = []
        for j in range(2):
            place = self.place(f"b_place{j}", "%b_here", str(j * self.width))
            right.append(self.let(f"b{j}", f"load {self.vector}, ptr {place}, align {self.bytes}"))
        for i in range(self.rows):
            place = self.place(f"a_place{i}", "%a_here", str(i))
            left = self.splat(f"a{i}", self.scalar, self.let(f"a{i}_scalar", f"load {self.scalar}, ptr {place}"))
            for j in range(2):
                self.let(f"s{i}_{j}_next", f"call {self.vector} @llvm.fma.{self.ending}({self.vector} {left}, "
                                           f"{self.vector} {right[j]}, {self.vector} %s{i}_{j})")  # fmt: skip
        self.place("a_next", "%a_here", str(self.rows))
        self.place("b_next", "%b_here", "%br")
        self.let("p_next", "add i64 %p, 1")
        self.let("more", "icmp slt i64 %p_next, %k")

    def _write(self) -> None:
        """The rows of C, with what was there if the product is added to it."""
        self.let("columns_right", f"sub i64 %columns, {self.width}")
        stored = [self.mask("mask0", "%columns"), self.mask("mask1", "%columns_right")]
        added = self.splat("adds", "i1", "%add")
        kept = [self.let(f"kept{j}", f"and {self.lanes} {mask}, {added}") for j, mask in enumerate(stored)]
        for i in range(self.rows):
            self.put(f"%exists{i} = icmp sgt i64 %rows, {i}")
            self.put(f"br i1 %exists{i}, label %row{i}, label %done")
            self.put(f"row{i}:")
            for j in range(2):
                old = self.masked_load(f"old{i}_{j}", f"%c{i}_{j}", kept[j])
                new = self.let(f"new{i}_{j}", f"fadd {self.vector} {old}, %s{i}_{j}_next")
                self.put(f"call void @llvm.masked.store.{self.ending}.p0({self.vector} {new}, ptr %c{i}_{j}, "
                         f"i32 {self.bytes}, {self.lanes} {stored[j]})")  # fmt: skip
        self.put("br label %done")
        self.put("done:")


def _heads(name: str, ending: str) -> str:
    return (f"define internal void @ag_pack_{name}_{ending}(i64 %k, i64 %lanes, ptr %from, i64 %along, i64 %across, "
            "ptr %to, i64 %to_row) nounwind {")  # fmt: skip


def _pack_rows(type: Type, width: int) -> str:
    """Lanes that lie side by side are copied as they are."""
    f = VectorLines(type, width)
    f.put(_heads("rows", f.suffix))
    f.put("entry:")
    mask = f.mask("mask", "%lanes")
    ahead = f.let("ahead", f"mul i64 %along, {AHEAD}")
    f.put("br label %loop")
    f.put("loop:")
    f.put("%p = phi i64 [ 0, %entry ], [ %p_next, %loop ]")
    source = f.place("source", "%from", f.let("offset", "mul i64 %p, %along"))
    f.prefetch(f.place("later", source, ahead))
    value = f.masked_load("value", source, mask)
    target = f.place("target", "%to", f.let("to_offset", "mul i64 %p, %to_row"))
    f.put(f"store {f.vector} {value}, ptr {target}, align {f.bytes}")
    f.let("p_next", "add i64 %p, 1")
    f.let("more", "icmp slt i64 %p_next, %k")
    f.put("br i1 %more, label %loop, label %done")
    f.put("done:")
    return f.finish()


def _pack_columns(type: Type, width: int) -> str:
    """Steps of the sum that lie side by side: squares are transposed, each time exchanging halves of pairs of blocks.

    The last square writes more rows than there are.
    """
    f = VectorLines(type, width)
    f.put(_heads("columns", f.suffix))
    f.put("entry:")
    f.put("br label %loop")
    f.put("loop:")
    f.put("%p = phi i64 [ 0, %entry ], [ %p_next, %loop ]")
    left = f.let("left", "sub i64 %k, %p")
    mask = f.mask("mask", left)
    start = f.place("start", "%from", "%p")
    for lane in range(width):
        place = f.place(f"place{lane}", start, f.let(f"at{lane}", f"mul i64 %across, {lane}"))
        exists = f.let(f"exists{lane}", f"icmp sgt i64 %lanes, {lane}")
        there = f.let(f"mask{lane}", f"select i1 {exists}, {f.lanes} {mask}, {f.lanes} zeroinitializer")
        f.masked_load(f"r0_{lane}", place, there)
        f.prefetch(f.place(f"later{lane}", place, str(4 * width)))
    step, half = 0, width // 2
    while half:
        for row in range(width):
            first, second, lower = row & ~half, row | half, not row & half
            chosen = [lane + (0 if lower else half) if not lane & half else width + lane - (half if lower else 0)
                      for lane in range(width)]  # fmt: skip
            f.let(f"r{step + 1}_{row}", f"shufflevector {f.vector} %r{step}_{first}, {f.vector} %r{step}_{second}, "
                                        f"<{width} x i32> <{', '.join(f'i32 {lane}' for lane in chosen)}>")  # fmt: skip
        step, half = step + 1, half // 2
    for row in range(width):
        at = f.let(f"to_at{row}", f"add i64 %p, {row}")
        target = f.place(f"target{row}", "%to", f.let(f"to_offset{row}", f"mul i64 {at}, %to_row"))
        f.put(f"store {f.vector} %r{step}_{row}, ptr {target}, align {f.bytes}")
    f.let("p_next", f"add i64 %p, {width}")
    f.let("more", "icmp slt i64 %p_next, %k")
    f.put("br i1 %more, label %loop, label %done")
    f.put("done:")
    return f.finish()


def _pack_any(type: Type, width: int) -> str:
    """The general packing: what lies side by side in neither direction is copied number by number."""
    f = VectorLines(type, width)
    text = _PACK_ANY.replace("HEAD", _heads("group", f.suffix)).replace("SUFFIX", f.suffix)
    return text.replace("BYTES", str(f.bytes)).replace("SCALAR", f.scalar).replace("VECTOR", f.vector)


_PACK_ANY = """HEAD
entry:
  %dense = icmp eq i64 %across, 1
  %none = icmp sle i64 %lanes, 0
  %side_by_side = or i1 %dense, %none
  br i1 %side_by_side, label %rows, label %other
rows:
  call void @ag_pack_rows_SUFFIX(i64 %k, i64 %lanes, ptr %from, i64 %along, i64 %across, ptr %to, i64 %to_row)
  ret void
other:
  %below = icmp eq i64 %along, 1
  br i1 %below, label %columns, label %outer
columns:
  call void @ag_pack_columns_SUFFIX(i64 %k, i64 %lanes, ptr %from, i64 %along, i64 %across, ptr %to, i64 %to_row)
  ret void
outer:
  %p = phi i64 [ 0, %other ], [ %p_next, %close ]
  %row = mul i64 %p, %along
  %to_offset = mul i64 %p, %to_row
  %target = getelementptr SCALAR, ptr %to, i64 %to_offset
  store VECTOR zeroinitializer, ptr %target, align BYTES
  br label %inner
inner:
  %lane = phi i64 [ 0, %outer ], [ %lane_next, %inner ]
  %column = mul i64 %lane, %across
  %offset = add i64 %row, %column
  %source = getelementptr SCALAR, ptr %from, i64 %offset
  %value = load SCALAR, ptr %source
  %place = getelementptr SCALAR, ptr %target, i64 %lane
  store SCALAR %value, ptr %place
  %lane_next = add i64 %lane, 1
  %again = icmp slt i64 %lane_next, %lanes
  br i1 %again, label %inner, label %close
close:
  %p_next = add i64 %p, 1
  %more = icmp slt i64 %p_next, %k
  br i1 %more, label %outer, label %done
done:
  ret void
}
"""
