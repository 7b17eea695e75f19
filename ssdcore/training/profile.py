"""Profiles training steps: how long each part takes, and which is the bottleneck."""

from collections.abc import Callable
from pathlib import Path
from statistics import fmean

from ssdcore.core.files import write_json
from ssdcore.training.reports import StepReport

WARM_UP = 3
"""Steps skipped at the start: the first compiles, and the loader fills its buffers."""
PARTS: dict[str, Callable[[StepReport], float]] = {
    "data": lambda report: report.waiting_s,
    "compute": lambda report: report.computing_s,
    "bookkeeping": lambda report: report.between_s,
}
"""Wait for images; losses, gradients and update; history, tracking, snapshots and log."""
REMEDIES = {
    "data": "more runtime.workers, smaller images or a faster disk",
    "compute": "a narrower network or an accelerator",
    "bookkeeping": "a larger train.save_minutes",
}


class Profile:
    """Collects the first steps after a warm-up.

    Args:
        steps: how many; 0 collects none.
    """

    def __init__(self, steps: int) -> None:
        self._wanted = steps
        self._to_skip = WARM_UP
        self._reports: list[StepReport] = []

    def add(self, report: StepReport) -> bool:
        """Adds a step; returns True once, when all steps are collected."""
        if len(self._reports) >= self._wanted:
            return False
        if self._to_skip:
            self._to_skip -= 1
            return False
        self._reports.append(report)
        return len(self._reports) == self._wanted

    def write(self, path: Path) -> str:
        """Writes the seconds of every step and each part's mean; returns a line for the log."""
        seconds = {name: [part(r) for r in self._reports] for name, part in PARTS.items()}
        means = {name: fmean(values) for name, values in seconds.items()}
        whole = sum(means.values())
        longest = max(means, key=means.__getitem__)
        write_json(
            path, {"steps": len(self._reports), "mean_s": means, "share": {
                name: mean / whole for name, mean in means.items()
            }, "bottleneck": longest, "seconds": seconds},
        )  # fmt: skip
        shares = ", ".join(
            f"{name} {mean * 1000:.0f} ms ({mean / whole:.0%})" for name, mean in means.items()
        )
        return (
            f"profile of {len(self._reports)} steps: {shares}. The bottleneck is {longest}: try "
            f"{REMEDIES[longest]}. All steps: {path}"
        )
