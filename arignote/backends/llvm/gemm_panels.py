"""One matrix product by panels of columns, over the runtime's threads.

A panel of B, two vectors wide and so many rows high that it stays in the second cache, meets all rows of a block of A.
It is read where it lies, or packed if its rows are not contiguous. Large products are cut in another way, and pack both
factors (`gemm_blocks.py`).
"""

from __future__ import annotations

from ...lower.loop_ir import Type
from .gemm_blocks import THIN, add_blocks
from .gemm_tiles import width_of
from .gemm_vector import add_vector_products
from .task_words import loads, stores
from .text import BYTES, ModuleText, float_text, llvm_type, suffix

DEPTH = 512
"""Rows of a panel."""
HEIGHT = 128
"""Rows of A that meet a panel in one go, so that there is work for several threads where there are few panels."""
PRODUCT_GRAIN = 30_000
"""Multiplications that are worth a chunk for another thread."""
LARGE = 1 << 19
"""Multiplications from which packing both factors pays (`gemm_blocks.py`)."""
FEW_ROWS, FEW_COLUMNS = 5, 48
"""Sizes of the result below which packed tiles would be half empty."""
SHORT = 48
"""Terms of a sum that are too few for a tile of C to be read and written fast beside them."""
PACKED_ROWS = 48
"""Rows from which packing B pays; fewer meet it here, unless so few that they can stream through it."""
NEAR_ROWS, NEAR_COLUMNS = 1 << 14, 1 << 17
"""Multiplications of a matrix and a vector below which the product is our own (`gemm_vector.py`), where the terms of a
sum lie side by side, and where the results do: BLAS reads long rows from the second cache faster."""
LONG = 1 << 10
"""Rows of so many terms are no long ones."""
WAITING_BYTES = 1 << 15
"""Size of a matrix that no first cache holds: several vectors that meet it in one pass take less time."""
NEAR_BYTES = 1 << 21
"""Size of a right factor that stays in the second caches, and need not be streamed."""


