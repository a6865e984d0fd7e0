"""Imports run one way, between folders and between files, and no file grows beyond what one can read at a sitting."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "arignote"
LONGEST_FILE = 800

# Folder -> the folders it may import from (itself always). docs/architecture.md tells why.
# The four middle stages do not import one another; `pipeline` joins them.
COMPILER = {"ir", "ops", "frontend", "autodiff", "batching", "opt", "lower", "pipeline", "backends"}
MAY_IMPORT: dict[str, set[str]] = {
    "ir": set(),
    "ops": {"ir"},
    "frontend": {"ir", "ops"},
    "autodiff": {"ir", "ops"},
    "batching": {"ir", "ops"},
    "opt": {"ir", "ops"},
    "lower": {"ir", "ops"},
    "pipeline": {"ir", "ops", "frontend", "autodiff", "batching", "opt", "lower", "backends"},
    "backends": {"ir", "ops", "lower"},
    "runtime": COMPILER,
    "api": {*COMPILER, "runtime", "tools"},
    "theano": {"ir", "ops", "api"},
    "tools": {*COMPILER, "runtime", "api"},
}
# `ag.inspect` and the command line show every stage, so these two import each other (inside functions).
BOTH_WAYS = {("api", "tools"), ("tools", "api")}


def source_files() -> list[Path]:
    """Every Python file of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    """The dotted name under which a file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer(module: str) -> str | None:
    """The folder (or top-level file) of the package a module belongs to; None for the package itself and for others."""
    parts = module.split(".")
    return parts[1] if parts[0] == "arignote" and len(parts) > 1 else None


def is_type_checking(node: ast.AST) -> bool:
    """Whether a statement is `if TYPE_CHECKING:`, whose imports never run."""
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def import_statements(tree: ast.AST, top_level_only: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """The import statements that run; those inside functions only when asked."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif is_type_checking(child):
            continue
        elif top_level_only and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        else:
            yield from import_statements(child, top_level_only)


def imports(path: Path, top_level_only: bool = False) -> list[tuple[int, str]]:
    """(line, dotted module) of everything a file imports from the package."""
    here = module_name(path)
    package = here.split(".") if path.name == "__init__.py" else here.split(".")[:-1]
    known = {module_name(other) for other in source_files()}
    found = []
    for node in import_statements(ast.parse(path.read_text(), str(path)), top_level_only):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
            continue
        base = package[: len(package) - node.level + 1] if node.level else []
        origin = ".".join([*base, *([node.module] if node.module else [])])
        for alias in node.names:
            inner = f"{origin}.{alias.name}"
            found.append((node.lineno, inner if inner in known else origin))
    return [(line, module) for line, module in found if module.split(".")[0] == "arignote"]


def identifier(path: Path) -> str:
    """A file's name in test reports."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", source_files(), ids=identifier)
def test_imports_run_one_way(path: Path) -> None:
    """A file imports only from its own folder and from those before it."""
    here = layer(module_name(path))
    if here is None or here.startswith("__"):
        return  # `arignote/__init__.py` shows the public names, `__main__` runs the command
    assert here in MAY_IMPORT, f"the folder {here} is not in the list of layers: add it here and to docs/layout.md"
    allowed = MAY_IMPORT[here] | {here}
    wrong = [
        f"{identifier(path)}:{line} imports {module}" for line, module in imports(path) if layer(module) not in allowed
    ]
    assert not wrong, "\n".join(wrong)


def folder(module: str) -> str:
    """The folder a module lies in."""
    path = ROOT.joinpath(*module.split("."))
    return module if path.is_dir() else module.rpartition(".")[0]


def first_cycle(edges: dict[str, set[str]]) -> list[str] | None:
    """Some cycle of a directed graph, or None."""
    done: set[str] = set()

    def visit(node: str, path: list[str]) -> list[str] | None:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return None
        for successor in sorted(edges.get(node, ())):
            cycle = visit(successor, [*path, node])
            if cycle:
                return cycle
        done.add(node)
        return None

    for start in sorted(edges):
        cycle = visit(start, [])
        if cycle:
            return cycle
    return None


def test_no_cycle_between_folders() -> None:
    """Folders import one another without a cycle (a folder may import the folders inside it, and they it)."""
    edges: dict[str, set[str]] = {}
    for path in source_files():
        here = module_name(path)
        if layer(here) is None:
            continue
        for _, module in imports(path):
            pair = (layer(here), layer(module))
            source, target = folder(here), folder(module)
            related = source.startswith(target) or target.startswith(source)
            if layer(module) is not None and not related and pair not in BOTH_WAYS:
                edges.setdefault(source, set()).add(target)
    cycle = first_cycle(edges)
    assert cycle is None, " -> ".join(cycle or [])


def test_no_cycle_between_files() -> None:
    """Files import one another at their top without a cycle."""
    edges: dict[str, set[str]] = {}
    for path in source_files():
        if path.name != "__init__.py":
            edges[module_name(path)] = {m for _, m in imports(path, top_level_only=True)} - {"arignote"}
    cycle = first_cycle(edges)
    assert cycle is None, " -> ".join(cycle or [])


@pytest.mark.parametrize("path", source_files(), ids=identifier)
def test_files_stay_readable(path: Path) -> None:
    """No file is longer than can be read at a sitting."""
    lines = path.read_text().count("\n")
    assert lines <= LONGEST_FILE, f"{identifier(path)} has {lines} lines, more than {LONGEST_FILE}: split it"
