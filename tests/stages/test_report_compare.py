import shutil

import pytest

from tests.project import ROOT, stage_inside


@pytest.fixture(scope="module")
def repository(small_repository, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare") / "repository"
    shutil.copytree(small_repository, folder)
    shutil.copy(ROOT / "params.yaml", folder)
    return folder


@pytest.mark.parametrize(
    "arguments", [("--compare", "old", "try"), ("--compare", "old", "--compare", "try")]
)
def test_the_page_lies_beside_the_report(repository, arguments):
    page = repository / "report/compare.html"
    page.unlink(missing_ok=True)
    done = stage_inside(repository, "report", *arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"old, try → {page.resolve()}\n"
    assert "2 revisions compared" in page.read_text(encoding="utf-8")
    assert [path.name for path in page.parent.iterdir()] == ["compare.html"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--compare", "nope"), "--compare: found 'nope', expected the name of one experiment"),
        (("--compare", "old", "old"), "each named once"),
        (("old", "try"), "Put --compare first"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(repository, arguments, said):
    shutil.rmtree(repository / "report", ignore_errors=True)
    done = stage_inside(repository, "report", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert not (repository / "report").exists()
