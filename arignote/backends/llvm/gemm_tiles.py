"""Matrix products in tiles that stay in registers: no packing but of a transposed right factor, no call of a library.

    @ag_tiles_f64(m, n, k, a, a_row, a_column, b, b_row, c, c_row, alpha, beta)         C = alpha A B + beta C
    @ag_pack_f64(k, n, b, b_row, b_column, packed)                                      rows of B side by side

A tile has some rows, and one or two vectors of columns; the last columns are read and written under a mask. The rows of
B must be contiguous. With beta = 0, C is not read.
"""

from __future__ import annotations

from ...lower.loop_ir import Type
from .text import BYTES, ModuleText, float_text, llvm_type, suffix

ROWS = 4
"""Rows of a tile: with two vectors of columns, sums enough to hide the time of a multiply-add."""
AHEAD_BYTES = 256
"""How far in advance the rows that are to be transposed are asked for."""


def width_of(module: ModuleText, type: Type) -> int:
    """Numbers in a vector."""
    return module.vector_bytes // BYTES[type]


def add_tiles(module: ModuleText, type: Type) -> None:
    """Adds the products to a module."""
    width, scalar = width_of(module, type), llvm_type(type)
    vector, lanes = f"<{width} x {scalar}>", f"<{width} x i1>"
    ending = f"v{width}{suffix(type)}"
    module.intrinsic("llvm.smin.i64", "i64", "i64, i64")
    module.intrinsic("llvm.prefetch.p0", "void", "ptr, i32, i32, i32")
    module.intrinsic(f"llvm.fma.{ending}", vector, f"{vector}, {vector}, {vector}")
    module.intrinsic(f"llvm.masked.load.{ending}.p0", vector, f"ptr, i32, {lanes}, {vector}")
    module.intrinsic(f"llvm.masked.store.{ending}.p0", "void", f"{vector}, ptr, i32, {lanes}")
    for rows in (ROWS, 1):
        module.functions += [_Tile(type, width, rows, 2, False).text(), _Tile(type, width, rows, 1, True).text()]
    names = {"CALLS": _calls(), "SUFFIX": suffix(type), "SCALAR": scalar, "BYTES": str(BYTES[type]), "ROWS": str(ROWS),
             "TWO": str(2 * width), "WIDTH": str(width)}  # fmt: skip
    module.functions.append(_turn(type, width))
    for text in (_PANEL, _TILES, _PACK):
        for name, value in names.items():
            text = text.replace(name, value)
        module.functions.append(text)


