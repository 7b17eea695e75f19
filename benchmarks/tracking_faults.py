"""Measures what a failing MLflow costs a simulated training: a server, a disk or a database fails.

Each training is a process whose steps sleep and compute; a training without tracking runs first and
last, so a change of the machine's load shows. Afterwards the fault is repaired, the rest is sent as
by `doctor sync`, and every point is looked up in the store. The growth of the time should be below
5%, and nothing be lost or doubled. To fill a disk takes the right to mount one; else that row is
missing. Ten minutes; two with --quick.
"""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import harness
from benchmarks.faulty_proxy import FaultyProxy, mlflow_server

SECONDS, QUICK_SECONDS = 60.0, 6.0
"""Length of each training."""
STEP_S = 0.1
STEPS_AN_EPOCH = 50
METRICS = ("loss", "loss_box", "loss_class", "lr")
ARTIFACT_BYTES = 2 << 20
DISK_BYTES = 16 << 20
ANSWER_S = 5.0


class Bench(NamedTuple):
    """What the faults are made with.

    Attributes:
        folder: holds the repositories.
        proxy: the proxy in front of the server.
        artifacts: the server's folder for artifacts.
        is_disk: whether that folder is a disk of `DISK_BYTES`.
        seconds: how long a training takes.
    """

    folder: Path
    proxy: FaultyProxy
    artifacts: Path
    is_disk: bool
    seconds: float

    @property
    def steps(self) -> int:
        """The steps of a training."""
        return round(self.seconds / STEP_S)

    def repository(self, fault: str) -> Path:
        """Returns the repository whose training has the fault."""
        repository = self.folder / fault.replace(" ", "-")
        (repository / ".dvc").mkdir(parents=True, exist_ok=True)
        return repository


def print_training() -> None:
    """Simulates the training that the command line names; prints its figures as JSON."""
    experiment, steps = sys.argv[1:]
    print(json.dumps(train(experiment, int(steps), enabled=experiment != "off")))


def train(experiment: str, steps: int, *, enabled: bool) -> dict[str, float]:
    """Simulates a training; returns its seconds, and those inside tracking and its log calls."""
    from ssdcore.tracking import tracked

    factors = np.random.default_rng(0).normal(size=(2, 200, 200))
    began = time.perf_counter()
    logging_s = 0.0
    with tracked("train", params={"seed": 1}, experiment=experiment, enabled=enabled) as run:
        opening_s = time.perf_counter() - began
        for step in range(steps):
            time.sleep(STEP_S * 0.9)
            for _ in range(10):
                factors[0] @ factors[1]
            before = time.perf_counter()
            run.log_metrics({name: step + i / 8 for i, name in enumerate(METRICS)}, step)
            logging_s += time.perf_counter() - before
            if (step + 1) % STEPS_AN_EPOCH == 0:
                Path("best.ckpt").write_bytes(os.urandom(ARTIFACT_BYTES))
                before = time.perf_counter()
                run.log_artifact(Path("best.ckpt"), "model")
                logging_s += time.perf_counter() - before
        before = time.perf_counter()
    ended = time.perf_counter()
    tracking_s = opening_s + logging_s + ended - before
    return {"seconds": ended - began, "tracking_s": tracking_s, "logging_s": logging_s}


def measure(*, quick: bool) -> dict[str, Any]:
    """Returns a row for each fault that this machine allows, after one without tracking."""
    seconds = QUICK_SECONDS if quick else SECONDS
    with bench(seconds) as tools:
        baseline = [run_training(tools, "off", tools.folder)["seconds"]]
        rows = [
            send_and_count(tools, name, train_under(tools, name))
            for name in FAULTS
            if is_possible(tools, name)
        ]
        baseline.append(run_training(tools, "off", tools.folder)["seconds"])
    alone_s = sum(baseline) / len(baseline)
    without = {"fault": "tracking off", "seconds": alone_s, "both": baseline}
    grown = [{**row, "growth": row["seconds"] / alone_s - 1} for row in rows]
    return {"seconds": seconds, "faults": [without, *grown]}


def as_table(content: harness.Content) -> str:
    """Returns a row for each fault."""
    without, *faults = content["faults"]
    rows = [[f"({without['fault']})", f"{without['seconds']:.1f}", *[""] * 5]]
    for row in faults:
        counts = [row[key] for key in ("points", "lost", "doubled")]
        growth, tracking = f"{row['growth']:+.1%}", f"{row['tracking_s']:.2f} s"
        rows.append([row["fault"], f"{row['seconds']:.1f}", growth, tracking, *counts])
    header = ["fault", "seconds", "growth", "in tracking", "points", "lost", "doubled"]
    return harness.table(header, rows)


