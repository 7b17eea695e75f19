"""Resolves `--model` to a detector: a file, a revision of the repository, a model in MLflow."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ssdcore.core.errors import InputError, RunError
from ssdcore.core.messages import say
from ssdcore.core.processes import run_python
from ssdcore.dvc.lock import recorded_outs
from ssdcore.dvc.repository import WORKSPACE, open_revisions
from ssdcore.inference.photo_detector import PhotoDetector

if TYPE_CHECKING:
    from ssdcore.params.types import Device

OPTION = "--model"
MLFLOW = ("models:/", "runs:/")
KINDS = (
    "a checkpoint, an exported .onnx file, REVISION:model/best.ckpt, models:/NAME@ALIAS or "
    "runs:/RUN/model/best.ckpt"
)


@contextmanager
def model_file(model: str) -> Iterator[Path]:
    """Yields the model's file; one that had to be fetched is deleted after the block.

    An existing path takes precedence. If a model of the pipeline is missing, as while an experiment
    trains, the one that dvc.lock records comes from DVC's cache. REVISION:PATH is a file of any
    state of the repository, its path from the project's root; git allows no colon in a revision's
    name. models:/ and runs:/ are MLflow's.

    Raises:
        InputError: there is no such file, revision, model or run.
    """
    if Path(model).is_file():
        yield Path(model)
        return
    with TemporaryDirectory(prefix="ssd-model-") as folder:
        if model.startswith(MLFLOW):
            yield _fetch_from_mlflow(model, Path(folder))
        elif ":" in model:
            yield _fetch_from_revision(model, Path(folder))
        else:
            yield _fetch_recorded(model, Path(folder))


def load_detector(
    file: Path, batch_size: int, workers: int, device: "Device", *, device_is_required: bool
) -> PhotoDetector:
    """Loads a checkpoint, or by the suffix .onnx an exported network without importing MindSpore.

    ONNX Runtime uses the CPU. That is an error if the user chose another device.

    Raises:
        InputError: no usable model file, or it can't be used on the device.
    """
    if file.suffix.lower() == ".onnx":
        if device_is_required and device not in ("auto", "CPU"):
            raise InputError("--device", device, "CPU: exported networks run on it alone")
        from ssdcore.export.runtime import load_exported

        return load_exported(file, batch_size, workers)
    from ssdcore.inference.detector import load_photo_detector
    from ssdcore.models.device import configure

    configure(device)
    return load_photo_detector(file, batch_size, workers)


def _fetch_recorded(model: str, folder: Path) -> Path:
    try:
        if any(Path(model).is_relative_to(out) for out in recorded_outs()):
            file = _fetch_from_revision(f"{WORKSPACE}:{model}", folder)
            say(f"{model} is missing, as while a training replaces it; using the last one")
            return file
    except (InputError, RunError):  # not in the cache, or no repository
        pass
    found = f"{model} ({'a folder' if Path(model).is_dir() else 'no such file'})"
    raise InputError(OPTION, found, KINDS, "Train one with dvc repro, or fetch it: dvc pull")


def _fetch_from_revision(model: str, folder: Path) -> Path:
    name, _, path = model.partition(":")
    with open_revisions([name], OPTION) as (revision,):
        content = revision.read(Path(path))
    if content is None:
        remedy = "`dvc list . -R --rev` lists its files"
        raise InputError(OPTION, model, f"a file that {name} has", remedy)
    file = folder / Path(path).name
    file.write_bytes(content)
    return file


def _fetch_from_mlflow(model: str, folder: Path) -> Path:
    """Fetches in another process, for the reason in `ssdcore.serving.fetch`."""
    if not find_spec("mlflow"):
        raise ModuleNotFoundError(name="mlflow")
    done = run_python("-m", "ssdcore.serving.fetch", model, str(folder))
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise InputError(model, reason, "a model in MLflow's store", "`mlflow ui` lists them")
    return Path(done.stdout.splitlines()[-1])