class _Tile:
    """One tile: a loop over the inner size, with its sums in registers."""

    def __init__(self, type: Type, width: int, rows: int, vectors: int, masked: bool) -> None:
        self.type, self.width, self.rows, self.vectors, self.masked = type, width, rows, vectors, masked
        self.scalar = llvm_type(type)
        self.vector = f"<{width} x {self.scalar}>"
        self.ending = f"v{width}{suffix(type)}"
        self.bytes = BYTES[type]
        self.lines: list[str] = []

    def text(self) -> str:
        """The function."""
        scalar, vector = self.scalar, self.vector
        sums = [f"s{i}_{j}" for i in range(self.rows) for j in range(self.vectors)]
        zero = "zeroinitializer"
        name = f"ag_tile_{self.rows}_{self.vectors}_{suffix(self.type)}"
        heads = ("i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br, ptr %c, i64 %cr, i64 %columns, "
                 f"{scalar} %alpha, {scalar} %beta")  # fmt: skip
        self.lines = [f"define internal void @{name}({heads}) nounwind {{", "entry:"]
        if self.masked:
            self._splat("i64", "wide", "%columns")
            numbers = ", ".join(f"i64 {lane}" for lane in range(self.width))
            self.put(f"%mask = icmp ult <{self.width} x i64> <{numbers}>, %wide")
        self.put("%none = icmp eq i64 %k, 0")
        self.put("br i1 %none, label %done, label %loop")
        self.lines.append("loop:")
        self.put("%p = phi i64 [ 0, %entry ], [ %p_next, %loop ]")
        for name in sums:
            self.put(f"%{name} = phi {vector} [ {zero}, %entry ], [ %{name}_next, %loop ]")
        self._step()
        self.put("%p_next = add i64 %p, 1")
        self.put("%more = icmp slt i64 %p_next, %k")
        self.put("br i1 %more, label %loop, label %done")
        self.lines.append("done:")
        for name in sums:
            self.put(f"%{name}_all = phi {vector} [ {zero}, %entry ], [ %{name}_next, %loop ]")
        self._splat(scalar, "alphas", "%alpha")
        self._splat(scalar, "betas", "%beta")
        self.put(f"%fresh = fcmp oeq {scalar} %beta, {float_text(0.0, self.type)}")
        self.put("br i1 %fresh, label %write, label %add")
        for block in ("write", "add"):
            self.lines.append(f"{block}:")
            self._store(block)
            self.put("ret void")
        return "\n".join([*self.lines, "}"]) + "\n"

    def put(self, line: str) -> None:
        self.lines.append(f"  {line}")

    def _splat(self, scalar: str, name: str, value: str) -> None:
        """A vector of one value."""
        vector = f"<{self.width} x {scalar}>"
        self.put(f"%{name}_one = insertelement {vector} poison, {scalar} {value}, i64 0")
        zeros = f"<{self.width} x i32> zeroinitializer"
        self.put(f"%{name} = shufflevector {vector} %{name}_one, {vector} poison, {zeros}")

    def _load(self, name: str, place: str) -> None:
        if not self.masked:
            self.put(f"%{name} = load {self.vector}, ptr %{place}, align {self.bytes}")
            return
        lanes = f"<{self.width} x i1>"
        self.put(f"%{name} = call {self.vector} @llvm.masked.load.{self.ending}.p0(ptr %{place}, i32 {self.bytes}, "
                 f"{lanes} %mask, {self.vector} zeroinitializer)")  # fmt: skip

    def _step(self) -> None:
        """One row of B times the entries of a column of A."""
        self.put("%b_offset = mul i64 %p, %br")
        self.put("%a_offset = mul i64 %p, %ac")
        for j in range(self.vectors):
            self.put(f"%b_at{j} = add i64 %b_offset, {j * self.width}")
            self.put(f"%b_place{j} = getelementptr {self.scalar}, ptr %b, i64 %b_at{j}")
            self._load(f"b{j}", f"b_place{j}")
        for i in range(self.rows):
            self.put(f"%a_row{i} = mul i64 %ar, {i}")
            self.put(f"%a_at{i} = add i64 %a_offset, %a_row{i}")
            self.put(f"%a_place{i} = getelementptr {self.scalar}, ptr %a, i64 %a_at{i}")
            self.put(f"%a{i}_scalar = load {self.scalar}, ptr %a_place{i}, align {self.bytes}")
            self._splat(self.scalar, f"a{i}", f"%a{i}_scalar")
            for j in range(self.vectors):
                name = f"s{i}_{j}"
                self.put(f"%{name}_next = call {self.vector} @llvm.fma.{self.ending}({self.vector} %a{i}, "
                         f"{self.vector} %b{j}, {self.vector} %{name})")  # fmt: skip

    def _store(self, block: str) -> None:
        """The rows of C: alpha times the sums, plus beta times what was there."""
        for i in range(self.rows):
            self.put(f"%c_row{i}_{block} = mul i64 %cr, {i}")
            for j in range(self.vectors):
                name = f"{i}_{j}_{block}"
                self.put(f"%c_at{name} = add i64 %c_row{i}_{block}, {j * self.width}")
                self.put(f"%c_place{name} = getelementptr {self.scalar}, ptr %c, i64 %c_at{name}")
                self.put(f"%scaled{name} = fmul {self.vector} %alphas, %s{i}_{j}_all")
                value = f"%scaled{name}"
                if block == "add":
                    self._load(f"old{name}", f"c_place{name}")
                    value = f"%sum{name}"
                    self.put(f"{value} = call {self.vector} @llvm.fma.{self.ending}({self.vector} %betas, "
                             f"{self.vector} %old{name}, {self.vector} %scaled{name})")  # fmt: skip
                if self.masked:
                    self.put(f"call void @llvm.masked.store.{self.ending}.p0({self.vector} {value}, "
                             f"ptr %c_place{name}, i32 {self.bytes}, <{self.width} x i1> %mask)")  # fmt: skip
                else:
                    self.put(f"store {self.vector} {value}, ptr %c_place{name}, align {self.bytes}")


