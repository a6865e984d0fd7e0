"""Products of a matrix and a vector, for sizes at which a call of a library costs as much as the product.

    @ag_dots_f64(m, k, a, a_row, x, y)              y[i] = sum of a[i * a_row + p] * x[p]: rows side by side
    @ag_combine_f64(m, k, a, a_row, x, x_step, y)   y[i] = sum of a[p * a_row + i] * x[p * x_step]: columns side by side
    @ag_many_dots_f64(count, m, k, a, a_row, xs, ys)      the first for so many vectors, by the addresses of all x and y
    @ag_many_combine_f64(count, m, k, a, a_row, xs, ys)   the second, with x_step 1

The first sums as many rows as a vector has lanes, each in a vector of its own, and adds up their lanes at the end: each
step exchanges halves of pairs of blocks, as when a square is transposed. The second keeps a panel of results in
registers. A sum does not depend on which others are computed beside it, nor on how many vectors there are.
"""

from __future__ import annotations

from ...lower.loop_ir import Type
from .gemm_kernels import VectorLines
from .gemm_tiles import width_of
from .text import ModuleText, llvm_type, suffix

PANELS = (8, 4)
"""Vectors of a panel of results; the last one goes under masks."""
TOGETHER = 3
"""Vectors that meet a matrix in one pass: as many as have their sums in registers."""


def add_vector_products(module: ModuleText, type: Type) -> None:
    """Adds both products to a module that has the tiles."""
    width = width_of(module, type)
    module.intrinsic("llvm.smin.i64", "i64", "i64, i64")
    module.functions += [_Dots(type, width).text(), *[_Panel(type, width, size).text() for size in PANELS]]
    panel = PANELS[0] if module.vector_bytes == 64 else PANELS[1]
    several = range(2, TOGETHER + 1)
    for count in several:
        module.functions += [_Dots(type, width, count).text(), _Panel(type, width, panel, count).text()]
    names = {"SUFFIX": suffix(type), "SCALAR": llvm_type(type), "BROAD": str(PANELS[0] * width),
             "NARROW": str(PANELS[1] * width), "TOGETHER": str(TOGETHER), "BREADTH": str(panel * width)}  # fmt: skip
    texts = [_COMBINE, *[_columns(count) for count in several],
             _many("dots", ["ag_dots", *[f"ag_dots_{count}" for count in several]]),
             _many("combine", ["ag_combine", *[f"ag_columns_{count}" for count in several]])]  # fmt: skip
    module.functions += [replaced(text, names) for text in texts]


