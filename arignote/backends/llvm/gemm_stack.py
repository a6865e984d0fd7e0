"""Matrix products, C = A B, C = C + A B, and stacks of the former:

    ag_product_f64(m, n, k, a, a_row, a_column, b, b_row, b_column, c, c_row)
    ag_product_sum_f64(m, n, k, a, a_row, a_column, b, b_row, b_column, c, c_row)
    ag_stack_product_f64(stacks, count, m, n, k, a, a_stacks, a_stack, a_row, a_column,
                         b, b_stacks, b_stack, b_row, b_column, c, c_stacks, c_stack, c_row)

and the same with _f32; the latter is a stack of stacks of products. What is not large goes to tiles (`gemm_tiles.py`):
small products of a stack many at a time over the runtime's threads, one product by panels of columns
(`gemm_panels.py`), a large one by blocks (`gemm_blocks.py`). Products with one row or column are our own where they are
small (`gemm_vector.py`), and go to BLAS otherwise. Matrices one below the other that all meet one matrix are one
product.
"""

from __future__ import annotations

from ...lower.loop_ir import Type
from .gemm_panels import add_panels
from .gemm_tiles import add_tiles
from .task_words import loads, stores
from .text import BYTES, ModuleText, float_text, llvm_type, suffix

TYPES: dict[str, Type] = {"f32": "float32", "f64": "float64"}
LARGE = 1 << 21
"""Multiplications from which one product is worth BLAS's packing of both factors."""
PACKED_BYTES = 1 << 16
"""The most that a packed factor may take of a thread's stack."""
GRAIN = 30_000
"""Multiplications that are worth a chunk for another thread."""


def stack_type(symbol: str) -> Type | None:
    """The type of a product, or of a stack of them, by its symbol; None for other symbols."""
    name, _, ending = symbol.rpartition("_")
    return TYPES.get(ending) if name in ("ag_stack_product", "ag_product", "ag_product_sum") else None


def stack_symbols(type: Type) -> tuple[str, ...]:
    """What the module of a type's products defines."""
    return tuple(f"ag_{name}_{suffix(type)}" for name in ("product", "product_sum", "stack_product"))


