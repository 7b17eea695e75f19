import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from ssdcore.core.errors import InputError
from ssdcore.report.comparison.compare import compare_revisions, revision_images
from tests.report.test_page import Page


@pytest.fixture(autouse=True)
def _inside(small_repository, monkeypatch):
    monkeypatch.chdir(small_repository)


def test_a_tag_an_experiment_and_the_workspace():
    text = Page(compare_revisions(["old", "try", "workspace"], images=2)).text()
    assert "3 revisions compared" in text
    assert "train.lr_max 0.1 0.4 0.5" in text
    assert "AP 0.333 1.000 +0.667 0.667 +0.333" in text
    assert "<b>dog</b> 0.333 1.000 +0.667 0.667 +0.333" in text
    assert "evaluation/errors.csv" in text.split("old does not have")[1].split(";")[0]
    assert "missed – 0.000 0.333" in text
    assert "subject Begin" in text
    assert "mindspore 2.8.0 2.8.0 2.8.0" in text


def test_a_project_in_a_subfolder_has_the_same_page(nested_repository, monkeypatch):
    names = ["old", "try", "workspace"]
    alone = Page(compare_revisions(names, images=2)).text()
    monkeypatch.chdir(nested_repository)
    nested = Page(compare_revisions(names, images=2)).text()
    hash_ = r"\b[0-9a-f]{12}\b"
    assert re.sub(hash_, "HASH", nested) == re.sub(hash_, "HASH", alone)


def test_images_are_those_of_the_revisions():
    text = Page(compare_revisions(["old", "try"], images=2)).text()
    assert "2.png Ground truth old: 0 found, 1 not found, 0 wrong try: 1 found," in text
    assert "3.png Ground truth old: 0 found, 1 not found, 0 wrong try: 1 found," in text
    assert "1.png" not in text


def test_a_single_one_is_compared_with_the_workspace():
    text = Page(compare_revisions(["old"], images=0)).text()
    assert "train.lr_max 0.1 0.5" in text
    assert "No images are requested" in text


def test_a_given_threshold_applies_to_all():
    page = Page(compare_revisions(["old", "try"], images=1, score_threshold=0.95))
    assert "1.png Ground truth old: 0 found" in page.text()
    assert "try from a score of 0.95" in page.text()


@pytest.mark.parametrize("names", [["workspace"], ["old", "old"], ["old", "try", "old"]])
def test_one_alone_or_twice_the_same_is_refused(names):
    with pytest.raises(InputError, match="two revisions or more, each named once"):
        compare_revisions(names, images=1)


def test_missing_images_are_mentioned(small_repository, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(small_repository, copy)
    source = copy / "data/raw/source.json"
    text = source.read_text()
    source.unlink()
    source.write_text(text.replace("data/raw/val", "elsewhere"))
    monkeypatch.chdir(copy)
    page = Page(compare_revisions(["workspace", "old"], images=1)).text()
    assert "The images can't be read. elsewhere: found" in page


def test_what_neither_cache_nor_remote_has_is_mentioned(
    small_repository, tmp_path, monkeypatch, capsys
):
    """As in a clone of a repository whose author has not pushed the outs."""
    copy = tmp_path / "copy"
    shutil.copytree(small_repository, copy)
    shutil.rmtree(copy / ".dvc/cache")
    monkeypatch.chdir(copy)
    text = Page(compare_revisions(["old", "workspace"], images=1)).text()
    assert "AP 0.333 0.667 +0.333" in text  # git has it
    assert "old does not have data/raw/source.json (not fetched)" in text
    assert "It is unknown whether the evaluated images are the same: old has" in text
    assert "The evaluated images are not the same" not in text
    assert "(not fetched)" not in text.split("workspace does not have")[1]
    assert "Fewer than two revisions have predictions, annotations and a record of images." in text
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("old: ")
    assert "in neither DVC's cache nor a remote, such as data/raw/source.json" in line
    assert "`dvc pull`" in line


def test_images_outside_of_data_raw_are_not_copied():
    """They may be many, and unknown to DVC and git."""
    revision = SimpleNamespace(name="old", fetch=lambda *given: pytest.fail("they were copied"))
    with revision_images(revision, "photos/val") as folder:
        assert folder == Path("photos/val")
