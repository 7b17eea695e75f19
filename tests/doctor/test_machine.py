import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from ssdcore.doctor.machine import (
    PYTHONS,
    check_disk,
    check_git,
    check_import,
    check_packages,
    check_python,
    pins,
)

ROOT = Path(__file__).parents[2]


def test_the_versions_are_those_of_pyproject():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    first, beyond = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', text).groups()
    assert ((3, int(first)), (3, int(beyond))) == PYTHONS


@pytest.mark.parametrize(
    ("python", "error"),
    [((3, 9), True), ((3, 10), False), ((3, 12), False), ((3, 13), True), ((4, 0), True)],
)
def test_supported_pythons(python, error):
    finding = check_python(python)
    assert finding.is_error == error
    assert bool(finding.remedy) == error


LOCK = """# written by hand
numpy==1.26.4 \\
    --hash=sha256:00
    # via x
pywin32==300 ; sys_platform == 'win32' \\
    --hash=sha256:00
annotated-doc==0.0.6 ; python_full_version < '3.0' \\
    --hash=sha256:00
annotated-doc==0.0.7 ; python_full_version >= '3.0' \\
    --hash=sha256:00
"""


def test_pins_are_those_of_this_machine():
    assert pins(LOCK) == {"numpy": "1.26.4", "annotated-doc": "0.0.7"}


def test_wrong_and_missing_packages_are_named(tmp_path):
    lock = tmp_path / "requirements.lock"
    numpy = version("numpy")
    lock.write_text(f"numpy=={numpy} \\\n    --hash=x\n")
    assert check_packages(lock).grade == "ok"
    lock.write_text("numpy==0.1\nno-such-package==2\n" + "".join(f"no{n}==1\n" for n in range(9)))
    finding = check_packages(lock)
    assert finding.is_error
    assert f"numpy {numpy} instead of 0.1, no-such-package missing instead of 2" in finding.text
    assert finding.text.endswith("and 6 more")
    assert finding.remedy == "Run make env"
    assert check_packages(tmp_path / "none").is_error


def test_too_little_free_space_is_an_error(tmp_path):
    assert check_disk(tmp_path, min_free_bytes=1).grade == "ok"
    full = check_disk(tmp_path, min_free_bytes=1 << 60)
    assert full.is_error
    assert "dvc gc --all-commits" in str(full)  # --workspace deletes what other commits have


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
        ("libgomp.so.1", "apt-file search libgomp.so.1"),
    ],
)
def test_a_missing_library_is_named_with_a_remedy(modules, library, remedy):
    fail(modules / "cv2.py", library)
    finding = check_import("OpenCV", "cv2")
    assert finding.is_error
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
    assert finding == ("error", "MindSpore", f"cannot be imported: {text}", "Run make env")


@pytest.mark.parametrize(("module", "status"), [(None, 0), ("mindspore", 2)])
def test_make_env_fails_with_the_finding(modules, module, status):
    if module:
        fail(modules / f"{module}.py", "libgomp.so.1")
    done = subprocess.run(
        [sys.executable, "-m", "ssdcore.doctor.machine"],
        cwd=ROOT, env=os.environ, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == status
    assert ("libgomp.so.1" in done.stderr) == bool(module)


def test_git_needs_a_name_for_experiments(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("XDG_CONFIG_HOME", "EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    finding = check_git(tmp_path)
    assert finding.grade == "to do"
    commands = re.findall("`(.+?)`", finding.remedy)
    for command in commands:
        subprocess.run(shlex.split(command), cwd=tmp_path, check=True)
    assert check_git(tmp_path).grade == "ok"
    assert check_git(tmp_path).text == "Your Name <you@example.com>"
    monkeypatch.setenv("PATH", "")
    assert check_git(tmp_path).is_error
