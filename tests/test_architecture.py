"""docs/architecture.md describes the packages and the import direction as they are."""

import re

import grimp

from tests.clone import ROOT

TEXT = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PACKAGES = {path.parent.name for path in (ROOT / "ssdcore").glob("*/__init__.py")}


def section(title: str) -> str:
    return re.split(r"^## ", TEXT, flags=re.M)[1:][TITLES.index(title)]


TITLES = re.findall(r"^## (.*)$", TEXT, re.M)


def test_the_tree_names_every_package_once():
    named = re.findall(r"^\| `ssdcore/(\w+)/` \|", section("Packages"), re.M)
    assert sorted(named) == sorted(PACKAGES)


def test_no_module_lies_beside_the_packages():
    assert [path.name for path in (ROOT / "ssdcore").glob("*.py")] == ["__init__.py"]


def test_the_direction_is_the_import_contracts():
    """The contract in pyproject.toml is what `make check` enforces."""
    contract = PYPROJECT.split('name = "Layers, high to low"')[1].split("]")[0].split("[")[1]
    layers = [line.replace("ssdcore.", "") for line in re.findall(r'"([^"]+)"', contract)]
    lines = re.findall(r"^\d+\. (.*)$", section("Direction of imports"), re.M)
    assert [line.replace("`", "").replace(", ", " | ") for line in lines] == layers


def test_every_package_is_in_the_contract():
    contract = PYPROJECT.split('name = "Layers, high to low"')[1].split("]")[0]
    assert set(re.findall(r"ssdcore\.(\w+)", contract)) == PACKAGES


def test_all_messages_go_through_one_function():
    """Which shows control characters instead of printing them; ruff (T20) refuses `print`."""
    paths = [path for folder in ("ssdcore", "stages") for path in (ROOT / folder).rglob("*.py")]
    others = re.compile(r"sys\.std(out|err)\.write|\b(echo|secho|tqdm\.write)\(")
    found = {path.name for path in paths if others.search(path.read_text(encoding="utf-8"))}
    assert found == set()


def test_a_package_has_at_most_thirty_modules():
    """Beyond that, a reader no longer finds a concept by its file name."""
    graph = grimp.build_graph("ssdcore", cache_dir=None)
    sizes = {name: len(graph.find_children(f"ssdcore.{name}")) for name in PACKAGES}
    assert max(sizes.values()) <= 30


def test_each_lock_has_a_test():
    listed = section("What is locked")
    tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)` \|$", listed, re.M)
    assert len(tests) == listed.count("\n| ") - 1  # without the header
    for path, name in tests:
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")
