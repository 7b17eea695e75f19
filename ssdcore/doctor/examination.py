"""Everything that is looked at, in the order in which one thing needs another."""

from collections.abc import Iterator
from pathlib import Path

from ssdcore.core import layout
from ssdcore.doctor.finding import Finding
from ssdcore.doctor.machine import check_disk, check_opencv, check_packages, check_python
from ssdcore.doctor.network import check_network
from ssdcore.doctor.pipeline import check_data, check_dvc, check_mlflow, check_params
from ssdcore.params.reader import read_params


def examine(params: Path) -> Iterator[Finding]:
    """Yields a finding on each matter, as soon as it is known.

    Args:
        params: the parameter file.
    """
    yield check_python()
    yield check_packages(layout.REQUIREMENTS)
    yield check_opencv()
    yield check_disk(Path.cwd())
    parameters = check_params(params)
    yield parameters
    device = "auto" if parameters.is_fault else read_params(params).runtime.device
    yield from check_network(device)
    yield check_data()
    yield check_dvc(Path.cwd())
    yield check_mlflow()
