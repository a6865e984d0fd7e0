"""Matrix products: SciPy's BLAS behind row-major wrappers that take any strides.

    ag_gemm_f64(m, n, k, a, a_row, a_column, b, b_row, b_column, c, c_row)                     C = A B
    ag_gemm_scaled_f64(m, n, k, a, a_row, a_column, b, b_row, b_column, c, c_row, alpha, beta)   C = alpha A B + beta C

and the same with _f32. Strides count elements; the rows of C are contiguous. BLAS is column-major, so it computes the
transposed product: C^T = B^T A^T. What it cannot take (a stride of 0, two strides other than 1), and what is too small
to be worth its call, is a loop of our own, written in loop IR. With beta = 0, C is not read. Large products are
computed in blocks, by the runtime's threads (`blas_blocks.py`).
"""

from __future__ import annotations

from functools import cache

from ...lower.loop_ir import Operand, Procedure, Type, Var, pointer_to
from ...lower.loop_ir_build import ProcedureBuilder
from .blas_blocks import add_blocked_product
from .emit_program import emit_procedure
from .text import ModuleText, float_text, llvm_type, suffix

TYPES: dict[str, Type] = {"f32": "float32", "f64": "float64"}
LETTERS = {"float32": "s", "float64": "d"}
SMALL_PRODUCT = 400  # multiplications below which the call of BLAS costs more than our loop
INTEGER_LIMIT = 2**31 - 1


def product_type(symbol: str) -> Type | None:
    """The type of a matrix product by its symbol; None for other symbols."""
    for prefix in ("ag_gemm_scaled_", "ag_gemm_"):
        if symbol.removeprefix(prefix) in TYPES:
            return TYPES[symbol.removeprefix(prefix)]
    return None


def product_symbols(type: Type) -> tuple[str, str]:
    """What the module of a type's products defines."""
    return f"ag_gemm_{suffix(type)}", f"ag_gemm_scaled_{suffix(type)}"


def product_module(type: Type, vector_bytes: int, masks: bool, in_blocks: bool = False) -> ModuleText:
    """The module of a type's products; it is compiled once per process, when a program first needs it.

    in_blocks: large products are computed in blocks, by the runtime's threads
    """
    module = ModuleText(vector_bytes, masks)
    emit_procedure(module, small_product(type), recursive=False, is_entry=False)
    module.declarations["ag_letters"] = '@ag_letters = private constant [2 x i8] c"NT"'
    letter = LETTERS[type]
    module.symbol(f"ag_blas_{letter}gemm", "void", ", ".join(["ptr"] * 13))
    module.symbol(f"ag_blas_{letter}gemv", "void", ", ".join(["ptr"] * 11))
    module.intrinsic("llvm.smax.i64", "i64", "i64, i64")
    plain, scaled = product_symbols(type)
    whole = f"ag_whole_product_{suffix(type)}" if in_blocks else scaled
    text = WRAPPER.replace("NAME", whole).replace("SUFFIX", suffix(type)).replace("SCALAR", llvm_type(type))
    text = text.replace("LETTER", letter).replace("SMALL", str(SMALL_PRODUCT)).replace("LIMIT", str(INTEGER_LIMIT))
    module.functions += [text, _unscaled(type, plain, scaled)]
    if in_blocks:
        add_blocked_product(module, type, scaled, whole)
    return module


SIZES = "i64 %m, i64 %n, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br, i64 %bc, ptr %c, i64 %cr"


def _unscaled(type: Type, plain: str, scaled: str) -> str:
    """C = A B."""
    scalar = llvm_type(type)
    scales = f"{scalar} {float_text(1.0, type)}, {scalar} {float_text(0.0, type)}"
    return f"""define void @{plain}({SIZES}) nounwind {{
entry:
  call void @{scaled}({SIZES}, {scales})
  ret void
}}
"""


