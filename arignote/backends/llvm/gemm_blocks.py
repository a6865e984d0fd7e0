"""Large matrix products: blocks of both factors are packed, in memory that each thread's caches hold.

A unit of work is a block of C. For each stretch of the sum its rows of A are packed once, then two vectors of columns
of B at a time, and tiles of both are multiplied. If A has few rows, all of it is packed before, and B is read where it
lies: memory gives long rows several times faster than columns, so a stretch is short, its rows stay in the second
cache, and those of the next are asked for meanwhile. A sum is cut at the same places whatever the blocks are, so that
results do not depend on the number of threads.
"""

from __future__ import annotations

from ...lower.loop_ir import Type
from .gemm_kernels import add_kernels, heights
from .gemm_tiles import width_of
from .task_words import loads, stores
from .text import BYTES, ModuleText, llvm_type, suffix

DEPTH_BYTES = 1024
"""A stretch of the sum, as bytes of one row of A."""
HEIGHT = 360
"""The most rows of a block: with the depth, what half of the second cache holds of A."""
ACROSS = 512
"""Columns of a block: packing A costs little beside multiplying it with so many."""
LEAST_ACROSS = 128
"""Columns of a block where there would otherwise be too few blocks for several threads."""
LEAST_UNITS = 4
THIN = 24
"""Rows that are too few to pack B for, if it is packed by nobody else."""
THIN_DEPTH, THIN_ROW_BYTES = 64, 4096
"""A stretch of the sum, and the most of a row of B, that is read where it lies: what the second cache holds twice."""
SHARED_BYTES = 1 << 22
"""The most that all of A may take, packed."""
HEADER = 64
"""Bytes before the data of a buffer."""