class _Dots(VectorLines):
    """Rows side by side, as many as a vector has lanes, for so many vectors."""

    def __init__(self, type: Type, width: int, vectors: int = 1) -> None:
        super().__init__(type, width)
        self.vectors = range(vectors)

    def text(self) -> str:
        """The function."""
        name = "ag_dots" if len(self.vectors) == 1 else f"ag_dots_{len(self.vectors)}"
        given = ", ".join([*(f"ptr %x{v}" for v in self.vectors), *(f"ptr %y{v}" for v in self.vectors)])
        self.put(f"define internal void @{name}_{self.suffix}(i64 %m, i64 %k, ptr %a, i64 %ar, {given}) nounwind {{")
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
        for v in self.vectors:
            for lane in range(self.width):
                self.put(f"%t{v}_0_{lane} = phi {self.vector} [ %e{v}_{lane}, %end ], [ %e_next{v}_{lane}, %part ]")
        kept = self.mask("kept", self.let("left", "sub i64 %m, %i"))
        for v in self.vectors:
            self._write(v, kept)
        self.let("i_next", f"add i64 %i, {self.width}")
        self.let("again", "icmp slt i64 %i_next, %m")
        self.put("br i1 %again, label %rows, label %done")
        self.put("done:")
        return self.finish()

    def _sums(self, name: str, before: str, first: str, block: str, later: str) -> None:
        for v in self.vectors:
            for lane in range(self.width):
                self.put(f"%{name}{v}_{lane} = phi {self.vector} [ {first}, %{before} ], "
                         f"[ %{later}{v}_{lane}, %{block} ]")  # fmt: skip

    def _step(self, at: str, mask: str | None, name: str, later: str) -> None:
        """A vector of each row times one of each x."""
        rights = [self._read(f"{later}_x{v}", f"%x{v}", at, mask) for v in self.vectors]
        for lane in range(self.width):
            left = self._read(f"{later}_a{lane}", f"%r{lane}", at, mask)
            for v, right in enumerate(rights):
                self.let(f"{later}{v}_{lane}", f"call {self.vector} @llvm.fma.{self.ending}({self.vector} {left}, "
                                               f"{self.vector} {right}, {self.vector} %{name}{v}_{lane})")  # fmt: skip

    def _read(self, name: str, base: str, at: str, mask: str | None) -> str:
        place = self.place(f"{name}_place", base, at)
        if mask is not None:
            return self.masked_load(name, place, mask)
        return self.let(name, f"load {self.vector}, ptr {place}, align {self.bytes}")

    def _write(self, v: int, kept: str) -> None:
        """The lanes of each sum of a vector, added up: lane i of the result is that of row i."""
        count, step = self.width, 0
        while count > 1:
            half = count // 2
            for row in range(half):
                pair = f"{self.vector} %t{v}_{step}_{row}, {self.vector} %t{v}_{step}_{row + half}"
                for side, turn in (("near", 0), ("far", half)):
                    lanes = [(lane ^ turn) + (self.width if lane & half else 0) for lane in range(self.width)]
                    self.let(f"{side}{v}_{step}_{row}", f"shufflevector {pair}, <{self.width} x i32> "
                                                        f"<{', '.join(f'i32 {lane}' for lane in lanes)}>")  # fmt: skip
                sides = f"%near{v}_{step}_{row}, %far{v}_{step}_{row}"
                self.let(f"t{v}_{step + 1}_{row}", f"fadd {self.vector} {sides}")
            count, step = half, step + 1
        self.put(f"call void @llvm.masked.store.{self.ending}.p0({self.vector} %t{v}_{step}_0, "
                 f"ptr {self.place(f'target{v}', f'%y{v}', '%i')}, i32 {self.bytes}, {self.lanes} {kept})")  # fmt: skip


class _Panel(VectorLines):
    """A panel of results for so many vectors, whose last parts may not be whole."""

    def __init__(self, type: Type, width: int, breadth: int, vectors: int = 1) -> None:
        super().__init__(type, width)
        self.breadth, self.vectors = breadth, range(vectors)

    def text(self) -> str:
        """The function."""
        name = f"ag_combine_{self.breadth}" if len(self.vectors) == 1 else f"ag_combine_of_{len(self.vectors)}"
        xs, ys = (", ".join(f"ptr %{letter}{v}" for v in self.vectors) for letter in "xy")
        self.put(f"define internal void @{name}_{self.suffix}(i64 %count, i64 %k, ptr %a, i64 %ar, "
                 f"{xs}, i64 %xs, {ys}) nounwind {{")  # fmt: skip
        self.put("entry:")
        masks = [self.mask(f"mask{j}", self.let(f"left{j}", f"sub i64 %count, {j * self.width}"))
                 for j in range(self.breadth)]  # fmt: skip
        self.let("some", "icmp sgt i64 %k, 0")
        self.put("br i1 %some, label %loop, label %write")
        self.put("loop:")
        self.put("%p = phi i64 [ 0, %entry ], [ %p_next, %loop ]")
        self._sums("s", "loop")
        start = self.let("start", "mul i64 %p, %ar")
        along = self.let("x_offset", "mul i64 %p, %xs")
        factors = [self._factor(v, along) for v in self.vectors]
        for j, mask in enumerate(masks):
            at = self.let(f"at{j}", f"add i64 {start}, {j * self.width}")
            left = self.masked_load(f"a{j}", self.place(f"a_place{j}", "%a", at), mask)
            for v, factor in enumerate(factors):
                self.let(f"s_next{v}_{j}", f"call {self.vector} @llvm.fma.{self.ending}({self.vector} {left}, "
                                           f"{self.vector} {factor}, {self.vector} %s{v}_{j})")  # fmt: skip
        self.let("p_next", "add i64 %p, 1")
        self.let("more", "icmp slt i64 %p_next, %k")
        self.put("br i1 %more, label %loop, label %write")
        self.put("write:")
        self._sums("t", "loop")
        for v in self.vectors:
            for j, mask in enumerate(masks):
                target = self.place(f"target{v}_{j}", f"%y{v}", str(j * self.width))
                self.put(f"call void @llvm.masked.store.{self.ending}.p0({self.vector} %t{v}_{j}, ptr {target}, "
                         f"i32 {self.bytes}, {self.lanes} {mask})")  # fmt: skip
        return self.finish()

    def _factor(self, v: int, along: str) -> str:
        place = self.place(f"x_place{v}", f"%x{v}", along)
        return self.splat(f"factor{v}", self.scalar, self.let(f"x_here{v}", f"load {self.scalar}, ptr {place}"))

    def _sums(self, name: str, block: str) -> None:
        for v in self.vectors:
            for j in range(self.breadth):
                self.put(f"%{name}{v}_{j} = phi {self.vector} [ zeroinitializer, %entry ], "
                         f"[ %s_next{v}_{j}, %{block} ]")  # fmt: skip


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

