"""All workloads against the peers that are installed, each workload in a process of its own.

    python -m benchmarks.run [NAME ...] [--peers JAX,Numba] [--memory] [--output benchmarks/results/workloads-DATE]

prints a table as it goes and writes the results as JSON, Markdown and a bar chart (PNG). With `--memory`, or an output,
the peak memory of each system is measured as well, for the workloads that ask for it, in a process for each. Where
the output exists already and workloads are named, only their results are replaced.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import workload
from benchmarks.table import lines_of

ROOT = Path(__file__).parent.parent


def measured(name: str, options: argparse.Namespace) -> dict[str, Any] | None:
    """The record of one workload, from a process of its own; None, and its error on the terminal, if it failed."""
    arguments = [name, "--seconds", str(options.seconds), "--patience", str(options.patience), "--case", options.case]
    if options.peers:
        arguments += ["--peers", options.peers]
    record = from_process("benchmarks.worker", *arguments)
    if record is not None and record["memory"] and (options.memory or options.output):
        add_memory(record, options.patience)
    return record


def from_process(module: str, *arguments: str, limit: float | None = None) -> Any:
    """What a module prints in a process of its own; None, and its error on the terminal, if it failed."""
    command = [sys.executable, "-m", module, *arguments]
    try:
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        print(f"{' '.join(arguments)}: not ready after {limit:.0f} s")
        return None
    if done.returncode != 0:
        print(f"{' '.join(arguments)}: failed")
        return None
    return json.loads(done.stdout.splitlines()[-1])


def add_memory(record: dict[str, Any], patience: float) -> None:
    """Adds the peak memory of a step in each system that could be timed."""
    for case in record["cases"]:
        for name, system in case["systems"].items():
            if "gradient" in system or "value" in system:
                limit = patience + 30.0
                found = from_process("benchmarks.memory", record["name"], name, case["case"], limit=limit)
                if found is not None:
                    system["peak_memory"] = found["peak"]


def main() -> None:
    """Measure, print, publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--peers", default="", help="only these, by commas; `none` for Arignote alone")
    parser.add_argument("--case", default="", help="only cases with this text in their name")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each system and quantity")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds that a system may take to be ready")
    parser.add_argument("--memory", action="store_true", help="measure peak memory where the workload asks for it")
    parser.add_argument("--output", type=Path, default=None, help="where to publish: a path without its ending")
    options = parser.parse_args()
    records: list[dict[str, Any]] = []
    failed: list[str] = []
    try:
        for name in options.names or workload.names():
            record = measured(name, options)
            if record is None:
                failed.append(name)
                continue
            records.append(record)
            print("\n".join(lines_of(record)), flush=True)
    finally:  # Ctrl-C ends a long run with what has been measured
        if options.output and records:
            from benchmarks.publish import publish

            publish(records, options.output, renewed=bool(options.names))
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
