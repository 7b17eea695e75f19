"""A stage is timed from outside, its imports apart from its work, and not changed by it."""

import json
import os
import subprocess
import sys

import pytest

from benchmarks import start_up

STAGE = """import time
import slow_to_import
time.sleep(0.1)
raise SystemExit(3)
"""


def test_a_stage_s_imports_are_told_from_its_work(tmp_path):
    times, walls = tmp_path / "times", tmp_path / "walls"
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/__init__.py").touch()
    (tmp_path / "stages/draw.py").write_text(STAGE)
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(0.2)\nimport numpy\n")
    programs = start_up.write_python(tmp_path / "bin", walls)
    env = start_up.environment() | {"STAGE_TIMES": str(times)}
    env["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    env["PYTHONPATH"] = f"{start_up.HOOK}{os.pathsep}{env['PYTHONPATH']}"
    done = subprocess.run(["python", "-m", "stages.draw"], cwd=tmp_path, env=env, check=False)
    assert done.returncode == 3
    row = json.loads(times.read_text())
    assert (row["stage"], row["loaded"]) == ("draw", ["numpy"])
    assert row["seconds"]["imports"] > 0.2
    assert row["seconds"]["other"] > 0.1
    name, seconds = walls.read_text().split()
    assert name == "draw"
    assert float(seconds) >= sum(row["seconds"].values())


def test_other_programs_are_left_alone(tmp_path):
    walls = tmp_path / "walls"
    programs = start_up.write_python(tmp_path / "bin", walls)
    line = [programs / "python", "-c", "print(1)"]
    assert subprocess.run(line, check=True, capture_output=True, text=True).stdout == "1\n"
    assert not walls.exists()


def test_the_table_adds_up():
    seconds = {"Python": 0.1, "imports": 2.0, "tracking": 0.5, "other": 4.0}
    content = {
        "commands": {"python -c pass": {"median": 0.01, "lowest": 0.01, "highest": 0.02}},
        "no_op": {"median": 1, "lowest": 0.9, "highest": 1.1},
        "repro_s": 10.0,
        "stages": {"train": {"whole_s": 7.0, "seconds": seconds, "loaded": ["numpy", "cv2"]}},
    }
    lines = start_up.as_table(content).splitlines()
    assert "| `python -c pass` | 0.01 | 0.01 to 0.02 |" in lines
    assert "| train | 7.0 | 0.5 | 2.0 | 0.5 | 4.0 | numpy, cv2 |" in lines
    assert "| DVC's own | 3.0 |  |  |  |  |  |" in lines


def test_a_command_that_fails_ends_the_benchmark_with_its_words(tmp_path):
    with pytest.raises(SystemExit, match="no such luck"):
        start_up.run(tmp_path, {}, sys.executable, "-c", "raise SystemExit('no such luck')")
