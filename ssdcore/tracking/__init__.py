"""One MLflow run for train, evaluate and report, told to a spool on disk and sent from there."""

from ssdcore.tracking.run import Run, tracked

__all__ = ["Run", "tracked"]
