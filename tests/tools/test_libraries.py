import sys
from pathlib import Path

import pytest

from tools.libraries import check_imports
from tools.pythons import SetupError

PYTHON = Path(sys.executable)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of fake modules that come before the real ones."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name in ("cv2", "mindspore"):
        (tmp_path / f"{name}.py").touch()
    return tmp_path


def fail(module: Path, message: str) -> None:
    module.write_text(f"raise ImportError({message!r})\n")


@pytest.mark.usefixtures("modules")
def test_nothing_is_said_where_both_load() -> None:
    check_imports(PYTHON)


@pytest.mark.parametrize(
    ("module", "library", "remedy"),
    [
        ("cv2", "libGL.so.1", "sudo apt install libgl1"),
        ("mindspore", "libgomp.so.1", "sudo apt install libgomp1"),
        ("mindspore", "libstdc++.so.6", r"sudo apt install libstdc\+\+6"),
        ("cv2", "libodd-2.so.0", r"apt-file search libodd-2\.so\.0"),
    ],
)
def test_a_missing_library_and_its_package_are_named(
    modules: Path, module: str, library: str, remedy: str
) -> None:
    reason = f"{library}: cannot open shared object file: No such file or directory"
    fail(modules / f"{module}.py", reason)
    with pytest.raises(SetupError, match=remedy) as raised:
        check_imports(PYTHON)
    assert f"lacks the shared library {library}," in str(raised.value)


def test_another_failure_is_quoted(modules: Path) -> None:
    fail(modules / "mindspore.py", "numpy.core.multiarray failed to import")
    with pytest.raises(SetupError, match=r"fails:\n  ImportError: numpy\.core\.multiarray failed"):
        check_imports(PYTHON)


def test_a_crash_is_told_by_its_status(modules: Path) -> None:
    (modules / "mindspore.py").write_text("import os\nos.kill(os.getpid(), 4)\n")
    with pytest.raises(SetupError, match="exit status -4, no message"):
        check_imports(PYTHON)
