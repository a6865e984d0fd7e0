"""Large matrix products in blocks, for the runtime's threads; `arignote/runtime/products.py` says why and how many."""

from __future__ import annotations

from ...lower.loop_ir import Type
from .task_words import loads, stores
from .text import ModuleText, llvm_type

RUNTIME_PRODUCT = "ag_product"
SETTINGS = {"ag_blas_set_threads": ("void", "i32"), "ag_blas_get_threads": ("i32", "")}
"""Functions of BLAS that the runtime calls: their result and parameters."""

SMALL = 9216
"""Multiplications below which BLAS never uses more than one thread, not even for a vector."""

_SIZES = ("m", "n", "k")
_SHAPE = ("rows", "columns", "across")
_FIELDS = {"a": "ptr", "ar": "i64", "ac": "i64", "b": "ptr", "br": "i64", "bc": "i64", "c": "ptr", "cr": "i64",
           "alpha": "SCALAR", "beta": "SCALAR"}  # fmt: skip
_TASK = {**dict.fromkeys((*_SIZES, *_SHAPE), "i64"), **_FIELDS}
"""The words of a task, in order."""


def add_blocked_product(module: ModuleText, type: Type, name: str, whole: str) -> None:
    """Adds the product `name`, which computes blocks of the result with `whole`."""
    module.symbol(RUNTIME_PRODUCT, "void", "ptr, ptr, ptr, ptr")
    for setting, (result, parameters) in SETTINGS.items():
        module.symbol(setting, result, parameters)
    module.intrinsic("llvm.smin.i64", "i64", "i64, i64")
    for text in (_BLOCK, _PRODUCT):
        text = text.replace("NAME", name).replace("WHOLE", whole).replace("SMALL", str(SMALL))
        text = text.replace("LOADS", loads(_TASK)).replace("STORES", stores(_TASK, _SHAPE))
        module.functions.append(text.replace("SCALAR", llvm_type(type)))


_BLOCK = """define internal void @NAME.block(ptr %task, i64 %begin, i64 %end) nounwind {
entry:
LOADS
  br label %loop
loop:
  %block = phi i64 [ %begin, %entry ], [ %next, %loop ]
  %i = udiv i64 %block, %across
  %j = urem i64 %block, %across
  %row = mul i64 %i, %rows
  %column = mul i64 %j, %columns
  %rows_left = sub i64 %m, %row
  %columns_left = sub i64 %n, %column
  %m_here = call i64 @llvm.smin.i64(i64 %rows, i64 %rows_left)
  %n_here = call i64 @llvm.smin.i64(i64 %columns, i64 %columns_left)
  %a_offset = mul i64 %row, %ar
  %b_offset = mul i64 %column, %bc
  %c_row = mul i64 %row, %cr
  %c_offset = add i64 %c_row, %column
  %a_here = getelementptr SCALAR, ptr %a, i64 %a_offset
  %b_here = getelementptr SCALAR, ptr %b, i64 %b_offset
  %c_here = getelementptr SCALAR, ptr %c, i64 %c_offset
  call void @WHOLE(
    i64 %m_here, i64 %n_here, i64 %k, ptr %a_here, i64 %ar, i64 %ac, ptr %b_here, i64 %br, i64 %bc,
    ptr %c_here, i64 %cr, SCALAR %alpha, SCALAR %beta)
  %next = add i64 %block, 1
  %more = icmp slt i64 %next, %end
  br i1 %more, label %loop, label %done
done:
  ret void
}
"""

_PRODUCT = """define void @NAME(
  i64 %m, i64 %n, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br, i64 %bc, ptr %c, i64 %cr,
  SCALAR %alpha, SCALAR %beta) nounwind noinline {
entry:
  %task = alloca [16 x i64], align 16
  %mn = mul i64 %m, %n
  %work = mul i64 %mn, %k
  %is_small = icmp slt i64 %work, SMALL
  br i1 %is_small, label %small, label %large
small:
  call void @WHOLE(
    i64 %m, i64 %n, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br, i64 %bc, ptr %c, i64 %cr,
    SCALAR %alpha, SCALAR %beta)
  ret void
large:
STORES
  call void @ag_product(ptr @NAME.block, ptr %task, ptr @ag_blas_set_threads, ptr @ag_blas_get_threads)
  ret void
}
"""
