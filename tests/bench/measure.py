"""What a row of the service benchmark holds, and how it is printed and drawn."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

RATIOS = ("trials/s", "requests/s")


@dataclass
class Row:
    """One contender with so many workers; times in seconds."""

    contender: str
    workers: int
    seconds: float = 0.0
    trials: int = 0
    claims: list[float] = field(default_factory=list)
    reports: list[float] = field(default_factory=list)
    others: int = 0  # calls that end a trial; lehr needs none for one that it has pruned
    errors: int = 0
    cpu: float = 0.0  # of the system under test; a database server's not counted
    load_cpu: float = math.nan  # of simulated workers; NaN where ``cpu`` has the workers' too
    asynchronous: bool = False  # no request of a worker's to time

    @property
    def trials_per_second(self) -> float:
        return self.trials / self.seconds if self.seconds else math.nan

    @property
    def reports_per_second(self) -> float:
        return len(self.reports) / self.seconds if self.seconds else math.nan

    @property
    def requests_per_second(self) -> float:
        """All calls of workers that were answered."""
        calls = len(self.claims) + len(self.reports) + self.others
        return calls / self.seconds if self.seconds else math.nan

    def figures(self) -> dict[str, float]:
        return {
            "trials/s": self.trials_per_second,
            "reports/s": self.reports_per_second,
            "requests/s": self.requests_per_second,
            "claim p50": 1e3 * quantile(self.claims, 0.5),
            "claim p99": 1e3 * quantile(self.claims, 0.99),
            "report p50": 1e3 * quantile(self.reports, 0.5),
            "report p99": 1e3 * quantile(self.reports, 0.99),
            "CPU ms/trial": 1e3 * self.cpu / self.trials if self.trials else math.nan,
            "load ms/trial": 1e3 * self.load_cpu / self.trials if self.trials else math.nan,
            "errors": self.errors,
        }


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed; NaN of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else math.nan


def medians(rows: Sequence[Row]) -> dict[str, float]:
    """Figure by figure, the median over repeats of one row."""
    figures = [row.figures() for row in rows]
    return {name: median(f[name] for f in figures) for name in figures[0]}


def table(rows: Iterable[list[Row]], base: str) -> str:
    """Markdown, one line a contender and number of workers, with its ratios to ``base``."""
    cells = [(repeats, medians(repeats)) for repeats in rows]
    reference = {rows[0].workers: f for rows, f in cells if rows[0].contender == base}
    names = list(cells[0][1]) if cells else []
    heads = ["contender", "W", *names, *(f"{of}, x {base}" for of in RATIOS)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for repeats, figures in cells:
        row, against = repeats[0], reference.get(repeats[0].workers, {})
        shown = [_shown(figures[name]) for name in names]
        if row.asynchronous:
            shown = ["async" if " p" in n else s for n, s in zip(names, shown, strict=True)]
        shown += [_shown(ratio(figures[of], against.get(of, math.nan))) for of in RATIOS]
        lines.append(f"| {row.contender} | {row.workers} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def ratio(value: float, reference: float) -> float:
    """NaN where there is nothing to compare with."""
    return value / reference if reference else math.nan


def _shown(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def draw(rows: Iterable[list[Row]], path: Path) -> None:
    """Trials and requests a second over the number of workers, one line a contender."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    lines: dict[str, list[tuple[int, dict[str, float]]]] = {}
    for repeats in rows:
        lines.setdefault(repeats[0].contender, []).append((repeats[0].workers, medians(repeats)))
    figure = Figure(figsize=(12, 5), layout="constrained")
    panels = figure.subplots(1, len(RATIOS))
    for axes, of in zip(panels, RATIOS, strict=True):
        for index, (contender, points) in enumerate(lines.items()):
            dashes = {"lehr": "-", "fastapi": ":"}.get(contender.partition("-")[0], "--")
            values = [figures[of] or math.nan for _, figures in points]  # 0 has no logarithm
            workers = [count for count, _ in points]
            color = colormaps["tab20"](index % 20)
            axes.plot(workers, values, dashes, marker="o", ms=4, color=color, label=contender)
        counts = sorted({count for points in lines.values() for count, _ in points})
        axes.set(xscale="log", yscale="log", xlabel="workers", ylabel=of)
        axes.set_xticks(counts, [str(count) for count in counts], minor=False)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center")
    figure.savefig(path)


def cpu_seconds(process: int) -> float:
    """CPU time so far of a process and its descendants, those that ended and were waited for too.

    A process that the kernel gave a new parent is not among them.
    """
    return sum(_own_cpu(p) for p in tree(process))


def memory_bytes(process: int) -> int:
    """Resident memory of a process and all its descendants."""
    pages = 0
    for each in tree(process):
        try:
            pages += int(Path(f"/proc/{each}/statm").read_text().split()[1])
        except OSError:
            continue
    return pages * os.sysconf("SC_PAGE_SIZE")


def tree(process: int) -> list[int]:
    """A process and its descendants."""
    try:
        tasks = Path(f"/proc/{process}/task").iterdir()
        children = [c for t in tasks for c in (t / "children").read_text().split()]
    except OSError:
        return []
    return [process, *(p for child in children for p in tree(int(child)))]


def _own_cpu(process: int) -> float:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


PACKAGES = ("optuna", "fastapi", "uvicorn", "sqlalchemy", "psycopg")
PACKAGES += ("keras-tuner", "google-vizier", "ray", "syne-tune")


def _has(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def machine() -> str:
    """Machine and versions, in one line."""
    import platform

    versions: Any = [f"{package} {version(package)}" for package in PACKAGES if _has(package)]
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} CPU cores, Python {platform.python_version()}, {', '.join(versions)}; "
        f"load average at the start {load:.1f}"
    )