@cache
def small_product(type: Type) -> Procedure:
    """The product as loops: vectors along rows of C, contiguous where B's rows are."""
    build = ProcedureBuilder(f"ag_small_product_{suffix(type)}")
    pointer = pointer_to(type)
    m, n, k = (build.parameter("int64") for _ in range(3))
    a, a_row, a_column = build.parameter(pointer), build.parameter("int64"), build.parameter("int64")
    b, b_row, b_column = build.parameter(pointer), build.parameter("int64"), build.parameter("int64")
    c, c_row = build.parameter(pointer), build.parameter("int64")
    alpha, beta = build.parameter(type), build.parameter(type)

    def product(column_stride: Operand | int, vector: bool) -> None:
        with build.kernel([a, b], [c]), build.loop(m) as row:
            a_start = build.let("multiply", row.index, a_row)
            c_start = build.let("multiply", row.index, c_row)
            with build.loop(n, vector=vector) as column:
                along = build.index_multiply(column.index, column_stride)
                with build.loop(k, [0.0], types=[type]) as inner:
                    left = build.load(a, build.let("add", a_start, build.let("multiply", inner.index, a_column)))
                    right = build.load(b, build.let("add", build.let("multiply", inner.index, b_row), along))
                    inner.yields(build.let("add", inner.carried[0], build.let("multiply", left, right)))
                place = build.let("add", c_start, column.index)
                build.store(c, place, scaled(inner.results[0], place))

    def scaled(total: Var, place: Operand) -> Var:
        with build.branch(build.let("equal", beta, 0.0)) as branch:
            branch.yields(build.let("multiply", alpha, total))
            branch.otherwise()
            kept = build.let("multiply", beta, build.load(c, place))
            branch.yields(build.let("add", build.let("multiply", alpha, total), kept))
        return branch.results[0]

    with build.branch(build.let("equal", b_column, 1)) as branch:
        product(1, vector=True)
        branch.otherwise()
        product(b_column, vector=False)
    return build.finish()


