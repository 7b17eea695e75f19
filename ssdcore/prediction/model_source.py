"""The word by which a person names a detector: a file, a revision of DVC's, a model in MLflow."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ssdcore.core.errors import InputError
from ssdcore.dvc.revisions import open_revisions
from ssdcore.inference.photo_detector import PhotoDetector

if TYPE_CHECKING:
    from ssdcore.params.types import Device

OPTION = "--model"
EXPORTED = ".onnx"
MLFLOW = ("models:/", "runs:/")
KINDS = (
    "a checkpoint, an exported .onnx file, REVISION:model/best.ckpt, models:/NAME@ALIAS or "
    "runs:/RUN/model/best.ckpt"
)
PROJECT = Path(__file__).parents[2]


@contextmanager
def model_file(word: str) -> Iterator[Path]:
    """Yields the file that a word names; one that had to be fetched is gone after the block.

    A path goes first. REVISION:PATH is a file of any state of the repository, written as git
    does; git allows no colon in a revision's name. The rest is MLflow's.

    Raises:
        InputError: there is no such file, revision, model or run.
    """
    if Path(word).is_file():
        yield Path(word)
        return
    with TemporaryDirectory(prefix="ssd-model-") as folder:
        if word.startswith(MLFLOW):
            yield _from_mlflow(word, Path(folder))
        elif ":" in word:
            yield _from_revision(word, Path(folder))
        else:
            raise InputError(OPTION, word, KINDS, "Train one with dvc repro, or fetch it: dvc pull")


def load_detector(
    file: Path, batch_size: int, workers: int, device: "Device", *, device_is_asked: bool
) -> PhotoDetector:
    """Loads a checkpoint, or an exported network without importing MindSpore.

    Args:
        file: an ONNX file by its suffix, else a checkpoint.
        batch_size: images that are computed together.
        workers: threads that decode.
        device: for a checkpoint; ONNX Runtime computes on the CPU.
        device_is_asked: whether a person chose it for this call, and is told where it is not kept.

    Raises:
        InputError: it is neither, is damaged, or can't be computed on the device.
    """
    if file.suffix.lower() == EXPORTED:
        if device_is_asked and device not in ("auto", "CPU"):
            raise InputError("--device", device, "CPU: that is where exported networks run here")
        from ssdcore.export.runtime import OnnxNetwork

        exported = OnnxNetwork(file, batch_size)
        metadata = exported.metadata.network
        return PhotoDetector(exported, metadata.default_boxes, metadata.classes, workers)
    from ssdcore.inference.load import load_photo_detector
    from ssdcore.models.device import configure

    configure(device)
    return load_photo_detector(file, batch_size, workers)


def _from_revision(word: str, folder: Path) -> Path:
    name, _, path = word.partition(":")
    with open_revisions([name], OPTION) as (revision,):
        content = revision.read(Path(path))
    if content is None:
        raise InputError(
            OPTION, word, f"a file that {name} has", "`dvc list . -R --rev` lists them"
        )
    file = folder / PurePosixPath(path).name
    file.write_bytes(content)
    return file


def _from_mlflow(word: str, folder: Path) -> Path:
    """Fetches in a process of its own: see `ssdcore.serving.worker`."""
    paths = filter(None, (str(PROJECT), os.environ.get("PYTHONPATH")))
    done = subprocess.run(
        [sys.executable, "-m", "ssdcore.serving.fetch", word, str(folder)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise InputError(word, reason, "a model in MLflow's store", "`mlflow ui` lists them")
    return Path(done.stdout.splitlines()[-1])
