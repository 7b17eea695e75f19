import numpy as np
import pytest

from ssdcore.report.comparison.images import ComparedImage, Panel
from ssdcore.report.comparison.page import render_comparison
from ssdcore.report.drawing import encode_jpeg
from ssdcore.report.gallery import Tally
from tests.report.test_browser import DESKTOP, PHONE, Opened, browser  # noqa: F401 - a fixture

TALLY = Tally(2, 1, 0, unseen=1, invented=0, confused=0)


@pytest.fixture(scope="module")
def opened(browser, candidates, tmp_path_factory):
    """A page of two candidates and an image, each of its panels another size."""
    jpegs = [encode_jpeg(np.zeros((40, 60 + n, 3), np.uint8)) for n in range(3)]
    panels = [Panel(place, jpegs[1 + place], TALLY, 0.4) for place in range(2)]
    page = render_comparison(candidates, [ComparedImage("a.jpg", jpegs[0], panels)])
    with Opened(browser, tmp_path_factory.mktemp("page") / "compare.html") as opened:
        opened.open(page)
        yield opened


def test_a_heading_sorts_the_classes_by_its_revisions_changes(opened):
    rows = "#table-per_class tbody th"
    assert opened.shown(rows) == ["dog", "eel", "cat", "fly"]
    heading = opened.page.locator("#table-per_class thead button", has_text="second")
    heading.click()
    heading.click()
    assert opened.shown(rows) == ["cat", "eel", "dog", "fly"]
    opened.page.locator("#table-per_class thead button", has_text="class").click()
    assert opened.shown(rows) == ["cat", "dog", "eel", "fly"]


def test_the_arrow_keys_go_from_one_revision_to_the_next(opened):
    opened.page.locator(".panels .image").first.click()
    captions = []
    for _ in range(3):
        captions.append(opened.shown("dialog p")[0].split(":")[0].strip())
        opened.page.keyboard.press("ArrowRight")
    assert captions == ["Ground truth", "first", "second"]
    opened.page.keyboard.press("Escape")
    assert opened.shown("dialog") == []


def test_all_parameters_are_in_a_fold(opened):
    assert opened.shown("#parameters td") == []
    opened.page.locator("#parameters summary").click()
    assert "focal" in opened.shown("#parameters td")


def test_on_a_phone_nothing_is_wider_than_the_screen(opened):
    opened.page.set_viewport_size(PHONE)
    opened.page.reload()
    for scheme in ("light", "dark"):
        opened.page.emulate_media(color_scheme=scheme)
        assert opened.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    opened.page.set_viewport_size(DESKTOP)
