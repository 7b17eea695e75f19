"""Runs all checks, those first that others depend on."""

from collections.abc import Iterator
from pathlib import Path

from ssdcore.core import layout
from ssdcore.doctor.finding import Finding
from ssdcore.doctor.libraries import check_import
from ssdcore.doctor.machine import check_disk, check_packages, check_python
from ssdcore.doctor.model import check_model
from ssdcore.doctor.pipeline import check_data, check_dvc, check_mlflow, check_params
from ssdcore.params.reader import read_params


def run_checks(params: Path) -> Iterator[Finding]:
    """Yields the finding of each check as soon as it is known.

    Args:
        params: the parameter file.
    """
    yield check_python()
    yield check_packages(layout.REQUIREMENTS)
    yield check_import("OpenCV", "cv2")
    yield check_disk(Path.cwd())
    parameters = check_params(params)
    yield parameters
    device = "auto" if parameters.is_fault else read_params(params).runtime.device
    yield from check_model(device)
    yield check_data()
    yield check_dvc()
    yield check_mlflow()
