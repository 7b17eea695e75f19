"""MLflow takes 4 s to import; only a run that is really opened may pay them."""

import subprocess
import sys
from pathlib import Path

import pytest

OPEN = "with ssdcore.tracking.tracked('train', params={{}}, experiment='x', enabled={}): pass"


@pytest.mark.parametrize(
    ("use", "loads"),
    [("pass", False), (OPEN.format(False), False), (OPEN.format(True), True)],
    ids=["imported", "disabled", "enabled"],
)
def test_mlflow_loads_only_for_an_open_run(
    use: str, loads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nowhere://")  # refused at once
    project = Path(__file__).parents[2]
    code = f"import ssdcore.tracking, sys\n{use}\nprint('mlflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, check=True, text=True
    )
    assert done.stdout == f"{loads}\n"
    assert done.stderr.count("warning: tracking") == done.stderr.count("\n") == loads
