"""One MLflow run for train, evaluate, report and export: spooled to disk, uploaded from there."""

from ssdcore.tracking.run import Run, tracked

__all__ = ["Run", "tracked"]