def stack_module(type: Type, vector_bytes: int, masks: bool) -> ModuleText:
    """The module of a type's stacks of products; it is compiled once per process, when a program first needs it."""
    module = ModuleText(vector_bytes, masks)
    add_tiles(module, type)
    scalar, ending = llvm_type(type), suffix(type)
    module.symbol("ag_parallel_for", "void", "ptr, ptr, i64, i64")
    module.symbol("ag_wait_for_product", "i32", "ptr, i64, i64, ptr, i64, ptr, ptr")
    matrices = "i64, i64, i64, ptr, i64, i64, ptr, i64, i64, ptr, i64"
    module.symbol(f"ag_gemm_{ending}", "void", matrices)
    module.symbol(f"ag_gemm_scaled_{ending}", "void", f"{matrices}, {scalar}, {scalar}")
    add_panels(module, type)
    names = {"SUFFIX": ending, "SCALAR": scalar, "LARGE": str(LARGE), "MOST": str(PACKED_BYTES // BYTES[type]),
             "GRAIN": str(GRAIN), "ONE": float_text(1.0, type), "ZERO": float_text(0.0, type),
             "LOADS": loads(_WORDS), "STORES": stores(_WORDS), "NEXT": _NEXT,
             "BELOW": _one_matrix("below", "%height", "%a_inner_given", "%b_inner_given", "%c_inner_given"),
             "FOLLOW": _one_matrix("follow", "%m", "%as", "%bs", "%cs")}  # fmt: skip
    for text in (_CHUNK, _STACK):
        for name, value in {"MATRICES": _matrices(), **names}.items():
            text = text.replace(name, value)
        module.functions.append(text)
    return module


_WORDS = {"count": "i64", "m": "i64", "n": "i64", "k": "i64",
          "a": "ptr", "ao": "i64", "as": "i64", "ar": "i64", "ac": "i64",
          "b": "ptr", "bo": "i64", "bs": "i64", "br": "i64", "bc": "i64",
          "c": "ptr", "co": "i64", "cs": "i64", "cr": "i64"}  # fmt: skip


def _matrices() -> str:
    """Where the matrices of the product at (%stack, %item) are."""
    lines = []
    for name in "abc":
        lines += [f"  %{name}_outer = mul i64 %stack, %{name}o", f"  %{name}_inner = mul i64 %item, %{name}s",
                  f"  %{name}_offset = add i64 %{name}_outer, %{name}_inner",
                  f"  %{name}_here = getelementptr SCALAR, ptr %{name}, i64 %{name}_offset"]  # fmt: skip
    return "\n".join(lines)


def _one_matrix(result: str, height: str, a: str, b: str, c: str) -> str:
    """Whether the matrices of a stack, so far apart, lie one below the other and all meet one matrix."""
    return f"""  %{result}_a_step = mul i64 {height}, %ar
  %{result}_c_step = mul i64 {height}, %cr
  %{result}_a = icmp eq i64 {a}, %{result}_a_step
  %{result}_b = icmp eq i64 {b}, 0
  %{result}_c = icmp eq i64 {c}, %{result}_c_step
  %{result}_ab = and i1 %{result}_a, %{result}_b
  %{result} = and i1 %{result}_ab, %{result}_c"""


_NEXT = """  %next = add i64 %number, 1
  %item_up = add i64 %item, 1
  %wraps = icmp eq i64 %item_up, %count
  %item_next = select i1 %wraps, i64 0, i64 %item_up
  %one_more = zext i1 %wraps to i64
  %stack_next = add i64 %stack, %one_more"""


_CHUNK = """define internal void @ag_stack_chunk_SUFFIX(ptr %task, i64 %begin, i64 %end) nounwind {
entry:
LOADS
  %dense = icmp eq i64 %bc, 1
  %thin = icmp eq i64 %n, 1
  %straight = or i1 %dense, %thin
  %kn = mul i64 %k, %n
  %room = select i1 %straight, i64 1, i64 %kn
  %packed = alloca SCALAR, i64 %room, align 64
  %stack_first = udiv i64 %begin, %count
  %before_first = mul i64 %stack_first, %count
  %item_first = sub i64 %begin, %before_first
  br label %loop
loop:
  %number = phi i64 [ %begin, %entry ], [ %next, %product ]
  %stack = phi i64 [ %stack_first, %entry ], [ %stack_next, %product ]
  %item = phi i64 [ %item_first, %entry ], [ %item_next, %product ]
MATRICES
  br i1 %straight, label %product, label %pack
pack:
  call void @ag_pack_SUFFIX(i64 %k, i64 %n, ptr %b_here, i64 %br, i64 %bc, ptr %packed)
  br label %product
product:
  %right = phi ptr [ %b_here, %loop ], [ %packed, %pack ]
  %right_row = phi i64 [ %br, %loop ], [ %n, %pack ]
  call void @ag_tiles_SUFFIX(i64 %m, i64 %n, i64 %k, ptr %a_here, i64 %ar, i64 %ac, ptr %right, i64 %right_row,
    ptr %c_here, i64 %cr, SCALAR ONE, SCALAR ZERO)
NEXT
  %more = icmp slt i64 %next, %end
  br i1 %more, label %loop, label %done
done:
  ret void
}
"""

# A stack whose matrices lie one below the other and meet one matrix is one product: first of the inner stacks, then of
# what is a single stack now.
_STACK = """define void @ag_stack_product_SUFFIX(i64 %stacks, i64 %given, i64 %height, i64 %n, i64 %k,
    ptr %a, i64 %a_outer_given, i64 %a_inner_given, i64 %ar, i64 %ac,
    ptr %b, i64 %b_outer_given, i64 %b_inner_given, i64 %br, i64 %bc,
    ptr %c, i64 %c_outer_given, i64 %c_inner_given, i64 %cr) nounwind {
entry:
  %task = alloca [18 x i64], align 64
  %mn = mul i64 %height, %n
  %kn = mul i64 %k, %n
  %items = mul i64 %stacks, %given
  %all = mul i64 %mn, %items
  %nothing = icmp sle i64 %all, 0
  br i1 %nothing, label %done, label %some
some:
BELOW
  %single = icmp eq i64 %given, 1
  %inner_is_one = or i1 %below, %single
  %rows = mul i64 %given, %height
  %m = select i1 %inner_is_one, i64 %rows, i64 %height
  %count = select i1 %inner_is_one, i64 %stacks, i64 %given
  %as = select i1 %inner_is_one, i64 %a_outer_given, i64 %a_inner_given
  %bs = select i1 %inner_is_one, i64 %b_outer_given, i64 %b_inner_given
  %cs = select i1 %inner_is_one, i64 %c_outer_given, i64 %c_inner_given
  %ao = select i1 %inner_is_one, i64 0, i64 %a_outer_given
  %bo = select i1 %inner_is_one, i64 0, i64 %b_outer_given
  %co = select i1 %inner_is_one, i64 0, i64 %c_outer_given
  %number_of = select i1 %inner_is_one, i64 %stacks, i64 %items
FOLLOW
  %last = icmp eq i64 %count, 1
  %joins = or i1 %follow, %last
  %is_one = and i1 %joins, %inner_is_one
  br i1 %is_one, label %flat, label %several
flat:
  %all_rows = mul i64 %number_of, %m
  call void @ag_product_SUFFIX(i64 %all_rows, i64 %n, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br, i64 %bc,
    ptr %c, i64 %cr)
  ret void
several:
  %work = mul i64 %m, %kn
  %dense = icmp eq i64 %bc, 1
  %thin = icmp eq i64 %n, 1
  %straight = or i1 %dense, %thin
  %fits = icmp sle i64 %kn, MOST
  %readable = or i1 %straight, %fits
  %modest = icmp slt i64 %work, LARGE
  %own = and i1 %readable, %modest
  br i1 %own, label %tiles, label %loop
tiles:
STORES
  %more_work = add i64 %work, 16
  %share = udiv i64 GRAIN, %more_work
  %grain = add i64 %share, 1
  %few = icmp sle i64 %number_of, %grain
  br i1 %few, label %alone, label %threads
alone:
  call void @ag_stack_chunk_SUFFIX(ptr %task, i64 0, i64 %number_of)
  br label %done
threads:
  call void @ag_parallel_for(ptr @ag_stack_chunk_SUFFIX, ptr %task, i64 %number_of, i64 %grain)
  br label %done
loop:
  %number = phi i64 [ 0, %several ], [ %next, %loop ]
  %stack = phi i64 [ 0, %several ], [ %stack_next, %loop ]
  %item = phi i64 [ 0, %several ], [ %item_next, %loop ]
MATRICES
  call void @ag_product_SUFFIX(i64 %m, i64 %n, i64 %k, ptr %a_here, i64 %ar, i64 %ac, ptr %b_here, i64 %br, i64 %bc,
    ptr %c_here, i64 %cr)
NEXT
  %more = icmp slt i64 %next, %number_of
  br i1 %more, label %loop, label %done
done:
  ret void
}
"""