_MANY = """define internal void @ag_many_NAME_SUFFIX(i64 %count, i64 %m, i64 %k, ptr %a, i64 %ar, ptr %xs,
    ptr %ys) nounwind {
entry:
  br label %test
test:
  %i = phi i64 [ 0, %entry ]INCOMING
  %left = sub i64 %count, %i
  %some = icmp sgt i64 %left, 0
  br i1 %some, label %body, label %done
body:
  %x_places = getelementptr ptr, ptr %xs, i64 %i
  %y_places = getelementptr ptr, ptr %ys, i64 %i
  switch i64 %left, label %caseTOGETHER [ TARGETS ]
CASES
done:
  ret void
}
"""

_COMBINE_OF = """define internal void @ag_columns_COUNT_SUFFIX(i64 %m, i64 %k, ptr %a, i64 %ar, GIVEN) nounwind {
entry:
  br label %test
test:
  %i = phi i64 [ 0, %entry ], [ %i_next, %body ]
  %left = sub i64 %m, %i
  %some = icmp sgt i64 %left, 0
  br i1 %some, label %body, label %done
body:
  %a_here = getelementptr SCALAR, ptr %a, i64 %i
PLACES
  call void @ag_combine_of_COUNT_SUFFIX(i64 %left, i64 %k, ptr %a_here, i64 %ar, XS, i64 1, YS)
  %i_next = add i64 %i, BREADTH
  br label %test
done:
  ret void
}
"""


def _many(name: str, functions: list[str]) -> str:
    """The products for any number of vectors, by those for some vectors at a time; `%i` counts the vectors."""
    counts = range(1, TOGETHER + 1)
    cases = []
    for count, function in zip(counts, functions, strict=True):
        lines, given = [f"case{count}:"], {"x": [], "y": []}
        for v in range(count):
            for letter, args in given.items():
                lines += [f"  %{letter}_at{count}_{v} = getelementptr ptr, ptr %{letter}_places, i64 {v}",
                          f"  %{letter}{count}_{v} = load ptr, ptr %{letter}_at{count}_{v}"]  # fmt: skip
                args.append(f"ptr %{letter}{count}_{v}")
        step = ", i64 1" if name == "combine" and count == 1 else ""
        args = f"{', '.join(given['x'])}{step}, {', '.join(given['y'])}"
        cases += [*lines, f"  call void @{function}_SUFFIX(i64 %m, i64 %k, ptr %a, i64 %ar, {args})",
                  f"  %i{count} = add i64 %i, {count}", "  br label %test"]  # fmt: skip
    names = {"NAME": name, "INCOMING": "".join(f", [ %i{count}, %case{count} ]" for count in counts),
             "TARGETS": " ".join(f"i64 {count}, label %case{count}" for count in counts[:-1]),
             "CASES": "\n".join(cases)}  # fmt: skip
    return replaced(_MANY, names)


def _columns(count: int) -> str:
    """All panels of results for so many vectors."""
    places = [f"  %y_here{v} = getelementptr SCALAR, ptr %y{v}, i64 %i" for v in range(count)]
    xs = ", ".join(f"ptr %x{v}" for v in range(count))
    names = {"COUNT": str(count), "PLACES": "\n".join(places), "XS": xs,
             "GIVEN": f"{xs}, {', '.join(f'ptr %y{v}' for v in range(count))}",
             "YS": ", ".join(f"ptr %y_here{v}" for v in range(count))}  # fmt: skip
    return replaced(_COMBINE_OF, names)


def replaced(text: str, names: dict[str, str]) -> str:
    """A text with its words in capitals replaced."""
    for name, value in names.items():
        text = text.replace(name, value)
    return text
