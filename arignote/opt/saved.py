"""What a loop saves for its backward loop is saved once, and only where it cannot be had otherwise.

    for ...: list_push(saved, (q, exp(q), transpose(x), sign(q), exp(q)))        x is the same in all iterations

Derivatives of calls choose what to keep before the calls are inlined, and know nothing of the loop around them. Here,
where all is one body: components that are equal are saved once; what is made of captures, or cheaply of other
components, is made again where the backward loop reads it.
"""

from __future__ import annotations

from arignote.ir.graph import Apply, Constant, Function, Node, Parameter, nodes_of, topological
from arignote.ir.records import dataclass, field
from arignote.ir.sizes import as_size
from arignote.ir.types import TOKEN, List, Tuple
from arignote.ops.cheap import CHEAP
from arignote.opt.accumulations import outer_size
from arignote.opt.loops import copied
from arignote.opt.rewrite import Rewriter, Rule
from arignote.opt.rules.structure import made_by

_VIEWS = frozenset(("transpose", "expand_dims", "squeeze", "broadcast_to"))
NAME = "saved once"
RULE = Rule(NAME, (), lambda rewriter, node: None, "what is computed again from the same values is the same")


@dataclass(slots=True)
class Saving:
    """A loop that fills a list, and the backward loops that read it."""

    loop: Apply
    place: int
    filled: Node
    readers: list[Apply]
    components: tuple[Node, ...] = ()
    kept: list[Node] = field(default_factory=list)
    """The components that are still saved."""
    outside: dict[Node, Node] = field(default_factory=dict)
    """What is the same in all iterations, and what it is outside the loop."""

    @property
    def function(self) -> Function:
        return self.loop.inputs[1]["function"]  # type: ignore[index]

    @property
    def in_parts(self) -> bool:
        """Whether an element is a tuple."""
        return isinstance(self.filled.type.element, Tuple)  # type: ignore[attr-defined]

    @property
    def parameter(self) -> Parameter:
        return self.function.parameters[len(self.function.parameters) - len(self.loop.inputs) + 2 + self.place]

    @property
    def index(self) -> Parameter:
        return self.function.parameters[len(self.function.parameters) - len(self.loop.inputs) + 1]


def thinned(rewriter: Rewriter, result: Node) -> Node:
    """A function's result, with loops that save no more than they must."""
    while True:
        saving = next((each for each in savings(result) if _decide(rewriter, each)), None)
        if saving is None or not rewriter.fuel.spend(RULE, saving.loop, saving.loop):
            return result
        result = _replaced(rewriter, result, saving)


def savings(result: Node) -> list[Saving]:
    """The lists that loops fill, and that nobody reads but loops after them, element by element."""
    nodes = [node for node in topological([result]) if isinstance(node, Apply)]
    loops = [node for node in nodes if node.op.name == "for_loop"]
    if len(loops) < 2:
        return []
    bodies = {loop.inputs[1]: loop for loop in loops}
    found: list[Saving] = []
    for node in nodes:
        if not isinstance(node.type, List) or node.op.name != "item" or node.inputs[0] not in loops:
            continue
        users = [each for each in nodes if node in each.inputs]
        readers = [bodies[each] for each in users if each in bodies and each.inputs.count(node) == 1]
        if users and len(readers) == len(users) and not any(node in loop.inputs for loop in loops):
            found.append(Saving(node.inputs[0], node["index"], node, readers))  # type: ignore[arg-type]
    return found


def understood(saving: Saving) -> bool:
    """Whether the loop appends one element in each iteration, of which its readers take nothing but components."""
    closure = made_by(saving.loop.inputs[1], "closure")
    start = made_by(saving.loop.inputs[2 + saving.place], "list_new")
    if closure is None or start is None or not saving.function.is_defined:
        return False
    result = made_by(saving.function.result, "tuple")
    push = None if result is None else made_by(result.inputs[saving.place], "list_push")
    if push is None or push.inputs[0] is not saving.parameter:
        return False
    element = made_by(push.inputs[1], "tuple") if saving.in_parts else None
    if saving.in_parts and element is None:
        return False
    uses = sum(x is saving.parameter for node in nodes_of(saving.function) for x in getattr(node, "inputs", ()))
    if uses != 1 or not all(_reads_items(saving, loop) for loop in saving.readers):
        return False
    saving.components = push.inputs[1:2] if element is None else element.inputs
    return True


