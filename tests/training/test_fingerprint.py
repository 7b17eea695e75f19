from pathlib import Path

import pytest

import ssdcore.report.previews
import ssdcore.tracking.names
import ssdcore.training.loop  # noqa: F401 - imported, like the two before, to be found
from ssdcore.params.reader import read_params
from ssdcore.training import fingerprint as module
from ssdcore.training.fingerprint import (
    code_hashes,
    on_other_cores,
    training_fingerprint,
    training_folder,
)

ROOT = Path(__file__).parents[2]
SETTINGS = read_params(ROOT / "params.yaml")


def of(settings=SETTINGS, device="CPU", files=()):
    return training_fingerprint(settings, device, files)


def changed(section, **values):
    part = getattr(SETTINGS, section).model_copy(update=values)
    return SETTINGS.model_copy(update={section: part})


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("train", {"lr_max": 0.3}), ("train", {"epochs": 6}), ("model", {"width": 0.25}),
        ("runtime", {"seed": 2}), ("runtime", {"amp": "O2"}),
    ],
)  # fmt: skip
def test_what_changes_the_result_changes_it(section, values):
    assert of(changed(section, **values)) != of()


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("train", {"save_minutes": 1.0}), ("train", {"max_minutes": 3.0}),
        ("train", {"profile": 5}), ("train", {"patience": 2}), ("train", {"on_nonfinite": 3}),
        ("runtime", {"workers": 7}), ("runtime", {"cache_mb": 7}),
        ("evaluate", {"nms_iou": 0.1}), ("report", {"images": 1}),
    ],
)  # fmt: skip
def test_what_does_not_change_the_result_leaves_it(section, values):
    assert of(changed(section, **values)) == of()


def test_the_device_and_the_content_of_files_change_it(tmp_path):
    weights = tmp_path / "start.ckpt"
    weights.write_bytes(b"a")
    first = of(files=[weights])
    weights.write_bytes(b"b")
    assert len({of(), of(device="GPU"), first, of(files=[weights])}) == 4


def test_each_number_of_cores_has_its_own_state(tmp_path):
    two, one, accelerator = (training_folder(tmp_path, of(), [c, c]) for c in (2, 1, None))
    assert len({one, two, accelerator}) == 3
    assert training_folder(tmp_path, of(), [2]) == two
    assert on_other_cores(one) == []
    for folder in (one, two, training_folder(tmp_path, of(device="GPU"), [2])):
        folder.mkdir()
    two.with_name(f"{two.name}.lock").touch()
    assert on_other_cores(one) == [two]


def test_other_code_changes_it(monkeypatch):
    before = of()
    hashes = {**code_hashes(), "ssdcore.training.loop": "0"}
    monkeypatch.setattr(module, "code_hashes", lambda: hashes)
    assert of() != before


def test_the_code_is_what_the_project_has_imported_without_tracking_and_report():
    names = list(code_hashes())
    assert {
        "ssdcore",
        "ssdcore.training.loop",
        "ssdcore.training.step",
        "ssdcore.params.schema",
    } <= set(names)
    assert not [name for name in names if name.startswith(("ssdcore.tracking", "ssdcore.report"))]
    assert names == sorted(names)
