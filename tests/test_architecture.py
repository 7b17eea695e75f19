"""docs/architecture.md describes the packages, the imports and the tests as they are."""

import re
import sys

import grimp

from tests.clone import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TEXT = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = {one["name"]: one for one in PYPROJECT["tool"]["importlinter"]["contracts"]}
"""Of the imports; `make check` enforces them."""
PACKAGES = {path.parent.name for path in (ROOT / "ssdcore").glob("*/__init__.py")}


def section(title: str) -> str:
    return re.split(r"^## ", TEXT, flags=re.M)[1:][TITLES.index(title)]


TITLES = re.findall(r"^## (.*)$", TEXT, re.M)


def code_spans(text: str) -> list[str]:
    return re.findall("`([^`]+)`", text)


def test_the_tree_names_every_package_once():
    named = re.findall(r"^\| `ssdcore/(\w+)/` \|", section("Packages"), re.M)
    assert sorted(named) == sorted(PACKAGES)


def test_no_module_lies_beside_the_packages():
    assert [path.name for path in (ROOT / "ssdcore").glob("*.py")] == ["__init__.py"]


def test_the_direction_is_the_import_contracts():
    lines = re.findall(r"^\d+\. (.*)$", section("Direction of imports"), re.M)
    layers = [line.replace("`", "").replace(", ", " | ") for line in lines]
    contract = CONTRACTS["Layers, high to low"]["layers"]
    assert layers == [line.replace("ssdcore.", "") for line in contract]
    assert set(re.findall(r"\w+", " ".join(layers))) == {*PACKAGES, "stages"}


def test_other_libraries_are_imported_where_the_table_says():
    prefix = "Who imports "
    contracts = {
        name.removeprefix(prefix): [
            module.removeprefix("ssdcore.") for module in one["allowed_importers"]
        ]
        for name, one in CONTRACTS.items()
        if name.startswith(prefix)
    }
    assert contracts.pop("the command line") == ["stages"]
    rows = re.findall(r"^\| (\w+) \| (`.*) \|$", section("Direction of imports"), re.M)
    assert {library: code_spans(importers) for library, importers in rows} == contracts


def test_the_packages_without_paths_are_those_of_the_contract():
    text = " ".join(section("Direction of imports").split())
    (sentence,) = re.findall(r"NumPy alone\. (.*) name no path of the pipeline", text)
    sources = CONTRACTS["What gets its paths from the stages"]["source_modules"]
    assert [f"ssdcore.{name}" for name in code_spans(sentence)] == sources


def test_geometry_imports_numpy_alone():
    graph = grimp.build_graph("ssdcore", include_external_packages=True, cache_dir=None)
    found = set()
    for module in graph.find_descendants("ssdcore.geometry"):
        found |= graph.find_modules_directly_imported_by(module)
    outside = {name for name in found if not name.startswith("ssdcore.")}
    assert outside - sys.stdlib_module_names == {"numpy"}
    assert all(name.startswith("ssdcore.geometry.") for name in found - outside)


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


def test_the_tests_that_it_names_are_there():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)
    for path, name in named:
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), name
    for title in ("Where to add a part", "What is locked"):
        rows = re.findall(r"^\| .*\|$", section(title), re.M)[1:]  # without the header
        assert rows
        assert all(re.search(r"\| `tests/[^|]*::\w+` \|$", row) for row in rows)


def test_each_package_has_a_folder_of_tests():
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert folders == PACKAGES | {"stages", "benchmarks", "tools"}
