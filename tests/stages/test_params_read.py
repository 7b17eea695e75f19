import importlib
from pathlib import Path
from typing import Any

import pytest

from benchmarks import harness
from ssdcore.params import reader
from ssdcore.params.schema import Params
from ssdcore.params.types import Section
from tests.test_dvc_yaml import PIPELINE, UNDECLARED

SAID = {"train": "evaluate"}
"""Sections that a stage reads for a message alone: where the evaluation measures otherwise."""


def paths(model: type[Section], prefix: str = "") -> dict[type[Section], str]:
    found = {model: prefix}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            found |= paths(field.annotation, f"{prefix}{name}.")
    return found


def sections_of(section: Section) -> list[Section]:
    inner = [value for _, value in section if isinstance(value, Section)]
    return [section] + [found for value in inner for found in sections_of(value)]


PATHS = paths(Params)


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Runs every stage on an image of each split and notes the keys that it touches."""
    folder = tmp_path_factory.mktemp("run")
    changes = {
        "model.width": 0.02, "model.batch_norm": False, "train.epochs": 1, "train.batch_size": 1,
        "evaluate.batch_size": 1, "report.images": 1, "export.formats": ["onnx"],
        "tracking.enabled": False,
    }  # fmt: skip
    harness.write_params(folder, harness.data_params(None, 1, 1) | changes)
    touched: dict[str, set[str]] = {}
    from_file: dict[int, Section] = {}  # by identity: a checkpoint holds such sections, too
    plain, read_params = Section.__getattribute__, reader.read_params

    def noting(section: Section, name: str) -> Any:
        if id(section) in from_file and name in type(section).model_fields:
            touched[stage].add(PATHS[type(section)] + name)
        return plain(section, name)

    with pytest.MonkeyPatch.context() as patch:

        def read_then_note(path: Path) -> Params:
            params = read_params(path)  # its own checks across keys don't count
            from_file.update((id(section), section) for section in sections_of(params))
            patch.setattr(Section, "__getattribute__", noting)
            return params

        patch.chdir(folder)
        patch.setenv("MS_JIT", "0")  # not compiled
        patch.setattr(reader, "read_params", read_then_note)
        for stage in PIPELINE["stages"]:
            touched[stage] = set()
            module = importlib.import_module(f"stages.{stage}")
            module.main(Path("params.yaml"))
            patch.setattr(Section, "__getattribute__", plain)
    return touched


def within(key: str, section: str) -> bool:
    return key == section or key.startswith(section + ".")


@pytest.mark.slow
@pytest.mark.parametrize("stage", PIPELINE["stages"])
def test_declared_params_are_those_read(stage, read):
    declared = PIPELINE["stages"][stage]["params"]
    sections = {path.removesuffix(".") for path in PATHS.values()}
    leaves = read[stage] - sections - set(UNDECLARED)
    if section := SAID.get(stage):
        assert any(within(key, section) for key in leaves)
        leaves = {key for key in leaves if not within(key, section)}
    assert {key for key in leaves if not any(within(key, d) for d in declared)} == set()
    assert {d for d in declared if not any(within(key, d) for key in read[stage])} == set()
