"""Small functions of the generated code: reference counts."""

from __future__ import annotations

from .text import ModuleText

ON_BUFFER = """
define internal void @{name}(ptr %buffer){attributes} nounwind {{
entry:
  %null = icmp eq ptr %buffer, null
  br i1 %null, label %end, label %count
count:
{count}
end:
  ret void
}}
"""

FREE = """
free:
  call void @ag_free(ptr %buffer)
  br label %end"""

RETAIN = """  %old = load i64, ptr %buffer
  %new = add i64 %old, 1
  store i64 %new, ptr %buffer
  br label %end"""

RELEASE = """  %old = load i64, ptr %buffer
  %new = sub i64 %old, 1
  store i64 %new, ptr %buffer
  %last = icmp eq i64 %new, 0
  br i1 %last, label %free, label %end"""

RETAIN_TOGETHER = """  %old = atomicrmw add ptr %buffer, i64 1 monotonic
  br label %end"""

RELEASE_TOGETHER = """  %only = load atomic i64, ptr %buffer acquire, align 8
  %alone = icmp eq i64 %only, 1
  br i1 %alone, label %free, label %less
less:
  %old = atomicrmw sub ptr %buffer, i64 1 acq_rel
  %last = icmp eq i64 %old, 1
  br i1 %last, label %free, label %end"""
"""For buffers that several threads have references to. Who has the only one has it for himself."""


def define_retain(module: ModuleText) -> str:
    """One reference more, unless the buffer is null."""
    count = RETAIN_TOGETHER if module.counts_together else RETAIN
    return ON_BUFFER.format(name="ag_retain", attributes=" alwaysinline", count=count)


def define_release(module: ModuleText) -> str:
    """One reference less, unless the buffer is null; the last one frees it."""
    module.symbol("ag_free", "void", "ptr")
    count = RELEASE_TOGETHER if module.counts_together else RELEASE
    return ON_BUFFER.format(name="ag_release", attributes="", count=count + FREE)