# For each operand: whether BLAS can take it as it is (`plain`) or transposed, and its leading dimension. A dimension of
# size 1 leaves its stride free. Sizes and leading dimensions are stored as 32-bit integers for BLAS, by reference.
WRAPPER = """
define internal i1 @ag_fits_SUFFIX(i64 %rows, i64 %columns, i64 %row, i64 %column) alwaysinline nounwind {
entry:
  %dense = icmp eq i64 %column, 1
  %thin = icmp eq i64 %columns, 1
  %along = or i1 %dense, %thin
  %apart = icmp sge i64 %row, %columns
  %flat = icmp eq i64 %rows, 1
  %down = or i1 %apart, %flat
  %fits = and i1 %along, %down
  ret i1 %fits
}
define void @NAME(
  i64 %m, i64 %n, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br, i64 %bc, ptr %c, i64 %cr,
  SCALAR %alpha, SCALAR %beta) nounwind noinline {
entry:
  %integers = alloca [6 x i32]
  %scales = alloca [2 x SCALAR]
  %mn = mul i64 %m, %n
  %empty = icmp eq i64 %mn, 0
  br i1 %empty, label %end, label %some
some:
  %work = mul i64 %mn, %k
  %little = icmp slt i64 %work, SMALL
  %a_plain = call i1 @ag_fits_SUFFIX(i64 %m, i64 %k, i64 %ar, i64 %ac)
  %a_turned = call i1 @ag_fits_SUFFIX(i64 %k, i64 %m, i64 %ac, i64 %ar)
  %b_plain = call i1 @ag_fits_SUFFIX(i64 %k, i64 %n, i64 %br, i64 %bc)
  %b_turned = call i1 @ag_fits_SUFFIX(i64 %n, i64 %k, i64 %bc, i64 %br)
  %c_plain = call i1 @ag_fits_SUFFIX(i64 %m, i64 %n, i64 %cr, i64 1)
  %a_good = or i1 %a_plain, %a_turned
  %b_good = or i1 %b_plain, %b_turned
  %ab_good = and i1 %a_good, %b_good
  %good = and i1 %ab_good, %c_plain
  %a_stride = select i1 %a_plain, i64 %ar, i64 %ac
  %a_inner = select i1 %a_plain, i64 %k, i64 %m
  %lda = call i64 @llvm.smax.i64(i64 %a_stride, i64 %a_inner)
  %b_stride = select i1 %b_plain, i64 %br, i64 %bc
  %b_inner = select i1 %b_plain, i64 %n, i64 %k
  %ldb = call i64 @llvm.smax.i64(i64 %b_stride, i64 %b_inner)
  %ldc = call i64 @llvm.smax.i64(i64 %cr, i64 %n)
  %large1 = call i64 @llvm.smax.i64(i64 %lda, i64 %ldb)
  %large2 = call i64 @llvm.smax.i64(i64 %m, i64 %ldc)
  %large = call i64 @llvm.smax.i64(i64 %large1, i64 %large2)
  %small_enough = icmp sle i64 %large, LIMIT
  %callable = and i1 %good, %small_enough
  %loops = xor i1 %callable, true
  %own = or i1 %loops, %little
  br i1 %own, label %loop, label %call
loop:
  %status = call i32 @ag_small_product_SUFFIX(
    ptr null, i64 %m, i64 %n, i64 %k, ptr %a, i64 %ar, i64 %ac, ptr %b, i64 %br, i64 %bc, ptr %c, i64 %cr,
    SCALAR %alpha, SCALAR %beta, ptr null)
  br label %end
call:
  %m32 = trunc i64 %m to i32
  %n32 = trunc i64 %n to i32
  %k32 = trunc i64 %k to i32
  %lda32 = trunc i64 %lda to i32
  %ldb32 = trunc i64 %ldb to i32
  %ldc32 = trunc i64 %ldc to i32
  %pk = getelementptr i32, ptr %integers, i64 1
  %pm = getelementptr i32, ptr %integers, i64 2
  %p3 = getelementptr i32, ptr %integers, i64 3
  %p4 = getelementptr i32, ptr %integers, i64 4
  %p5 = getelementptr i32, ptr %integers, i64 5
  store i32 %n32, ptr %integers
  store i32 %k32, ptr %pk
  store i32 %m32, ptr %pm
  %pbeta = getelementptr SCALAR, ptr %scales, i64 1
  store SCALAR %alpha, ptr %scales
  store SCALAR %beta, ptr %pbeta
  %turned = getelementptr i8, ptr @ag_letters, i64 1
  %a_letter = select i1 %a_plain, ptr @ag_letters, ptr %turned
  %b_letter = select i1 %b_plain, ptr @ag_letters, ptr %turned
  %column = icmp eq i64 %n, 1
  %x_b_good = icmp sgt i64 %br, 0
  %x_b_small = icmp sle i64 %br, LIMIT
  %y_c_good = icmp sgt i64 %cr, 0
  %v1 = and i1 %column, %x_b_good
  %v2 = and i1 %x_b_small, %y_c_good
  %matrix_vector = and i1 %v1, %v2
  br i1 %matrix_vector, label %times_column, label %not_column
times_column:
  ; y (m) = A x: A^T is what BLAS sees when A is plain.
  %br32 = trunc i64 %br to i32
  %cr32 = trunc i64 %cr to i32
  store i32 %lda32, ptr %p3
  store i32 %br32, ptr %p4
  store i32 %cr32, ptr %p5
  %column_letter = select i1 %a_plain, ptr %turned, ptr @ag_letters
  %column_rows = select i1 %a_plain, ptr %pk, ptr %pm
  %column_columns = select i1 %a_plain, ptr %pm, ptr %pk
  call void @ag_blas_LETTERgemv(
    ptr %column_letter, ptr %column_rows, ptr %column_columns, ptr %scales,
    ptr %a, ptr %p3, ptr %b, ptr %p4, ptr %pbeta, ptr %c, ptr %p5)
  br label %end
not_column:
  %row = icmp eq i64 %m, 1
  %x_a_good = icmp sgt i64 %ac, 0
  %x_a_small = icmp sle i64 %ac, LIMIT
  %w1 = and i1 %row, %x_a_good
  %vector_matrix = and i1 %w1, %x_a_small
  br i1 %vector_matrix, label %row_times, label %matrices
row_times:
  ; y (n) = B^T x: what BLAS sees when B is plain.
  %ac32 = trunc i64 %ac to i32
  store i32 %ldb32, ptr %p3
  store i32 %ac32, ptr %p4
  store i32 1, ptr %p5
  %row_rows = select i1 %b_plain, ptr %integers, ptr %pk
  %row_columns = select i1 %b_plain, ptr %pk, ptr %integers
  call void @ag_blas_LETTERgemv(
    ptr %b_letter, ptr %row_rows, ptr %row_columns, ptr %scales,
    ptr %b, ptr %p3, ptr %a, ptr %p4, ptr %pbeta, ptr %c, ptr %p5)
  br label %end
matrices:
  store i32 %ldb32, ptr %p3
  store i32 %lda32, ptr %p4
  store i32 %ldc32, ptr %p5
  call void @ag_blas_LETTERgemm(
    ptr %b_letter, ptr %a_letter, ptr %integers, ptr %pm, ptr %pk, ptr %scales,
    ptr %b, ptr %p3, ptr %a, ptr %p4, ptr %pbeta, ptr %c, ptr %p5)
  br label %end
end:
  ret void
}
"""
