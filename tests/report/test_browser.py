"""The page in a browser, from a file and without a network."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssdcore.report.content import ReportContent
from ssdcore.report.drawing import encode_jpeg
from ssdcore.report.page import render
from ssdcore.search.page import render_search
from tests.browser import DESKTOP, PHONE, browser  # noqa: F401
from tests.report.conftest import with_rows
from tests.search.test_page import SPACE, trial

CHARTS = 14
SCRIPT_LINE = 10_000  # of the file; no page has so many lines before its scripts


class Opened:
    """A window, with the errors and network requests of its pages."""

    def __init__(self, browser: Any, file: Path, **options: Any) -> None:
        self.troubles: list[str] = []
        self.file = file
        self.content: ReportContent | None = None
        self.context = browser.new_context(**{"viewport": DESKTOP, "offline": True, **options})
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.troubles.append(message.text))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("dialog", lambda dialog: self.troubles.append(dialog.message))
        self.page.on("request", self.note)

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *exception: object) -> None:
        self.context.close()
        assert self.troubles == []

    def open(self, text: str) -> None:
        """Opens a page, always from the same file, with its scripts at the same line.

        The browser then compiles plotly.js once.
        """
        before, script, after = text.partition("<script>")  # the first is plotly.js
        down = "\n" * (SCRIPT_LINE - before.count("\n"))
        self.file.write_text(before + down + script + after, encoding="utf-8")
        self.page.goto(self.file.as_uri())

    def note(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:")):
            self.troubles.append(request.url)

    def shown(self, selector: str) -> list[str]:
        """The texts of all elements of the selector that are visible."""
        return self.page.locator(selector).filter(visible=True).all_inner_texts()

    def boxes(self) -> list[str]:
        return self.shown(".gallery .box b")

    def images(self) -> list[str]:
        return self.shown(".gallery figcaption bdi")

    def slide(self, threshold: float) -> None:
        self.page.locator("[name=threshold]").fill(str(threshold))

    def toggle(self, kind: str) -> None:
        self.page.locator(f"[name=kind][value={kind}]").click()


@pytest.fixture(scope="module")
def window(browser, tmp_path_factory):
    """The window that tests share: a new one compiles the scripts anew, which takes seconds."""
    with Opened(browser, tmp_path_factory.mktemp("page") / "report.html") as window:
        yield window


@pytest.fixture
def opened(window):
    """Returns a function that opens some content; fails on any error or request of the pages."""

    def open_it(shown: ReportContent) -> Opened:
        window.page.emulate_media(media="screen", color_scheme="light")
        window.page.set_viewport_size(DESKTOP)
        if window.content is not shown:
            window.content = shown
            window.open(render(shown))
        return window

    yield open_it
    troubles, window.troubles = window.troubles, []
    assert troubles == []


@pytest.fixture
def page(opened, content):
    """The page of `content`, with no box filtered out; tests that follow one another share it."""
    page = opened(content)
    page.page.locator(".filters .reset").click()
    return page


def test_all_charts_are_drawn_when_the_page_has_loaded(opened, content):
    page = opened(content).page
    assert page.locator(".chart").count() == CHARTS
    assert page.locator(".chart .main-svg:first-child").count() == CHARTS


def test_the_class_filter_leaves_its_boxes_and_their_images(page):
    assert page.boxes() == ["? circle", "✓ circle 0.90", "✗ star 0.50", "≠ circle 0.70 (star)"]
    page.page.locator("[name=class]").select_option("star")
    assert page.boxes() == ["✗ star 0.50", "≠ circle 0.70 (star)"]  # the latter is a star
    assert page.images() == ["first.jpg", "second.jpg"]
    page.toggle("class")
    assert page.boxes() == ["✗ star 0.50"]
    assert page.images() == ["first.jpg"]
    page.page.locator("[name=class]").select_option("ghost")
    assert page.images() == []
    assert page.shown(".none") == ["No image has such a box."]
    page.page.locator(".filters .reset").click()
    assert len(page.boxes()) == 4


def test_the_threshold_slider_updates_the_boxes(page):
    assert page.shown(".slider output") == ["0.400"]
    assert page.shown(".gallery figcaption span")[0] == "1 correct · 1 invented · 1 missed"
    page.slide(0.1)  # the faint detection finds the missed circle
    assert page.boxes()[:3] == ["✓ circle 0.90", "✗ star 0.50", "✓ circle 0.20"]
    assert page.shown(".gallery figcaption span")[0] == "2 correct · 1 invented"
    page.slide(0.8)
    assert page.boxes() == ["? circle", "✓ circle 0.90", "? star"]
    assert page.shown(".gallery figcaption span") == ["1 correct · 1 missed", "1 missed"]
    page.slide(0.95)
    assert page.boxes() == ["? circle", "? circle", "? star"]
    page.slide(0.5)  # a score of exactly the threshold counts
    assert "✗ star 0.50" in page.boxes()


def test_the_figures_of_the_threshold_are_those_of_the_curves(page):
    page.slide(0.3)
    assert page.shown(".status") == [
        "2 of 2 images, with the boxes counted above, from a score of 0.300 on. "
        "All evaluated images: precision 30\u00a0%, recall 70\u00a0%, F1 0.700."
    ]
    page.slide(1)  # where the precision is undefined
    assert page.shown(".status") == [
        "2 of 2 images, with the boxes counted above, from a score of 1.000 on. "
        "All evaluated images: recall 0\u00a0%, F1 0.000."
    ]


def test_kinds_can_be_left_out_and_ground_truth_drawn(page):
    assert page.shown(".chips output") == ["1", "1", "0", "0", "0", "1", "1"]
    page.toggle("correct")
    assert page.boxes() == ["? circle", "✗ star 0.50", "≠ circle 0.70 (star)"]
    for kind, opacity in (("correct", "0.4"), ("class", "1")):  # only what is left out is faint
        swatch = page.page.locator(f".swatch.{kind}")
        assert swatch.evaluate("one => getComputedStyle(one).opacity") == opacity
    page.toggle("truth")
    assert page.boxes() == ["· circle", "? circle", "✗ star 0.50", "· star", "≠ circle 0.70 (star)"]


def test_the_table_of_classes_sorts_by_each_column(page):
    headings = page.page.locator("#table-per_class thead th")

    def column() -> list[str]:
        return page.shown("#table-per_class tbody th")

    assert column() == ["circle", "star", "ghost"]
    headings.filter(has_text=re.compile("^AP$")).get_by_role("button").click()
    assert column() == ["star", "circle", "ghost"]
    assert headings.nth(1).get_attribute("aria-sort") == "descending"
    page.page.keyboard.press("Enter")  # the heading has the focus
    assert column() == ["circle", "star", "ghost"]  # undefined values stay last
    assert headings.nth(1).get_attribute("aria-sort") == "ascending"
    headings.nth(0).get_by_role("button").click()
    assert column() == ["circle", "ghost", "star"]
    assert headings.nth(1).get_attribute("aria-sort") is None
    headings.nth(5).get_by_role("button").press("Space")
    assert column() == ["circle", "star", "ghost"]  # 1200, 30, 0 objects


def test_a_class_that_is_picked_stands_out_among_the_lines(page):
    page = page.page
    page.locator(".pick").first.scroll_into_view_if_needed()
    widths = "document.querySelector('#table-pr_curves .chart').data.map((d) => d.line.width)"
    page.locator(".pick select").first.select_option("star")
    assert page.evaluate(widths) == [1.2, 3, 3]
    page.locator(".pick select").first.select_option("all classes")
    assert page.evaluate(widths) == [1.2, 1.2, 3]


def test_the_section_in_view_is_marked(page):
    page.page.locator("nav a", has_text="Sizes").click()
    page.page.wait_for_function("document.querySelector('nav a[aria-current]').hash === '#sizes'")


def test_a_page_scrolls_in_one_direction_only(opened, content, hostile):
    for shown in (content, hostile):
        page = opened(shown).page
        for size in (DESKTOP, {"width": 820, "height": 1180}, PHONE):
            page.set_viewport_size(size)  # draws all charts anew
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate("document.documentElement.scrollWidth") == size["width"]


def test_hostile_names_are_text(opened, hostile, hostile_names):
    page = opened(hostile)
    text = page.page.locator("main").inner_text()
    for name in hostile_names:
        assert name in text
    assert page.page.locator("main script:not([type])").count() == 0
    assert page.page.locator("main img[src=x], main a").count() == 0
    page.page.locator(".gallery .image").first.click()
    assert page.shown("dialog p")[0].startswith(hostile_names[0])


def test_the_ticks_of_tiny_values_differ(opened, brief):
    rows = [("0–16 px", 0, 16, 40, 0.0001, 0.0004, 0.1)]
    page = opened(with_rows(brief, "sizes", rows)).page
    page.locator("#table-sizes .main-svg").first.wait_for()
    ticks = page.locator("#table-sizes .ytick text").all_text_contents()
    assert len(set(ticks)) == len(ticks) > 2


def test_labels_stay_inside_their_image(opened, brief):
    first = brief.gallery[0]
    places = [
        (left, 30, width, 30) for left, width in ((0, 9), (40, 9), (55, 9), (58, 30), (91, 9))
    ]
    boxes = [first.boxes[3]._replace(xywh=xywh) for xywh in places]
    rows = [("a long name " * 3, *row[1:]) for row in brief.tables["per_class"].rows]
    brief = with_rows(brief, "per_class", rows)
    page = opened(replace(brief, gallery=[replace(first, boxes=boxes)]))
    assert len(page.boxes()) == len(places)
    assert page.page.evaluate(
        """() => [...document.querySelectorAll(".gallery .box b")].every((label) => {
          const inner = label.getBoundingClientRect();
          const outer = label.closest(".image").getBoundingClientRect();
          return inner.left >= outer.left - 2 && inner.right <= outer.right + 2;
        })"""
    )


def test_the_slider_stands_on_the_threshold_of_the_evaluation(opened, brief):
    rows = [*brief.tables["score_curves"].rows, ("all", 0.502525, 0.9, 0.8, 0.85)]
    brief = with_rows(brief, "score_curves", rows)
    metrics = {**brief.metrics, "threshold": 0.502525}
    page = opened(replace(brief, metrics=metrics, score_threshold=0.502525))
    assert page.shown(".slider output") == ["0.503"]
    assert "✗ star 0.50" not in page.boxes()  # its score is 0.5
    assert "recall" not in page.shown(".status")[0]  # the verdict has it
    page.slide(0.5)
    assert "✗ star 0.50" in page.boxes()
    page.page.locator(".filters .reset").click()
    assert page.shown(".slider output") == ["0.503"]


def test_a_threshold_of_the_users_has_its_figures_beside_the_verdicts(opened, brief):
    page = opened(replace(brief, score_threshold=0.3))
    assert "recall 70\u00a0%" in page.shown(".status")[0]
    page.slide(0.4)
    assert "recall" not in page.shown(".status")[0]


def test_a_crowded_image_names_its_boxes_only_enlarged(opened, brief):
    boxes = brief.gallery[0].boxes
    crowded = replace(brief.gallery[0], boxes=[*boxes[:2], *[boxes[2]] * 13])
    page = opened(replace(brief, gallery=[crowded]))
    assert page.boxes() == ["?", *["✓"] * 13]
    page.page.locator(".gallery .image").click()
    assert page.shown("dialog .box b")[1] == "✓ circle 0.90"


def test_a_gallery_shows_its_images_in_its_order(opened, brief):
    first, second = brief.gallery
    turned = [replace(first, galleries={"worst": 1}), replace(second, galleries={"worst": 0})]
    page = opened(replace(brief, gallery=[*turned, replace(first, galleries={"best": 0})]))
    assert page.images() == ["first.jpg", "second.jpg", "first.jpg"]
    page.page.locator("[name=gallery][value=worst]").click()
    assert page.images() == ["second.jpg", "first.jpg"]
    assert page.shown(".galleries span, .chips [name=gallery] + span") == ["all 3", "worst", "best"]


def test_many_images_show_on_demand(opened, brief):
    page = opened(replace(brief, gallery=[*brief.gallery] * 6))
    assert len(page.images()) == 9
    page.page.get_by_text("Show 3 more").click()
    assert len(page.images()) == 12
    assert page.shown(".more") == []


def test_a_sorted_table_stays_where_it_is_and_keeps_its_names_in_view(opened, brief):
    page = opened(brief).page
    page.set_viewport_size(PHONE)
    name = page.locator("#table-per_class tbody th").first
    heading = page.locator("#table-per_class thead button", has_text="wrong")
    heading.scroll_into_view_if_needed()
    before = page.evaluate("[scrollY, document.querySelector('#table-per_class .wide').scrollLeft]")
    assert before[1] > 0
    heading.click()
    after = page.evaluate("[scrollY, document.querySelector('#table-per_class .wide').scrollLeft]")
    assert after == before
    assert 0 <= name.bounding_box()["x"] < PHONE["width"] / 4


def test_images_of_any_shape_fill_their_row(opened, brief):
    wide = brief.gallery[0]
    jpeg = encode_jpeg(np.zeros((16, 8, 3), np.uint8))
    tall = replace(wide, jpeg=jpeg, width=100, height=200)
    page = opened(replace(brief, gallery=[wide, tall, tall, wide, tall, wide, tall])).page
    boxes = [one.bounding_box() for one in page.locator(".gallery .image").all()]
    row = [box for box in boxes if box["y"] == boxes[0]["y"]]
    assert 2 < len(row) < len(boxes)
    assert max(box["height"] for box in row) - min(box["height"] for box in row) < 2
    assert row[-1]["x"] + row[-1]["width"] == pytest.approx(
        page.locator(".gallery").bounding_box()["x"]
        + page.locator(".gallery").bounding_box()["width"],
        abs=1,
    )


def test_an_image_opens_with_its_boxes_and_arrow_keys_go_to_the_next(opened, brief):
    third = replace(brief.gallery[1], file_name="third.jpg")
    page = opened(replace(brief, gallery=[*brief.gallery, third]))
    page.page.get_by_role("button", name="Enlarge first.jpg").click()
    assert page.shown("dialog .box b") == ["? circle", "✓ circle 0.90", "✗ star 0.50"]
    for key, name in (("Right", "second"), ("Right", "third"), ("Right", "first"),
                      ("Left", "third"), ("Left", "second")):  # fmt: skip
        page.page.keyboard.press(f"Arrow{key}")
        assert page.shown("dialog p")[0].startswith(name)
    page.page.keyboard.press("Escape")
    assert page.shown("dialog p") == []


def test_print_shows_every_image_and_no_controls(opened, brief):
    page = opened(replace(brief, gallery=[*brief.gallery] * 6))
    page.page.locator("[name=class]").select_option("star")
    page.page.emulate_media(media="print")
    page.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(page.images()) == 12
    assert page.shown("nav, .filters, .more, .pick") == []
    page.page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.page.emulate_media(media="screen")
    assert len(page.images()) == 9


def test_a_column_of_texts_is_sorted_by_them(window):
    trials = [
        replace(trial(number, "complete", 0.5), changes={"train.lr_max": 1, "train.loss": loss})
        for number, loss in enumerate(("focal", "multibox"))
    ]
    window.content = None
    window.open(render_search(SPACE, trials, {}))
    heading = window.page.locator("#trials thead button", has_text="train.loss")
    for names in (["rates-1", "rates-0"], ["rates-0", "rates-1"]):
        heading.click()
        assert window.shown("#trials tbody th") == names


def test_an_empty_report_opens(opened, empty):
    assert opened(empty).page.locator("h2").count() == 12


def test_a_request_or_an_error_is_noticed(window):
    window.open("<img src='http://a.example/x.png'><script>throw Error('oops')</script>")
    window.page.wait_for_timeout(100)
    assert "http://a.example/x.png" in window.troubles
    assert "oops" in window.troubles
    window.troubles.clear()
    window.content = None


def test_charts_follow_without_scrolling_on_a_phone_and_all_are_in_print(
    browser, content, brief, tmp_path
):
    shown = with_rows(brief, "sizes", content.tables["sizes"].rows)
    phone = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
    with Opened(browser, tmp_path / "report.html", **phone) as opened:
        opened.open(render(shown))
        opened.page.locator(".chart").last.locator(".main-svg").first.wait_for()
        opened.page.add_init_script("setTimeout = () => 0")  # printed before the second follows
        opened.page.reload()
        drawn = opened.page.locator(".chart .main-svg:first-child")
        assert drawn.count() == 1
        opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert drawn.count() == 3


def test_without_a_script_images_boxes_and_tables_show(browser, brief, tmp_path):
    with Opened(browser, tmp_path / "report.html", java_script_enabled=False) as page:
        page.open(render(brief))
        assert page.boxes() == ["? circle", "✓ circle 0.90", "✗ star 0.50", "≠ circle 0.70 (star)"]
        assert page.shown("#table-per_class tbody th") == ["circle", "star", "ghost"]
        assert page.shown(".filters") == []
