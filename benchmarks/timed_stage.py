"""Runs a stage and measures where its time goes, without a line of code in the stage.

`run` starts a process of this module, which replaces functions of the stage by functions
that time them. Time is exclusive: what a timed function spends in another timed function counts
for the other alone, so the parts add up to the whole.
"""

import builtins
import functools
import inspect
import json
import resource
import runpy
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

OTHER, IMPORTS, TRACKING = "other", "imports", "tracking"
STEP, DATA = "computing", "waiting for data"
VALIDATION, CHECKPOINTS = "validation", "checkpoints"
HEAVY = ("numpy", "cv2", "PIL", "pandas", "plotly", "onnx", "onnxruntime", "mindspore", "mlflow")
UNTRACKED = ("download", "convert")
"""Stages without an MLflow run."""
END = object()


class Stopwatch:
    """Divides the time since its creation among named parts; for one thread.

    Attributes:
        seconds: by part; `OTHER` has what belongs to no part.
        before: by part, `seconds` at the moment when the part was first entered.
        calls: by part, the duration of each timed call.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.before: dict[str, dict[str, float]] = {}
        self.calls: dict[str, list[float]] = {}
        self.part = OTHER
        self._since = perf_counter()

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        """Counts the time of a block for `part`."""
        outer = self._switch(part)
        if part not in self.before:
            self.before[part] = dict(self.seconds)
        try:
            yield
        finally:
            self._switch(outer)

    def watch(self, owner: Any, name: str, part: str) -> None:
        """Times the function `owner.name` from now on.

        Of an iterator that it returns, the time until each item counts; of a context manager, the
        time to enter and to leave it.
        """
        function = getattr(owner, name)

        @functools.wraps(function)
        def timed(*arguments: Any, **options: Any) -> Any:
            began = perf_counter()
            with self.on(part):
                result = function(*arguments, **options)
            self.calls.setdefault(part, []).append(perf_counter() - began)
            if isinstance(result, Iterator):
                return self._items(result, part)
            if isinstance(result, AbstractContextManager):
                return self._block(result, part)
            return result

        setattr(owner, name, timed)

    def watch_methods(self, owner: type, part: str) -> None:
        """Times all public methods of a class from now on."""
        for name, _ in inspect.getmembers(owner, inspect.isfunction):
            if not name.startswith("_"):
                self.watch(owner, name, part)

    def watch_imports(self) -> None:
        """Times the import statements of the main thread from now on."""
        take = builtins.__import__

        def timed(*arguments: Any, **options: Any) -> Any:
            is_main = threading.current_thread() is threading.main_thread()
            if self.part == IMPORTS or not is_main:
                return take(*arguments, **options)
            with self.on(IMPORTS):
                return take(*arguments, **options)

        builtins.__import__ = timed

    def _items(self, items: Iterator[Any], part: str) -> Iterator[Any]:
        while True:
            with self.on(part):
                item = next(items, END)
            if item is END:
                return
            yield item

    @contextmanager
    def _block(self, block: AbstractContextManager[Any], part: str) -> Iterator[Any]:
        outer = self.part
        with self.on(part), block as value, self.on(outer):
            yield value

    def _switch(self, part: str) -> str:
        """Counts the time up to now for the present part, starts `part`; returns the former."""
        now, former = perf_counter(), self.part
        self.seconds[former] = self.seconds.get(former, 0.0) + now - self._since
        self._since, self.part = now, part
        return former


def run(folder: Path, stage: str, env: dict[str, str]) -> dict[str, Any]:
    """Runs a stage in `folder` and returns its times in seconds.

    Returns:
        whole: seconds of the process; python: of these, before the stage; parts: seconds by part;
        before_data: seconds by part before the first training image was requested; steps: seconds
        of each training step; children_cpu: processor seconds of its child processes; loaded: the
        heavy libraries that it imported.
    """
    began = time.time()
    line = [sys.executable, "-m", "benchmarks.timed_stage", stage, str(began)]
    done = subprocess.run(line, cwd=folder, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return {**json.loads(done.stdout.splitlines()[-1]), "whole": time.time() - began}


def main() -> None:
    stage, began = sys.argv[1:]
    python_s = time.time() - float(began)
    sys.argv[1:] = []
    watch = Stopwatch()
    watch.watch_imports()
    if stage not in UNTRACKED:
        watch_tracking(watch)
    if stage == "train":
        watch_training(watch)
    try:
        runpy.run_module(f"stages.{stage}", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code:
            raise
    with watch.on(OTHER):  # adds the time up to now
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    notes = {
        "python": python_s,
        "parts": watch.seconds,
        "before_data": watch.before.get(DATA, {}),
        "steps": watch.calls.get(STEP, []),
        "children_cpu": usage.ru_utime + usage.ru_stime,
        "loaded": [module for module in HEAVY if module in sys.modules],
    }
    print(f"\n{json.dumps(notes)}")


def watch_tracking(watch: Stopwatch) -> None:
    """Times what a stage logs, and the beginning and the end of its MLflow run."""
    import ssdcore.tracking

    watch.watch(ssdcore.tracking, "tracked", TRACKING)
    watch.watch_methods(ssdcore.tracking.Run, TRACKING)


def watch_training(watch: Stopwatch) -> None:
    """Times the parts of the train stage."""
    from ssdcore.data.loader import TrainingLoader
    from ssdcore.inference.detector import Detector
    from ssdcore.report.previews import Previews
    from ssdcore.training import validation
    from ssdcore.training.run_files import RunFiles
    from ssdcore.training.state import TrainingState
    from ssdcore.training.step import TrainingStep

    watch.watch(TrainingStep, "__call__", STEP)
    watch.watch(TrainingLoader, "epoch", DATA)
    watch.watch_methods(Detector, VALIDATION)
    watch.watch(validation, "evaluate", VALIDATION)
    for owner in (RunFiles, TrainingState):
        watch.watch_methods(owner, CHECKPOINTS)
    watch.watch_methods(Previews, TRACKING)


if __name__ == "__main__":
    main()
