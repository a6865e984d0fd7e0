"""Fusion: which lazy values are computed together in one loop nest.

A nest is made when something must be in memory (or a scalar is needed): the *root*. With it go

- everything that the root is computed from and that is not in memory yet: elementwise chains, views, gathers,
  reductions over the innermost axis;
- *siblings*: other values that will be needed in memory, or reductions, over the same iteration space, as far as they
  are ready: one pass over memory computes all of them;
- values on the way that are expensive and have other uses to come: they are stored in passing, and not computed again.

What is read at other positions than it is computed (broadcast of something expensive, a reduction that keeps the
innermost axis) is put in memory first, by a nest of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from arignote.lower import pairs, squares, ties
from arignote.lower.lazy import EXPENSIVE, Gather, Iota, Lazy, Mapped, Reduction, costs
from arignote.lower.linear_sums import linear_sum
from arignote.lower.loop_ir import Operand, Var
from arignote.lower.nests import Nest, Write
from arignote.lower.planned import POSITIONS, write_reductions, write_stores
from arignote.lower.values import AnyValue, Stored, is_constant, size_key
from arignote.lower.views import strided_view

if TYPE_CHECKING:
    from arignote.lower.context import Context

MOST_SIBLINGS = 16
"""How many waiting values are considered for one nest: planning stays linear."""


def scalar(context: Context, value: AnyValue) -> Operand:
    """The operand of a scalar."""
    if isinstance(value, Lazy):
        compute(context, value)
        return value.forced  # type: ignore[return-value]
    return value  # type: ignore[return-value]


def compute(context: Context, value: Lazy) -> None:
    """Compute a value now."""
    if value.forced is None:
        _force(context, value)


def stored(context: Context, value: AnyValue) -> Stored:
    """The array in memory, possibly a strided view."""
    if isinstance(value, Lazy):
        compute(context, value)
        value = value.forced  # type: ignore[assignment]
    assert isinstance(value, Stored), value
    return value


def contiguous(context: Context, value: AnyValue) -> Stored:
    """The array in memory, in C order."""
    array = stored(context, value)
    return array if array.contiguous else copy(context, array)


def copy(context: Context, array: Stored) -> Stored:
    """A fresh contiguous copy."""
    fresh = context.allocate(array.dtype, array.sizes)
    store(context, array, fresh)
    return fresh


def store(context: Context, value: AnyValue, destination: Stored, accumulate: bool = False,
          independent: bool = True) -> None:  # fmt: skip
    """Write (or add) a value into a place of the same shape. `independent`: no two elements of it are the same one."""
    _store_all(context, [Write(value, destination, accumulate)], independent)


def store_together(context: Context, values: Sequence[AnyValue], destinations: Sequence[Stored]) -> None:
    """Write values of one shape into places that have nothing in common, in one nest."""
    _store_all(context, [Write(value, destination) for value, destination in zip(values, destinations)], True)


def _store_all(context: Context, writes: list[Write], independent: bool) -> None:
    """What is wanted in memory on the way is stored in passing."""
    roots = [write.value for write in writes]
    plan = Plan(context, writes[0].destination.sizes, None)
    plan.prepare(roots)
    plan.scan(roots)
    passed = plan.wanted(roots) if independent else []
    places = {each: each.place or context.allocate(each.dtype, each.sizes) for each in passed}
    write_stores(plan, [*writes, *map(Write, passed, places.values())], independent)
    remember(context, places)


class Plan:
    """One nest being planned: everything computed in it, and what it reads."""

    def __init__(self, context: Context, space: tuple[Operand, ...], axes: tuple[int, ...] | None) -> None:
        self.context, self.space, self.axes = context, space, axes
        self.inside: dict[Lazy, bool] = {}
        """Lazy values computed in the nest, consumers first; whether at the position of the nest itself."""
        self.leaves: list[Stored] = []
        self.mapped = False

    def prepare(self, roots: list[AnyValue], may_force: bool = True) -> bool:
        """Put in memory what cannot be computed in this nest; without `may_force`, only say whether nothing is
        missing."""
        stack: list[tuple[AnyValue, bool]] = [(root, True) for root in roots]
        seen: set[tuple[Lazy, bool]] = set()
        while stack:
            value, here = stack.pop()
            if not isinstance(value, Lazy) or value.forced is not None or (value, here) in seen:
                continue
            seen.add((value, here))
            if isinstance(value, Mapped):
                resolved = self._resolve(value, may_force)
                if resolved is None:
                    return False
                stack += resolved
                continue
            is_root = any(value is root for root in roots)
            if not is_root and self._must_be_ready(value, here):
                if not may_force:
                    return False
                _force(self.context, value)
                continue
            stack += self._below(value, here)
        return True

    def _resolve(self, value: Mapped, may_force: bool) -> list[tuple[AnyValue, bool]] | None:
        """What is seen through maps: where it has to be in memory it is put there, and the maps become strides.
        What is still to be prepared; None where something is missing."""
        chain, repeats = [value], value.repeats
        while isinstance(chain[-1].source, Mapped) and chain[-1].source.forced is None:
            chain.append(chain[-1].source)
            repeats |= chain[-1].repeats
        base = chain[-1].source
        if base.forced is None and (self._must_be_ready(base, False) or repeats and base.cost >= EXPENSIVE):
            if not may_force:
                return None
            _force(self.context, base)
        if base.forced is None:
            return [(base, False)]
        for mapped in reversed(chain):
            if mapped.forced is None:
                source = mapped.source.forced
                assert isinstance(source, Stored)
                self.context.set_forced(mapped, strided_view(self.context, source, mapped.sizes, mapped.axes))
        return []

    def _must_be_ready(self, value: Lazy, here: bool) -> bool:
        """Whether a value that the nest reads has to be in memory (or a register) before."""
        if not value.sizes:
            return True
        if isinstance(value, Reduction):
            inside = here and value.runs_inside and value.uses <= 1 and not value.needed
            return not inside or self.axes is not None and len(value.sizes) == 1 and not value.is_short
        return not here and (value.needed or value.uses > 1 and costs(value, EXPENSIVE))

    def _below(self, value: Lazy, here: bool) -> list[tuple[AnyValue, bool]]:
        if isinstance(value, Mapped):
            return [(value.source, False)]
        if isinstance(value, Reduction):
            return [(value.source, here and self.context.same_shape(value.space, self.space))]
        inside = here and not isinstance(value, Gather)
        return [(child, inside) for child in value.children()]

    def scan(self, roots: list[AnyValue]) -> None:
        """Everything computed in the nest and everything read, consumers first."""
        order: list[tuple[AnyValue, bool]] = []
        stack: list[tuple[AnyValue, bool, bool]] = [(root, True, False) for root in reversed(roots)]
        seen: set[tuple[int, bool]] = set()
        while stack:
            value, here, ready = stack.pop()
            if ready:
                order.append((value, here))
                continue
            if isinstance(value, Lazy) and value.forced is not None:
                value = value.forced
            if isinstance(value, Stored):
                self.leaves.append(value)
                self.mapped |= not here
            if not isinstance(value, Lazy) or (id(value), here) in seen:
                continue
            seen.add((id(value), here))
            self.mapped |= isinstance(value, Mapped | Gather | Iota) and len(self.space) > 1
            stack.append((value, here, True))
            stack += [(child, inside, False) for child, inside in self._below(value, here)]
        for value, here in reversed(order):
            assert isinstance(value, Lazy)
            self.inside[value] = self.inside.get(value, False) or here

    def extras(self, roots: list[Lazy]) -> list[Lazy]:
        """Expensive values on the way that are needed again, and everything on the way that is needed in memory.
        Takes back the uses of everything that will not be computed again."""
        found: list[Lazy] = []
        expensive = pairs.COST if pairs.is_over_pairs(self.leaves) else EXPENSIVE
        uses = {value: value.uses for value in self.inside}
        finished = set(map(id, roots))
        for value, here in self.inside.items():
            if id(value) not in finished:
                if uses[value] <= 0 and not value.needed:
                    finished.add(id(value))
                elif (
                    here
                    and len(value.sizes) == len(self.space)
                    and not isinstance(value, Reduction)
                    and (value.needed or costs(value, expensive))
                ):
                    found.append(value)
                    finished.add(id(value))
            if id(value) in finished:
                for child in value.children():
                    if isinstance(child, Lazy):
                        child.uses -= 1
                        if child in uses:
                            uses[child] -= 1
        return found

    def wanted(self, roots: Sequence[AnyValue]) -> list[Lazy]:
        """Values on the way to others that are needed in memory."""
        return [value for value, here in self.inside.items() if all(value is not root for root in roots) and here
                and value.needed and len(value.sizes) == len(self.space)
                and not isinstance(value, Reduction)]  # fmt: skip

    def conditions(self) -> list[Operand]:
        """What must hold so that no axis of unknown size turns out to have size 1 and to be repeated."""
        steps = [stride for array in self.leaves for stride in array.strides]
        for value in self.inside:
            if isinstance(value, Mapped):
                steps += [step for _, _, step in value.axes]
        flags = self.context.flags
        found = [flags[step.id][1] for step in steps if isinstance(step, Var) and step.id in flags]
        return list({size_key(condition): condition for condition in found}.values())

    def groups(self, axes: list[int], outputs: list[Stored], plain: bool) -> list[tuple[int, ...]]:
        """Neighbouring axes that can be one loop."""
        result: list[tuple[int, ...]] = []
        for axis in axes:
            if is_constant(self.space[axis], 1) and len(self.space) > 1:
                continue
            if result and result[-1][-1] == axis - 1 and self._merges(axis, outputs, plain):
                result[-1] = (*result[-1], axis)
            else:
                result.append((axis,))
        return result

    def _merges(self, axis: int, outputs: list[Stored], plain: bool) -> bool:
        """Whether every array steps along `axis - 1` and `axis` as along one axis."""
        if self.mapped:
            return False
        return all(
            array.contiguous
            or (plain and self._is_plainly_contiguous(array))
            or (is_constant(array.strides[axis], 0) and is_constant(array.strides[axis - 1], 0))
            for array in (*self.leaves, *outputs)
        )

    def _is_plainly_contiguous(self, array: Stored) -> bool:
        flags = self.context.flags
        if not any(isinstance(s, Var) and s.id in flags for s in array.strides):
            return False
        strides = tuple([flags[s.id][0] if isinstance(s, Var) and s.id in flags else s for s in array.strides])
        return self.context.is_contiguous(array.sizes, strides)


def space_of(value: Lazy) -> tuple[tuple[Operand, ...], tuple[int, ...] | None]:
    """The sizes of the nest that computes a value, and the axes that it reduces."""
    if isinstance(value, Reduction):
        return value.space, value.axes
    return value.sizes, None


def wait(context: Context, value: Lazy) -> None:
    """A value that will be needed in memory, or a reduction: it joins the nest of a sibling."""
    space, _ = space_of(value)
    context.pending.setdefault(context.shape_key(space), []).append(value)


def _siblings(plan: Plan, root: Lazy) -> list[Lazy]:
    """Other values that are wanted over the same space and are ready; what joins must agree on the reduced axes."""
    waiting = plan.context.pending.get(plan.context.shape_key(plan.space), [])
    waiting[:] = [value for value in waiting if value.forced is None and value is not root]
    found: list[Lazy] = []
    for value in waiting[-MOST_SIBLINGS:]:
        space, axes = space_of(value)
        if axes is not None and plan.axes is not None and axes != plan.axes:
            continue
        if axes is not None and len(value.sizes) and not _can_join(value, plan, root):
            continue
        if Plan(plan.context, space, axes).prepare([value], may_force=False):
            found.append(value)
            plan.axes = plan.axes if axes is None else axes
    return found


def _can_join(value: Lazy, plan: Plan, root: Lazy) -> bool:
    """Reductions to arrays only join reductions, so that elementwise nests stay flat."""
    return isinstance(root, Reduction)


def _force(context: Context, root: Lazy) -> None:
    """Compute a lazy value, and what goes with it."""
    if not root.sizes and not isinstance(root, Reduction):
        _force_scalar(context, root)
        return
    space, axes = space_of(root)
    plan = Plan(context, space, axes)
    waiting = context.pending.get(context.shape_key(space), [])[-MOST_SIBLINGS:]
    spread = squares.spread_of(context, root, waiting)
    if spread is not None:
        _is_computed(plan, spread.squares, squares.compute(context, spread, _prepare))
        return
    same = ties.ties_of(context, root, waiting)
    if same is not None:
        _is_computed(plan, same.count, ties.compute(context, same))
        return
    plan.prepare([root])
    if root.forced is not None:  # computed in passing by a nest that had to come first
        return
    linear = linear_sum(context, root)
    if linear is not None:
        _is_computed(plan, root, linear.write())
        return
    roots = [root, *_siblings(plan, root)]
    plan.scan(list(roots))
    if pairs.may_pass(plan.space, plan.axes, plan.leaves):
        across = _across(plan, roots)
        if across:
            roots += across
            plan = Plan(context, space, plan.axes)
            plan.scan(list(roots))
    roots += plan.extras(roots)
    _write(plan, roots)


def _is_computed(plan: Plan, root: Lazy, result: Operand | Stored) -> None:
    """A value has been computed otherwise than by the plan's nest, which takes back what it was to use."""
    plan.scan([root])
    plan.extras([root])
    if isinstance(result, Stored):
        result.uses = root.uses
    plan.context.set_forced(root, result)


