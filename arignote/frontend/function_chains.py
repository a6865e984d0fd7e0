"""Chains of functions: one that holds another, which holds another, and so on. Each level is a type of its own, so a
chain that grows in a loop or in recursion at run time has no finite type; the error names the functions at its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from arignote.frontend.spec import Spec
from arignote.ir.structure import StaticOf

LONGEST_CHAIN = 8
"""A program that builds longer ones by recursion, under run-time conditions, is taken to build them without end."""


def chain_of(spec: Spec) -> list[Any]:
    """The definitions of the longest chain of functions in a spec, the outermost first."""
    longest: list[Any] = []
    for part in _held(spec):
        found = chain_of(part)
        if len(found) > len(longest):
            longest = found
    return [spec[1][0], *longest] if _tag(spec) == "function" else longest


def _tag(spec: Spec) -> str:
    return "static" if isinstance(spec, StaticOf) else spec[0]


def _held(spec: Spec) -> Sequence[Spec]:
    """The parts of a spec that may be functions."""
    tag = _tag(spec)
    if tag == "function":
        defaults, keyword, env = spec[2]
        return [*defaults, *(item for _, item in (*keyword, *env))]
    if tag in ("partial", "sequence", "elements"):
        return (spec[1],)
    return spec[2] if tag != "static" and len(spec) > 2 and isinstance(spec[2], tuple) else ()


def show_chain(chain: list[Any]) -> str:
    """The two functions at the outer end of a chain."""
    outer, inner = (f"{d.name} (line {d.node.lineno})" for d in chain[:2])
    return f"the function {outer} that holds the function {inner}, which holds another, and so on"


CHAIN_HINT = "every function has a type of its own: let the functions differ by numbers or arrays that they capture"