def _decide(rewriter: Rewriter, saving: Saving) -> bool:
    """Choose what is still saved; whether that is less than before."""
    if not understood(saving):
        return False
    saving.outside = dict(zip(saving.function.parameters, saving.loop.inputs[1].inputs))  # type: ignore[attr-defined]
    _choose(rewriter, saving)
    if not saving.kept and not all(reads_within(saving, loop) for loop in saving.readers):
        return False  # reading beyond the end fails, and would not if there was no list
    return len(saving.kept) < len(saving.components)


def list_in(saving: Saving, loop: Apply) -> Parameter:
    """The parameter of a backward body that is the list."""
    return loop.inputs[1]["function"].parameters[loop.inputs[1].inputs.index(saving.filled)]  # type: ignore


def _reads_items(saving: Saving, loop: Apply) -> bool:
    """Whether a backward body takes nothing of the list but components of elements."""
    function, parameter = loop.inputs[1]["function"], list_in(saving, loop)  # type: ignore[index]
    if not function.is_defined:
        return False
    gets: set[Node] = set()
    for node in nodes_of(function):
        if not isinstance(node, Apply):
            continue
        if parameter in node.inputs:
            if node.op.name != "list_get" or node.inputs[0] is not parameter:
                return False
            gets.add(node)
        elif saving.in_parts and node.op.name != "item" and not gets.isdisjoint(node.inputs):
            return False
    return not saving.in_parts or function.result not in gets


def reads_within(saving: Saving, loop: Apply) -> bool:
    """Whether a backward body, which runs as often as the loop, reads the elements from first to last or backwards."""
    count, closure = saving.loop.inputs[0], loop.inputs[1]
    assert isinstance(closure, Apply)
    function: Function = closure["function"]
    index = function.parameters[len(function.parameters) - len(loop.inputs) + 1]
    outside: dict[Node, Node] = dict(zip(function.parameters, closure.inputs))
    list_ = list_in(saving, loop)

    def is_last(node: Node) -> bool:
        if isinstance(node, Constant):
            return isinstance(count, Constant) and node.value == count.value - 1
        less = made_by(node, "subtract")
        return less is not None and outside.get(less.inputs[0]) is count and _is_one(less.inputs[1])

    def is_within(position: Node) -> bool:
        back = made_by(position, "subtract")
        return position is index or back is not None and back.inputs[1] is index and is_last(back.inputs[0])

    gets = [node for node in nodes_of(function) if isinstance(node, Apply) and list_ in node.inputs]
    return loop.inputs[0] is count and all(is_within(get.inputs[1]) for get in gets)


def _is_one(node: Node) -> bool:
    return isinstance(node, Constant) and node.value == 1


def _choose(rewriter: Rewriter, saving: Saving) -> None:
    """Operands first: what is not to be had from what comes before is kept, if it is wanted."""
    available: set[Node] = {*saving.outside, saving.index}
    wanted = set(saving.components)
    for node in topological(saving.components):
        if isinstance(node, Constant) or node in available:
            available.add(node)
        elif isinstance(node, Apply) and _is_had(rewriter, saving, node, available):
            available.add(node)
        elif node in wanted:
            saving.kept.append(node)
            available.add(node)


def _is_had(rewriter: Rewriter, saving: Saving, node: Apply, available: set[Node]) -> bool:
    """Whether the backward body can make the node of what is available."""
    if node.op.name == "size" and node.inputs[0] not in available:
        size = outer_size(rewriter, saving.loop, as_size(node))
        if size is not None:
            saving.outside[node] = size
        return size is not None
    simple = node.op.elementwise or node.op.name in _VIEWS or node.op.name == "size"
    return simple and node.op.name in CHEAP and node.type is not TOKEN and all(x in available for x in node.inputs)