def _prepare(context: Context, value: Lazy) -> None:
    """Put in memory what elements of a value need."""
    Plan(context, value.sizes, None).prepare([value])


def _across(plan: Plan, roots: list[Lazy]) -> list[Lazy]:
    """Reductions over the other of the first two axes of pairs that one pass can make as well."""
    if any(not isinstance(root, Reduction) or root.op in POSITIONS for root in roots):
        return []
    other = (1,) if plan.axes == (0,) else (0,)
    found: list[Lazy] = []
    for value in plan.context.pending.get(plan.context.shape_key(plan.space), [])[-MOST_SIBLINGS:]:
        if isinstance(value, Reduction) and value.forced is None and value.axes == other and value.op not in POSITIONS:
            alone = Plan(plan.context, plan.space, other)
            if alone.prepare([value], may_force=False):
                alone.scan([value])
                if pairs.may_pass(plan.space, other, alone.leaves):
                    found.append(value)
    return found


def _force_scalar(context: Context, root: Lazy) -> None:
    """A scalar expression over reductions: those first, then straight-line code."""
    plan = Plan(context, (), None)
    plan.prepare([root])
    if root.forced is None:
        context.set_forced(root, Nest(context).value(root, ()))


def _write(plan: Plan, roots: list[Lazy]) -> None:
    """Allocate the outputs, write the kernel, and remember the results."""
    context = plan.context
    reductions = [root for root in roots if isinstance(root, Reduction)]
    arrays = [root for root in roots if not isinstance(root, Reduction)]
    places = {root: root.place or context.allocate(root.dtype, root.sizes) for root in roots if root.sizes}
    writes = [Write(root, places[root]) for root in arrays]
    if not reductions:
        write_stores(plan, writes)
    else:
        write_reductions(plan, writes, [(r, places.get(r)) for r in reductions])
    remember(context, places)


def remember(context: Context, places: dict[Lazy, Stored]) -> None:
    """What has been computed is in memory now."""
    for root, place in places.items():
        place.uses = root.uses
        context.set_forced(root, place)
