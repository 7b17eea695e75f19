"""What every benchmark does: say where it runs, let contenders take turns, sum up, write down.

A benchmark is a module of this folder with `main()`, which measures, and `as_table(content)`,
which renders what `write_results` wrote. `python -m benchmarks` runs all of them, and
`benchmarks.performance` puts the tables into docs/performance.md.
"""

import argparse
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ssdcore.core.files import write_json
from ssdcore.core.git import git_output

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
CODE = ("ssdcore", "stages", "benchmarks/*.py", "params.yaml", "dvc.yaml", "requirements.lock")
"""What figures may depend on, of what git knows; the results themselves are not."""
BEGAN = "%Y-%m-%d %H:%M:%S"
DIGITS = 4
"""Significant ones; two runs differ in the second."""


def parser(doc: str) -> argparse.ArgumentParser:
    """Returns a parser described by a module's docstring, with the option that all have."""
    own = argparse.ArgumentParser(description=doc.partition("\n")[0])
    own.add_argument("--print-only", action="store_true", help="leave benchmarks/results alone")
    return own


def circumstances(*libraries: str) -> dict[str, Any]:
    """Returns what the figures depend on: machine, versions, commit, load; call it before them.

    Args:
        libraries: distributions whose versions matter, as pip names them.
    """
    return {
        "began": time.strftime(BEGAN),
        "commit": git_output(ROOT, "rev-parse", "--short", "HEAD"),
        "code_changed": bool(git_output(ROOT, "status", "--porcelain", "--", *CODE)),
        "architecture": platform.machine(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in libraries},
    }


def take_turns(
    contenders: Mapping[str, Callable[[], Any]], rounds: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Returns the seconds of each contender in each round; a round calls all of them in turn.

    A change of the machine's load meets all of them, so that the ratio of two is that of
    neighbours in time.

    Args:
        contenders: what does the work, by name.
        rounds: that count.
        warm_up: rounds before them that don't.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(warm_up + rounds):
        for name, run in contenders.items():
            began = time.perf_counter()
            run()
            took = time.perf_counter() - began
            if turn >= warm_up:
                seconds[name].append(took)
    return seconds


def summary(values: Sequence[float]) -> dict[str, float]:
    """Returns median, lowest and highest."""
    figures = {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}
    return {name: rounded(value) for name, value in figures.items()}


def ratios(a: Sequence[float], b: Sequence[float]) -> list[float]:
    """Returns a / b, round by round."""
    return [x / y for x, y in zip(a, b, strict=True)]


def rounded(value: float) -> float:
    """Returns the value with `DIGITS` significant digits."""
    return float(f"{value:.{DIGITS}g}")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Returns a markdown table; a bar inside a cell is escaped."""
    lines = [_line(header), "|" + "---|" * len(header), *map(_line, rows)]
    return "\n".join(lines)


def spread(figures: Mapping[str, float], digits: int = 2) -> list[str]:
    """Returns the cells of a `summary`: median, and lowest to highest."""
    median, lowest, highest = (
        f"{figures[key]:.{digits}f}" for key in ("median", "lowest", "highest")
    )
    return [median, f"{lowest} to {highest}"]


def write_results(name: str, content: Mapping[str, Any], machine: Mapping[str, Any]) -> Path:
    """Writes benchmarks/results/NAME.json, whole or not at all, with the minutes that it took.

    Args:
        name: of the benchmark's module.
        content: its figures.
        machine: their `circumstances`.
    """
    path = RESULTS / f"{name}.json"
    took = time.time() - time.mktime(time.strptime(machine["began"], BEGAN))
    write_json(path, {**content, "machine": {**machine, "took_min": rounded(took / 60)}})
    return path


def in_words(machine: Mapping[str, Any] | str) -> str:
    """Returns `circumstances` in one line; results of before they were kept have a text."""
    if isinstance(machine, str):
        return machine
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in machine.items())


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"


def _cpu_model() -> str:
    """Returns the processor's name where the kernel says it, else what the platform calls it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _memory_gib() -> float:
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
