"""A stage fails if its code or parameters change while it runs, because DVC would record them."""

import re
from pathlib import Path

import pytest

from ssdcore.core.errors import RunError
from ssdcore.core.locks import writing_outs

PIPELINE = """stages:
  train:
    cmd: python -m stages.train
    params: [train, dataset.name]
    deps: [stages/train.py, ssdcore/core, data/raw, "${dataset.local.path}"]
"""
PARAMS = "train:\n  lr_max: 0.2\n  augment: {flip: 0.5}\ndataset: {name: bccd, limit: 5}\n"
FILES = {
    "dvc.yaml": PIPELINE, "params.yaml": PARAMS, "stages/train.py": "", "stages/report.py": "",
    "ssdcore/core/files.py": "", "ssdcore/core/page.html": "", "ssdcore/report/page.py": "",
    "data/raw/a.jpg": "",
}  # fmt: skip


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project whose stage train runs under DVC."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "train")
    for name, text in FILES.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


def write(name, text):
    """Changes a file while the stage runs."""
    with writing_outs("train"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("params.yaml", PARAMS.replace("0.2", "0.05"), "params.yaml: train.lr_max"),
        ("params.yaml", PARAMS.replace("0.5", "0"), "params.yaml: train.augment.flip"),
        ("params.yaml", PARAMS.replace("bccd", "shapes"), "params.yaml: dataset.name"),
        ("params.yaml", "train: [", "params.yaml: dataset.name, params.yaml: train.augment.flip, "),
        ("stages/train.py", "1", "stages/train.py"),
        ("ssdcore/core/page.html", "1", "ssdcore/core/page.html"),
        ("ssdcore/core/new.py", "1", "ssdcore/core/new.py"),
        ("params.yaml", "[" * 3000, "params.yaml: dataset.name"),
    ],
)
def test_a_change_of_what_dvc_records_fails_the_stage(name, text, named):
    with pytest.raises(RunError, match=f"^{re.escape(named)}.* changed while train ran"):
        write(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("params.yaml", "# the same values\n" + PARAMS),
        ("params.yaml", PARAMS.replace("limit: 5", "limit: 6")),  # no parameter of the stage
        ("stages/report.py", "1"),
        ("ssdcore/report/page.py", "1"),
        ("ssdcore/core/__pycache__/files.pyc", "1"),
        ("ssdcore/core/.files.py.swp", "1"),
        ("dvc.yaml", PIPELINE.replace("stages/train.py, ", "")),  # DVC has read it before
        ("dvc.yaml", "stages:"),
        ("data/raw/a.jpg", "1"),  # convert checks its images
    ],
)
def test_other_changes_are_free(name, text):
    write(name, text)
    assert Path(name).read_text() == text


def test_more_than_three_changes_are_cut_short():
    named = r"^params\.yaml: dataset\.name(, [^,]*){2} and 1 more changed"
    with pytest.raises(RunError, match=named), writing_outs("train"):
        for name in ("params.yaml", "stages/train.py"):
            Path(name).write_text("1")


def test_dvc_may_run_in_another_folder_of_the_repository(monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "../cats/dvc.yaml:train")
    with pytest.raises(RunError, match=r"^stages/train\.py changed while train ran"):
        write("stages/train.py", "1")


def test_without_dvc_nothing_is_compared(monkeypatch):
    monkeypatch.delenv("DVC_STAGE")
    write("params.yaml", "")