@contextmanager
def bench(seconds: float) -> Iterator[Bench]:
    """Starts the server and its proxy."""
    with tempfile.TemporaryDirectory(prefix="faults-") as temporary:
        folder = Path(temporary)
        artifacts = folder / "artifacts"
        artifacts.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(artifacts)]
        try:
            is_disk = not subprocess.run(mount, capture_output=True).returncode
        except OSError:  # no such command
            is_disk = False
        try:
            with mlflow_server(folder, artifacts) as port:
                proxy = FaultyProxy(port)
                yield Bench(folder, proxy, artifacts, is_disk, seconds)
                proxy.refuse()
        finally:
            if is_disk:
                # the killed server's processes may not have ended yet
                subprocess.run(["umount", "--lazy", str(artifacts)], check=True)


def is_possible(tools: Bench, name: str) -> bool:
    """Returns whether this machine allows the fault."""
    return tools.is_disk or FAULTS[name] is not full


class Trained(NamedTuple):
    """What a training under a fault left."""

    figures: dict[str, float]
    uri: str  # of the store; empty for the repository's own


def train_under(tools: Bench, name: str) -> Trained:
    """Trains under a fault, then repairs it."""
    repository = tools.repository(name)
    with FAULTS[name](tools, repository) as uri:
        return Trained(run_training(tools, name, repository, uri), uri)


def send_and_count(tools: Bench, name: str, trained: Trained) -> dict[str, Any]:
    """Sends what a training left, and counts."""
    from ssdcore.tracking.sender import upload

    repository = tools.repository(name)
    list(upload(repository))
    store = trained.uri or f"sqlite:///{repository}/mlflow.db"
    return {"fault": name, **trained.figures, **count(store, name, tools.steps)}


def run_training(
    tools: Bench, experiment: str, repository: Path, uri: str = ""
) -> dict[str, float]:
    """Returns the figures of `train`, which runs in a process of its own."""
    script = "from benchmarks.tracking_faults import print_training; print_training()"
    done = subprocess.run(
        [sys.executable, "-c", script, experiment, str(tools.steps)],
        cwd=repository, env=environment(uri), stdout=subprocess.PIPE, check=True, text=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def environment(uri: str) -> dict[str, str]:
    return harness.environment() | ({"MLFLOW_TRACKING_URI": uri} if uri else {})


def count(uri: str, experiment: str, steps: int) -> dict[str, int]:
    """Returns how many points are in the store, and how many are missing or doubled."""
    from mlflow.tracking.client import MlflowClient

    client = MlflowClient(uri)
    experiment_id = client.get_experiment_by_name(experiment).experiment_id
    runs = [run.info.run_id for run in client.search_runs([experiment_id])]
    stored = Counter(
        (metric.key, metric.step, metric.value)
        for run_id in runs
        for name in METRICS
        for metric in client.get_metric_history(run_id, name)
    )
    logged = {(name, n, n + i / 8) for i, name in enumerate(METRICS) for n in range(steps)}
    checkpoints = sum(len(client.list_artifacts(run_id, "model")) for run_id in runs)
    due = int(steps >= STEPS_AN_EPOCH)
    return {
        "points": stored.total(),
        "lost": len(logged - set(stored)) + (checkpoints < due),
        "doubled": stored.total() - len(stored) + len(runs) - 1,
    }


@contextmanager
def healthy(tools: Bench, _: Path) -> Iterator[str]:
    yield tools.proxy.address


@contextmanager
def dead(tools: Bench, _: Path) -> Iterator[str]:
    tools.proxy.refuse()
    yield tools.proxy.address
    tools.proxy.serve()


@contextmanager
def dying(tools: Bench, _: Path) -> Iterator[str]:
    death = threading.Timer(tools.seconds / 2, tools.proxy.refuse)
    death.start()
    yield tools.proxy.address
    death.join()
    tools.proxy.serve()


@contextmanager
def slow(tools: Bench, _: Path) -> Iterator[str]:
    tools.proxy.delay_s = ANSWER_S
    yield tools.proxy.address
    tools.proxy.delay_s = 0.0


@contextmanager
def locked(_: Bench, repository: Path) -> Iterator[str]:
    """The repository's default database exists, and is locked from the start."""
    from mlflow.tracking.client import MlflowClient

    from ssdcore.tracking.client import quiet

    with quiet():
        MlflowClient(f"sqlite:///{repository}/mlflow.db").search_experiments()
    database = sqlite3.connect(repository / "mlflow.db", isolation_level=None)
    with contextlib.closing(database):
        database.execute("BEGIN EXCLUSIVE")
        yield ""


@contextmanager
def full(tools: Bench, _: Path) -> Iterator[str]:
    filler = tools.artifacts / "filler"
    free = os.statvfs(tools.artifacts)
    filler.write_bytes(bytes(free.f_bavail * free.f_bsize - ARTIFACT_BYTES // 2))
    yield tools.proxy.address
    filler.unlink()


FAULTS: dict[str, Callable[[Bench, Path], contextlib.AbstractContextManager[str]]] = {
    "none": healthy,
    "dead from the start": dead,
    "dying midway": dying,
    f"{ANSWER_S:g} s an answer": slow,
    "sqlite locked": locked,
    "artifact disk full": full,
}

if __name__ == "__main__":
    harness.run("tracking_faults", __doc__, measure, as_table, "mlflow")
