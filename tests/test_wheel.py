"""The wheel, built offline, and its command `ssd` with the packages it requires and no others."""

import json
import shutil
import subprocess
import zipfile
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.clone import ROOT
from tests.prediction.test_model_source import exported  # noqa: F401
from tests.project import python
from tests.serving.conftest import checkpoint, jpeg  # noqa: F401

SOURCES = ("LICENSE", "README.md", "pyproject.toml", "setup.py", "ssdcore", "stages")
BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
SSD = """
import json, sys
from importlib.metadata import distribution

site, blocked = sys.argv[1], json.loads(sys.argv[2])
sys.argv[:3] = ["ssd"]
sys.path.insert(0, site)
sys.modules.update(dict.fromkeys(blocked))  # their imports fail
(script,) = distribution("ssd-pipeline").entry_points.select(group="console_scripts")
assert script.name == "ssd"
script.load()()
"""
HASHES = """
import json, sys

sys.path.insert(0, sys.argv[1])
import %s
from ssdcore.training.fingerprint import code_hashes
print(json.dumps(code_hashes()))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel installs."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for name in SOURCES:
        path = ROOT / name
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(path, source / name, ignore=ignored) if path.is_dir() else shutil.copy(
            path, source
        )
    done = python(source, "-c", BUILD, site)
    assert done.returncode == 0, done.stderr
    (wheel,) = site.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(site)
    wheel.unlink()
    return site


@pytest.fixture(scope="module")
def blocked(site: Path) -> list[str]:
    """The installed modules that the wheel does not require without its extra."""
    (metadata,) = site.glob("*.dist-info/METADATA")
    lines = [
        line.partition(": ")[2]
        for line in metadata.read_text().splitlines()
        if line.startswith("Requires-Dist: ")
    ]
    required: set[str] = set()
    waiting = [Requirement(line) for line in lines]
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name not in required and (not one.marker or one.marker.evaluate({"extra": ""})):
            required.add(name)
            waiting += map(Requirement, requires(name) or ())
    modules = packages_distributions().items()
    return [
        name
        for name, distributions in modules
        if required.isdisjoint(map(canonicalize_name, distributions)) and name != "ssdcore"
    ]


@pytest.fixture
def ssd(site, blocked, tmp_path):
    def ssd(*words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return python(tmp_path, "-I", "-c", SSD, site, json.dumps(blocked), *words, **more)

    return ssd


def test_it_has_one_package_with_every_file_of_the_library_and_the_stages(site):
    assert {path.suffix or path.name for path in site.iterdir()} == {".dist-info", "ssdcore"}

    def files(folder: Path) -> set[str]:
        paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        return {str(path) for path in paths if "__pycache__" not in path.parts}

    stages = {f"stages/{name}" for name in files(ROOT / "stages")}
    assert files(site / "ssdcore") == files(ROOT / "ssdcore") | stages


def test_the_training_packages_are_extras(blocked):
    assert {"mindspore", "mlflow", "dvc", "onnx", "pandas", "plotly", "yaml"} <= set(blocked)
    assert {"numpy", "cv2", "onnxruntime", "typer"}.isdisjoint(blocked)


def test_help_needs_no_file(ssd, tmp_path):
    done = ssd("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: ssd [OPTIONS] COMMAND")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "completions"),
    [
        ("ssd e", {"evaluate", "experiments", "export"}),
        ("ssd predict --s", {"--score", "--seconds"}),
        ("ssd doctor s", {"sync"}),
    ],
)
def test_the_shell_completes_commands_and_options(ssd, line, completions):
    cursor = str(len(line.split()) - 1)
    done = ssd(_SSD_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=cursor)
    assert (set(done.stdout.split()), done.stderr) == (completions, "")


def test_it_predicts_in_an_empty_folder(ssd, exported, jpeg, tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg)
    done = ssd("predict", "a.jpg", "--model", str(exported), "--score", "0.3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(" in 1 image → predictions\n")
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert made == {"a.jpg", "predictions", "predictions/a.jpg", "predictions/predictions.json"}


@pytest.mark.parametrize(
    "words",
    [
        ("doctor",),
        ("experiments", "best"),
        ("reproduce", "HEAD"),
        ("report", "--params", f"{ROOT}/params.yaml"),
        ("train", "--params", f"{ROOT}/params.yaml"),
        ("predict", "a.jpg", "--model", "best.ckpt"),
        ("predict", "a.jpg", "--model", "HEAD:model/best.ckpt"),
        ("predict", "a.jpg", "--model", "models:/ssd300@champion"),
    ],
    ids=" ".join,
)
def test_what_needs_the_extra_says_how_to_install_it(ssd, jpeg, tmp_path, words):
    (tmp_path / "a.jpg").write_bytes(jpeg)
    (tmp_path / "best.ckpt").write_bytes(b"")
    done = ssd(*words)
    assert done.returncode == 2
    assert done.stderr.endswith("Run pip install 'ssd-pipeline[train]'.\n")
    assert done.stderr.count("\n") == 1


def test_it_resumes_a_training_that_a_clone_began(site, tmp_path):
    """The saved state of a training is found by its code, which has another name in a wheel."""
    hashes = []
    for folder, modules in (
        (site, "ssdcore.stages.__main__, ssdcore.stages.train"),
        (ROOT, "stages.train"),
    ):
        done = python(tmp_path, "-I", "-c", HASHES % modules, folder)
        assert done.returncode == 0, done.stderr
        hashes.append(json.loads(done.stdout))
    assert hashes[0] == hashes[1]
    assert "stages.train" in hashes[0]
