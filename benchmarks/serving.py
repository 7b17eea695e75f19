"""The served model in a fresh environment of its own requirements: size, start, answers, speed.

Needs the demo's model and its export (`dvc repro export`), and packages from pip's index. About
five minutes on two cores, most of them pip's.
"""

import base64
import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import requests

from benchmarks import harness
from benchmarks.faulty_proxy import HOST, answering
from ssdcore.core import layout

REQUESTS, QUICK_REQUESTS = 200, 16
CLIENTS = (1, 8)
TIMEOUT_S = 120.0
Record = dict[str, Any]
HEADER = b"IHDR" + struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
GIANT = (
    b"\x89PNG\r\n\x1a\n\0\0\0\r" + HEADER + struct.pack(">I", zlib.crc32(HEADER)) + b"\0\0\0\0IDAT"
)
HOSTILE: dict[str, Any] = {
    "no Base64": "no Base64!",
    "no image": base64.b64encode(b"<html>").decode(),
    "40,000 × 40,000 pixels": base64.b64encode(GIANT).decode(),
    "30 MB of zeros": base64.b64encode(bytes(30_000_000)).decode(),
    "lists, 500 deep": json.loads("[" * 500 + "]" * 500),
    "a number": 5,
    "null": None,
}
"""Images that are none; each gets a `fault`."""


def measure(*, quick: bool) -> dict[str, Any]:
    """Returns the size of the environment, seconds, differences and requests per second."""
    photos = sorted((harness.ROOT / layout.images("val")).iterdir())[: 5 if quick else 100]
    with tempfile.TemporaryDirectory(prefix="serving-") as temporary:
        folder = Path(temporary)
        subprocess.run([sys.executable, "-c", SAVE, folder / "model"], check=True)
        python = Path(sys.executable)
        if not quick:
            requirements = "-r", str(folder / "model/requirements.txt")
            python = harness.python_with(folder / "venv", *requirements)
        found: dict[str, Any] = {} if quick else contents(python)
        began = monotonic()
        with served(folder / "model", python) as address:
            found["seconds_to_start"] = monotonic() - began
            answers = [ask(address, [in_base64(photo)])[0] for photo in photos]
            count = QUICK_REQUESTS if quick else REQUESTS
            rates = {n: requests_per_second(address, photos[0], n, count) for n in CLIENTS}
            with ThreadPoolExecutor(1) as other:
                beside = other.submit(requests_per_second, address, photos[0], 1, count // 2)
                faults = {
                    name: ask(address, [image])[0]["fault"] for name, image in HOSTILE.items()
                }
                found["requests_per_second_beside_hostile"] = beside.result()
    return {**found, **differences(answers, photos), "rates": rates, "faults": faults}


SAVE = f"""
import sys; from pathlib import Path; from ssdcore.serving.package import save
save(Path(sys.argv[1]), Path({str(layout.DETECTOR)!r}), 0.01, {{}})
"""
"""Another process, because MLflow and MindSpore cannot share one."""


def contents(python: Path) -> dict[str, Any]:
    """Returns the size of an environment, and whether MindSpore is in it."""
    files = [path for path in python.parents[1].rglob("*") if path.is_file()]
    size = sum(path.stat().st_blocks * 512 for path in files if not path.is_symlink())
    return {"megabytes": size / 1e6, "mindspore": any("mindspore" in path.parts for path in files)}


@contextmanager
def served(model: Path, python: Path) -> Iterator[str]:
    """Runs `mlflow models serve`; yields its address when it answers."""
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    line = [str(python), "-m", "mlflow", "models", "serve", "-m", str(model)]
    line += ["--env-manager", "local"]
    with answering(line, model.parent, os.environ | {"PATH": path}, "/ping") as port:
        yield f"http://{HOST}:{port}"


def in_base64(photo: Path) -> str:
    """Returns a file as a request holds it."""
    return base64.b64encode(photo.read_bytes()).decode()


def ask(address: str, images: list[Any]) -> list[Record]:
    """Returns the server's records."""
    body = {"dataframe_records": [{"image": image} for image in images]}
    answer = requests.post(f"{address}/invocations", json=body, timeout=TIMEOUT_S)
    if not answer.ok:
        raise SystemExit(f"status {answer.status_code}: {answer.text}")
    records: list[Record] = answer.json()["predictions"]
    return records


def requests_per_second(address: str, photo: Path, clients: int, count: int) -> float:
    """Returns the rate of requests with one photo each from so many clients at once."""
    image = in_base64(photo)
    with ThreadPoolExecutor(clients) as pool:
        began = monotonic()
        list(pool.map(lambda _: ask(address, [image]), range(count)))
        return count / (monotonic() - began)


def differences(answers: list[Record], photos: list[Path]) -> dict[str, Any]:
    """Returns the largest differences from what `predict` finds with the checkpoint."""
    from ssdcore.inference.decode import Thresholds
    from ssdcore.inference.detector import load_photo_detector
    from ssdcore.models.device import configure

    configure("CPU")
    detector = load_photo_detector(harness.ROOT / layout.BEST_CHECKPOINT, batch_size=8)
    found = {"images": len(photos), "boxes": 0, "pixels": 0.0, "score": 0.0, "others": 0}
    for ours, result in zip(answers, detector.detect(photos, Thresholds()), strict=True):
        theirs = result.record(detector.classes)
        found["boxes"] += len(theirs["scores"])
        if ours["category_ids"] != theirs["category_ids"]:
            found["others"] += 1
            continue
        for name, key in (("pixels", "boxes_xywh_px"), ("score", "scores")):
            difference = np.abs(np.subtract(ours[key], theirs[key])).max(initial=0)
            found[name] = max(found[name], float(difference))
    return found


def as_table(content: harness.Content) -> str:
    """Returns the figures, and what a hostile image is answered."""
    rows = [
        ("environment, MB", f"{content.get('megabytes', 0):.0f}"),
        ("MindSpore in it", content.get("mindspore", "")),
        ("start, s", f"{content['seconds_to_start']:.1f}"),
        (f"boxes of {content['images']} images", content["boxes"]),
        ("images whose classes or order differ from the checkpoint's", content["others"]),
        ("largest difference of a box, pixels", f"{content['pixels']:.4f}"),
        ("largest difference of a score", f"{content['score']:.6f}"),
        *((f"requests per second, {n} at once", f"{r:.1f}") for n, r in content["rates"].items()),
        (
            "requests per second of one client beside the following",
            f"{content['requests_per_second_beside_hostile']:.1f}",
        ),
    ]
    faults = harness.table(["`image`", "`fault`"], list(content["faults"].items()))
    return harness.table(["figure", ""], rows) + "\n\n" + faults


if __name__ == "__main__":
    harness.run("serving", __doc__, measure, as_table, "mlflow", "onnxruntime")
