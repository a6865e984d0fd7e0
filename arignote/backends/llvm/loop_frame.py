"""The blocks of a counted loop."""

from __future__ import annotations

from .function_text import FunctionText, Lines


class LoopFrame:
    """The blocks of a loop that tests at its end, behind a test that it runs at all; `once`: it runs at most once."""

    def __init__(self, function: FunctionText, begin: str, end: str, step: int = 1, once: bool = False) -> None:
        self.function, self.begin, self.end, self.step, self.once = function, begin, end, step, once
        self.done = function.label()
        self.guard_block: str | None = None
        runs_surely = begin[0] != "%" and end[0] != "%" and int(begin) < int(end)
        if not runs_surely:
            runs = function.let(f"icmp slt i64 {begin}, {end}")
            self.guard_block = function.block
            enter = function.label()
            function.branch(runs, enter, self.done)
            function.begin(enter)
        self.preheader: Lines = []
        function.lines.append(self.preheader)
        self.preheader_block = function.block
        self.header = function.label()
        function.jump(self.header)
        function.begin(self.header)
        self.phis: Lines = []
        function.lines.append(self.phis)
        function.open(self.preheader, unconditional=True)
        self.depth = len(function.regions) - 1
        self.index = function.name("i")
        function.indices.add(self.index)
        function.depths[self.index] = self.depth

    def carry(self, prefix: str = "c") -> str:
        """The name of a value carried from one iteration to the next."""
        name = self.function.name(prefix)
        self.function.depths[name] = self.depth
        return name

    def finish(self, carried: list[tuple[str, str, str, str]]) -> list[str]:
        """Ends the loop; `carried` has (name, type, initial, next). Gives their values after the loop."""
        function = self.function
        latch = function.block
        if self.once:
            self._end_of_single_iteration(carried)
        else:
            self._end_of_iteration(carried)
        function.close()
        function.begin(self.done)
        if self.guard_block is None:
            return [self._after(later, f"phi {type} [{later}, %{latch}]") for _, type, _, later in carried]
        return [
            function.let(f"phi {type} [{first}, %{self.guard_block}], [{later}, %{latch}]")
            for _, type, first, later in carried
        ]

    def _end_of_iteration(self, carried: list[tuple[str, str, str, str]]) -> None:
        function, latch = self.function, self.function.block
        following = function.let(f"add nuw nsw i64 {self.index}, {self.step}")
        again = function.let(f"icmp slt i64 {following}, {self.end}")
        function.branch(again, self.header, self.done)
        for name, type, first, later in [(self.index, "i64", self.begin, following), *carried]:
            self.phis.append(f"  {name} = phi {type} [{first}, %{self.preheader_block}], [{later}, %{latch}]")

    def _end_of_single_iteration(self, carried: list[tuple[str, str, str, str]]) -> None:
        self.function.jump(self.done)
        for name, type, first, _ in [(self.index, "i64", self.begin, ""), *carried]:
            self.phis.append(f"  {name} = phi {type} [{first}, %{self.preheader_block}]")

    def _after(self, value: str, phi: str) -> str:
        """A value of the loop as one after the loop, whose scope is that of its surroundings."""
        return self.function.let(phi) if value[0] == "%" else value
