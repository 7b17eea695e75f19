from ssdcore.report.gather import PACKAGES, commands_to_repeat, describe_environment

SPLITS = {
    "train": {"images": "data/raw/train", "annotations_sha256": "a1", "images_sha256": "b2"},
    "val": {"images": "photos", "annotations_sha256": "c3"},
}


def test_environment_names_commit_data_device_and_versions(tmp_path, monkeypatch):
    here = describe_environment("CPU", SPLITS)
    assert here["device"] == "CPU"
    assert set(PACKAGES) | {"processor", "system"} < set(here)
    assert here["train annotations, SHA-256"] == "a1"
    assert here["train images, SHA-256"] == "b2"
    assert here["val annotations, SHA-256"] == "c3"
    assert "val images, SHA-256" not in here
    assert "DVC experiment" not in here
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert describe_environment("CPU", SPLITS)["commit"] == "not in a git repository"


def test_the_processor_is_read_from_linux(tmp_path, monkeypatch):
    cpuinfo = tmp_path / "cpuinfo"
    monkeypatch.setattr("ssdcore.report.gather.CPUINFO", cpuinfo)
    assert describe_environment("CPU", SPLITS)["processor"] != "Zilog Z80"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Zilog Z80\n")
    assert describe_environment("CPU", SPLITS)["processor"] == "Zilog Z80"


def test_a_dvc_experiment_is_named(monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "soft-owl")
    environment = describe_environment("CPU", SPLITS)
    assert environment["DVC experiment"] == "soft-owl"
    assert commands_to_repeat(environment)[1:] == ["dvc exp apply soft-owl", "make demo"]


def test_commands_name_the_commit_and_quote_the_experiment():
    assert commands_to_repeat({"commit": "abc123-dirty"}) == ["git checkout abc123", "make demo"]
    assert commands_to_repeat({"commit": "not in a git repository"}) == ["make demo"]
    commands = commands_to_repeat({"commit": "abc123", "DVC experiment": "a; rm -rf b"})
    assert commands[1] == "dvc exp apply 'a; rm -rf b'"