def _turn(type: Type, width: int) -> str:
    """A square of numbers transposed: each step exchanges the halves of pairs of blocks, of half the size each time."""
    scalar = llvm_type(type)
    vector = f"<{width} x {scalar}>"
    lines = [f"define internal void @ag_turn_{suffix(type)}(ptr %from, i64 %stride, ptr %to) nounwind {{", "entry:"]
    for row in range(width):
        lines.append(f"  %at{row} = mul i64 %stride, {row}")
        lines.append(f"  %place{row} = getelementptr {scalar}, ptr %from, i64 %at{row}")
        lines.append(f"  %r0_{row} = load {vector}, ptr %place{row}, align {BYTES[type]}")
        lines.append(f"  %later{row} = getelementptr i8, ptr %place{row}, i64 {AHEAD_BYTES}")
        lines.append(f"  call void @llvm.prefetch.p0(ptr %later{row}, i32 0, i32 3, i32 1)")
    step, half = 0, width // 2
    while half:
        for row in range(width):
            first, second = row & ~half, row | half
            lower = not row & half
            lanes = [lane + (0 if lower else half) if not lane & half else width + lane - (half if lower else 0)
                     for lane in range(width)]  # fmt: skip
            mask = ", ".join(f"i32 {lane}" for lane in lanes)
            lines.append(f"  %r{step + 1}_{row} = shufflevector {vector} %r{step}_{first}, {vector} %r{step}_{second}, "
                         f"<{width} x i32> <{mask}>")  # fmt: skip
        step, half = step + 1, half // 2
    for row in range(width):
        lines.append(f"  %to{row} = getelementptr {scalar}, ptr %to, i64 {2 * width * row}")
        lines.append(f"  store {vector} %r{step}_{row}, ptr %to{row}, align {BYTES[type]}")
    return "\n".join([*lines, "  ret void", "}"]) + "\n"


def _calls() -> str:
    """Where a panel goes on to its tiles: for tall and for single rows, two vectors of columns or one under a mask."""
    lines: list[str] = []
    for shape, rows in (("tall", "ROWS"), ("flat", "1")):
        lines += [f"{shape}:", f"  br i1 %wide, label %{shape}_wide, label %{shape}_narrow"]
        for breadth, vectors in (("wide", 2), ("narrow", 1)):
            lines.append(f"""{shape}_{breadth}:
  call void @ag_tile_{rows}_{vectors}_SUFFIX(i64 %k, ptr %a_here, i64 %ar, i64 %ac, ptr %b, i64 %br, ptr %c_here,
    i64 %cr, i64 %columns, SCALAR %alpha, SCALAR %beta)
  br label %end""")
    return "\n".join(lines)


_PANEL = """define internal void @ag_panel_SUFFIX(i64 %m, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br,
    ptr %c, i64 %cr, i64 %columns, i1 %wide, SCALAR %alpha, SCALAR %beta) nounwind {
entry:
  br label %test
test:
  %i = phi i64 [ 0, %entry ], [ %i_next, %end ]
  %left = sub i64 %m, %i
  %some = icmp sgt i64 %left, 0
  br i1 %some, label %body, label %done
body:
  %a_offset = mul i64 %i, %ar
  %c_offset = mul i64 %i, %cr
  %a_here = getelementptr SCALAR, ptr %a, i64 %a_offset
  %c_here = getelementptr SCALAR, ptr %c, i64 %c_offset
  %many = icmp sge i64 %left, ROWS
  %rows = select i1 %many, i64 ROWS, i64 1
  br i1 %many, label %tall, label %flat
CALLS
end:
  %i_next = add i64 %i, %rows
  br label %test
done:
  ret void
}
"""

