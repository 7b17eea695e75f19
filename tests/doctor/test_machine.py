import re
from importlib.metadata import version
from pathlib import Path

import pytest

from ssdcore.doctor.machine import (
    PYTHONS,
    check_disk,
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
    ("python", "fault"),
    [((3, 9), True), ((3, 10), False), ((3, 12), False), ((3, 13), True), ((4, 0), True)],
)
def test_supported_pythons(python, fault):
    finding = check_python(python)
    assert finding.is_fault == fault
    assert bool(finding.remedy) == fault


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
    assert finding.is_fault
    assert f"numpy {numpy} instead of 0.1, no-such-package missing instead of 2" in finding.text
    assert finding.text.endswith("and 6 more")
    assert finding.remedy == "Run make env"
    assert check_packages(tmp_path / "none").is_fault


def test_too_little_free_space_is_a_fault(tmp_path):
    assert check_disk(tmp_path, min_free_bytes=1).grade == "ok"
    assert check_disk(tmp_path, min_free_bytes=1 << 60).is_fault
