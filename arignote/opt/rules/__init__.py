"""The rules, by theme. A name occurs once; cheap and frequent rules come first."""

from __future__ import annotations

from arignote.opt.rewrite import Rule
from arignote.opt.rules import algebra, constants, logic, shapes, structure

THEMES: dict[str, tuple[Rule, ...]] = {
    "structure": structure.RULES,
    "constants": constants.RULES,
    "algebra": algebra.RULES,
    "logic": logic.RULES,
    "shapes": shapes.RULES,
}

RULES: tuple[Rule, ...] = tuple(rule for rules in THEMES.values() for rule in rules)
