"""Small functions of the generated code: reference counts."""

from __future__ import annotations

from .text import ModuleText

RETAIN = """
define internal void @ag_retain(ptr %buffer) alwaysinline nounwind {
entry:
  %null = icmp eq ptr %buffer, null
  br i1 %null, label %end, label %count
count:
  %old = load i64, ptr %buffer
  %new = add i64 %old, 1
  store i64 %new, ptr %buffer
  br label %end
end:
  ret void
}
"""

RELEASE = """
define internal void @ag_release(ptr %buffer) nounwind {
entry:
  %null = icmp eq ptr %buffer, null
  br i1 %null, label %end, label %count
count:
  %old = load i64, ptr %buffer
  %new = sub i64 %old, 1
  store i64 %new, ptr %buffer
  %last = icmp eq i64 %new, 0
  br i1 %last, label %free, label %end
free:
  call void @ag_free(ptr %buffer)
  br label %end
end:
  ret void
}
"""


RETAIN_TOGETHER = """
define internal void @ag_retain(ptr %buffer) alwaysinline nounwind {
entry:
  %null = icmp eq ptr %buffer, null
  br i1 %null, label %end, label %count
count:
  %old = atomicrmw add ptr %buffer, i64 1 monotonic
  br label %end
end:
  ret void
}
"""

RELEASE_TOGETHER = """
define internal void @ag_release(ptr %buffer) nounwind {
entry:
  %null = icmp eq ptr %buffer, null
  br i1 %null, label %end, label %count
count:
  %only = load atomic i64, ptr %buffer acquire, align 8
  %alone = icmp eq i64 %only, 1
  br i1 %alone, label %free, label %less
less:
  %old = atomicrmw sub ptr %buffer, i64 1 acq_rel
  %last = icmp eq i64 %old, 1
  br i1 %last, label %free, label %end
free:
  call void @ag_free(ptr %buffer)
  br label %end
end:
  ret void
}
"""
"""For buffers that several threads have references to. Who has the only one has it for himself."""


def define_retain(module: ModuleText) -> str:
    """One reference more, unless the buffer is null."""
    return RETAIN_TOGETHER if module.counts_together else RETAIN


def define_release(module: ModuleText) -> str:
    """One reference less, unless the buffer is null; the last one frees it."""
    module.symbol("ag_free", "void", "ptr")
    return RELEASE_TOGETHER if module.counts_together else RELEASE
