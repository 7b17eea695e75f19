import pytest

from ssdcore.doctor import model as module
from ssdcore.doctor.model import check_model


def test_a_missing_device_and_a_damaged_model(tmp_path):
    (tmp_path / "best.ckpt").write_text("hello")
    device, model = check_model("Ascend", tmp_path / "best.ckpt")
    assert device.is_error
    assert "no driver is loaded" in device.text
    assert model.is_error
    assert "best.ckpt" in model.text
    assert "dvc checkout" in model.remedy


@pytest.mark.parametrize("script", ["import os; os.abort()", "raise ImportError('libgomp.so.1')"])
def test_a_crash_is_an_error(tmp_path, monkeypatch, script):
    monkeypatch.setattr(module, "SCRIPT", script)
    (finding,) = check_model("CPU", tmp_path / "best.ckpt")
    assert finding.is_error
    assert finding.subject == "MindSpore"
    assert finding.remedy == "Run make env"
