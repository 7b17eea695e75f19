"""Samples the load of the machine that runs a stage, for MLflow's page System metrics."""

import time
from contextlib import suppress
from pathlib import Path

from ssdcore.tracking import spool
from ssdcore.tracking.client import quiet  # which sets MLflow's variables

with quiet():
    from mlflow import environment_variables as variables
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor


class MachineLoad:
    """Adds the load to a spool, in the process that uploads it; MLflow's own variables apply."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._sampled_s = folder, time.monotonic()
        self._interval_s = variables.MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL.get() or 10.0
        self._monitors = []
        if variables.MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING.get():
            self._monitors += [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
            with suppress(Exception):  # without an NVIDIA driver or nvidia-ml-py
                self._monitors.append(GPUMonitor())

    def sample(self) -> None:
        """Adds a sample if the last one is old enough; one that can't be taken is left out."""
        if not self._monitors or time.monotonic() - self._sampled_s < self._interval_s:
            return
        self._sampled_s = time.monotonic()
        values: dict[str, float] = {}
        with suppress(Exception):  # of a driver, or a full disk
            for monitor in self._monitors:
                monitor.collect_metrics()
                values |= {f"system/{k}": v for k, v in monitor.aggregate_metrics().items()}
                monitor.clear_metrics()
            time_ms = time.time_ns() // 1_000_000  # steps of a run's stages follow each other
            event = {"event": "Metrics", "time_ms": time_ms, "step": time_ms // 1000}
            spool.add(self._folder, spool.MACHINE, {**event, "values": values})