_TILES = """define internal void @ag_tiles_SUFFIX(i64 %m, i64 %n, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br,
    ptr %c, i64 %cr, SCALAR %alpha, SCALAR %beta) nounwind {
entry:
  br label %test
test:
  %j = phi i64 [ 0, %entry ], [ %j_next, %body ]
  %left = sub i64 %n, %j
  %some = icmp sgt i64 %left, 0
  br i1 %some, label %body, label %done
body:
  %wide = icmp sge i64 %left, TWO
  %step = select i1 %wide, i64 TWO, i64 WIDTH
  %columns = call i64 @llvm.smin.i64(i64 %left, i64 %step)
  %b_here = getelementptr SCALAR, ptr %b, i64 %j
  %c_here = getelementptr SCALAR, ptr %c, i64 %j
  call void @ag_panel_SUFFIX(i64 %m, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b_here, i64 %br, ptr %c_here, i64 %cr,
    i64 %columns, i1 %wide, SCALAR %alpha, SCALAR %beta)
  %j_next = add i64 %j, %columns
  br label %test
done:
  ret void
}
"""

_PACK = """define internal void @ag_pack_SUFFIX(i64 %k, i64 %n, ptr %b, i64 %br, i64 %bc, ptr %packed) nounwind {
entry:
  %kn = mul i64 %k, %n
  %none = icmp eq i64 %kn, 0
  br i1 %none, label %done, label %some
some:
  %dense = icmp eq i64 %bc, 1
  %full = icmp eq i64 %n, TWO
  %simple = and i1 %dense, %full
  br i1 %simple, label %row_by_row, label %not_dense
not_dense:
  %down = icmp eq i64 %br, 1
  %turnable = and i1 %down, %full
  %rest = urem i64 %k, WIDTH
  %whole_blocks = sub i64 %k, %rest
  %turned = select i1 %turnable, i64 %whole_blocks, i64 0
  %turns = icmp sgt i64 %turned, 0
  br i1 %turns, label %turn, label %left_over
turn:
  %t = phi i64 [ 0, %not_dense ], [ %t_next, %turn ]
  %t_from = getelementptr SCALAR, ptr %b, i64 %t
  %t_to_at = mul i64 %t, TWO
  %t_to = getelementptr SCALAR, ptr %packed, i64 %t_to_at
  call void @ag_turn_SUFFIX(ptr %t_from, i64 %bc, ptr %t_to)
  %second = mul i64 %bc, WIDTH
  %t_from_second = getelementptr SCALAR, ptr %t_from, i64 %second
  %t_to_second = getelementptr SCALAR, ptr %t_to, i64 WIDTH
  call void @ag_turn_SUFFIX(ptr %t_from_second, i64 %bc, ptr %t_to_second)
  %t_next = add i64 %t, WIDTH
  %t_more = icmp slt i64 %t_next, %turned
  br i1 %t_more, label %turn, label %left_over
left_over:
  %finished = icmp eq i64 %turned, %k
  br i1 %finished, label %done, label %outer
row_by_row:
  %r = phi i64 [ 0, %some ], [ %r_next, %row_by_row ]
  %source = mul i64 %r, %br
  %source_at = getelementptr SCALAR, ptr %b, i64 %source
  %target_row = mul i64 %r, TWO
  %target_at = getelementptr SCALAR, ptr %packed, i64 %target_row
  %whole = load <TWO x SCALAR>, ptr %source_at, align BYTES
  store <TWO x SCALAR> %whole, ptr %target_at, align BYTES
  %r_next = add i64 %r, 1
  %r_more = icmp slt i64 %r_next, %k
  br i1 %r_more, label %row_by_row, label %done
outer:
  %j = phi i64 [ 0, %left_over ], [ %j_next, %close ]
  %column = mul i64 %j, %bc
  br label %inner
inner:
  %p = phi i64 [ %turned, %outer ], [ %p_next, %inner ]
  %row = mul i64 %p, %br
  %from = add i64 %row, %column
  %place = getelementptr SCALAR, ptr %b, i64 %from
  %value = load SCALAR, ptr %place, align BYTES
  %start = mul i64 %p, %n
  %to = add i64 %start, %j
  %target = getelementptr SCALAR, ptr %packed, i64 %to
  store SCALAR %value, ptr %target, align BYTES
  %p_next = add i64 %p, 1
  %again = icmp slt i64 %p_next, %k
  br i1 %again, label %inner, label %close
close:
  %j_next = add i64 %j, 1
  %more = icmp slt i64 %j_next, %n
  br i1 %more, label %outer, label %done
done:
  ret void
}
"""
