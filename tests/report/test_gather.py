import pytest

from ssdcore.report.gather import PACKAGES, commands_to_repeat, describe_environment
from tests.clone import run

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
    assert commands_to_repeat(environment)[1:] == [
        "dvc exp pull origin soft-owl  # in a clone", "dvc exp apply soft-owl", "make demo"
    ]  # fmt: skip


def test_commands_name_the_commit_and_quote_the_experiment():
    assert commands_to_repeat({"commit": "abc123"}) == ["git checkout abc123", "make demo"]
    assert commands_to_repeat({"commit": "not in a git repository"}) == ["make demo"]
    commands = commands_to_repeat({"commit": "abc123", "DVC experiment": "a; rm -rf b"})
    assert commands[2] == "dvc exp apply 'a; rm -rf b'"


LOCK = """schema: '2.0'
stages:
  evaluate:
    cmd: python -m stages.evaluate
    outs:
    - path: metrics/evaluate.json
      md5: ffffffffffffffffffffffffffffffff
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A committed repository, in which the pipeline has run: it changed dvc.lock and a metric."""
    (tmp_path / "metrics").mkdir()
    for name in ("params.yaml", "dvc.lock", "metrics/evaluate.json"):
        (tmp_path / name).write_text("")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        run(tmp_path, "git", *arguments)
    (tmp_path / "dvc.lock").write_text(LOCK)
    (tmp_path / "metrics/evaluate.json").write_text('{"bbox": {}}')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_commit_is_checked_out_if_only_outs_have_changed(repository):
    environment = describe_environment("CPU", SPLITS)
    commit = run(repository, "git", "rev-parse", "--short=12", "HEAD").strip()
    assert environment["commit"] == commit
    assert commands_to_repeat(environment) == [f"git checkout {commit}", "make demo"]


def test_changed_inputs_are_named_instead_of_a_commit_without_them(repository, monkeypatch):
    (repository / "params.yaml").write_text("a: 2")
    environment = describe_environment("CPU", SPLITS)
    assert environment["commit"].endswith("-dirty")
    assert commands_to_repeat(environment) == [
        "# with uncommitted changes in params.yaml: check out a commit that has them", "make demo"
    ]  # fmt: skip
    monkeypatch.setenv("DVC_EXP_NAME", "soft-owl")  # whose commit has them
    checkout, *_ = commands_to_repeat(describe_environment("CPU", SPLITS))
    assert checkout == f"git checkout {environment['commit'].removesuffix('-dirty')}"


def test_of_many_changed_inputs_some_are_named_and_a_line_break_ends_no_comment(repository):
    for name in ("a\nrm -rf b", "b.py", "c.py", "d.py"):
        (repository / name).write_text("1")
    run(repository, "git", "add", ".")
    said, *_ = commands_to_repeat(describe_environment("CPU", SPLITS))
    assert said == (
        '# with uncommitted changes in "a\\nrm -rf b", b.py, c.py, …: check out a commit that has '
        "them"
    )
