import pytest

from ssdcore.doctor import network
from ssdcore.doctor.network import check_network


def test_a_device_that_is_there_and_no_model_yet(tmp_path):
    device, model = check_network("CPU", tmp_path / "best.ckpt")
    assert (device.grade, device.matter, device.text) == ("ok", "device", "CPU")
    assert (model.grade, model.matter) == ("to do", "model")
    assert model.remedy == "Run dvc repro"


def test_a_device_that_is_not_and_a_model_that_is_none(tmp_path):
    (tmp_path / "best.ckpt").write_text("hello")
    device, model = check_network("Ascend", tmp_path / "best.ckpt")
    assert device.is_fault
    assert "no driver is loaded" in device.text
    assert model.is_fault
    assert "best.ckpt" in model.text
    assert "dvc checkout" in model.remedy


@pytest.mark.parametrize("script", ["import os; os.abort()", "raise ImportError('libgomp.so.1')"])
def test_what_ends_the_process_is_a_fault(tmp_path, monkeypatch, script):
    monkeypatch.setattr(network, "SCRIPT", script)
    (finding,) = check_network("CPU", tmp_path / "best.ckpt")
    assert finding.is_fault
    assert finding.matter == "MindSpore"
    assert finding.remedy == "Run make env"
