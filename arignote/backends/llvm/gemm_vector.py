"""Products of a matrix and a vector, for sizes at which a call of a library costs as much as the product.

    @ag_dots_f64(m, k, a, a_row, x, y)              y[i] = sum of a[i * a_row + p] * x[p]: rows side by side
    @ag_combine_f64(m, k, a, a_row, x, x_step, y)   y[i] = sum of a[p * a_row + i] * x[p * x_step]: columns side by side

The first sums as many rows as a vector has lanes, each in a vector of its own, and adds up their lanes at the end: each
step exchanges halves of pairs of blocks, as when a square is transposed. The second keeps a panel of results in
registers. A row's sum does not depend on which rows are computed beside it.
"""

from __future__ import annotations

from ...lower.loop_ir import Type
from .gemm_kernels import VectorLines
from .gemm_tiles import width_of
from .text import ModuleText, suffix

PANELS = (8, 4)
"""Vectors of a panel of results; the last one goes under masks."""


def add_vector_products(module: ModuleText, type: Type) -> None:
    """Adds both products to a module that has the tiles."""
    width = width_of(module, type)
    module.intrinsic("llvm.smin.i64", "i64", "i64, i64")
    module.functions += [_Dots(type, width).text(), *[_Panel(type, width, size).text() for size in PANELS]]
    text = _COMBINE.replace("SUFFIX", suffix(type)).replace("SCALAR", VectorLines(type, width).scalar)
    module.functions.append(text.replace("BROAD", str(PANELS[0] * width)).replace("NARROW", str(PANELS[1] * width)))


class _Dots(VectorLines):
    """Rows side by side, as many as a vector has lanes."""

    def text(self) -> str:
        """The function."""
        self.put(f"define internal void @ag_dots_{self.suffix}(i64 %m, i64 %k, ptr %a, i64 %ar, ptr %x, ptr %y) "
                 "nounwind {")  # fmt: skip
        self.put("entry:")
        self.let("rest", f"urem i64 %k, {self.width}")
        self.let("whole", "sub i64 %k, %rest")
        self.let("has_rest", "icmp sgt i64 %rest, 0")
        mask = self.mask("mask", "%rest")
        self.let("last", "sub i64 %m, 1")
        self.let("long", "icmp sgt i64 %whole, 0")
        self.put("br label %rows")
        self.put("rows:")
        self.put("%i = phi i64 [ 0, %entry ], [ %i_next, %write ]")
        for lane in range(self.width):
            number = self.let(f"number{lane}", f"add i64 %i, {lane}")
            row = self.let(f"row{lane}", f"call i64 @llvm.smin.i64(i64 {number}, i64 %last)")
            self.place(f"r{lane}", "%a", self.let(f"offset{lane}", f"mul i64 {row}, %ar"))
        self.put("br i1 %long, label %loop, label %end")
        self.put("loop:")
        self.put("%p = phi i64 [ 0, %rows ], [ %p_next, %loop ]")
        self._sums("s", "rows", "zeroinitializer", "loop", "s_next")
        self._step("%p", None, "s", "s_next")
        self.let("p_next", f"add i64 %p, {self.width}")
        self.let("more", "icmp slt i64 %p_next, %whole")
        self.put("br i1 %more, label %loop, label %end")
        self.put("end:")
        self._sums("e", "rows", "zeroinitializer", "loop", "s_next")
        self.put("br i1 %has_rest, label %part, label %write")
        self.put("part:")
        self._step("%whole", mask, "e", "e_next")
        self.put("br label %write")
        self.put("write:")
        for lane in range(self.width):
            self.put(f"%t0_{lane} = phi {self.vector} [ %e{lane}, %end ], [ %e_next{lane}, %part ]")
        self._write()
        return self.finish()

    def _sums(self, name: str, before: str, first: str, block: str, later: str) -> None:
        for lane in range(self.width):
            self.put(f"%{name}{lane} = phi {self.vector} [ {first}, %{before} ], [ %{later}{lane}, %{block} ]")

    def _step(self, at: str, mask: str | None, name: str, later: str) -> None:
        """A vector of each row times one of x."""
        right = self._read(f"{later}_x", "%x", at, mask)
        for lane in range(self.width):
            left = self._read(f"{later}_a{lane}", f"%r{lane}", at, mask)
            self.let(f"{later}{lane}", f"call {self.vector} @llvm.fma.{self.ending}({self.vector} {left}, "
                                       f"{self.vector} {right}, {self.vector} %{name}{lane})")  # fmt: skip

    def _read(self, name: str, base: str, at: str, mask: str | None) -> str:
        place = self.place(f"{name}_place", base, at)
        if mask is not None:
            return self.masked_load(name, place, mask)
        return self.let(name, f"load {self.vector}, ptr {place}, align {self.bytes}")

    def _write(self) -> None:
        """The lanes of each sum, added up: lane i of the result is that of row i."""
        count, step = self.width, 0
        while count > 1:
            half = count // 2
            for row in range(half):
                pair = f"{self.vector} %t{step}_{row}, {self.vector} %t{step}_{row + half}"
                for side, turn in (("near", 0), ("far", half)):
                    lanes = [(lane ^ turn) + (self.width if lane & half else 0) for lane in range(self.width)]
                    self.let(f"{side}{step}_{row}", f"shufflevector {pair}, <{self.width} x i32> "
                                                    f"<{', '.join(f'i32 {lane}' for lane in lanes)}>")  # fmt: skip
                self.let(f"t{step + 1}_{row}", f"fadd {self.vector} %near{step}_{row}, %far{step}_{row}")
            count, step = half, step + 1
        kept = self.mask("kept", self.let("left", "sub i64 %m, %i"))
        self.put(f"call void @llvm.masked.store.{self.ending}.p0({self.vector} %t{step}_0, "
                 f"ptr {self.place('target', '%y', '%i')}, i32 {self.bytes}, {self.lanes} {kept})")  # fmt: skip
        self.let("i_next", f"add i64 %i, {self.width}")
        self.let("again", "icmp slt i64 %i_next, %m")
        self.put("br i1 %again, label %rows, label %done")
        self.put("done:")


