"""Times a stage from outside: Python runs this first where `benchmarks.start_up` lets it.

At the stage's end the seconds of each part go to the file that STAGE_TIMES names, a JSON object a
line. Imports are those of the main thread, wherever they stand.
"""

import atexit
import builtins
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

HEAVY = ("numpy", "cv2", "PIL", "pandas", "plotly", "onnx", "onnxruntime", "mindspore", "mlflow")
IMPORTS, PYTHON = "imports", "Python"


def watch_stage(name: str, began_s: float, path: Path) -> None:
    from benchmarks.stopwatch import Stopwatch, watch_tracking

    python_s = time.time() - began_s
    watch, take = Stopwatch(), builtins.__import__
    main_thread, state = threading.get_ident(), {"inside": False, "tracking": False}

    def timed(*arguments: Any, **options: Any) -> Any:
        if state["inside"] or threading.get_ident() != main_thread:
            return take(*arguments, **options)
        state["inside"] = True
        try:
            with watch.on(IMPORTS):
                module = take(*arguments, **options)
                if not state["tracking"] and "ssdcore.tracking.run" in sys.modules:
                    state["tracking"] = True
                    watch_tracking(watch)
        finally:
            state["inside"] = False
        return module

    def write() -> None:
        seconds = {PYTHON: python_s, **watch.finish()}
        loaded = [module for module in HEAVY if module in sys.modules]
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"stage": name, "seconds": seconds, "loaded": loaded}) + "\n")

    builtins.__import__ = timed
    atexit.register(write)


if "STAGE_TIMES" in os.environ and len(sys.orig_argv) > 2:
    module = sys.orig_argv[2]
    if module.startswith("stages."):
        watch_stage(
            module.partition(".")[2],
            float(os.environ["STAGE_BEGAN"]),
            Path(os.environ["STAGE_TIMES"]),
        )
