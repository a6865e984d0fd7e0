"""All workloads against the peers that are installed, each workload in a process of its own.

    python -m benchmarks.run [NAME ...] [--peers JAX,Numba] [--output benchmarks/results/workloads-DATE]

prints a table as it goes and writes the results as JSON, Markdown and a bar chart (PNG).
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
    command = [sys.executable, "-m", "benchmarks.worker", name, "--seconds", str(options.seconds)]
    command += ["--patience", str(options.patience), "--case", options.case]
    if options.peers:
        command += ["--peers", options.peers]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        print(f"{name}: failed")
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure, print, publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--peers", default="", help="only these, by commas; `none` for Arignote alone")
    parser.add_argument("--case", default="", help="only cases with this text in their name")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each system and quantity")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds that a system may take to be ready")
    parser.add_argument("--output", type=Path, default=None)
    options = parser.parse_args()
    records, failed = [], []
    for name in options.names or workload.names():
        record = measured(name, options)
        if record is None:
            failed.append(name)
            continue
        records.append(record)
        print("\n".join(lines_of(record)), flush=True)
    if options.output:
        from benchmarks.publish import publish

        publish(records, options.output)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
