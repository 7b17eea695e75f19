"""MLflow takes seconds to import; no stage pays them, and none loads it."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
OPEN = "with ssdcore.tracking.tracked('train', params={{}}, experiment='x', enabled={}): pass"


@pytest.mark.parametrize(
    ("use", "lines"),
    [("pass", 0), (OPEN.format(False), 0), (OPEN.format(True), 2)],
    ids=["imported", "disabled", "enabled"],
)
def test_mlflow_loads_in_no_stage(
    use: str, lines: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nowhere://")  # its own process refuses it
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    (tmp_path / ".dvc").mkdir()
    code = f"import ssdcore.tracking, sys\n{use}\nprint('mlflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True, text=True
    )
    assert done.stdout == "False\n"
    assert done.stderr.count("\n") == lines
    assert done.stderr.count("warning: tracking at nowhere://") == bool(lines)
    assert (tmp_path / ".ssd").exists() == bool(lines)