def add_panels(module: ModuleText, type: Type) -> None:
    """Adds the product to a module that has the tiles."""
    add_blocks(module, type)
    add_vector_products(module, type)
    panel = 2 * width_of(module, type)
    module.intrinsic("llvm.smin.i64", "i64", "i64, i64")
    names = {"SUFFIX": suffix(type), "SCALAR": llvm_type(type), "PANEL": str(panel), "DEPTH": str(DEPTH),
             "AREA": str(panel * DEPTH), "HEIGHT": str(HEIGHT), "GRAIN": str(PRODUCT_GRAIN), "LARGE": str(LARGE),
             "FEW_ROWS": str(FEW_ROWS), "FEW_COLUMNS": str(FEW_COLUMNS), "SHORT": str(SHORT),
             "THIN": str(THIN), "PACKED_ROWS": str(PACKED_ROWS),
             "LONG": str(LONG), "WAITING": str(WAITING_BYTES // BYTES[type]),
             "NEAR_ROWS": str(NEAR_ROWS), "NEAR_COLUMNS": str(NEAR_COLUMNS),
             "NEAR": str(NEAR_BYTES // BYTES[type]),
             "ONE": float_text(1.0, type), "ZERO": float_text(0.0, type),
             "LOADS": loads(_WORDS), "STORES": stores(_WORDS)}  # fmt: skip
    for text in (_CHUNK, _ALL, _PRODUCT, _SUM):
        for name, value in names.items():
            text = text.replace(name, value)
        module.functions.append(text)


_WORDS = {"m": "i64", "n": "i64", "k": "i64", "a": "ptr", "ar": "i64", "ac": "i64", "b": "ptr", "br": "i64",
          "bc": "i64", "c": "ptr", "cr": "i64", "down": "i64", "kept": "i64"}  # fmt: skip


# A unit of work is a panel of columns and a block of rows; all its depth is gone through, so no two units meet.
_CHUNK = """define internal void @ag_panels_SUFFIX(ptr %task, i64 %begin, i64 %end) nounwind {
entry:
  %packed = alloca [AREA x SCALAR], align 64
LOADS
  %plain = icmp eq i64 %bc, 1
  br label %unit
unit:
  %number = phi i64 [ %begin, %entry ], [ %next, %close ]
  %across = udiv i64 %number, %down
  %block = urem i64 %number, %down
  %column = mul i64 %across, PANEL
  %row = mul i64 %block, HEIGHT
  %columns_left = sub i64 %n, %column
  %columns = call i64 @llvm.smin.i64(i64 %columns_left, i64 PANEL)
  %rows_left = sub i64 %m, %row
  %rows = call i64 @llvm.smin.i64(i64 %rows_left, i64 HEIGHT)
  %a_offset = mul i64 %row, %ar
  %a_start = getelementptr SCALAR, ptr %a, i64 %a_offset
  %b_offset = mul i64 %column, %bc
  %b_start = getelementptr SCALAR, ptr %b, i64 %b_offset
  %c_row = mul i64 %row, %cr
  %c_offset = add i64 %c_row, %column
  %c_here = getelementptr SCALAR, ptr %c, i64 %c_offset
  br label %deep
deep:
  %p = phi i64 [ 0, %unit ], [ %p_next, %multiply ]
  %depth_left = sub i64 %k, %p
  %depth = call i64 @llvm.smin.i64(i64 %depth_left, i64 DEPTH)
  %a_along = mul i64 %p, %ac
  %a_here = getelementptr SCALAR, ptr %a_start, i64 %a_along
  %b_down = mul i64 %p, %br
  %b_here = getelementptr SCALAR, ptr %b_start, i64 %b_down
  %before = or i64 %p, %kept
  %first = icmp eq i64 %before, 0
  %beta = select i1 %first, SCALAR ZERO, SCALAR ONE
  br i1 %plain, label %multiply, label %pack
pack:
  call void @ag_pack_SUFFIX(i64 %depth, i64 %columns, ptr %b_here, i64 %br, i64 %bc, ptr %packed)
  br label %multiply
multiply:
  %right = phi ptr [ %b_here, %deep ], [ %packed, %pack ]
  %right_row = phi i64 [ %br, %deep ], [ %columns, %pack ]
  call void @ag_tiles_SUFFIX(i64 %rows, i64 %columns, i64 %depth, ptr %a_here, i64 %ar, i64 %ac, ptr %right,
    i64 %right_row, ptr %c_here, i64 %cr, SCALAR ONE, SCALAR %beta)
  %p_next = add i64 %p, DEPTH
  %deeper = icmp slt i64 %p_next, %k
  br i1 %deeper, label %deep, label %close
close:
  %next = add i64 %number, 1
  %more = icmp slt i64 %next, %end
  br i1 %more, label %unit, label %done
done:
  ret void
}
"""

# All units, by several threads if there is work for them; kept: the product is added to what C holds.
_ALL = """define internal void @ag_in_panels_SUFFIX(i64 %m, i64 %n, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br,
    i64 %bc, ptr %c, i64 %cr, i64 %work, i64 %kept) nounwind {
entry:
  %task = alloca [13 x i64], align 64
  %m_up = add i64 %m, HEIGHT
  %m_most = sub i64 %m_up, 1
  %down = sdiv i64 %m_most, HEIGHT
  %n_up = add i64 %n, PANEL
  %n_most = sub i64 %n_up, 1
  %across = sdiv i64 %n_most, PANEL
  %units = mul i64 %down, %across
STORES
  %few = icmp slt i64 %work, GRAIN
  %single = icmp eq i64 %units, 1
  %alone = or i1 %few, %single
  br i1 %alone, label %here, label %threads
here:
  call void @ag_panels_SUFFIX(ptr %task, i64 0, i64 %units)
  br label %done
threads:
  call void @ag_parallel_for(ptr @ag_panels_SUFFIX, ptr %task, i64 %units, i64 1)
  br label %done
done:
  ret void
}
"""

_PRODUCT = """define void @ag_product_SUFFIX(i64 %m, i64 %n, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br, i64 %bc,
    ptr %c, i64 %cr) nounwind {
entry:
  %mn = mul i64 %m, %n
  %work = mul i64 %mn, %k
  %empty = icmp eq i64 %mn, 0
  br i1 %empty, label %done, label %some
some:
  %row = icmp eq i64 %m, 1
  %column = icmp eq i64 %n, 1
  %vector = or i1 %row, %column
  br i1 %vector, label %vectors, label %matrix
vectors:
  ; results along the matrix's own axis; of A for a column, of B for a row
  %few_in_rows = icmp slt i64 %work, NEAR_ROWS
  %few_in_columns = icmp slt i64 %work, NEAR_COLUMNS
  %results = select i1 %column, i64 %m, i64 %n
  %matrix_at = select i1 %column, ptr %a, ptr %b
  %across_results = select i1 %column, i64 %ar, i64 %bc
  %across_terms = select i1 %column, i64 %ac, i64 %br
  %x = select i1 %column, ptr %b, ptr %a
  %x_step = select i1 %column, i64 %br, i64 %ac
  %y_step = select i1 %column, i64 %cr, i64 1
  %y_dense = icmp eq i64 %y_step, 1
  %x_dense = icmp eq i64 %x_step, 1
  %terms_dense = icmp eq i64 %across_terms, 1
  %both_dense = and i1 %x_dense, %terms_dense
  %all_dense = and i1 %both_dense, %y_dense
  %short_rows = icmp sle i64 %k, LONG
  %few_in_short_rows = and i1 %short_rows, %few_in_columns
  %near_rows = or i1 %few_in_rows, %few_in_short_rows
  %by_dots = and i1 %all_dense, %near_rows
  %may_wait = icmp sge i64 %work, WAITING
  br i1 %by_dots, label %dots, label %not_dots
dots:
  br i1 %may_wait, label %wait_for_dots, label %dots_alone
wait_for_dots:
  %dots_waited = call i32 @ag_wait_for_product(ptr @ag_many_dots_SUFFIX, i64 %results, i64 %k, ptr %matrix_at,
    i64 %across_results, ptr %x, ptr %c)
  %dots_there = icmp ne i32 %dots_waited, 0
  br i1 %dots_there, label %done, label %dots_alone
dots_alone:
  call void @ag_dots_SUFFIX(i64 %results, i64 %k, ptr %matrix_at, i64 %across_results, ptr %x, ptr %c)
  br label %done
not_dots:
  %results_dense = icmp eq i64 %across_results, 1
  %panels_dense = and i1 %results_dense, %y_dense
  %by_panels = and i1 %panels_dense, %few_in_columns
  br i1 %by_panels, label %combine, label %not_near
combine:
  %combine_may_wait = and i1 %may_wait, %x_dense
  br i1 %combine_may_wait, label %wait_to_combine, label %combine_alone
wait_to_combine:
  %combine_waited = call i32 @ag_wait_for_product(ptr @ag_many_combine_SUFFIX, i64 %results, i64 %k, ptr %matrix_at,
    i64 %across_terms, ptr %x, ptr %c)
  %combine_there = icmp ne i32 %combine_waited, 0
  br i1 %combine_there, label %done, label %combine_alone
combine_alone:
  call void @ag_combine_SUFFIX(i64 %results, i64 %k, ptr %matrix_at, i64 %across_terms, ptr %x, i64 %x_step, ptr %c)
  br label %done
not_near:
  %few_terms = icmp slt i64 %work, 4096
  br i1 %few_terms, label %matrix, label %library
library:
  call void @ag_gemm_SUFFIX(i64 %m, i64 %n, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br, i64 %bc, ptr %c, i64 %cr)
  br label %done
matrix:
  %large = icmp sge i64 %work, LARGE
  %high = icmp sge i64 %m, FEW_ROWS
  %broad = icmp sge i64 %n, FEW_COLUMNS
  %both = and i1 %high, %broad
  %kn = mul i64 %k, %n
  %far = icmp sgt i64 %kn, NEAR
  %thin = icmp sle i64 %m, THIN
  %long_rows = icmp eq i64 %bc, 1
  %readable = and i1 %thin, %long_rows
  %streams = and i1 %readable, %far
  %many = icmp sge i64 %m, PACKED_ROWS
  %streamed = or i1 %streams, %many
  %deep = icmp sge i64 %k, SHORT
  %busy = and i1 %large, %deep
  %worthwhile = and i1 %busy, %streamed
  %blocked = and i1 %worthwhile, %both
  br i1 %blocked, label %blocks, label %own
blocks:
  call void @ag_blocked_SUFFIX(i64 %m, i64 %n, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br, i64 %bc, ptr %c,
    i64 %cr)
  br label %done
own:
  call void @ag_in_panels_SUFFIX(i64 %m, i64 %n, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br, i64 %bc, ptr %c,
    i64 %cr, i64 %work, i64 0)
  br label %done
done:
  ret void
}
"""

# Short sums are ours, where C is read and written once; BLAS adds the others.
_SUM = """define void @ag_product_sum_SUFFIX(i64 %m, i64 %n, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br, i64 %bc,
    ptr %c, i64 %cr) nounwind {
entry:
  %mn = mul i64 %m, %n
  %work = mul i64 %mn, %k
  %empty = icmp eq i64 %work, 0
  br i1 %empty, label %done, label %some
some:
  %row = icmp eq i64 %m, 1
  %column = icmp eq i64 %n, 1
  %vector = or i1 %row, %column
  %large = icmp sge i64 %work, LARGE
  %deep = icmp sge i64 %k, SHORT
  %busy = and i1 %large, %deep
  %library = or i1 %vector, %busy
  br i1 %library, label %blas, label %own
blas:
  call void @ag_gemm_scaled_SUFFIX(i64 %m, i64 %n, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br, i64 %bc, ptr %c,
    i64 %cr, SCALAR ONE, SCALAR ONE)
  br label %done
own:
  call void @ag_in_panels_SUFFIX(i64 %m, i64 %n, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br, i64 %bc, ptr %c,
    i64 %cr, i64 %work, i64 1)
  br label %done
done:
  ret void
}
"""
