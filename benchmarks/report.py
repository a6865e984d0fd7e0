"""The table of what was measured, as Markdown and as JSON."""

import importlib.metadata
import json
import os
import platform
from pathlib import Path

from benchmarks.measure import Row, readable


def processor() -> str:
    """The processor's name, where Linux tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def versions() -> dict[str, str]:
    """What was measured, and on what."""
    found = {"python": platform.python_version(), "processor": processor(), "cores": str(os.cpu_count())}
    for name in ("numpy", "scipy", "llvmlite", "jax", "numba", "torch", "pytensor"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    verdicts = {True: "yes", False: "NO", None: "not known"}
    lines = ["| | Arignote | others | target | reached |", "|---|---|---|---|---|"]
    for row in rows:
        others = ", ".join(f"{name} {readable(value, row.unit)}" for name, value in row.peers.items())
        verdict = verdicts[row.passed]
        lines.append(f"| {row.name} | {readable(row.seconds, row.unit)} | {others} | {row.target} | {verdict} |")
    return "\n".join(lines)


def publish(rows: list[Row], path: Path) -> None:
    """Print the table, and write it beside the numbers in JSON."""
    found = versions()
    page = f"{table(rows)}\n\n{', '.join(f'{name} {version}' for name, version in found.items())}\n"
    print(page)
    path.parent.mkdir(parents=True, exist_ok=True)
    records = [{**vars(row), "passed": row.passed} for row in rows]
    path.write_text(json.dumps({"versions": found, "rows": records}, indent=2) + "\n")
    path.with_suffix(".md").write_text(page)
