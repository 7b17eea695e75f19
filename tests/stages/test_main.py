import pytest

from stages.__main__ import COMMANDS, MODULES
from tests.project import HEAVY, ROOT, loaded, python, stage


def test_every_module_is_a_command():
    modules = {path.stem for path in (ROOT / "stages").glob("*.py")}
    named = {MODULES.get(name, name) for name in COMMANDS}
    assert modules - {"__init__", "__main__"} == named


def test_help_lists_the_commands_and_imports_none(tmp_path):
    status, lines, packages = loaded(tmp_path, "__main__", "--help")
    assert status == 0
    found = [line.split()[0] for line in lines[lines.index("Commands:") + 1 :] if line]
    assert found == list(COMMANDS)
    assert not packages & {*HEAVY, "numpy", "pydantic"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [("train",), ("doctor", "syn"), ("report", "--help"), ("import", "none.npz")],
    ids=" ".join,
)
def test_a_command_answers_as_its_module_does(tmp_path, words):
    name, *rest = words
    ours = python(tmp_path, "-m", "stages", *words)
    theirs = stage(tmp_path, MODULES.get(name, name), *rest)
    assert ours.returncode == theirs.returncode
    for found, expected in ((ours.stdout, theirs.stdout), (ours.stderr, theirs.stderr)):
        assert found.replace("stages ", "stages.") == expected.replace("stages ", "stages.")


def test_an_unknown_command_is_status_2_and_the_nearest_one_is_named(tmp_path):
    done = python(tmp_path, "-m", "stages", "trian")
    assert done.returncode == 2
    assert "Did you mean 'train'?" in done.stderr