def _replaced(rewriter: Rewriter, result: Node, saving: Saving) -> Node:
    """The result with the loop that saves less, and its readers."""
    new = _saving_loop(rewriter, saving)
    mapping: dict[Node, Node] = {saving.loop: new}
    for loop in saving.readers:
        closure = loop.inputs[1]
        assert isinstance(closure, Apply)
        function, more = _reading_body(rewriter, saving, closure)
        captures = copied(rewriter, [*closure.inputs, *more], mapping, rewriter.spans)
        mapping[closure] = rewriter.closure(function, captures)
    return copied(rewriter, [result], mapping, rewriter.spans)[0]


def _saving_loop(rewriter: Rewriter, saving: Saving) -> Node:
    element = Tuple([node.type for node in saving.kept])
    inside: dict[Node, Node] = {p: Parameter(p.name, p.type) for p in saving.function.parameters}
    list_ = inside[saving.parameter] = Parameter(saving.parameter.name, List(element))
    result = saving.function.result
    assert isinstance(result, Apply)
    builder = Rewriter(rewriter.rules)
    given = [x for i, x in enumerate(result.inputs) if i != saving.place]
    copies = copied(builder, [*given, *saving.kept], inside, saving.function.spans)
    results = copies[: len(given)]
    results.insert(saving.place, builder.op("list_push", list_, builder.tuple(copies[len(given) :])))
    parameters = [inside[p] for p in saving.function.parameters]
    body = builder.function(saving.function.name, parameters, builder.tuple(results))  # type: ignore[arg-type]
    inputs = list(saving.loop.inputs)
    inputs[1] = rewriter.closure(body, inputs[1].inputs)  # type: ignore[attr-defined]
    start = inputs[2 + saving.place]
    inputs[2 + saving.place] = rewriter.op("list_new", *start.inputs, element=element)  # type: ignore[attr-defined]
    return rewriter.op("for_loop", *inputs)


def _reading_body(rewriter: Rewriter, saving: Saving, closure: Apply) -> tuple[Function, list[Node]]:
    """A backward body that makes again what is no longer saved; and what else it captures."""
    old: Function = closure["function"]
    captured = len(closure.inputs)
    inside: dict[Node, Node] = {p: Parameter(p.name, p.type) for p in old.parameters}
    reader = old.parameters[closure.inputs.index(saving.filled)]
    inside[reader] = list_ = Parameter(reader.name, List(Tuple([node.type for node in saving.kept])))
    given = {node: Parameter("given", node.type) for node in _read_outside(saving)}
    builder = Rewriter(rewriter.rules)
    gets = [node for node in nodes_of(old) if isinstance(node, Apply) and reader in node.inputs]
    for get in gets:
        position = copied(builder, [get.inputs[1]], inside, old.spans)[0]
        element = builder.op("list_get", list_, position)
        made: dict[Node, Node] = {**given, saving.index: position}
        made.update((node, builder.item(element, i)) for i, node in enumerate(saving.kept))
        components = copied(builder, list(saving.components), made, saving.function.spans)
        if not saving.in_parts:
            inside[get] = components[0]
            continue
        for node in nodes_of(old):
            if isinstance(node, Apply) and node.op.name == "item" and node.inputs[0] is get:
                inside[node] = components[node["index"]]
    result = copied(builder, [old.result], inside, old.spans)[0]
    places = [inside[p] for p in old.parameters]
    parameters = [*places[:captured], *given.values(), *places[captured:]]
    new = builder.function(old.name, parameters, result)  # type: ignore[arg-type]
    return new, [saving.outside[node] for node in given]


def _read_outside(saving: Saving) -> list[Node]:
    """What of outside the loop is needed to make the components that are not kept."""
    found: dict[Node, None] = {}
    seen: set[Node] = set(saving.kept)
    stack: list[Node] = list(saving.components)
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in saving.outside:
            found[node] = None
        elif isinstance(node, Apply):
            stack.extend(node.inputs)
    return list(found)
