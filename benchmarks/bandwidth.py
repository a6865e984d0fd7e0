"""What this machine can do at most, measured in the process that asks: copying memory, and large matrix products.

    python -m benchmarks.bandwidth

Copying is the best of memcpy, NumPy and a loop of vector stores that pass the caches by, on one thread and on all, on
arrays that no cache holds. The rate counts the bytes read and the bytes written. Products are SciPy's, of its BLAS.
"""

import ctypes
import functools
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

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


def copy_rates() -> Iterator[tuple[str, float]]:
    """Bytes each second of every way to copy."""
    ways: dict[str, Copy] = {"memcpy": ctypes.memmove, "NumPy": through_numpy, "streaming": streaming()}
    with ThreadPoolExecutor(processors()) as pool:
        for size in COPY_BYTES:
            (memory, target), (other, source) = aligned(size), aligned(size)
            for threads in {1, processors()}:
                part = size // threads & ~63
                starts = [thread * part for thread in range(threads)]
                for name, copy in ways.items():
                    def run(copy: Copy = copy, part: int = part, starts: list[int] = starts,
                            target: int = target, source: int = source) -> None:
                        list(pool.map(lambda at: copy(target + at, source + at, part), starts))

                    yield f"{name}, {size >> 20} MB, {threads} threads", 2 * part * threads / fastest(run)
            del memory, other


def gemm_rate(dtype: str) -> float:
    """Floating-point operations each second of a large product."""
    from scipy.linalg import blas

    multiply = {"float64": blas.dgemm, "float32": blas.sgemm}[dtype]
    left, right = (np.asfortranarray(np.random.default_rng(seed).normal(size=(GEMM_SIZE, GEMM_SIZE)).astype(dtype))
                   for seed in (0, 1))
    return 2.0 * GEMM_SIZE**3 / fastest(functools.partial(multiply, 1.0, left, right))


def machine() -> dict[str, float]:
    """The limits: bytes each second of a copy (read and written), operations each second of products."""
    return {"copy": max(rate for _, rate in copy_rates()), **{f"gemm_{kind}": gemm_rate(kind)
                                                              for kind in ("float32", "float64")}}


def least_seconds(limit: dict[str, Any], rates: dict[str, float]) -> float:
    """The time below which this machine cannot do what a limit states; 0 where it states nothing."""
    return max(limit["bytes"] / rates["copy"], limit["flops"] / rates[f"gemm_{limit['dtype']}"])


def main() -> None:
    """Print every measurement."""
    for name, rate in copy_rates():
        print(f"{name}: {rate / 1e9:.1f} GB/s")
    print(json.dumps(machine()))


if __name__ == "__main__":
    main()
