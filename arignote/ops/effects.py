"""Effects, ordered by tokens.

A `template` or `message` is a tuple of pieces: strings, and `Structure`s of single leaves, each standing for the next
operand, shown as Python would show a value of that structure.
"""

from __future__ import annotations

import hashlib
from typing import Any

from arignote.ir.graph import Apply, Node, Operation, TypeRuleError
from arignote.ir.types import BOOL, TOKEN, Type
from arignote.ops.derivative import Structural


def template_number(template: tuple[Any, ...]) -> int:
    """The number by which compiled code names a template: made of its contents, so it is the same in every process."""
    return int.from_bytes(hashlib.sha256(repr(template).encode()).digest()[:8], "little") >> 1


def _token_rule(inputs: tuple[Node, ...], **attributes: Any) -> Type:
    if inputs and inputs[0].type is not TOKEN:
        raise TypeRuleError(f"expected a token, got {inputs[0].type!r}")
    return TOKEN


def _raise_if_rule(inputs: tuple[Node, ...], exception: type[BaseException], message: tuple[Any, ...]) -> Type:
    if inputs[1].type is not BOOL:
        raise TypeRuleError(f"expected a truth value, got {inputs[1].type!r}")
    return _token_rule(inputs)


def _always(node: Apply) -> bool:
    return True


token = Operation("token", _token_rule, None, Structural())
"""token(): the start of a chain of effects."""

after = Operation("after", _token_rule, None, Structural(), effectful=True)
"""after(token, *nodes): the nodes' failures happen here, whether or not their values are used."""

print_ = Operation("print", _token_rule, None, Structural(), can_fail=_always, effectful=True)
"""print(token, *values; template): write to Python's sys.stdout; the end of the line is part of the template."""

raise_if = Operation("raise_if", _raise_if_rule, None, Structural(), can_fail=_always, effectful=True)
"""raise_if(token, condition, *values; exception, message): raise where the condition holds."""

FAMILY = (token, after, print_, raise_if)
