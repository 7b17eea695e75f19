"""The fingerprint of a training: a hash of everything that its result depends on."""

import platform
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from ssdcore.core import layout
from ssdcore.core.files import sha256_of_file, sha256_of_json
from ssdcore.params.schema import Params, TrainParams

INSTALLED_STAGES = "ssdcore.stages"
"""The name of `stages` in a wheel: `ssd train` resumes what `python -m stages.train` has begun."""
IGNORED_CODE = ("ssdcore.dvc", "ssdcore.report", "ssdcore.tracking", "stages.__main__")
"""Code that shows, records or starts a training; no model depends on it."""
LIBRARIES = ("mindspore", "numpy", "opencv-python-headless", "pillow")
"""The libraries that compute; updates of others change no model."""
RUNTIME = ("seed", "amp", "devices", "machines")
"""Keys of the section runtime that affect the result, besides the device."""
LENGTH = 16


def training_folder(trainings: Path, fingerprint: str, cores: Iterable[int | None]) -> Path:
    """Returns the folder of a training, whose result also depends on the cores of a CPU.

    `cores` are those of each process, None where an accelerator computes.
    """
    numbers = sorted({number for number in cores if number is not None})
    return trainings / "-".join([fingerprint, *map(str, numbers)])


def on_other_cores(folder: Path) -> list[Path]:
    """Returns the folders of the same training on other numbers of cores."""
    same = folder.parent.glob(f"{folder.name.partition('-')[0]}-*/")
    return sorted(path for path in same if path.name != folder.name)


def training_fingerprint(settings: Params, device: str, files: Iterable[Path]) -> str:
    """Returns a hash of parameters, device, code, library versions and files, in a fixed order.

    The files are the data and the weights to start from.
    """
    content = {
        "model": settings.model.model_dump(mode="json"),
        "train": settings.train.model_dump(mode="json", exclude=set(TrainParams.WITHOUT_EFFECT)),
        "runtime": settings.runtime.model_dump(mode="json", include=set(RUNTIME)),
        "device": device,
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
        if name == "__main__" and (spec := module.__spec__) is not None:
            name = spec.name
        name = name.replace(INSTALLED_STAGES, "stages")
        project = name.partition(".")[0] in layout.CODE
        if project and file and not name.startswith(IGNORED_CODE):
            hashes[name] = sha256_of_file(Path(file))
    return dict(sorted(hashes.items()))
