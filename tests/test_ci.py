import re

from ruamel.yaml import YAML

from tests.clone import ROOT

JOB = YAML(typ="safe").load(ROOT / ".github/workflows/ci.yml")["jobs"]["check"]


def test_the_workflow_runs_the_script():
    steps = JOB["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["bash .ci/run"]
    assert (ROOT / ".ci/run").is_file()
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"]) for step in steps[:-1])


def test_the_script_calls_targets_of_the_makefile():
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    targets = re.search(r"for target in (.*); do", script)[1].split()
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert targets == ["lint", "docs", "test", "demo"]
    assert all(re.search(rf"^{target}:", makefile, re.M) for target in targets)
