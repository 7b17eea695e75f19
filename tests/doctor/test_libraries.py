import os
import subprocess
import sys
from pathlib import Path

import pytest

from ssdcore.doctor.libraries import check_import

ROOT = Path(__file__).parents[2]


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of fake modules that take precedence over the real ones."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name in ("cv2", "mindspore"):
        (tmp_path / f"{name}.py").write_text("__version__ = '1.2'\n")
    return tmp_path


def fail(module: Path, library: str) -> None:
    reason = f"{library}: cannot open shared object file: No such file or directory"
    module.write_text(f"raise ImportError({reason!r})\n")


def test_the_installed_opencv_loads():
    assert check_import("OpenCV", "cv2").grade == "ok"


@pytest.mark.parametrize(
    ("library", "remedy"),
    [
        ("libGL.so.1", "opencv-python-headless does not need libGL"),
        ("libgomp.so.1", "sudo apt install libgomp1"),
        ("libstdc++.so.6", "sudo apt install libstdc++6"),
        ("libodd-2.so.0", "apt-file search libodd-2.so.0"),
    ],
)
def test_a_missing_library_and_its_package_are_named(modules, library, remedy):
    fail(modules / "cv2.py", library)
    finding = check_import("OpenCV", "cv2")
    assert finding.is_fault
    assert finding.text == f"the system lacks the shared library {library}"
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("raise ImportError('numpy is too new')", "ImportError: numpy is too new"),
        ("import os; os.kill(os.getpid(), 4)", "exit status -4, no message"),
    ],
)
def test_another_failure_is_quoted(modules, source, text):
    (modules / "mindspore.py").write_text(source)
    finding = check_import("MindSpore", "mindspore")
    assert finding == ("fault", "MindSpore", f"cannot be imported: {text}", "Run make env")


@pytest.mark.parametrize(("module", "status"), [(None, 0), ("mindspore", 2)])
def test_make_env_fails_with_the_finding(modules, module, status):
    if module:
        fail(modules / f"{module}.py", "libgomp.so.1")
    done = subprocess.run(
        [sys.executable, "-m", "ssdcore.doctor.libraries"],
        cwd=ROOT, env=os.environ, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == status
    assert ("libgomp1" in done.stderr) == bool(module)
