"""The command `arignote`.

arignote ir module:function --args "f64[3],f64" [--after pass] [--html file] [--llvm] [--asm]
arignote passes
arignote replay crash-0123456789ab.ir [--after pass]
arignote bisect script.py [argument ...]
arignote cache [clear]
arignote doctor
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        return given.run(given)
    except _Misuse as error:
        print(f"arignote {given.command}: {error}", file=sys.stderr)
        return 2


class _Misuse(Exception):
    """What was typed names nothing that exists."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("arignote", description="Look into the Arignote compiler.")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        return made

    ir = command("ir", _ir, "show what the compiler makes of a function, after each pass")
    ir.add_argument("function", help="module:function, or file.py:function")
    ir.add_argument("--args", default="", help="types of the arguments, such as 'f64[3], {w: f64[n,n]}, int'")
    ir.add_argument("--after", metavar="PASS", help="only the graph after this pass ('source' and 'loops' as well)")
    ir.add_argument("--llvm", action="store_true", help="LLVM's text as well")
    ir.add_argument("--asm", action="store_true", help="the assembly as well")
    ir.add_argument("--html", metavar="FILE", help="write a page with all stages side by side")
    command("passes", _passes, "list the passes, in order")
    again = command("replay", _replay, "run a reproducer again")
    again.add_argument("file")
    again.add_argument("--after", metavar="PASS", help="show the graph after this pass")
    search = command("bisect", _bisect, "find the rewrite that makes a script fail")
    search.add_argument(
        "script", nargs=argparse.REMAINDER, help="script.py [argument ...], or -m module [argument ...]"
    )
    cache = command("cache", _cache, "show what is kept on disk, or remove it")
    cache.add_argument("action", nargs="?", choices=("show", "clear"), default="show")
    command("doctor", _doctor, "say what this installation runs on, and whether it works")
    return parser


def load(name: str) -> Callable[..., Any]:
    """The function that `module:function` or `file.py:function` names."""
    module_name, _, path = name.partition(":")
    if not path:
        raise _Misuse(f"{name!r} should be module:function")
    sys.path.insert(0, os.getcwd())
    if module_name.endswith(".py"):
        sys.path.insert(0, str(Path(module_name).resolve().parent))
        module_name = Path(module_name).stem
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise _Misuse(f"no module {error.name!r}") from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise _Misuse(f"{module_name} has no {path!r}")
        found = getattr(found, part)
    return found


def _ir(given: argparse.Namespace) -> int:
    from arignote.ir.errors import CompileError
    from arignote.tools.html import page
    from arignote.tools.signature import SignatureError, inspect_types, parse

    try:
        inspection = inspect_types(load(given.function), parse(given.args))
    except SignatureError as error:
        raise _Misuse(f"--args: {error}") from error
    except CompileError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    if given.html:
        Path(given.html).write_text(page(inspection), encoding="utf-8")
        print(f"written: {given.html}")
    elif given.after:
        texts = {"source": inspection.source, **inspection.ir, "loops": inspection.loops}
        print(_stage(texts, given.after))
    else:
        print(inspection)
    for wanted, text in ((given.llvm, inspection.llvm), (given.asm, inspection.asm)):
        if wanted:
            print(text)
    return 0


def _stage(texts: dict[str, str], name: str) -> str:
    if name not in texts:
        raise _Misuse(f"no pass {name!r}; there are {', '.join(texts)}")
    return texts[name]


def _passes(given: argparse.Namespace) -> int:
    from arignote.pipeline import PASSES

    width = max(len(step.name) for step in PASSES)
    for step in PASSES:
        print(f"{step.name:{width}}  {step.reads} -> {step.gives}: {step.why}")
    return 0


def _replay(given: argparse.Namespace) -> int:
    from arignote.tools.reproduce import PassFailure, replay

    try:
        stages = replay(Path(given.file))
    except FileNotFoundError as error:
        raise _Misuse(f"no file {given.file}") from error
    except PassFailure as failure:
        print(f"still fails: {failure}", file=sys.stderr)
        return 1
    if given.after:
        print(_stage(dict(stages), given.after))
    print("all passes run")
    return 0


def _bisect(given: argparse.Namespace) -> int:
    from arignote.tools.bisect import of_command

    if not given.script:
        raise _Misuse("which script?")
    found = of_command(given.script, report=print)
    print(found)
    return 0 if found.number is None else 1


def _cache(given: argparse.Namespace) -> int:
    from arignote.runtime import disk_cache

    place = disk_cache.directory()
    if place is None:
        print("nothing is kept: there is no directory that only this user can write to")
        return 0
    if given.action == "clear":
        print(f"removed: {_counted(disk_cache.clear())} in {place}")
        return 0
    files = disk_cache.files()
    print(f"directory  {place}")
    print(f"kept       {_counted(len(files))}, {_in_megabytes(sum(file.size for file in files))}")
    print(f"limit      {_in_megabytes(disk_cache.limit())}")
    print(f"programs   {'kept' if disk_cache.keeps_programs() else 'not kept: ARIGNOTE_CACHE=0'}")
    return 0


def _counted(number: int) -> str:
    return f"{number} file{'s' * (number != 1)}"


def _in_megabytes(size: int) -> str:
    return f"{size / 2**20:.1f} MB"


def _doctor(given: argparse.Namespace) -> int:
    from arignote.tools.doctor import examine

    wrong = False
    for what, finding in examine():
        print(f"{what:>20}  {finding}")
        wrong = wrong or "WRONG" in finding
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
