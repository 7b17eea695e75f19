import os
import re
import subprocess

import pytest
from ruamel.yaml import YAML

from tests.clone import ROOT

JOB = YAML(typ="safe").load(ROOT / ".github/workflows/ci.yml")["jobs"]["check"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_workflow_runs_the_script():
    steps = JOB["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["bash .ci/run"]
    assert (ROOT / ".ci/run").is_file()
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"]) for step in steps[:-1])


@pytest.mark.parametrize("failing", ["", "test"])
def test_the_script_makes_targets_until_one_fails(tmp_path, failing):
    """With a make that only notes its target."""
    make, made = tmp_path / "make", tmp_path / "made"
    make.write_text(f'#!/bin/sh\necho "$1" >> "{made}"\ntest "$1" != "{failing}"\n')
    make.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    script = ["bash", str(ROOT / ".ci/run")]
    done = subprocess.run(script, env={**os.environ, "PATH": path}, check=False)
    targets = made.read_text().split()
    assert all(re.search(rf"^{target}:", MAKEFILE, re.M) for target in targets)
    assert (done.returncode == 0) == (failing == "")
    made_all = ["lint", "docs", "test", "demo"]
    assert targets == (made_all[: made_all.index(failing) + 1] if failing else made_all)
