"""The results of all workloads as JSON, a Markdown page and a bar chart."""

import datetime
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import readable
from benchmarks.report import versions
from benchmarks.table import OURS, Line, geometric_mean, gradient_ratios, lines

Record = dict[str, Any]

GRADIENT_GOAL = 4.0


def publish(records: list[Record], output_path: Path, renewed: bool = False) -> None:
    """Write `output_path` with the endings .json, .md and .png; `renewed` results replace those that are there."""
    output_path.parent.mkdir(parents=True, exist_ok=True)
    about = {"date": datetime.date.today().isoformat(), "command": command(), **versions(), "memory": memory()}
    if renewed and output_path.with_suffix(".json").exists():
        before = json.loads(output_path.with_suffix(".json").read_text())
        records = replaced(before["records"], records)
        about["command"] = f"{before['about']['command']}\n    {about['command']}"
    written = json.dumps({"about": about, "records": records}, indent=1)
    output_path.with_suffix(".json").write_text(written + "\n")
    chart = output_path.with_suffix(".png")
    page = [f"# Workloads, {about['date']}", "", f"    {about['command']}", "", shown_versions(about), ""]
    page += [f"![The best peer's time by ours]({chart.name})", "", *summary(records), "", *table(records), ""]
    page += [*left_out(records)]
    output_path.with_suffix(".md").write_text("\n".join(page) + "\n")
    draw(list(lines(records)), chart)


def replaced(before: list[Record], records: list[Record]) -> list[Record]:
    """All records, in order of their names, with the new ones in the place of those before."""
    found = {record["name"]: record for record in (*before, *records)}
    return [found[name] for name in sorted(found)]


def command() -> str:
    """What was typed to make these results."""
    return f"python -m benchmarks.run {' '.join(sys.argv[1:])}".strip()


def memory() -> str:
    """The memory of the machine."""
    return readable(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "B")


def shown_versions(about: dict[str, str]) -> str:
    """Machine and versions in one line."""
    return ", ".join(f"{name} {value}" for name, value in about.items() if name not in ("date", "command"))


# The page


def summary(records: list[Record]) -> list[str]:
    """Geometric means, and the lines that miss their goal."""
    rows = list(lines(records))
    ratios, gradients = [row.ratio for row in rows if row.ratio is not None], gradient_ratios(records)
    found = [f"Best peer's time / ours, geometric mean of {len(ratios)} rows: **{geometric_mean(ratios):.2f}**.", ""]
    for name in peers(rows):
        times = [row.peers[name] / row.ours for row in rows if name in row.peers]
        found.append(f"- {name} / ours: {geometric_mean(times):.2f} ({len(times)} rows)")
    fewest = min(system[quantity]["turns"] for record in records for case in record["cases"]
                 for system in case["systems"].values() for quantity in ("value", "gradient") if quantity in system)
    found += ["", f"Medians of alternating turns of each system, {fewest} or more."]
    found += ["", f"Gradient / value, geometric mean of {len(gradients)}: "
                  f"**{geometric_mean(gradients.values()):.2f}**.", ""]  # fmt: skip
    behind = [f"- {row.name}: {row.ratio:.2f} ({row.best_peer})" for row in rows if row.is_behind]
    dear = [f"- {title}, {case}: {ratio:.2f}" for (title, case), ratio in gradients.items() if ratio > GRADIENT_GOAL]
    found += ["Behind the best peer:", "", *(behind or ["- none"]), ""]
    return found + [f"Gradient / value above {GRADIENT_GOAL:.0f}:", "", *(dear or ["- none"])]


def peers(rows: Sequence[Line]) -> list[str]:
    """The names of the peers that were measured, in the order in which they first appear."""
    return list(dict.fromkeys(name for row in rows for name in row.peers))


def table(records: list[Record]) -> list[str]:
    """All lines, as Markdown; only the columns that say something."""
    rows = list(lines(records))
    names, gradients = peers(rows), gradient_ratios(records)
    measured = [name for name in (OURS, *names) if any(name in row.memory for row in rows)]
    titles = ["", OURS, *names, "best peer / ours", "gradient / value", "first call", "of the limit"]
    titles += [f"memory, {name}" for name in measured]
    found = [f"| {' | '.join(titles)} |", "|---" + "|--:" * (len(titles) - 1) + "|"]
    for row in rows:
        gradient = gradients.get((row.title, row.case)) if row.quantity == "gradient" else None
        cells = [row.name, readable(row.ours), *(optional(row.peers.get(name), readable) for name in names)]
        cells += [optional(row.ratio, lambda ratio: f"{ratio:.2f}"), optional(gradient, lambda ratio: f"{ratio:.2f}")]
        cells += [readable(row.first_call), optional(row.fraction, lambda part: f"{part:.0%}")]
        cells += [optional(row.memory.get(name), lambda size: readable(size, "B")) for name in measured]
        found.append(f"| {' | '.join(cells)} |")
    return found


def optional(value: float | None, shown: Any) -> str:
    """A number as text, nothing if there is none."""
    return "" if value is None else shown(value)


def left_out(records: list[Record]) -> list[str]:
    """Which peers are missing from which workloads, and why."""
    found: dict[str, None] = {}
    for record in records:
        for name, reason in record["why_not"].items():
            found[f"- {record['title']}: {name}: {reason}"] = None
        for case in record["cases"]:
            for name, system in case["systems"].items():
                if "left_out" in system:
                    found[f"- {record['title']}, {case['case']}: {name}: {system['left_out']}"] = None
                if "disagrees" in system:
                    wrong = ", ".join(system["disagrees"])
                    found[f"- {record['title']}, {case['case']}: {name}: another result ({wrong})"] = None
    return ["Left out:", "", *found] if found else []


# The chart


def draw(rows: Sequence[Line], path: Path) -> None:
    """Horizontal bars of the best peer's time by ours, on a logarithmic scale."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [row for row in rows if row.ratio is not None]
    if not shown:
        return
    figure, axes = pyplot.subplots(figsize=(11, 1.6 + 0.21 * len(shown)), layout="constrained")
    places, ratios = range(len(shown)), [row.ratio for row in shown]
    colors = {"value": "#3b6ea5", "gradient": "#d98032"}
    axes.barh(places, [ratio - 1.0 for ratio in ratios], left=1.0, height=0.72,
              color=[colors[row.quantity] for row in shown])
    for place, row in zip(places, shown):
        axes.annotate(f"{row.ratio:.2f} {row.best_peer}", (max(row.ratio, 1.0), place), (4, 0),
                      textcoords="offset points", va="center", fontsize=7)
    axes.set_yticks(places, [row.name for row in shown], fontsize=7.5)
    axes.set_xscale("log")
    ticks = [ratio for ratio in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if ratio < 3 * max(ratios)]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(min(0.5, min(ratios) / 1.2), max(ratios) * 3)
    axes.set_ylim(len(shown) - 0.3, -0.7)
    axes.axvline(1.0, color="black", linewidth=0.8)
    mean = geometric_mean(ratios)
    axes.axvline(mean, color="gray", linewidth=0.8, linestyle="--", label=f"geometric mean {mean:.2f}")
    for quantity, color in colors.items():
        axes.bar(0, 0, color=color, label=quantity)
    axes.set_xlabel("the best peer's time / ours (to the right: Arignote is faster)")
    axes.legend(loc="lower right", fontsize=8)
    axes.grid(axis="x", linewidth=0.4, alpha=0.6)
    axes.set_axisbelow(True)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
