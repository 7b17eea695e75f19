"""What a training depends on, as one short text: another fingerprint, another training."""

import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ssdcore.core import layout
from ssdcore.core.files import sha256_of_file, sha256_of_json
from ssdcore.params.schema import Params, TrainParams

PROJECT = ("ssdcore", "stages")
WITHOUT_SAY = ("ssdcore.report", "ssdcore.tracking")
"""They show and record a training; no model depends on them."""
LIBRARIES = ("mindspore", "numpy", "opencv-python-headless", "pillow")
"""Those that compute; an update of another one changes no model."""
RUNTIME = ("seed", "amp", "devices", "machines")
"""Of the section runtime; the others have no say in the result, and the device is given."""
LENGTH = 16


def fingerprint_of_training(settings: Params, device: str, weights: Sequence[Path]) -> str:
    """Returns the fingerprint of a training on the data that convert left.

    Args:
        settings: all parameters.
        device: where it computes.
        weights: the files it starts from.
    """
    train = settings.train.model_dump(mode="json", exclude=set(TrainParams.WITHOUT_CONSEQUENCE))
    runtime = settings.runtime.model_dump(mode="json", include=set(RUNTIME))
    model = settings.model.model_dump(mode="json")
    data = sorted(layout.MINDRECORD.iterdir())
    return fingerprint(
        {"model": model, "train": train, "runtime": runtime, "device": device},
        [*data, layout.annotations("val"), *weights],
    )


def fingerprint(params: Mapping[str, Any], files: Iterable[Path]) -> str:
    """Returns a hash of parameters, data and code.

    Args:
        params: those that have a say in the result, as JSON has them.
        files: the data, and the weights to start from.
    """
    content = {
        "params": params,
        "files": [sha256_of_file(file) for file in files],
        "code": code_hashes(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "python": platform.python_version_tuple()[:2],
    }
    return sha256_of_json(content)[:LENGTH]


def code_hashes() -> dict[str, str]:
    """Returns the hash of every file of the project that this process has imported so far."""
    hashes = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        project = name.partition(".")[0] in PROJECT
        if name == "__main__" and (spec := module.__spec__) is not None:
            name, project = spec.name, spec.name.startswith(PROJECT)
        if project and file and not name.startswith(WITHOUT_SAY):
            hashes[name] = sha256_of_file(Path(file))
    return dict(sorted(hashes.items()))