class _Panel(VectorLines):
    """A panel of results, whose last vectors may not be whole."""

    def __init__(self, type: Type, width: int, vectors: int) -> None:
        super().__init__(type, width)
        self.vectors = vectors

    def text(self) -> str:
        """The function."""
        self.put(f"define internal void @ag_combine_{self.vectors}_{self.suffix}(i64 %count, i64 %k, ptr %a, i64 %ar, "
                 "ptr %x, i64 %xs, ptr %y) nounwind {")  # fmt: skip
        self.put("entry:")
        masks = [self.mask(f"mask{j}", self.let(f"left{j}", f"sub i64 %count, {j * self.width}"))
                 for j in range(self.vectors)]  # fmt: skip
        self.let("some", "icmp sgt i64 %k, 0")
        self.put("br i1 %some, label %loop, label %write")
        self.put("loop:")
        self.put("%p = phi i64 [ 0, %entry ], [ %p_next, %loop ]")
        self._sums("s", "loop")
        start = self.let("start", "mul i64 %p, %ar")
        place = self.place("x_place", "%x", self.let("x_offset", "mul i64 %p, %xs"))
        factor = self.splat("factor", self.scalar, self.let("x_here", f"load {self.scalar}, ptr {place}"))
        for j, mask in enumerate(masks):
            at = self.let(f"at{j}", f"add i64 {start}, {j * self.width}")
            left = self.masked_load(f"a{j}", self.place(f"a_place{j}", "%a", at), mask)
            self.let(f"s_next{j}", f"call {self.vector} @llvm.fma.{self.ending}({self.vector} {left}, "
                                   f"{self.vector} {factor}, {self.vector} %s{j})")  # fmt: skip
        self.let("p_next", "add i64 %p, 1")
        self.let("more", "icmp slt i64 %p_next, %k")
        self.put("br i1 %more, label %loop, label %write")
        self.put("write:")
        self._sums("t", "loop")
        for j, mask in enumerate(masks):
            target = self.place(f"target{j}", "%y", str(j * self.width))
            self.put(f"call void @llvm.masked.store.{self.ending}.p0({self.vector} %t{j}, ptr {target}, "
                     f"i32 {self.bytes}, {self.lanes} {mask})")  # fmt: skip
        return self.finish()

    def _sums(self, name: str, block: str) -> None:
        for j in range(self.vectors):
            self.put(f"%{name}{j} = phi {self.vector} [ zeroinitializer, %entry ], [ %s_next{j}, %{block} ]")


_COMBINE = """define internal void @ag_combine_SUFFIX(i64 %m, i64 %k, ptr %a, i64 %ar, ptr %x, i64 %xs,
    ptr %y) nounwind {
entry:
  br label %test
test:
  %i = phi i64 [ 0, %entry ], [ %i_next, %end ]
  %left = sub i64 %m, %i
  %some = icmp sgt i64 %left, 0
  br i1 %some, label %body, label %done
body:
  %a_here = getelementptr SCALAR, ptr %a, i64 %i
  %y_here = getelementptr SCALAR, ptr %y, i64 %i
  %many = icmp sgt i64 %left, NARROW
  br i1 %many, label %broad, label %narrow
broad:
  call void @ag_combine_8_SUFFIX(i64 %left, i64 %k, ptr %a_here, i64 %ar, ptr %x, i64 %xs, ptr %y_here)
  br label %end
narrow:
  call void @ag_combine_4_SUFFIX(i64 %left, i64 %k, ptr %a_here, i64 %ar, ptr %x, i64 %xs, ptr %y_here)
  br label %end
end:
  %step = phi i64 [ BROAD, %broad ], [ NARROW, %narrow ]
  %i_next = add i64 %i, %step
  br label %test
done:
  ret void
}
"""
