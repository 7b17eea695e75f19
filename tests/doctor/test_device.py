import numpy as np
import pytest

from benchmarks.harness import write_params
from ssdcore.doctor import device as module
from ssdcore.doctor.device import DeviceError, check_device, judged, run_on
from ssdcore.doctor.device_step import first_update
from ssdcore.training.step import StepOutcome


@pytest.fixture
def params(tmp_path):
    write_params(tmp_path, {"model.width": 0.02, "model.batch_norm": False})
    return tmp_path / "params.yaml"


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_cpu_computes_what_another_process_computes_on_it(params, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 1)
    findings = list(check_device(params, "CPU"))
    assert [finding.grade for finding in findings] == ["ok"] * 8, findings
    compared = [finding.text for finding in findings if "of the CPU's values apart" in finding.text]
    assert len(compared) == 5
    assert all(text.startswith("0.0e+00 ") for text in compared), compared


def test_a_missing_device_is_named_with_the_remedy(params):
    (failed,) = check_device(params, "Ascend")
    assert failed.is_error
    assert failed.text.startswith("Ascend failed with exit status 1: ")
    assert "no Ascend: no driver is loaded" in failed.text
    assert "docs/devices.md" in failed.remedy


def test_a_device_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    with pytest.raises(DeviceError, match="GPU gave no result in 0 s"):
        run_on("GPU", "import time; time.sleep(60)")


def test_a_training_in_float16_may_begin_with_overflows():
    overflow, update = StepOutcome(1, 2, updated=False, rescaled=True), StepOutcome(3, 4)
    assert first_update(iter([overflow, overflow, update]).__next__) == update
    with pytest.raises(ArithmeticError, match="not finite"):
        first_update(iter([overflow, overflow._replace(rescaled=False), update]).__next__)


def test_a_crash_without_a_message_has_its_exit_status():
    with pytest.raises(DeviceError, match="GPU failed with exit status -6: no message"):
        run_on("GPU", "import os; os.abort()")


@pytest.mark.parametrize(
    ("factor", "grade", "text"),
    [(1.0, "ok", "0.0e+00"), (1.0009, "ok", "9.0e-04"), (1.002, "error", "2.0e-03"),
     (np.nan, "error", "nan")],
)  # fmt: skip
def test_a_difference_is_a_share_of_the_norm(factor, grade, text, rng):
    values = rng.normal(size=(4, 7))
    reference = dict.fromkeys(module.BOUNDS["O0"], values)
    found = reference | {"losses": values * factor, "seconds": (0, 1)}
    graded = {one.subject: one for one in judged(reference, found, "O0")}
    losses = graded.pop("training step, losses")
    assert losses.grade == grade
    assert losses.text == f"{text} of the CPU's values apart, at most 0.001"
    assert {one.grade for one in graded.values()} == {"ok"}
