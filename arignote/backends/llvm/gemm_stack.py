"""Matrix products, C = A B, and stacks of them:

    ag_product_f64(m, n, k, a, a_row, a_column, b, b_row, b_column, c, c_row)
    ag_stack_product_f64(count, m, n, k, a, a_stack, a_row, a_column, b, b_stack, b_row, b_column, c, c_stack, c_row)

and the same with _f32. What is not large goes to tiles (`gemm_tiles.py`): small products of a stack many at a time over
the runtime's threads, one product by panels of columns (`gemm_panels.py`), a large one by blocks (`gemm_blocks.py`).
Products with one row or column go to BLAS. Matrices one below the other that all meet one matrix are one product.
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
    return TYPES.get(ending) if name in ("ag_stack_product", "ag_product") else None


def stack_symbols(type: Type) -> tuple[str, str]:
    """What the module of a type's products defines."""
    return f"ag_product_{suffix(type)}", f"ag_stack_product_{suffix(type)}"


def stack_module(type: Type, vector_bytes: int, masks: bool) -> ModuleText:
    """The module of a type's stacks of products; it is compiled once per process, when a program first needs it."""
    module = ModuleText(vector_bytes, masks)
    add_tiles(module, type)
    scalar, ending = llvm_type(type), suffix(type)
    module.symbol("ag_parallel_for", "void", "ptr, ptr, i64, i64")
    module.symbol(f"ag_gemm_{ending}", "void", "i64, i64, i64, ptr, i64, i64, ptr, i64, i64, ptr, i64")
    add_panels(module, type)
    names = {"SUFFIX": ending, "SCALAR": scalar, "LARGE": str(LARGE), "MOST": str(PACKED_BYTES // BYTES[type]),
             "GRAIN": str(GRAIN), "ONE": float_text(1.0, type), "ZERO": float_text(0.0, type),
             "LOADS": loads(_WORDS), "STORES": stores(_WORDS)}  # fmt: skip
    for text in (_CHUNK, _STACK):
        for name, value in names.items():
            text = text.replace(name, value)
        module.functions.append(text)
    return module


_WORDS = {"m": "i64", "n": "i64", "k": "i64", "a": "ptr", "as": "i64", "ar": "i64", "ac": "i64", "b": "ptr",
          "bs": "i64", "br": "i64", "bc": "i64", "c": "ptr", "cs": "i64", "cr": "i64"}  # fmt: skip


_CHUNK = """define internal void @ag_stack_chunk_SUFFIX(ptr %task, i64 %begin, i64 %end) nounwind {
entry:
LOADS
  %dense = icmp eq i64 %bc, 1
  %thin = icmp eq i64 %n, 1
  %straight = or i1 %dense, %thin
  %kn = mul i64 %k, %n
  %room = select i1 %straight, i64 1, i64 %kn
  %packed = alloca SCALAR, i64 %room, align 64
  br label %loop
loop:
  %item = phi i64 [ %begin, %entry ], [ %next, %product ]
  %a_offset = mul i64 %item, %as
  %b_offset = mul i64 %item, %bs
  %c_offset = mul i64 %item, %cs
  %a_here = getelementptr SCALAR, ptr %a, i64 %a_offset
  %b_here = getelementptr SCALAR, ptr %b, i64 %b_offset
  %c_here = getelementptr SCALAR, ptr %c, i64 %c_offset
  br i1 %straight, label %product, label %pack
pack:
  call void @ag_pack_SUFFIX(i64 %k, i64 %n, ptr %b_here, i64 %br, i64 %bc, ptr %packed)
  br label %product
product:
  %right = phi ptr [ %b_here, %loop ], [ %packed, %pack ]
  %right_row = phi i64 [ %br, %loop ], [ %n, %pack ]
  call void @ag_tiles_SUFFIX(i64 %m, i64 %n, i64 %k, ptr %a_here, i64 %ar, i64 %ac, ptr %right, i64 %right_row,
    ptr %c_here, i64 %cr, SCALAR ONE, SCALAR ZERO)
  %next = add i64 %item, 1
  %more = icmp slt i64 %next, %end
  br i1 %more, label %loop, label %done
done:
  ret void
}
"""

_STACK = """define void @ag_stack_product_SUFFIX(i64 %count, i64 %m, i64 %n, i64 %k, ptr %a, i64 %as, i64 %ar, i64 %ac,
    ptr %b, i64 %bs, i64 %br, i64 %bc, ptr %c, i64 %cs, i64 %cr) nounwind {
entry:
  %task = alloca [14 x i64], align 64
  %mn = mul i64 %m, %n
  %kn = mul i64 %k, %n
  %work = mul i64 %mn, %k
  %all = mul i64 %mn, %count
  %nothing = icmp sle i64 %all, 0
  br i1 %nothing, label %done, label %some
some:
  %a_matrix = mul i64 %m, %ar
  %c_matrix = mul i64 %m, %cr
  %b_is_one = icmp eq i64 %bs, 0
  %a_is_one = icmp eq i64 %as, %a_matrix
  %c_is_one = icmp eq i64 %cs, %c_matrix
  %ab_are_one = and i1 %a_is_one, %b_is_one
  %is_one = and i1 %ab_are_one, %c_is_one
  br i1 %is_one, label %flat, label %several
flat:
  %rows = mul i64 %count, %m
  call void @ag_product_SUFFIX(i64 %rows, i64 %n, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br, i64 %bc, ptr %c,
    i64 %cr)
  ret void
several:
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
  %few = icmp sle i64 %count, %grain
  br i1 %few, label %alone, label %threads
alone:
  call void @ag_stack_chunk_SUFFIX(ptr %task, i64 0, i64 %count)
  br label %done
threads:
  call void @ag_parallel_for(ptr @ag_stack_chunk_SUFFIX, ptr %task, i64 %count, i64 %grain)
  br label %done
loop:
  %item = phi i64 [ 0, %several ], [ %next, %loop ]
  %a_offset = mul i64 %item, %as
  %b_offset = mul i64 %item, %bs
  %c_offset = mul i64 %item, %cs
  %a_here = getelementptr SCALAR, ptr %a, i64 %a_offset
  %b_here = getelementptr SCALAR, ptr %b, i64 %b_offset
  %c_here = getelementptr SCALAR, ptr %c, i64 %c_offset
  call void @ag_product_SUFFIX(i64 %m, i64 %n, i64 %k, ptr %a_here, i64 %ar, i64 %ac, ptr %b_here, i64 %br, i64 %bc,
    ptr %c_here, i64 %cr)
  %next = add i64 %item, 1
  %more = icmp slt i64 %next, %count
  br i1 %more, label %loop, label %done
done:
  ret void
}
"""
