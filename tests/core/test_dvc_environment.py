import pytest

from ssdcore.core.dvc_environment import experiment_tags, is_workspace, stage_of_experiment


@pytest.fixture(autouse=True)
def outside_dvc(monkeypatch):
    for name in ("DVC_STAGE", "DVC_ROOT", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"):
        monkeypatch.delenv(name, raising=False)


def test_without_dvc_there_is_no_experiment():
    assert (stage_of_experiment(), experiment_tags(), is_workspace()) == ("", {}, False)


def test_repro_is_not_an_experiment(monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_STAGE", "train")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert (stage_of_experiment(), experiment_tags()) == ("", {})


def test_an_experiment_has_a_name_and_a_baseline(monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "train")
    monkeypatch.setenv("DVC_EXP_NAME", "furry-paws")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "b" * 40)
    assert stage_of_experiment() == "train"
    assert experiment_tags() == {"dvc.exp_name": "furry-paws", "dvc.baseline_rev": "b" * 40}


def test_the_workspace_is_dvcs_root_even_through_a_link(monkeypatch, tmp_path):
    (tmp_path / "original").mkdir()
    (tmp_path / "link").symlink_to("original")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "link"))
    monkeypatch.chdir(tmp_path / "original")
    assert is_workspace()
    monkeypatch.chdir(tmp_path)
    assert not is_workspace()