def add_blocks(module: ModuleText, type: Type) -> None:
    """Adds the blocks and what they need to a module."""
    add_kernels(module, type)
    module.intrinsic("llvm.smin.i64", "i64", "i64, i64")
    module.symbol("ag_alloc", "ptr", "i64")
    module.symbol("ag_free", "void", "ptr")
    width, (tall, middle, low) = width_of(module, type), heights(module)
    depth = DEPTH_BYTES // BYTES[type]
    left = (HEIGHT + tall) * depth + width * (tall + 1)
    right = depth * 2 * width
    names = {"SUFFIX": suffix(type), "SCALAR": llvm_type(type), "WIDTH": str(width), "PANEL": str(2 * width),
             "TALL": str(tall), "MIDDLE": str(middle), "LOW": str(low), "DEPTH": str(depth), "THIN": str(THIN),
             "HEIGHT": str(HEIGHT // tall * tall), "HEADER": str(HEADER), "LEFT": str(-(-left // 64) * 64),
             "ROOM": str(HEADER + BYTES[type] * (left + right + 128)), "ACROSS": str(ACROSS),
             "LEAST_COLUMNS": str(LEAST_ACROSS), "LEAST_UNITS": str(LEAST_UNITS),
             "SHARED": str(SHARED_BYTES // (BYTES[type] * (THIN + tall))), "BYTES": str(BYTES[type]),
             "THIN_DEPTH": str(THIN_DEPTH), "TWICE_THIN_ACROSS": str(2 * THIN_ROW_BYTES // BYTES[type]),
             "PANEL_BYTES": str(2 * module.vector_bytes),
             "LOADS": loads(_WORDS), "STORES": stores(_WORDS)}  # fmt: skip
    for text in (_PACK_TILE, _PACK_A, _MULTIPLY, _BLOCK, _ASK, _CHUNK, _SHARE, _PRODUCT):
        for name in sorted(names, key=len, reverse=True):
            text = text.replace(name, names[name])
        module.functions.append(text)


_WORDS = {"m": "i64", "n": "i64", "k": "i64", "a": "ptr", "ar": "i64", "ac": "i64", "b": "ptr", "br": "i64",
          "bc": "i64", "c": "ptr", "cr": "i64", "down": "i64", "height": "i64", "breadth": "i64", "shared": "ptr",
          "padded": "i64", "stretch": "i64"}  # fmt: skip


# A vector is stored for each step, which may reach into the next lanes, or the next tile: those are written later.
_PACK_TILE = """define internal void @ag_pack_tile_SUFFIX(i64 %k, i64 %lanes, ptr %from, i64 %along, i64 %across,
    ptr %to, i64 %to_row) nounwind {
entry:
  %most = sub i64 %to_row, 1
  %last = udiv i64 %most, WIDTH
  br label %group
group:
  %g = phi i64 [ %last, %entry ], [ %g_next, %group ]
  %first = mul i64 %g, WIDTH
  %lanes_left = sub i64 %lanes, %first
  %offset = mul i64 %first, %across
  %source = getelementptr SCALAR, ptr %from, i64 %offset
  %target = getelementptr SCALAR, ptr %to, i64 %first
  call void @ag_pack_group_SUFFIX(i64 %k, i64 %lanes_left, ptr %source, i64 %along, i64 %across, ptr %target,
    i64 %to_row)
  %g_next = sub i64 %g, 1
  %more = icmp sge i64 %g_next, 0
  br i1 %more, label %group, label %done
done:
  ret void
}
define internal i64 @ag_tile_rows_SUFFIX(i64 %left) alwaysinline nounwind {
entry:
  %over_low = icmp sgt i64 %left, LOW
  %over_middle = icmp sgt i64 %left, MIDDLE
  %small = select i1 %over_low, i64 MIDDLE, i64 LOW
  %rows = select i1 %over_middle, i64 TALL, i64 %small
  ret i64 %rows
}
"""

_PACK_A = """define internal void @ag_pack_a_SUFFIX(i64 %m, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %to) nounwind {
entry:
  br label %pack
pack:
  %i = phi i64 [ 0, %entry ], [ %i_next, %pack ]
  %left = sub i64 %m, %i
  %tall = call i64 @ag_tile_rows_SUFFIX(i64 %left)
  %rows = call i64 @llvm.smin.i64(i64 %left, i64 %tall)
  %a_offset = mul i64 %i, %ar
  %a_here = getelementptr SCALAR, ptr %a, i64 %a_offset
  %to_offset = mul i64 %i, %k
  %to_here = getelementptr SCALAR, ptr %to, i64 %to_offset
  call void @ag_pack_tile_SUFFIX(i64 %k, i64 %rows, ptr %a_here, i64 %ac, i64 %ar, ptr %to_here, i64 %tall)
  %i_next = add i64 %i, %tall
  %i_more = icmp slt i64 %i_next, %m
  br i1 %i_more, label %pack, label %done
done:
  ret void
}
"""


def _calls() -> str:
    """Where a multiplication goes on to the kernel of a tile's height."""
    return "\n".join(f"""{label}:
  call void @ag_kernel_{height}_SUFFIX(i64 %k, ptr %a_here, ptr %b, i64 %br, ptr %c_here, i64 %cr, i64 %left,
    i64 %columns, i1 %add, ptr %here, i64 %start, i64 %apart, i64 %breadth, i64 %advance)
  br label %end""" for label, height in (("high", "TALL"), ("middle", "MIDDLE"), ("low", "LOW")))  # fmt: skip


_MULTIPLY = """define internal void @ag_multiply_SUFFIX(i64 %rows, i64 %columns, i64 %k, ptr %a, ptr %b, i64 %br,
    ptr %c, i64 %cr, i1 %add, ptr %later, i64 %start, i64 %apart, i64 %breadth, i64 %advance,
    i64 %on) nounwind {
entry:
  br label %tile
tile:
  %i = phi i64 [ 0, %entry ], [ %i_next, %end ]
  %here = phi ptr [ %later, %entry ], [ %later_next, %end ]
  %left = sub i64 %rows, %i
  %tall = call i64 @ag_tile_rows_SUFFIX(i64 %left)
  %a_offset = mul i64 %i, %k
  %a_here = getelementptr SCALAR, ptr %a, i64 %a_offset
  %c_offset = mul i64 %i, %cr
  %c_here = getelementptr SCALAR, ptr %c, i64 %c_offset
  switch i64 %tall, label %low [ i64 TALL, label %high
                                 i64 MIDDLE, label %middle ]
CALLS
end:
  %is_first = icmp eq i64 %i, 0
  %later_on = getelementptr i8, ptr %here, i64 %on
  %later_next = select i1 %is_first, ptr %later_on, ptr %b
  %i_next = add i64 %i, %tall
  %more = icmp slt i64 %i_next, %rows
  br i1 %more, label %tile, label %done
done:
  ret void
}
""".replace("CALLS", _calls())

# What is asked for in advance: where B is read as it lies, the rows of the next stretch, some by each panel; otherwise
# the next panel, by the first two tiles.
_BLOCK = """define internal void @ag_block_SUFFIX(i64 %m, i64 %n, i64 %k, ptr %packed_a, ptr %b, i64 %br, i64 %bc,
    ptr %c, i64 %cr, i1 %direct, i1 %add, ptr %packed_b, ptr %next_stretch) nounwind {
entry:
  %dense = icmp eq i64 %bc, 1
  %row_bytes = mul i64 %br, BYTES
  %two_rows = shl i64 %row_bytes, 1
  %n_bytes = mul i64 %n, BYTES
  %n_bytes_up = add i64 %n_bytes, 63
  %lines = udiv i64 %n_bytes_up, 64
  %direct_breadth = shl i64 %lines, 6
  %half = lshr i64 %k, 1
  %half_rows = mul i64 %half, %row_bytes
  %column_bytes = mul i64 %bc, BYTES
  %k_bytes = mul i64 %k, BYTES
  %some_columns = shl i64 %bc, 6
  %panel_breadth = select i1 %dense, i64 PANEL_BYTES, i64 %k_bytes
  %panel_advance = select i1 %dense, i64 %row_bytes, i64 %column_bytes
  %panel_on = select i1 %dense, i64 %half_rows, i64 %some_columns
  %apart = select i1 %direct, i64 %row_bytes, i64 0
  %breadth = select i1 %direct, i64 %direct_breadth, i64 %panel_breadth
  %advance = select i1 %direct, i64 %two_rows, i64 %panel_advance
  %on = select i1 %direct, i64 0, i64 %panel_on
  br label %panel
panel:
  %j = phi i64 [ 0, %entry ], [ %j_next, %multiply ]
  %j_next = add i64 %j, PANEL
  %j_more = icmp slt i64 %j_next, %n
  %n_left = sub i64 %n, %j
  %columns = call i64 @llvm.smin.i64(i64 %n_left, i64 PANEL)
  %full = icmp eq i64 %columns, PANEL
  %in_place = and i1 %full, %direct
  %b_offset = mul i64 %j, %bc
  %b_here = getelementptr SCALAR, ptr %b, i64 %b_offset
  %c_here = getelementptr SCALAR, ptr %c, i64 %j
  %number = udiv i64 %j, PANEL
  %steps = mul i64 %number, %k
  %pairs = udiv i64 %steps, %lines
  %line = urem i64 %steps, %lines
  %line_start = shl i64 %line, 6
  %start = select i1 %direct, i64 %line_start, i64 0
  %pairs_bytes = mul i64 %pairs, %two_rows
  %next_rows = getelementptr i8, ptr %next_stretch, i64 %pairs_bytes
  %panel_offset = mul i64 PANEL, %bc
  %offset = select i1 %j_more, i64 %panel_offset, i64 0
  %next_panel = getelementptr SCALAR, ptr %b_here, i64 %offset
  %later = select i1 %direct, ptr %next_rows, ptr %next_panel
  br i1 %in_place, label %multiply, label %pack_b
pack_b:
  call void @ag_pack_tile_SUFFIX(i64 %k, i64 %columns, ptr %b_here, i64 %br, i64 %bc, ptr %packed_b, i64 PANEL)
  br label %multiply
multiply:
  %right = phi ptr [ %b_here, %panel ], [ %packed_b, %pack_b ]
  %right_row = phi i64 [ %br, %panel ], [ PANEL, %pack_b ]
  call void @ag_multiply_SUFFIX(i64 %m, i64 %columns, i64 %k, ptr %packed_a, ptr %right, i64 %right_row, ptr %c_here,
    i64 %cr, i1 %add, ptr %later, i64 %start, i64 %apart, i64 %breadth, i64 %advance, i64 %on)
  br i1 %j_more, label %panel, label %done
done:
  ret void
}
"""

_ASK = """define internal void @ag_ask_SUFFIX(ptr %from, i64 %rows, i64 %row_bytes, i64 %bytes) nounwind {
entry:
  br label %row
row:
  %i = phi i64 [ 0, %entry ], [ %i_next, %end ]
  %offset = mul i64 %i, %row_bytes
  %start = getelementptr i8, ptr %from, i64 %offset
  br label %line
line:
  %at = phi i64 [ 0, %row ], [ %at_next, %line ]
  %place = getelementptr i8, ptr %start, i64 %at
  call void @llvm.prefetch.p0(ptr %place, i32 0, i32 3, i32 1)
  %at_next = add i64 %at, 64
  %again = icmp slt i64 %at_next, %bytes
  br i1 %again, label %line, label %end
end:
  %i_next = add i64 %i, 1
  %more = icmp slt i64 %i_next, %rows
  br i1 %more, label %row, label %done
done:
  ret void
}
"""

_CHUNK = """define internal void @ag_blocks_SUFFIX(ptr %task, i64 %begin, i64 %end) nounwind {
entry:
LOADS
  %direct = icmp eq i64 %stretch, THIN_DEPTH
  %buffer = call ptr @ag_alloc(i64 ROOM)
  %no_room = icmp eq ptr %buffer, null
  %packed_a = getelementptr i8, ptr %buffer, i64 HEADER
  %packed_b = getelementptr SCALAR, ptr %packed_a, i64 LEFT
  %is_packed = icmp ne ptr %shared, null
  br label %unit
unit:
  %number = phi i64 [ %begin, %entry ], [ %next, %close ]
  %across = udiv i64 %number, %down
  %block = urem i64 %number, %down
  %column = mul i64 %across, %breadth
  %row = mul i64 %block, %height
  %columns_left = sub i64 %n, %column
  %columns = call i64 @llvm.smin.i64(i64 %columns_left, i64 %breadth)
  %rows_left = sub i64 %m, %row
  %rows = call i64 @llvm.smin.i64(i64 %rows_left, i64 %height)
  %a_offset = mul i64 %row, %ar
  %a_start = getelementptr SCALAR, ptr %a, i64 %a_offset
  %b_offset = mul i64 %column, %bc
  %b_start = getelementptr SCALAR, ptr %b, i64 %b_offset
  %c_row = mul i64 %row, %cr
  %c_offset = add i64 %c_row, %column
  %c_here = getelementptr SCALAR, ptr %c, i64 %c_offset
  br i1 %no_room, label %elsewhere, label %look
look:
  br i1 %direct, label %ask, label %deep
ask:
  %first_rows = call i64 @llvm.smin.i64(i64 %k, i64 %stretch)
  %row_bytes = mul i64 %br, BYTES
  %unit_bytes = mul i64 %columns, BYTES
  call void @ag_ask_SUFFIX(ptr %b_start, i64 %first_rows, i64 %row_bytes, i64 %unit_bytes)
  br label %deep
elsewhere:
  call void @ag_gemm_SUFFIX(i64 %rows, i64 %columns, i64 %k, ptr %a_start, i64 %ar, i64 %ac, ptr %b_start, i64 %br,
    i64 %bc, ptr %c_here, i64 %cr)
  br label %close
deep:
  %p = phi i64 [ 0, %look ], [ 0, %ask ], [ %p_next, %multiply ]
  %depth_left = sub i64 %k, %p
  %depth = call i64 @llvm.smin.i64(i64 %depth_left, i64 %stretch)
  %a_along = mul i64 %p, %ac
  %a_here = getelementptr SCALAR, ptr %a_start, i64 %a_along
  %b_down = mul i64 %p, %br
  %b_here = getelementptr SCALAR, ptr %b_start, i64 %b_down
  %add = icmp ne i64 %p, 0
  br i1 %is_packed, label %multiply, label %pack
pack:
  call void @ag_pack_a_SUFFIX(i64 %rows, i64 %depth, ptr %a_here, i64 %ar, i64 %ac, ptr %packed_a)
  br label %multiply
multiply:
  %shared_offset = mul i64 %p, %padded
  %shared_here = getelementptr SCALAR, ptr %shared, i64 %shared_offset
  %left = select i1 %is_packed, ptr %shared_here, ptr %packed_a
  %p_next = add i64 %p, %stretch
  %deeper = icmp slt i64 %p_next, %k
  %down_more = mul i64 %stretch, %br
  %b_after = getelementptr SCALAR, ptr %b_here, i64 %down_more
  %next_stretch = select i1 %deeper, ptr %b_after, ptr %b_here
  call void @ag_block_SUFFIX(i64 %rows, i64 %columns, i64 %depth, ptr %left, ptr %b_here, i64 %br, i64 %bc,
    ptr %c_here, i64 %cr, i1 %direct, i1 %add, ptr %packed_b, ptr %next_stretch)
  br i1 %deeper, label %deep, label %close
close:
  %next = add i64 %number, 1
  %more = icmp slt i64 %next, %end
  br i1 %more, label %unit, label %done
done:
  br i1 %no_room, label %out, label %free
free:
  call void @ag_free(ptr %buffer)
  br label %out
out:
  ret void
}
"""

_SHARE = """define internal ptr @ag_share_SUFFIX(i64 %m, i64 %k, ptr %a, i64 %ar, i64 %ac, i64 %padded,
    i64 %stretch) nounwind {
entry:
  %padded_k = mul i64 %padded, %k
  %some_more = add i64 %padded_k, 512
  %bytes = mul i64 %some_more, BYTES
  %room = add i64 %bytes, HEADER
  %buffer = call ptr @ag_alloc(i64 %room)
  %none = icmp eq ptr %buffer, null
  br i1 %none, label %done, label %some
some:
  %data = getelementptr i8, ptr %buffer, i64 HEADER
  br label %deep
deep:
  %p = phi i64 [ 0, %some ], [ %p_next, %deep ]
  %depth_left = sub i64 %k, %p
  %depth = call i64 @llvm.smin.i64(i64 %depth_left, i64 %stretch)
  %along = mul i64 %p, %ac
  %a_here = getelementptr SCALAR, ptr %a, i64 %along
  %offset = mul i64 %p, %padded
  %to = getelementptr SCALAR, ptr %data, i64 %offset
  call void @ag_pack_a_SUFFIX(i64 %m, i64 %depth, ptr %a_here, i64 %ar, i64 %ac, ptr %to)
  %p_next = add i64 %p, %stretch
  %deeper = icmp slt i64 %p_next, %k
  br i1 %deeper, label %deep, label %done
done:
  ret ptr %buffer
}
"""

# Rows are cut evenly, in whole tiles; columns so that there is a block for each of some threads, and an even number.
_PRODUCT = """define internal i64 @ag_parts_SUFFIX(i64 %whole, i64 %part) alwaysinline nounwind {
entry:
  %up = add i64 %whole, %part
  %most = sub i64 %up, 1
  %parts = udiv i64 %most, %part
  ret i64 %parts
}
define internal void @ag_blocked_SUFFIX(i64 %m, i64 %n, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br, i64 %bc,
    ptr %c, i64 %cr) nounwind noinline {
entry:
  %task = alloca [17 x i64], align 64
  %is_thin = icmp sle i64 %m, THIN
  %is_short = icmp sle i64 %k, SHARED
  %may_share = and i1 %is_thin, %is_short
  %after_tall = urem i64 %m, TALL
  %last_rows = call i64 @ag_tile_rows_SUFFIX(i64 %after_tall)
  %whole_tiles = sub i64 %m, %after_tall
  %is_whole = icmp eq i64 %after_tall, 0
  %last_tile = select i1 %is_whole, i64 0, i64 %last_rows
  %padded = add i64 %whole_tiles, %last_tile
  %dense = icmp eq i64 %bc, 1
  %direct = and i1 %may_share, %dense
  %stretch = select i1 %direct, i64 THIN_DEPTH, i64 DEPTH
  br i1 %may_share, label %share, label %cut
share:
  %buffer_made = call ptr @ag_share_SUFFIX(i64 %m, i64 %k, ptr %a, i64 %ar, i64 %ac, i64 %padded,
    i64 %stretch)
  br label %cut
cut:
  %buffer = phi ptr [ null, %entry ], [ %buffer_made, %share ]
  %is_shared = icmp ne ptr %buffer, null
  %data = getelementptr i8, ptr %buffer, i64 HEADER
  %shared = select i1 %is_shared, ptr %data, ptr null
  %least_down = call i64 @ag_parts_SUFFIX(i64 %m, i64 HEIGHT)
  %even = call i64 @ag_parts_SUFFIX(i64 %m, i64 %least_down)
  %tiles = call i64 @ag_parts_SUFFIX(i64 %even, i64 TALL)
  %height = mul i64 %tiles, TALL
  %down = call i64 @ag_parts_SUFFIX(i64 %m, i64 %height)
  %least_across = call i64 @ag_parts_SUFFIX(i64 %n, i64 ACROSS)
  %wanted = call i64 @ag_parts_SUFFIX(i64 LEAST_UNITS, i64 %down)
  %most_across = udiv i64 %n, LEAST_COLUMNS
  %possible = call i64 @llvm.smin.i64(i64 %wanted, i64 %most_across)
  %is_enough = icmp sge i64 %least_across, %possible
  %parts = select i1 %is_enough, i64 %least_across, i64 %possible
  %units_so_far = mul i64 %parts, %down
  %odd = and i64 %units_so_far, 1
  %even_parts = add i64 %parts, %odd
  %each = call i64 @ag_parts_SUFFIX(i64 %n, i64 %even_parts)
  %panels = call i64 @ag_parts_SUFFIX(i64 %each, i64 PANEL)
  %halves = call i64 @ag_parts_SUFFIX(i64 %n, i64 TWICE_THIN_ACROSS)
  %strips = shl i64 %halves, 1
  %strip = call i64 @ag_parts_SUFFIX(i64 %n, i64 %strips)
  %strip_panels = call i64 @ag_parts_SUFFIX(i64 %strip, i64 PANEL)
  %shared_panels = select i1 %direct, i64 %strip_panels, i64 1
  %panels_wide = select i1 %is_shared, i64 %shared_panels, i64 %panels
  %breadth = mul i64 %panels_wide, PANEL
  %side_by_side = call i64 @ag_parts_SUFFIX(i64 %n, i64 %breadth)
  %units = mul i64 %down, %side_by_side
STORES
  call void @ag_parallel_for(ptr @ag_blocks_SUFFIX, ptr %task, i64 %units, i64 1)
  br i1 %is_shared, label %free, label %out
free:
  call void @ag_free(ptr %buffer)
  br label %out
out:
  ret void
}
"""
