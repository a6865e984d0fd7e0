"""What this machine can do at most, in the process that asks: copying memory, and large matrix products.

    python -m benchmarks.bandwidth

Copying is the best of memcpy, NumPy and a loop of vector stores that pass the caches by, on one thread and on all, on
arrays that no cache holds. The rate counts the bytes read and the bytes written. Products are SciPy's, of its BLAS.
"""

import ctypes
import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.workload import Limit

Copy = Callable[[int, int, int], object]

COPY_BYTES = (64 << 20, 128 << 20)
GEMM_SIZE = 1024
ROUNDS = 5

STREAMING = """
define void @stream(ptr %to, ptr %from, i64 %bytes) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %source = getelementptr i8, ptr %from, i64 %i
  %target = getelementptr i8, ptr %to, i64 %i
  %value = load <8 x i64>, ptr %source, align 64
  store <8 x i64> %value, ptr %target, align 64, !nontemporal !0
  %next = add i64 %i, 64
  %more = icmp ult i64 %next, %bytes
  br i1 %more, label %loop, label %end
end:
  ret void
}
!0 = !{i32 1}
"""


@functools.cache
def streaming() -> Copy:
    """A copy whose stores pass the caches by; whole blocks of 64 bytes."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=2)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(STREAMING), machine)
    engine.finalize_object()
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 2, ctypes.c_size_t)(engine.get_function_address("stream"))
    function.engine = engine
    return function


def through_numpy(target: int, source: int, size: int) -> None:
    """A copy by NumPy."""
    there, here = (np.frombuffer((ctypes.c_char * size).from_address(at), np.uint8) for at in (target, source))
    np.copyto(there, here)


def processors() -> int:
    """How many threads can run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def aligned(size: int) -> tuple[Any, int]:
    """Memory in touched pages, and the address in it that is a multiple of 2 MB."""
    memory = np.ones(size + (2 << 20), np.uint8)
    return memory, -(-memory.ctypes.data // (2 << 20)) * (2 << 20)


def fastest(action: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The seconds of the best of some rounds, after one that is not counted."""
    action()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


@dataclass(frozen=True)
class Work:
    """Something that the machine does as fast as it can: bytes moved or floating-point operations of a run."""

    amount: float
    run: Callable[[], object]

    def rate(self) -> float:
        """The amount of each second, in the best of some runs."""
        return self.amount / fastest(self.run)


def copies() -> Iterator[tuple[str, Work]]:
    """Every way to copy."""
    ways: dict[str, Copy] = {"memcpy": ctypes.memmove, "NumPy": through_numpy, "streaming": streaming()}
    for size in COPY_BYTES:
        memory = (_, target), (_, source) = aligned(size), aligned(size)
        for threads in {1, processors()}:
            pool = ThreadPoolExecutor(threads)
            part = size // threads & ~63
            starts = [thread * part for thread in range(threads)]
            for name, copy in ways.items():
                def run(copy: Copy = copy, part: int = part, starts: list[int] = starts, target: int = target,
                        source: int = source, pool: ThreadPoolExecutor = pool, _: object = memory) -> None:
                    list(pool.map(lambda at: copy(target + at, source + at, part), starts))

                yield f"{name}, {size >> 20} MB, {threads} threads", Work(2.0 * part * threads, run)


@functools.cache
def best_copy() -> Work:
    """The fastest way to copy."""
    return max((work for _, work in copies()), key=Work.rate)


@functools.cache
def large_product(dtype: str) -> Work:
    """A large product of matrices."""
    from scipy.linalg import blas

    multiply = {"float64": blas.dgemm, "float32": blas.sgemm}[dtype]
    left, right = (np.asfortranarray(np.random.default_rng(seed).normal(size=(GEMM_SIZE, GEMM_SIZE)).astype(dtype))
                   for seed in (0, 1))
    return Work(2.0 * GEMM_SIZE**3, functools.partial(multiply, 1.0, left, right))


def machine(limits: Iterable[Limit]) -> dict[str, Work]:
    """What the machine does to show the rates that limit: `copy`, bytes read and written; `gemm_float64`, operations.

    It is to take turns with what is measured.
    """
    found: dict[str, Work] = {}
    for limit in limits:
        if limit.bytes:
            found["copy"] = best_copy()
        if limit.flops:
            found[f"gemm_{limit.dtype}"] = large_product(limit.dtype)
    return found


def least_seconds(limit: Limit, rates: Mapping[str, float]) -> float:
    """The time below which a machine of these rates cannot do what a limit states."""
    moved = limit.bytes / rates["copy"] if limit.bytes else 0.0
    return max(moved, limit.flops / rates[f"gemm_{limit.dtype}"] if limit.flops else 0.0)


def main() -> None:
    """Print every measurement."""
    for name, work in copies():
        print(f"{name}: {work.rate() / 1e9:.1f} GB/s")
    for dtype in ("float32", "float64"):
        print(f"product, {dtype}: {large_product(dtype).rate() / 1e9:.1f} GF/s")


if __name__ == "__main__":
    main()
