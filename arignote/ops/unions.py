"""Unions: a value of one of several alternatives, on the heap. Recursive data (trees, linked lists, the residuals of a
recursive function) is made of them."""

from __future__ import annotations

from typing import Any

from arignote.ir.graph import Apply, Node, Operation, TypeRuleError
from arignote.ir.types import INT64, Type, Union, fits
from arignote.ops.derivative import Structural


def _union(type_: Type) -> Union:
    if not isinstance(type_, Union):
        raise TypeRuleError(f"expected a union, got {type_!r}")
    return type_


def _payload(type_: Type, alternative: int) -> Type:
    alternatives = _union(type_).alternatives
    if not 0 <= alternative < len(alternatives):
        raise TypeRuleError(f"no alternative {alternative} in {type_!r}")
    return alternatives[alternative]


def _inject_rule(inputs: tuple[Node, ...], type: Type, alternative: int) -> Type:
    wanted = _payload(type, alternative)
    if not fits(inputs[0].type, wanted):
        raise TypeRuleError(f"alternative {alternative} of {type!r} is {wanted!r}, got {inputs[0].type!r}")
    return type


def _tag_rule(inputs: tuple[Node, ...]) -> Type:
    _union(inputs[0].type)
    return INT64


def _project(value: tuple[int, Any], alternative: int) -> Any:
    tag, payload = value
    assert tag == alternative, f"alternative {alternative} is read of a union that holds {tag}"
    return payload


def _stays(node: Apply) -> bool:
    """It does not raise, but must not be evaluated where the tag is another: nothing moves it."""
    return True


inject = Operation("inject", _inject_rule, lambda payload, type, alternative: (alternative, payload), Structural())
"""inject(payload; type, alternative): the union that holds the payload as this alternative."""

tag = Operation("tag", _tag_rule, lambda value: value[0], Structural())
"""tag(union): which alternative it holds."""

project = Operation("project", lambda inputs, alternative: _payload(inputs[0].type, alternative), _project,
                    Structural(), can_fail=_stays)  # fmt: skip
"""project(union; alternative): the payload. Evaluated only where the tag is known to be this alternative."""

FAMILY = (inject, tag, project)
