"""One MLflow run for train, evaluate and report; MLflow itself loads only when a run is opened."""

from ssdcore.tracking.run import Run, tracked

__all__ = ["Run", "tracked"]
